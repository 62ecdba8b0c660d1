#!/bin/sh
# mmdebstrap's customize hook: $1 is the freshly installed system, with its apt still online.
# Leaves in $1/lvslab/out what the sandbox boots from: rootfs.squashfs, vmlinuz,
# kernel.release, modules/*.ko and in modules/modules.order the order to load them in.
# In: LVSLAB_MODULES, LVSLAB_OPTIONAL_MODULES (names), LVSLAB_MASKED_UNITS (of systemd), LVSLAB_PATH_EXCLUDES (shell
# patterns), LVSLAB_SQUASHFS (mksquashfs arguments).
set -eu

root=$1
work=$root/lvslab
tree=$work/tree
out=$work/out

stage() { echo "lvslab: stage $*"; }
fail() { echo "lvslab: cause $*" >&2; exit 1; }
inside() {
    chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
        DEBIAN_FRONTEND=noninteractive "$@"
}
apt() { inside apt-get -q -y "$@"; }
# The outer apt as mmdebstrap configured it for the new system: it can reach the mirrors that this machine can.
online() { APT_CONFIG=$MMDEBSTRAP_APT_CONFIG "$@"; }
# What apt would download to install $2, into the directory $1 (inside).
fetch() {
    online apt-get -q -y -o APT::Install-Recommends=false install --download-only "$2"
    mkdir -p "$root$1"
    mv "$root"/var/cache/apt/archives/*.deb "$root$1/"
}

mkdir -p "$tree/base" "$tree/httpd" "$out/modules"

stage downloading the kernel
# The meta package's dependency is the kernel itself; installing it would want an initramfs and a boot loader.
kernel=$(online apt-cache depends linux-image-cloud-amd64 |
    sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
[ -n "$kernel" ] || fail "linux-image-cloud-amd64 names no kernel package"
mkdir -p "$work/kernel"
(cd "$work" && online apt-get -q -o APT::Sandbox::User=root download "$kernel")
mv "$work/$kernel"_*.deb "$work/kernel.deb"
# Those of the system's own installation.
rm -f "$root"/var/cache/apt/archives/*.deb
stage downloading httpd
fetch /usr/share/lvslab/repo apache2
fetch /lvslab/reference ipvsadm

stage unpacking the kernel
inside dpkg-deb -x /lvslab/kernel.deb /lvslab/kernel
release=${kernel#linux-image-}
inside depmod -b /lvslab/kernel "$release"
cp "$work/kernel/boot/vmlinuz-$release" "$out/vmlinuz"
# Cuts the signature off a module: checking it is half of the time that loading takes on an emulated processor.
# At the end of a signed file stand the signature, 12 bytes of which the last 4 are its length (big endian), and a
# line of 28 bytes (include/linux/module_signature.h).
unsign() {
    [ "$(tail -c 28 "$1")" = "~Module signature appended~" ] || return 0
    # shellcheck disable=SC2046 # four numbers
    set -- "$1" $(tail -c 32 "$1" | head -c 4 | od -An -tu1)
    truncate -s "-$(($2 * 16777216 + $3 * 65536 + $4 * 256 + $5 + 12 + 28))" "$1"
}
# "insmod PATH OPTIONS" for each file needed, dependencies first; "builtin NAME" where there is no file.
order() { inside modprobe -C /dev/null -d /lvslab/kernel -S "$release" --show-depends "$1"; }
{
    for module in $LVSLAB_MODULES; do
        order "$module" || fail "$kernel has no module $module"
    done
    for module in $LVSLAB_OPTIONAL_MODULES; do
        order "$module" 2> /dev/null || echo "lvslab: note $kernel has no module $module" >&2
    done
} > "$work/modules.needed"
sed -n 's/^insmod \([^ ]*\).*$/\1/p' "$work/modules.needed" | awk '!seen[$0]++' > "$work/modules.paths"
: > "$out/modules/modules.order"
while read -r path; do
    name=${path##*/}
    case $name in
        *.ko) cp "$root$path" "$out/modules/$name" ;;
        *.ko.xz) name=${name%.xz}; xz -dc "$root$path" > "$out/modules/$name" ;;
        *.ko.zst) name=${name%.zst}; zstd -dcq "$root$path" > "$out/modules/$name" ;;
        *) fail "cannot unpack $name" ;;
    esac
    unsign "$out/modules/$name"
    echo "$name" >> "$out/modules/modules.order"
done < "$work/modules.paths"
echo "$release" > "$out/kernel.release"

stage making the offline package repository
# What dpkg-scanpackages and apt-ftparchive would write; neither is in a small system.
(
    cd "$root/usr/share/lvslab/repo"
    for deb in *.deb; do
        inside dpkg-deb -f "/usr/share/lvslab/repo/$deb"
        echo "Filename: ./$deb"
        echo "Size: $(stat -c %s "$deb")"
        echo "SHA256: $(sha256sum "$deb" | cut -d ' ' -f 1)"
        echo
    done > Packages
    gzip -9nk Packages
    {
        echo "Origin: lvslab"
        echo "Label: lvslab"
        echo "Suite: offline"
        echo "Architectures: amd64"
        echo "Date: $(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S UTC')"
        echo "SHA256:"
        for file in Packages Packages.gz; do
            echo " $(sha256sum "$file" | cut -d ' ' -f 1) $(stat -c %s "$file") $file"
        done
    } > Release
)

