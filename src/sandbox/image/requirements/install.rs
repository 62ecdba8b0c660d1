//! Installing packages with apt-get, as root or through sudo.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use super::{Host, Missing, RequirementsError, packages, subordinate};
use crate::sandbox::image::stream::{self, Tail};
use crate::sys::progress::Progress;

/// Package lists older than this are fetched again: mirrors drop superseded versions.
const LISTS_AGE: Duration = Duration::from_secs(24 * 3600);
/// Longest wait for an apt-get that has the package lists.
const LISTS_LOCK: Duration = Duration::from_secs(120);
/// Who it is that is installing, on the screen.
const SUBJECT: &str = "this machine";

/// How a command becomes root's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// The caller is root.
    Root,
    /// `sudo -n` works: no password is asked.
    Sudo,
    /// `sudo` may ask for a password on the terminal.
    SudoTerminal,
}

impl Privilege {
    fn prefix(self) -> &'static [&'static str] {
        match self {
            Self::Root => &[],
            Self::Sudo => &["sudo", "-n"],
            Self::SudoTerminal => &["sudo"],
        }
    }
}

/// How the caller can become root here, if at all.
pub(super) fn privilege(host: &Host) -> Option<Privilege> {
    if host.is_root() {
        return Some(Privilege::Root);
    }
    let sudo = host.program("sudo")?;
    let silent = Command::new(sudo)
        .args(["-n", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if silent {
        Some(Privilege::Sudo)
    } else {
        host.terminal.then_some(Privilege::SudoTerminal)
    }
}

/// The commands as a person would type them, as root.
pub(super) fn typed(missing: &[Missing]) -> Vec<String> {
    let packages: Vec<_> = packages(missing).into_iter().collect();
    let mut commands = Vec::new();
    if !packages.is_empty() {
        commands.push(format!(
            "apt-get update && apt-get install -y --no-install-recommends {}",
            packages.join(" ")
        ));
    }
    commands.extend(id_commands(missing).iter().map(|words| words.join(" ")));
    commands
}

/// Installs what is missing.
pub(super) fn install(
    host: &Host,
    missing: &[Missing],
    privilege: Privilege,
    progress: &dyn Progress,
) -> Result<(), RequirementsError> {
    let packages: Vec<&str> = packages(missing).into_iter().collect();
    if privilege == Privilege::SudoTerminal {
        progress.doing(SUBJECT, "waiting for sudo, which may ask for your password");
        let mut given = Ok(());
        progress.pause(&mut || given = ask_for_password(host));
        given?;
    }
    if !packages.is_empty() {
        let apt_get = |doing: &str, words: &[&str]| {
            patiently(Instant::now() + LISTS_LOCK, progress, || {
                progress.doing(SUBJECT, doing);
                run(host, privilege, &apt(words), progress)
            })
        };
        let update = || apt_get("fetching package lists", &["update"]);
        let fresh = lists_are_fresh(host, SystemTime::now());
        if !fresh {
            update()?;
        }
        let doing = format!("installing {}", packages.join(", "));
        let mut words = vec!["install", "-y", "--no-install-recommends"];
        words.extend(&packages);
        let first = apt_get(&doing, &words);
        if fresh && first.is_err() {
            // The lists may have been incomplete or of yesterday's mirror.
            update()?;
            apt_get(&doing, &words)?;
        } else {
            first?;
        }
    }
    for words in id_commands(missing) {
        progress.doing(SUBJECT, &words.join(" "));
        run(host, privilege, &words, progress)?;
    }
    let mut done: Vec<String> = Vec::new();
    if !packages.is_empty() {
        done.push(format!("installed {}", packages.join(", ")));
    }
    done.extend(
        id_commands(missing)
            .iter()
            .map(|words| format!("ran {}", words.join(" "))),
    );
    progress.note(SUBJECT, &done.join("; "));
    Ok(())
}

/// Repeats the command every second while another apt-get locks the package lists, which `DPkg::Lock::Timeout` does not
/// cover.
fn patiently(
    end: Instant,
    progress: &dyn Progress,
    mut command: impl FnMut() -> Result<(), RequirementsError>,
) -> Result<(), RequirementsError> {
    loop {
        let result = command();
        let busy = matches!(
            &result,
            Err(RequirementsError::Command { tail, .. }) if tail.contains("Unable to lock directory")
        );
        if !busy || Instant::now() >= end {
            return result;
        }
        progress.doing(SUBJECT, "waiting for another apt-get");
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// An apt-get that asks nothing, waits for another one, and says on its standard output how far it is.
fn apt(words: &[&str]) -> Vec<String> {
    [
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "LC_ALL=C.UTF-8",
        "apt-get",
        "-o",
        "APT::Status-Fd=1",
        "-o",
        "DPkg::Lock::Timeout=120",
    ]
    .iter()
    .chain(words)
    .map(|&word| word.to_owned())
    .collect()
}

fn id_commands(missing: &[Missing]) -> Vec<Vec<String>> {
    missing
        .iter()
        .filter_map(|item| match item {
            Missing::SubordinateIds { user, first } => Some(subordinate::usermod(user, *first)),
            Missing::File { .. } => None,
        })
        .collect()
}

/// Whether apt has package lists, none older than a day.
fn lists_are_fresh(host: &Host, now: SystemTime) -> bool {
    let newest = fs::read_dir(host.at("/var/lib/apt/lists"))
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            name.to_string_lossy().contains("_Packages")
        })
        .filter_map(|entry| entry.metadata().ok()?.modified().ok())
        .max();
    // apt keeps the mirror's time stamp on the list; the directory's own time is that of the last update.
    let updated = fs::metadata(host.at("/var/lib/apt/lists"))
        .and_then(|found| found.modified())
        .ok();
    newest.is_some()
        && updated.is_some_and(|time| now.duration_since(time).is_ok_and(|age| age < LISTS_AGE))
}

/// Lets sudo ask where the person sees it; the commands after it then need no terminal.
fn ask_for_password(host: &Host) -> Result<(), RequirementsError> {
    let start = |source| RequirementsError::Start {
        program: "sudo".to_owned(),
        source,
    };
    let status = Command::new(host.program("sudo").unwrap_or_else(|| "sudo".into()))
        .arg("-v")
        .status()
        .map_err(start)?;
    if status.success() {
        return Ok(());
    }
    Err(RequirementsError::Command {
        command: "sudo -v".to_owned(),
        status,
        tail: String::new(),
    })
}

fn run(
    host: &Host,
    privilege: Privilege,
    words: &[String],
    progress: &dyn Progress,
) -> Result<(), RequirementsError> {
    let mut argv: Vec<String> = privilege
        .prefix()
        .iter()
        .map(|&word| word.to_owned())
        .collect();
    argv.extend_from_slice(words);
    let mut command = Command::new(
        host.program(&argv[0])
            .unwrap_or_else(|| argv[0].clone().into()),
    );
    command
        .args(&argv[1..])
        .env("PATH", host.path_variable())
        .stdin(Stdio::null());
    let mut tail = Tail::new(12);
    let mut shown = None;
    let status = stream::run(command, |line| match apt_percent(line) {
        percent @ Some(amount) if percent != shown => {
            shown = percent;
            progress.amount(SUBJECT, amount, 100);
        }
        Some(_) => {}
        None => tail.push(line),
    })
    .map_err(|source| RequirementsError::Start {
        program: argv[0].clone(),
        source,
    })?;
    if status.success() {
        return Ok(());
    }
    Err(RequirementsError::Command {
        command: argv.join(" "),
        status,
        tail: tail.to_string(),
    })
}

/// The percentage in a line of APT::Status-Fd: `dlstatus:1:12.5:Retrieving file 1 of 4`,
/// `pmstatus:uidmap:40.0:Unpacking uidmap` (apt's progress-reporting.md).
fn apt_percent(line: &str) -> Option<u64> {
    let mut parts = line.split(':');
    let kind = parts.next()?;
    // A package's name may carry its architecture, `libc6:amd64`, so the percentage is the first number after it.
    let percent = match kind {
        "dlstatus" => parts.nth(1)?.parse::<f64>().ok()?,
        "pmstatus" => parts.skip(1).find_map(|part| part.parse::<f64>().ok())?,
        _ => return None,
    };
    // Downloading is about half of the time.
    let half = percent.clamp(0.0, 100.0) / 2.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 100"
    )]
    let whole = half as u64;
    Some(if kind == "pmstatus" {
        50 + whole
    } else {
        whole
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_asks_nothing_and_pulls_in_no_recommendations() {
        assert_eq!(
            apt(&["install", "-y", "--no-install-recommends", "uidmap"]).join(" "),
            "env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get -o APT::Status-Fd=1 \
             -o DPkg::Lock::Timeout=120 install -y --no-install-recommends uidmap"
        );
    }

    #[test]
    fn status_lines_become_percentages() {
        assert_eq!(
            apt_percent("dlstatus:1:50.0:Retrieving file 1 of 4"),
            Some(25)
        );
        assert_eq!(
            apt_percent("pmstatus:uidmap:40.0:Unpacking uidmap"),
            Some(70)
        );
        assert_eq!(apt_percent("pmstatus:libc6:amd64:100:Installed"), Some(100));
        assert_eq!(
            apt_percent("pmstatus:dpkg-exec:0.0000:Running dpkg"),
            Some(50)
        );
        assert_eq!(apt_percent("Setting up uidmap (1:4.13)"), None);
        assert_eq!(apt_percent("dlstatus:1:nan:x"), Some(0));
        assert_eq!(apt_percent("dlstatus:"), None);
    }

    #[test]
    fn package_lists_are_stale_when_absent_or_a_day_old() {
        let directory = tempfile::tempdir().unwrap();
        let host = Host {
            root: directory.path().to_owned(),
            path: Vec::new(),
            uid: 0,
            user: "root".to_owned(),
            terminal: false,
        };
        let now = SystemTime::now();
        assert!(!lists_are_fresh(&host, now));
        let lists = directory.path().join("var/lib/apt/lists");
        fs::create_dir_all(&lists).unwrap();
        fs::write(lists.join("lock"), "").unwrap();
        assert!(!lists_are_fresh(&host, now));
        fs::write(
            lists.join("deb.debian.org_debian_dists_bookworm_main_binary-amd64_Packages.lz4"),
            "",
        )
        .unwrap();
        let now = SystemTime::now();
        assert!(lists_are_fresh(&host, now));
        assert!(!lists_are_fresh(&host, now + LISTS_AGE));
    }
}
