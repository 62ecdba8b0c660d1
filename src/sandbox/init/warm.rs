//! Reads the programs that hosts will run, with their libraries, before the machine's state is saved.
//!
//! The saved memory then holds them uncompressed, so no start reads and unpacks them again. A missing file is skipped,
//! because this only saves time.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

/// What a login, the agent's work and a web server's start run.
const PROGRAMS: &[&str] = &[
    "/usr/sbin/sshd",
    "/bin/sh",
    "/bin/bash",
    "/usr/bin/env",
    "/usr/bin/true",
    "/usr/bin/cat",
    "/usr/bin/ls",
    "/usr/bin/mkdir",
    "/usr/bin/mv",
    "/usr/bin/rm",
    "/usr/bin/chmod",
    "/usr/bin/chown",
    "/usr/bin/ln",
    "/usr/bin/id",
    "/usr/bin/stat",
    "/usr/bin/install",
    "/usr/bin/mktemp",
    "/usr/bin/basename",
    "/usr/bin/dirname",
    "/usr/bin/readlink",
    "/usr/bin/head",
    "/usr/bin/tail",
    "/usr/bin/sleep",
    "/usr/bin/grep",
    "/usr/bin/sed",
    "/usr/bin/mawk",
    "/usr/bin/gzip",
    "/usr/bin/sha256sum",
    "/usr/bin/curl",
    "/usr/bin/tput",
    "/usr/bin/which",
    "/usr/bin/run-parts",
    "/usr/bin/pidof",
    "/usr/bin/pkill",
    "/usr/sbin/ip",
    "/usr/bin/ip",
    "/usr/sbin/sysctl",
    "/usr/bin/ping",
    "/usr/sbin/service",
    "/usr/sbin/start-stop-daemon",
    "/usr/sbin/update-rc.d",
    "/usr/sbin/invoke-rc.d",
    "/usr/bin/perl",
    "/usr/sbin/apache2",
    "/usr/sbin/apache2ctl",
    "/usr/lib/systemd/systemd",
    "/usr/lib/systemd/systemd-journald",
    "/usr/bin/systemctl",
    "/usr/bin/dbus-daemon",
];

/// Read beside the programs: what they look at when they start.
const FILES: &[&str] = &[
    "/etc/ld.so.cache",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/ssh/sshd_config",
    "/etc/bash.bashrc",
    "/etc/profile",
    "/lib/lsb/init-functions",
    "/etc/init.d/apache2",
    "/etc/apache2/apache2.conf",
    "/etc/apache2/envvars",
    "/etc/mime.types",
    "/usr/share/perl-base/strict.pm",
    "/usr/share/perl-base/warnings.pm",
];

const LIBRARY_DIRECTORIES: &[&str] = &[
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
];

/// Reads them from the file systems under `base` and, over it, `httpd`; returns how many bytes.
pub fn read_what_hosts_run(base: &Path, httpd: &Path) -> u64 {
    let mut reader = Reader {
        layers: [httpd.to_owned(), base.to_owned()],
        seen: BTreeSet::new(),
        bytes: 0,
    };
    for file in FILES {
        reader.read(Path::new(file));
    }
    for program in PROGRAMS {
        reader.read_with_libraries(Path::new(program));
    }
    for module in reader.enabled_apache_modules() {
        reader.read_with_libraries(&module);
    }
    reader.bytes
}

struct Reader {
    /// Uppermost first.
    layers: [PathBuf; 2],
    seen: BTreeSet<PathBuf>,
    bytes: u64,
}

impl Reader {
    /// Where `path` of the hosts' root is here, links followed inside that root.
    fn locate(&self, path: &Path) -> Option<PathBuf> {
        let mut path = path.to_owned();
        for _ in 0..8 {
            let Some(link) = self.first_link(&path) else {
                return self
                    .layers
                    .iter()
                    .map(|layer| below(layer, &path))
                    .find(|found| found.is_file());
            };
            path = link;
        }
        None
    }

    /// `path` with its first symbolic link replaced by what it points to.
    fn first_link(&self, path: &Path) -> Option<PathBuf> {
        let mut walked = PathBuf::from("/");
        let mut rest = path.components().skip(1);
        while let Some(component) = rest.next() {
            let here = walked.join(component);
            let target = self
                .layers
                .iter()
                .find_map(|layer| std::fs::read_link(below(layer, &here)).ok());
            if let Some(target) = target {
                let mut replaced = normal(&walked.join(target));
                replaced.extend(rest);
                return Some(replaced);
            }
            walked = here;
        }
        None
    }

    fn read(&mut self, path: &Path) -> Option<PathBuf> {
        let found = self.locate(path)?;
        if !self.seen.insert(found.clone()) {
            return None;
        }
        let file = File::open(&found).ok()?;
        self.bytes += fill_page_cache(&file).ok()?;
        Some(found)
    }

    fn read_with_libraries(&mut self, path: &Path) {
        let mut waiting = vec![path.to_owned()];
        while let Some(path) = waiting.pop() {
            let Some(found) = self.read(&path) else {
                continue;
            };
            for library in needed_libraries(&found) {
                let place = LIBRARY_DIRECTORIES
                    .iter()
                    .map(|directory| Path::new(directory).join(&library))
                    .find(|candidate| self.locate(candidate).is_some());
                waiting.extend(place);
            }
        }
    }

