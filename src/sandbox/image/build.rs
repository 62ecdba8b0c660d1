//! Building an image: one run of mmdebstrap with our hook.
//!
//! In: a recipe, a machine with the programs for it. Out: the image's files in the room's directory, and a log.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use super::build_log::{BuildLog, Event};
use super::cache::Room;
use super::recipe::Recipe;
use super::requirements::Host;
use super::scratch::Scratch;
use super::{ImageError, SUBJECT, apt_sources, space, stream};
use crate::sys::progress::Progress;
use crate::sys::shell::in_quotes;

/// What a build takes from the caller's machine and environment.
#[derive(Debug, Clone)]
pub(super) struct Environment {
    /// The machine, for its programs.
    pub(super) host: Host,
    /// Where large temporary files go, a directory that everybody may enter.
    pub(super) temporary: PathBuf,
    /// A Debian mirror to use instead of the machine's own.
    pub(super) mirror: Option<String>,
}

impl Environment {
    /// `TMPDIR` and `LVSLAB_DEBIAN_MIRROR` on `host`.
    pub(super) fn of(host: Host) -> Self {
        Self {
            host,
            temporary: std::env::var_os("TMPDIR")
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
                // Not /tmp: that is often kept in memory.
                .unwrap_or_else(|| PathBuf::from("/var/tmp")),
            mirror: std::env::var("LVSLAB_DEBIAN_MIRROR")
                .ok()
                .filter(|value| !value.is_empty()),
        }
    }
}

/// Builds the image of `recipe` in `room`.
pub(super) fn build(
    recipe: &Recipe,
    environment: &Environment,
    room: &Room<'_>,
    progress: &dyn Progress,
) -> Result<(), ImageError> {
    let host = &environment.host;
    if let Some(left) = Scratch::noted(room.note) {
        progress.doing(SUBJECT, "removing what an interrupted build left");
        left.remove(host)?;
    }
    space::check(&[
        (&environment.temporary, space::BUILD_BYTES),
        (room.image, space::IMAGE_BYTES),
    ])?;
    let scratch = Scratch::create(&environment.temporary, room.note)?;
    let result = build_in(&scratch, recipe, environment, room, progress);
    // The build's own error matters more than one of the clean-up, which the next build repeats.
    let removed = scratch.remove(host);
    result.and(removed)
}

fn build_in(
    scratch: &Scratch,
    recipe: &Recipe,
    environment: &Environment,
    room: &Room<'_>,
    progress: &dyn Progress,
) -> Result<(), ImageError> {
    let host = &environment.host;
    progress.doing(SUBJECT, "starting to build the image");
    let hook = scratch.path().join("inside.sh");
    let sources = scratch.path().join("debian.sources");
    let apt_options = scratch.path().join("apt.conf");
    let dpkg_options = scratch.path().join("dpkg.cfg");
    write(&hook, recipe.script, 0o755)?;
    write(&sources, &sources_text(recipe, environment), 0o644)?;
    write(&apt_options, &transport_options(host), 0o644)?;
    write(&dpkg_options, &dpkg_text(recipe), 0o644)?;

    let mut command = Command::new(host.program("sh").unwrap_or_else(|| "/bin/sh".into()));
    command
        .args(["-c", include_str!("outside.sh"), "sh", "mmdebstrap"])
        .args(arguments(
            recipe,
            host,
            &Files {
                hook: &hook,
                sources: &sources,
                apt_options: &apt_options,
                dpkg_options: &dpkg_options,
                image: room.image,
            },
        ))
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| is_handed_on(&name.to_string_lossy())))
        .env("PATH", host.path_variable())
        .env("LC_ALL", "C.UTF-8")
        .env("TMPDIR", scratch.path())
        .env("LVSLAB_MODULES", recipe.modules.join(" "))
        .env("LVSLAB_OPTIONAL_MODULES", recipe.optional_modules.join(" "))
        .env("LVSLAB_MASKED_UNITS", recipe.masked_units.join(" "))
        .env("LVSLAB_PATH_EXCLUDES", recipe.path_excludes.join(" "))
        .env("LVSLAB_SQUASHFS", recipe.squashfs.join(" "))
        .current_dir(scratch.path())
        // The script ends the whole group when we are gone.
        .process_group(0)
        .stdin(Stdio::piped());

    // Held until the last program of the build is gone, however this process ends.
    let inherited = room
        .lock
        .try_clone()
        .and_then(|file| {
            fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty()))?;
            Ok(file)
        })
        .map_err(ImageError::file("lock", room.image))?;
    let spawned = stream::spawn(command);
    drop(inherited);
    let (mut child, output) = spawned.map_err(ImageError::file("start", "/bin/sh"))?;

    let mut log = BuildLog::new();
    let kept = follow(output, &mut log, room.log, progress);
    let status = child
        .wait()
        .map_err(ImageError::file("wait for", "mmdebstrap"))?;
    kept.map_err(ImageError::file("write", room.log))?;
    if status.success() {
        return Ok(());
    }
    let tail = log.tail();
    let failure = log.failure(status);
    Err(ImageError::Build {
        cause: failure.cause,
        next: failure.next,
        tail,
        log: room.log.to_owned(),
    })
}

