use std::io::Read;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::*;
use crate::sandbox::image::cache;
use crate::sandbox::image::recipe::PLAIN;
use crate::sys::progress::Silent;

/// Remembers what it is told.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Progress for Notes {
    fn doing(&self, _: &str, what: &str) {
        self.0.lock().unwrap().push(what.to_owned());
    }
    fn amount(&self, _: &str, done: u64, total: u64) {
        self.0.lock().unwrap().push(format!("{done}/{total}"));
    }
    fn finished(&self, _: &str, _: &str) {}
}

/// A machine whose mmdebstrap is `script`, which finds the last hook, `copy-out FILES 'DIRECTORY'`, in `$hook`
/// and the directory in `$image`.
fn environment(directory: &Path, script: &str) -> Environment {
    let bin = directory.join("bin");
    let temporary = directory.join("tmp");
    fs::create_dir_all(&bin).unwrap();
    fs::create_dir_all(&temporary).unwrap();
    write(
        &bin.join("mmdebstrap"),
        &format!(
            "#!/bin/sh\nfor word; do case $word in --customize-hook=copy-out*) hook=$word ;; esac; done\n\
             image=${{hook#*\\'}}\nimage=${{image%\\'}}\n{script}\n"
        ),
        0o755,
    )
    .unwrap();
    let mut host = Host::here();
    host.root = directory.to_owned();
    host.path = vec![bin, "/usr/bin".into(), "/bin".into()];
    Environment {
        host,
        temporary,
        mirror: Some("http://mirror.example/debian".to_owned()),
    }
}

const MAKE_IMAGE: &str = "mkdir $image/modules; touch $image/vmlinuz $image/rootfs.squashfs $image/modules/modules.order";

fn obtain(
    directory: &Path,
    script: &str,
    progress: &dyn Progress,
) -> Result<super::super::Image, ImageError> {
    let environment = environment(directory, script);
    cache::obtain(&directory.join("images"), "key", progress, |room| {
        build(&PLAIN, &environment, room, progress)
    })
}

#[test]
fn a_build_makes_the_image_shows_its_progress_and_leaves_only_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let notes = Notes::default();
    let script = format!(
        "echo 'I: downloading packages with apt...' >&2; echo '0 upgraded, 1 newly installed, 0 to remove'\n\
         echo 'Get:1 x'; test -x \"$TMPDIR/inside.sh\" || exit 7; echo \"$LVSLAB_SQUASHFS\"; {MAKE_IMAGE}"
    );
    let image = obtain(directory.path(), &script, &notes).unwrap();
    assert_eq!(image.key, "key");
    assert!(image.rootfs.ends_with("images/key/rootfs.squashfs"));
    assert_eq!(
        notes.0.into_inner().unwrap(),
        [
            "starting to build the image",
            "downloading the base system",
            "1/3"
        ]
    );
    let log = fs::read_to_string(directory.path().join("images/build.log")).unwrap();
    assert_eq!(
        log,
        "I: downloading packages with apt...\n0 upgraded, 1 newly installed, 0 to remove\nGet:1 x\n-comp lz4 -noI -noD -noF\n"
    );
    let mut left: Vec<_> = fs::read_dir(directory.path().join("images"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, [".lock", "build.log", "key"]);
    assert_eq!(
        fs::read_dir(directory.path().join("tmp")).unwrap().count(),
        0
    );
}