    /// `mods-enabled/NAME.load` loads `mod_NAME.so`.
    fn enabled_apache_modules(&self) -> Vec<PathBuf> {
        let enabled = below(&self.layers[0], Path::new("/etc/apache2/mods-enabled"));
        std::fs::read_dir(enabled)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let name = PathBuf::from(entry.file_name());
                let module = name
                    .extension()
                    .filter(|kind| *kind == "load")
                    .and(name.file_stem())?;
                Some(PathBuf::from(format!(
                    "/usr/lib/apache2/modules/mod_{}.so",
                    module.to_str()?
                )))
            })
            .collect()
    }
}

/// Brings a file into memory without copying it to this process; returns its length.
fn fill_page_cache(file: &File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    posix_fadvise(
        file,
        0,
        i64::try_from(length).unwrap_or(i64::MAX),
        PosixFadviseAdvice::POSIX_FADV_WILLNEED,
    )?;
    Ok(length)
}

fn below(layer: &Path, path: &Path) -> PathBuf {
    layer.join(path.strip_prefix("/").unwrap_or(path))
}

/// Without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

/// `DT_NEEDED` of a 64-bit little-endian ELF file (elf(5)); empty for anything else.
fn needed_libraries(path: &Path) -> Vec<String> {
    File::open(path)
        .ok()
        .and_then(|file| needed(&file))
        .unwrap_or_default()
}

fn needed(elf: &impl FileExt) -> Option<Vec<String>> {
    const MOST_ENTRIES: usize = 1000;
    const LONGEST_NAME: usize = 256;
    const PT_LOAD: u32 = 1;
    const PT_DYNAMIC: u32 = 2;
    const DT_NULL: u64 = 0;
    const DT_NEEDED: u64 = 1;
    const DT_STRTAB: u64 = 5;
    let word = |at: u64| Some(u64::from_le_bytes(bytes(elf, at)?));
    let half = |at: u64| Some(u32::from_le_bytes(bytes(elf, at)?));
    let short = |at: u64| Some(u16::from_le_bytes(bytes(elf, at)?));
    if bytes(elf, 0)? != *b"\x7fELF\x02\x01" {
        return None;
    }
    let table = word(32)?;
    let entry_size = u64::from(short(54)?);
    let mut loads = Vec::new();
    let mut dynamic = None;
    for index in 0..u64::from(short(56)?) {
        let at = table.checked_add(index.checked_mul(entry_size)?)?;
        let (offset, address, size) = (word(at + 8)?, word(at + 16)?, word(at + 32)?);
        match half(at)? {
            PT_LOAD => loads.push((address, offset, size)),
            PT_DYNAMIC => dynamic = Some((offset, size)),
            _ => {}
        }
    }
    let (start, size) = dynamic?;
    let mut names = Vec::new();
    let mut strings = None;
    for at in (start..start.checked_add(size)?)
        .step_by(16)
        .take(MOST_ENTRIES)
    {
        match word(at)? {
            DT_NULL => break,
            DT_NEEDED => names.push(word(at + 8)?),
            DT_STRTAB => strings = Some(word(at + 8)?),
            _ => {}
        }
    }
    let strings = strings?;
    let (address, offset, _) = loads
        .into_iter()
        .find(|&(address, _, size)| (address..address.saturating_add(size)).contains(&strings))?;
    let strings = (strings - address).checked_add(offset)?;
    names
        .into_iter()
        .map(|name| {
            let mut text = [0; LONGEST_NAME];
            let length = elf.read_at(&mut text, strings.checked_add(name)?).ok()?;
            let end = text[..length].iter().position(|&byte| byte == 0)?;
            String::from_utf8(text[..end].to_vec()).ok()
        })
        .collect()
}

fn bytes<const LENGTH: usize>(file: &impl FileExt, at: u64) -> Option<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    file.read_exact_at(&mut bytes, at).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_programs_libraries_are_found_in_the_program() {
        assert!(
            needed_libraries(Path::new("/bin/sh"))
                .iter()
                .any(|library| library.starts_with("libc.so")),
        );
        assert!(needed_libraries(Path::new("/etc/passwd")).is_empty());
        assert!(needed_libraries(Path::new("/nonexistent")).is_empty());
    }

    #[test]
    fn links_are_followed_inside_the_hosts_root() {
        let root = tempfile::tempdir().unwrap();
        let (base, httpd) = (root.path().join("base"), root.path().join("httpd"));
        std::fs::create_dir_all(base.join("usr/bin")).unwrap();
        std::fs::create_dir_all(httpd.join("usr/sbin")).unwrap();
        std::os::unix::fs::symlink("usr/bin", base.join("bin")).unwrap();
        std::os::unix::fs::symlink("/bin/dash", base.join("usr/bin/sh")).unwrap();
        std::fs::write(base.join("usr/bin/dash"), "12345").unwrap();
        std::fs::write(httpd.join("usr/sbin/apache2"), "123").unwrap();
        assert_eq!(read_what_hosts_run(&base, &httpd), 8);
    }

    #[test]
    fn a_circle_of_links_ends() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("bin")).unwrap();
        std::os::unix::fs::symlink("sh", root.path().join("bin/sh")).unwrap();
        assert_eq!(read_what_hosts_run(root.path(), root.path()), 0);
    }

    proptest! {
        #[test]
        fn broken_programs_are_no_harm(mut bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            for (at, byte) in b"\x7fELF\x02\x01".iter().enumerate() {
                if let Some(slot) = bytes.get_mut(at) {
                    *slot = *byte;
                }
            }
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &bytes).unwrap();
            let _ = needed_libraries(file.path());
        }
    }
}