stage configuring the hosts
# The reference ipvsadm, for comparing with ours: outside PATH and unknown to dpkg.
reference=/usr/lib/lvslab/reference
mkdir -p "$root$reference"
for deb in "$work"/reference/*.deb; do
    inside dpkg-deb -x "/lvslab/reference/${deb##*/}" "/lvslab/reference/tree"
done
mv "$work/reference/tree/sbin/ipvsadm" "$root$reference/ipvsadm.bin"
mkdir -p "$root$reference/lib"
find "$work/reference/tree" -name 'lib*.so*' -exec mv -t "$root$reference/lib" {} +
cat > "$root$reference/ipvsadm" <<END
#!/bin/sh
LD_LIBRARY_PATH=$reference/lib exec $reference/ipvsadm.bin "\$@"
END
chmod 755 "$root$reference/ipvsadm"

rm -rf "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/* "$root"/var/lib/apt/lists/* \
    "$root"/etc/apt/apt.conf.d/99mmdebstrap
echo 'deb [trusted=yes] file:/usr/share/lvslab/repo ./' > "$root/etc/apt/sources.list"
cat > "$root/etc/apt/apt.conf.d/50lvslab" <<'END'
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
END
apt update

cat > "$root/etc/ssh/sshd_config" <<'END'
# Key login for root only. Every start of a process is dear in an emulated machine, hence no PAM, no DNS,
# and the cheapest key exchange.
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
HostKey /etc/ssh/ssh_host_ed25519_key
KexAlgorithms curve25519-sha256
AcceptEnv LANG LC_*
MaxStartups 100
MaxSessions 100
Subsystem sftp internal-sftp
END
rm -f "$root"/etc/ssh/ssh_host_*
# No password, yet not locked: sshd without PAM lets nobody into an account whose password starts with "!".
inside usermod -p '*' root
: > "$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id"
echo localhost > "$root/etc/hostname"
printf '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n' > "$root/etc/hosts"
: > "$root/etc/resolv.conf"
: > "$root/etc/motd"
for unit in $LVSLAB_MASKED_UNITS; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
mkdir -p "$root/var/lib/lvslab" "$root/etc/sysconfig/network-scripts"
rmdir "$root/etc/sysconfig/network-scripts" "$root/etc/sysconfig" "$root/var/lib/lvslab"

# The essential packages were unpacked by tar, which knows nothing of dpkg's excluded paths.
(
    # The list is split without looking for the patterns on this machine; each is then looked for in the new one.
    set -f
    for pattern in $LVSLAB_PATH_EXCLUDES; do
        set +f
        # shellcheck disable=SC2086 # a pattern
        rm -rf "$root"$pattern
    done
)

# What a run of apt leaves behind that says nothing about the system.
scrub() {
    rm -rf "$root"/var/cache/apt/* "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old
    mkdir -p "$root/var/cache/apt/archives/partial"
    # The directories stay: services do not start without theirs.
    find "$root/var/log" -type f -delete
}
# Name, type, mode, owner and, but for directories, size, time and target of everything that belongs to the system.
contents() {
    (cd "$1" && find . -mindepth 1 \( -path './proc/*' -o -path './sys/*' -o -path './dev/*' -o -path './run/*' \
        -o -path './tmp/*' -o -path ./lvslab -o -path ./usr/sbin/policy-rc.d \) -prune -o \
        \( -type d -printf '%P\t%y\t%m\t%U:%G\n' -o -printf '%P\t%y\t%m\t%U:%G\t%s\t%T@\t%l\n' \)) | LC_ALL=C sort
}

scrub
contents "$root" > "$work/base.list"
cut -f 1 "$work/base.list" > "$work/base.paths"
tar -C "$root" --numeric-owner --no-recursion -T "$work/base.paths" -cf - | tar -C "$tree/base" -xpf -

stage installing httpd
# Not started here, not enabled there: a factory-new machine with the package on it.
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
apt install apache2
if [ -x "$root/usr/bin/systemctl" ]; then
    inside systemctl disable apache2
else
    inside update-rc.d apache2 disable
fi
rm -f "$root/usr/sbin/policy-rc.d"
scrub
contents "$root" > "$work/httpd.list"
cut -f 1 "$work/httpd.list" > "$work/httpd.paths"

# The difference as an overlayfs layer: what is new or changed with all its parents, and a whiteout for what is gone.
LC_ALL=C comm -13 "$work/base.list" "$work/httpd.list" | cut -f 1 |
    awk -F / '{ path = ""; for (i = 1; i <= NF; i++) { path = path (i > 1 ? "/" : "") $i; if (!seen[path]++) print path } }' \
        > "$work/delta.paths"
tar -C "$root" --numeric-owner --no-recursion -T "$work/delta.paths" -cf - | tar -C "$tree/httpd" -xpf -
LC_ALL=C comm -23 "$work/base.paths" "$work/httpd.paths" | sed 's|.*|"httpd/&" c 000 0 0 0 0|' > "$work/whiteouts"

stage packing the root file system
# shellcheck disable=SC2086 # several words
mksquashfs "$tree" "$out/rootfs.squashfs" -noappend -no-progress -quiet -no-xattrs -pf "$work/whiteouts" $LVSLAB_SQUASHFS
