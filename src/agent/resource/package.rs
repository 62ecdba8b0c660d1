//! Distribution packages: apt-get(8) and dpkg, or dnf/yum and rpm.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::agent::protocol::ResourceError;
use crate::agent::protocol::error::{because, failed};
use crate::agent::system::command::{
    Limits, Output, cannot_run, command, describe, find, run, succeed, unsuccessful,
};
use crate::agent::system::os_release::OsRelease;
use crate::agent::system::root::Root;
use crate::resource::OsFamily;

/// dpkg's own table: stable, and quicker to read than `dpkg-query` to start.
const DPKG_STATUS: &str = "/var/lib/dpkg/status";

/// Downloads and installation scripts, on a slow or emulated machine.
const INSTALL: Limits = Limits {
    time: Duration::from_secs(15 * 60),
    output_bytes: 16 << 20,
};
const QUERY_SECONDS: u64 = 120;

/// How often a removal is tried while another program has dpkg's lock, two seconds apart.
const LOCK_ATTEMPTS: u32 = 30;

/// What installs packages here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manager {
    Apt,
    /// `dnf` or `yum`.
    Rpm(&'static str),
}

/// The installed version, `None` when it is not installed.
pub(super) fn observe(root: &Root, name: &str) -> Result<Option<String>, ResourceError> {
    check_name(name)?;
    match manager()? {
        Manager::Apt => Ok(dpkg_packages(&dpkg_status(root)?)
            .find(|package| package.name == name)
            .map(|package| package.version.to_owned())),
        Manager::Rpm(_) => {
            let mut query = command("rpm");
            query.args(["-q", "--queryformat", "%{VERSION}-%{RELEASE}\n", name]);
            let limits = Limits::seconds(QUERY_SECONDS);
            let output = started(&mut query, limits)?;
            match output.status {
                // rpm ends with the number of packages that are not installed.
                Some(status) if matches!(status.code(), Some(0 | 1)) => {
                    Ok(status.success().then(|| {
                        let text = String::from_utf8_lossy(&output.stdout);
                        text.lines().next().unwrap_or_default().to_owned()
                    }))
                }
                _ => Err(unsuccessful(&describe(&query), &output, limits)),
            }
        }
    }
}

/// Installs it and returns every package that came with it, itself among them.
pub(super) fn install(root: &Root, name: &str) -> Result<Vec<String>, ResourceError> {
    check_name(name)?;
    let manager = manager()?;
    let before = names(root, manager)?;
    match manager {
        Manager::Apt => apt_install(name)?,
        Manager::Rpm(program) => {
            let mut install = command(program);
            install.args(["-y", "-q", "install", name]);
            succeed(&mut install, INSTALL)?;
        }
    }
    Ok(names(root, manager)?.difference(&before).cloned().collect())
}

/// Removes the package with its configuration, then those that came with it unless another package needs
/// them by now.
pub(super) fn purge(root: &Root, name: &str, installed: &[String]) -> Result<(), ResourceError> {
    check_name(name)?;
    for other in installed {
        check_name(other)?;
    }
    let with_it: Vec<&str> = installed
        .iter()
        .map(String::as_str)
        .filter(|other| *other != name)
        .collect();
    match manager()? {
        Manager::Apt => {
            let output = dpkg_purge(name, &with_it)?;
            // dpkg refuses single packages that others need; only the one asked for has to go.
            match observe(root, name)? {
                None => Ok(()),
                Some(_) => Err(unsuccessful("dpkg --purge", &output, INSTALL)),
            }
        }
        Manager::Rpm(_) => {
            let all = succeed(command("rpm").arg("-e").arg(name).args(&with_it), INSTALL);
            if all.is_ok() {
                return Ok(());
            }
            succeed(command("rpm").args(["-e", name]), INSTALL)?;
            for other in with_it {
                let _ = succeed(command("rpm").args(["-e", other]), INSTALL);
            }
            Ok(())
        }
    }
}

/// That of the distribution: an `apt-get` can be installed on Fedora, too.
fn manager() -> Result<Manager, ResourceError> {
    let candidates: &[(&str, Manager)] = match OsRelease::of(&Root::machine()).family_or_guess() {
        Some(OsFamily::Debian) => &[("apt-get", Manager::Apt)],
        Some(OsFamily::Rhel) => &[("dnf", Manager::Rpm("dnf")), ("yum", Manager::Rpm("yum"))],
        None => &[],
    };
    let there = candidates
        .iter()
        .find(|(program, _)| find(program).is_some());
    there.map(|(_, manager)| *manager).ok_or_else(|| {
        because("this system has none of apt-get, dnf and yum")
            .hint("install the package by hand; lvslab only checks that it is there")
    })
}

/// Never an option, never a path.
fn check_name(name: &str) -> Result<(), ResourceError> {
    let sound = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_' | ':'));
    if sound {
        Ok(())
    } else {
        Err(because(format!("{name:?} is no name of a package")))
    }
}