#[test]
fn a_failed_build_tells_cause_next_step_tail_and_where_the_log_is() {
    let directory = tempfile::tempdir().unwrap();
    let script = "echo 'I: running apt-get update...'\n\
                  echo \"W: Failed to fetch http://m/debian  Could not connect to m:80\"; exit 25";
    let error = obtain(directory.path(), script, &Silent).unwrap_err();
    let shown = format!("{error}\n{}", error.hint())
        .replace(&directory.path().display().to_string(), "DIR");
    insta::assert_snapshot!(shown, @r"
    building the sandbox image failed: the Debian mirror cannot be reached (W: Failed to fetch http://m/debian  Could not connect to m:80)
    I: running apt-get update...
    W: Failed to fetch http://m/debian  Could not connect to m:80
    all of it is in DIR/images/build.log
    check the network and the proxy (http_proxy, or apt's own setting), or name a mirror that works here: LVSLAB_DEBIAN_MIRROR=http://deb.debian.org/debian
    ");
    assert!(!directory.path().join("images/key").exists());
    assert!(!directory.path().join("images/.building").exists());
    assert_eq!(
        fs::read_dir(directory.path().join("tmp")).unwrap().count(),
        0
    );
}

#[test]
fn a_build_that_leaves_a_part_out_is_not_an_image() {
    let directory = tempfile::tempdir().unwrap();
    let error = obtain(directory.path(), "touch $image/vmlinuz", &Silent).unwrap_err();
    assert!(matches!(error, ImageError::Incomplete { .. }), "{error}");
    assert!(!directory.path().join("images/key").exists());
}

#[test]
fn a_build_that_was_killed_is_cleaned_up_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let images = directory.path().join("images");
    // What a kill -9 leaves: a partial image and a noted scratch directory.
    fs::create_dir_all(images.join(".building/modules")).unwrap();
    fs::write(images.join(".building/vmlinuz"), "half").unwrap();
    let temporary = directory.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let left = Scratch::create(&temporary, &images.join(".scratch")).unwrap();
    fs::create_dir_all(left.path().join("mmdebstrap.1/usr")).unwrap();
    drop(left);

    let notes = Notes::default();
    let image = obtain(directory.path(), MAKE_IMAGE, &notes).unwrap();
    assert_eq!(fs::read(&image.kernel).unwrap(), b"");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    assert!(!images.join(".scratch").exists());
    assert_eq!(
        notes.0.into_inner().unwrap()[0],
        "removing what an interrupted build left"
    );
}

#[test]
fn the_programs_of_a_build_end_when_their_lvslab_is_gone() {
    let mut command = Command::new("sh");
    // The one that is told to end cleans up; the one that does not listen is killed with the group.
    command
        .args(["-c", include_str!("outside.sh"), "sh", "sh", "-c"])
        .arg("trap 'echo cleaned up; exit 1' TERM; echo started; while :; do sleep 0.1; done")
        .process_group(0)
        .stdin(Stdio::piped());
    let (mut child, mut output) = stream::spawn(command).unwrap();
    let mut started = [0; 8];
    output.read_exact(&mut started).unwrap();
    assert_eq!(&started, b"started\n");
    drop(child.stdin.take());
    let mut rest = String::new();
    // The end of the output: every program that could write to it is gone.
    output.read_to_string(&mut rest).unwrap();
    // The shell may say before that its sleep was terminated with it.
    assert_eq!(rest.lines().last(), Some("cleaned up"), "{rest}");
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_build_ends_with_the_status_of_its_program() {
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            include_str!("outside.sh"),
            "sh",
            "sh",
            "-c",
            "exit 25",
        ])
        .process_group(0)
        .stdin(Stdio::piped());
    let (mut child, mut output) = stream::spawn(command).unwrap();
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    // `wait` closes the pipe only after the output has ended, as a build does.
    assert_eq!(child.wait().unwrap().code(), Some(25));
}

#[test]
fn the_lock_is_held_by_the_programs_of_a_build_too() {
    let directory = tempfile::tempdir().unwrap();
    let lock = directory.path().join("images/.lock");
    // The build's own program finds the lock taken although nobody but its ancestors has opened it.
    let script = format!(
        "flock -n {} true && exit 3; ls -l /proc/$$/fd | grep -q '[.]lock$' || exit 4; {MAKE_IMAGE}",
        lock.display()
    );
    obtain(directory.path(), &script, &Silent).unwrap();
    // Another test's program may have been started at the same moment and hold it, too, until it ends.
    let lock = File::open(&lock).unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while lock.try_lock().is_err() {
        assert!(Instant::now() < end, "it is still held");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn mmdebstrap_is_told_everything() {
    let mut host = Host::here();
    host.uid = 1000;
    let files = Files {
        hook: Path::new("/s/inside.sh"),
        sources: Path::new("/s/debian.sources"),
        apt_options: Path::new("/s/apt.conf"),
        dpkg_options: Path::new("/s/dpkg.cfg"),
        image: Path::new("/home/o'hara/.cache/lvslab/images/.building"),
    };
    let recipe = Recipe {
        packages: &["curl", "less"],
        ..PLAIN
    };
    let words: Vec<String> = arguments(&recipe, &host, &files)
        .into_iter()
        .map(|word| word.into_string().unwrap())
        .collect();
    insta::assert_snapshot!(words.join("\n"), @r#"
    --verbose
    --mode=unshare
    --variant=minbase
    --format=null
    --architectures=amd64
    --include=curl,less
    --aptopt=Acquire::Languages "none"
    --aptopt=/s/apt.conf
    --setup-hook=install -D -m 644 '/s/dpkg.cfg' "$1"/etc/dpkg/dpkg.cfg.d/50lvslab
    --customize-hook=/s/inside.sh
    --customize-hook=copy-out /lvslab/out/vmlinuz /lvslab/out/kernel.release /lvslab/out/rootfs.squashfs /lvslab/out/modules '/home/o'\''hara/.cache/lvslab/images/.building'
    bookworm
    /dev/null
    /s/debian.sources
    "#);
}

#[test]
fn only_what_a_download_needs_is_handed_on() {
    assert!(is_handed_on("https_proxy") && is_handed_on("NO_PROXY") && is_handed_on("HOME"));
    assert!(
        !is_handed_on("APT_CONFIG") && !is_handed_on("PERL5LIB") && !is_handed_on("LVSLAB_MODULES")
    );
}

#[test]
fn the_scripts_are_shell() {
    for script in [PLAIN.script, include_str!("outside.sh")] {
        let output = Command::new("sh")
            .args(["-n", "-c", script])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