/// Writes the build's output to the log and shows where it is. A log that cannot be written must not stop the
/// reading: the build would hang on a full pipe.
fn follow(
    output: impl std::io::Read,
    log: &mut BuildLog,
    path: &Path,
    progress: &dyn Progress,
) -> std::io::Result<()> {
    let mut file = File::create(path).map(BufWriter::new);
    let mut written = Ok(());
    let read = stream::lines(output, &mut |line| {
        if let Ok(file) = &mut file
            && written.is_ok()
        {
            written = writeln!(file, "{line}");
        }
        match log.line(line) {
            Some(Event::Stage(stage)) => progress.doing(SUBJECT, &stage),
            Some(Event::Amount(done, total)) => progress.amount(SUBJECT, done, total),
            None => {}
        }
    });
    read.and(written).and(file?.flush())
}

struct Files<'a> {
    hook: &'a Path,
    sources: &'a Path,
    apt_options: &'a Path,
    dpkg_options: &'a Path,
    image: &'a Path,
}

/// mmdebstrap(1)'s arguments.
fn arguments(recipe: &Recipe, host: &Host, files: &Files<'_>) -> Vec<std::ffi::OsString> {
    let mode = if host.is_root() { "root" } else { "unshare" };
    let mut words: Vec<std::ffi::OsString> = vec![
        "--verbose".into(),
        format!("--mode={mode}").into(),
        "--variant=minbase".into(),
        "--format=null".into(),
        "--architectures=amd64".into(),
        format!(
            "--include={}",
            [recipe.packages, recipe.system_packages].concat().join(",")
        )
        .into(),
        "--aptopt=Acquire::Languages \"none\"".into(),
        option("--aptopt=", files.apt_options),
    ];
    // Not as --dpkgopt: that makes mmdebstrap start a filter in Python for each essential package.
    words.push(
        format!(
            "--setup-hook=install -D -m 644 {} \"$1\"/etc/dpkg/dpkg.cfg.d/50lvslab",
            shell_word(files.dpkg_options)
        )
        .into(),
    );
    words.push(option("--customize-hook=", files.hook));
    // The only way out for files whose owners exist inside only.
    let outputs = "/lvslab/out/vmlinuz /lvslab/out/kernel.release /lvslab/out/rootfs.squashfs /lvslab/out/modules";
    words.push(
        format!(
            "--customize-hook=copy-out {outputs} {}",
            shell_word(files.image)
        )
        .into(),
    );
    words.extend([
        recipe.suite.into(),
        "/dev/null".into(),
        files.sources.into(),
    ]);
    words
}

/// dpkg.cfg(5) of the hosts: leaves out files that nobody reads in a sandbox, and does not sync a disk that is in memory.
fn dpkg_text(recipe: &Recipe) -> String {
    let mut text = String::from("force-unsafe-io\n");
    for pattern in recipe.path_excludes {
        text.push_str("path-exclude=");
        text.push_str(pattern);
        text.push('\n');
    }
    text
}

fn option(name: &str, path: &Path) -> std::ffi::OsString {
    let mut word = std::ffi::OsString::from(name);
    word.push(path);
    word
}

/// `path` as one word for the shell and for mmdebstrap's parser of hooks (Text::ParseWords) alike.
fn shell_word(path: &Path) -> String {
    in_quotes(&path.display().to_string())
}

/// Variables that a download may depend on.
fn is_handed_on(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "home" || name == "user" || name == "logname" || name.ends_with("_proxy")
}

fn sources_text(recipe: &Recipe, environment: &Environment) -> String {
    match &environment.mirror {
        Some(uri) => apt_sources::of_mirror(recipe.suite, uri),
        None => {
            let (lists, stanzas) = apt_sources::read(&environment.host.root.join("etc/apt"));
            apt_sources::for_suite(recipe.suite, &lists, &stanzas)
        }
    }
}

/// The machine's proxies and the like, empty where it has no apt.
fn transport_options(host: &Host) -> String {
    let dump = host
        .program("apt-config")
        .and_then(|program| {
            Command::new(program)
                .args(["dump", "Acquire"])
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .output()
                .ok()
        })
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    apt_sources::transport_options(&dump)
}

fn write(path: &Path, content: &str, mode: u32) -> Result<(), ImageError> {
    fs::write(path, content)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .map_err(ImageError::file("write", path))
}

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;