/// `apt-get install`, after an `apt-get update` where the lists know nothing of the package.
fn apt_install(name: &str) -> Result<(), ResourceError> {
    let install = || {
        let mut install = apt_get();
        install.args([
            "-o",
            "Dpkg::Options::=--force-confdef",
            "-o",
            "Dpkg::Options::=--force-confold",
            "--no-install-recommends",
            "install",
            name,
        ]);
        let output = started(&mut install, INSTALL)?;
        let done = output.status.is_some_and(|status| status.success());
        Ok::<_, ResourceError>((done, output, describe(&install)))
    };
    let (done, output, what) = install()?;
    if done {
        return Ok(());
    }
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    if output.status.is_none() {
        return Err(unsuccessful(&what, &output, INSTALL));
    }
    let mut updated = Ok(());
    if said.contains("dpkg --configure -a") {
        // An earlier installation was cut off.
        succeed(
            noninteractive(command("dpkg").args(["--configure", "-a"])),
            INSTALL,
        )?;
    } else if lists_are_old(&said) {
        updated = succeed(apt_get().arg("update"), INSTALL).map(|_| ());
    } else {
        return Err(unsuccessful(&what, &output, INSTALL));
    }
    let (done, output, what) = install()?;
    if done {
        return Ok(());
    }
    let error = unsuccessful(&what, &output, INSTALL);
    Err(match updated {
        Ok(()) => error,
        Err(update) => error.hint(format!("the package lists could not be fetched: {update}")),
    })
}

fn lists_are_old(said: &str) -> bool {
    [
        "Unable to locate package",
        "has no installation candidate",
        "Failed to fetch",
        "404 ",
        "Unable to fetch",
    ]
    .iter()
    .any(|sign| said.contains(sign))
}

fn apt_get() -> Command {
    let mut apt = command("apt-get");
    // Another apt may have the lock for a while: unattended upgrades do.
    apt.args(["-y", "-q", "-o", "DPkg::Lock::Timeout=60"]);
    noninteractive(&mut apt);
    apt
}

fn noninteractive(command: &mut Command) -> &mut Command {
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("APT_LISTCHANGES_FRONTEND", "none")
        .env("NEEDRESTART_SUSPEND", "1")
}

fn dpkg_purge(name: &str, with_it: &[&str]) -> Result<Output, ResourceError> {
    let mut attempt = 1;
    loop {
        let mut purge = command("dpkg");
        purge.arg("--purge").arg(name).args(with_it);
        let output = started(noninteractive(&mut purge), INSTALL)?;
        let locked = String::from_utf8_lossy(&output.stderr).contains("lock was locked");
        if !locked || attempt == LOCK_ATTEMPTS {
            return Ok(output);
        }
        attempt += 1;
        std::thread::sleep(Duration::from_secs(2));
    }
}

fn started(command: &mut Command, limits: Limits) -> Result<Output, ResourceError> {
    run(command, b"", limits).map_err(|error| cannot_run(&describe(command), &error))
}

fn names(root: &Root, manager: Manager) -> Result<BTreeSet<String>, ResourceError> {
    match manager {
        Manager::Apt => Ok(dpkg_packages(&dpkg_status(root)?)
            .map(|package| package.name.to_owned())
            .collect()),
        Manager::Rpm(_) => {
            let mut query = command("rpm");
            query.args(["-qa", "--queryformat", "%{NAME}\n"]);
            let output = succeed(&mut query, Limits::seconds(QUERY_SECONDS))?;
            let text = String::from_utf8_lossy(&output.stdout);
            Ok(text.lines().map(str::to_owned).collect())
        }
    }
}

fn dpkg_status(root: &Root) -> Result<String, ResourceError> {
    fs::read(root.join(DPKG_STATUS))
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .map_err(|error| failed(format!("cannot read {DPKG_STATUS}"), error))
}

/// A package that is installed.
#[derive(Debug, PartialEq, Eq)]
struct Installed<'a> {
    name: &'a str,
    version: &'a str,
}

/// Paragraphs of `Field: value` lines (deb-control(5)); the third word of `Status` says how far it is
/// (dpkg(1), Package states).
fn dpkg_packages(status: &str) -> impl Iterator<Item = Installed<'_>> {
    status.split("\n\n").filter_map(|paragraph| {
        let field = |name: &str| {
            paragraph
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(str::trim)
        };
        let state = field("Status")?.split_whitespace().nth(2)?;
        matches!(state, "installed" | "triggers-awaited" | "triggers-pending").then_some(())?;
        Some(Installed {
            name: field("Package")?,
            version: field("Version")?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STATUS: &str = "\
Package: apache2
Status: install ok installed
Maintainer: Debian Apache Maintainers
Description: Apache HTTP Server
 Package: nginx
 Status: install ok installed
Version: 2.4.62-1~deb12u1

Package: vim
Status: deinstall ok config-files
Version: 2:9.0

Package: libc6
Status: hold ok installed
Version: 2.36-9

Package: half
Status: install ok half-configured
Version: 1
";

    #[test]
    fn only_installed_packages_are_found() {
        let found: Vec<_> = dpkg_packages(STATUS).map(|p| (p.name, p.version)).collect();
        assert_eq!(
            found,
            [("apache2", "2.4.62-1~deb12u1"), ("libc6", "2.36-9")]
        );
    }

    #[test]
    fn a_name_cannot_be_an_option() {
        for name in ["-y", "", "a b", "../x", "apache2;reboot"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["apache2", "libstdc++6", "g++", "httpd-2.4", "libc6:amd64"] {
            assert!(check_name(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn old_lists_are_told_from_other_failures() {
        assert!(lists_are_old("E: Unable to locate package apache2"));
        assert!(!lists_are_old(
            "E: You don't have enough free space in /var/cache/apt/archives/."
        ));
    }

    proptest! {
        #[test]
        fn any_status_text_is_read_without_panic(text in "((Package|Status|Version|X):? ?\\PC{0,8}\n{1,2}){0,12}") {
            for package in dpkg_packages(&text) {
                prop_assert!(text.contains(package.name));
            }
        }
    }
}
