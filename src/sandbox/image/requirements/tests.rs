use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;

use super::*;
use crate::sys::progress::Silent;
use crate::testing::script;

/// A machine with the given programs, each a script.
fn machine(directory: &Path, uid: u32, programs: &[(&str, &str)]) -> Host {
    let bin = directory.join("bin");
    fs::create_dir_all(&bin).unwrap();
    fs::create_dir_all(directory.join("usr/share/keyrings")).unwrap();
    fs::write(
        directory.join(super::super::apt_sources::KEYRING.trim_start_matches('/')),
        "",
    )
    .unwrap();
    for (name, script) in programs {
        program(&bin.join(name), script);
    }
    Host {
        root: directory.to_owned(),
        path: vec![bin],
        uid,
        user: "ann".to_owned(),
        terminal: false,
    }
}

fn program(path: &Path, script: &str) {
    script::write(path, &format!("#!/bin/sh\n{script}\n"));
}

const EVERYTHING: [(&str, &str); 7] = [
    ("qemu-system-x86_64", ""),
    ("ssh", ""),
    ("mmdebstrap", ""),
    ("mksquashfs", ""),
    ("newuidmap", ""),
    ("newgidmap", ""),
    ("apt-get", ""),
];

/// An apt-get that makes the programs of the packages it is told to install.
fn installing_apt(bin: &Path) -> String {
    format!(
        "export PATH=/usr/bin:/bin\ncd {} || exit 1\necho \"$*\" >> calls\n\
         for word; do case $word in\n\
         mmdebstrap) cp ssh mmdebstrap ;;\n\
         squashfs-tools) cp ssh mksquashfs ;;\n\
         qemu-system-x86) cp ssh qemu-system-x86_64 ;;\n\
         esac; done\n\
         echo pmstatus:mmdebstrap:100:Installed",
        bin.display()
    )
}

#[test]
fn a_machine_with_everything_lacks_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let host = machine(directory.path(), 0, &EVERYTHING);
    assert_eq!(missing(&host, Purpose::Build), []);
    ensure(&host, Purpose::Build, Consent::No, &Silent).unwrap();
}

#[test]
fn running_needs_less_than_building() {
    let directory = tempfile::tempdir().unwrap();
    let host = machine(directory.path(), 0, &[("ssh", "")]);
    assert_eq!(
        missing(&host, Purpose::Run),
        [Missing::File {
            name: "qemu-system-x86_64",
            package: "qemu-system-x86"
        }]
    );
    assert_eq!(
        list(&missing(&host, Purpose::Build)),
        "apt, mmdebstrap, qemu-system-x86 and squashfs-tools"
    );
}

#[test]
fn an_ordinary_user_needs_subordinate_ids() {
    let directory = tempfile::tempdir().unwrap();
    let host = machine(directory.path(), 1000, &EVERYTHING);
    let lacking = [Missing::SubordinateIds {
        user: "ann".to_owned(),
        first: 100_000,
    }];
    assert_eq!(missing(&host, Purpose::Build), lacking);
    assert_eq!(missing(&host, Purpose::Run), []);

    fs::create_dir_all(directory.path().join("etc")).unwrap();
    fs::write(directory.path().join("etc/subuid"), "ann:100000:65536\n").unwrap();
    assert_eq!(
        missing(&host, Purpose::Build).len(),
        1,
        "the groups are still missing"
    );
    fs::write(directory.path().join("etc/subgid"), "ann:100000:65536\n").unwrap();
    assert_eq!(missing(&host, Purpose::Build), []);
}

#[test]
fn a_file_that_is_not_executable_is_not_a_program() {
    let directory = tempfile::tempdir().unwrap();
    let host = machine(directory.path(), 0, &EVERYTHING);
    let path = directory.path().join("bin/ssh");
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(list(&missing(&host, Purpose::Run)), "openssh-client");
}

#[test]
fn without_consent_the_error_lists_what_to_type() {
    let directory = tempfile::tempdir().unwrap();
    let host = machine(
        directory.path(),
        1000,
        &[("ssh", ""), ("apt-get", "exit 9")],
    );
    let error = ensure(&host, Purpose::Build, Consent::No, &Silent).unwrap_err();
    insta::assert_snapshot!(format!("{error}\n{}", error.hint()), @r"
    this machine lacks mmdebstrap, qemu-system-x86, squashfs-tools, uidmap and subordinate ids for ann
    add --yes, or type as root:
      apt-get update && apt-get install -y --no-install-recommends mmdebstrap qemu-system-x86 squashfs-tools uidmap
      usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ann
    ");
}

#[test]
fn a_machine_without_apt_is_told_the_packages() {
    let directory = tempfile::tempdir().unwrap();
    let host = machine(directory.path(), 0, &[("ssh", "")]);
    let error = ensure(&host, Purpose::Run, Consent::Yes, &Silent).unwrap_err();
    insta::assert_snapshot!(format!("{error}\n{}", error.hint()), @r"
    this machine lacks qemu-system-x86, and it has no apt-get to install them with
    install what your distribution calls qemu-system-x86 (Debian's names), then run this again
    ");
}

#[test]
fn a_user_without_sudo_is_told_the_command() {
    let directory = tempfile::tempdir().unwrap();
    let host = machine(
        directory.path(),
        1000,
        &[("ssh", ""), ("apt-get", "exit 9")],
    );
    let error = ensure(&host, Purpose::Run, Consent::Yes, &Silent).unwrap_err();
    insta::assert_snapshot!(format!("{error}\n{}", error.hint()), @r"
    installing qemu-system-x86 needs root, which sudo does not give here without a password
    type as root, then run this again:
      apt-get update && apt-get install -y --no-install-recommends qemu-system-x86
    ");
}

#[test]
fn consent_installs_and_says_what() {
    struct Notes(Mutex<Vec<String>>);
    impl Progress for Notes {
        fn doing(&self, subject: &str, what: &str) {
            self.0.lock().unwrap().push(format!("{subject}: {what}"));
        }
        fn amount(&self, subject: &str, done: u64, total: u64) {
            self.0
                .lock()
                .unwrap()
                .push(format!("{subject}: {done} of {total}"));
        }
        fn finished(&self, subject: &str, summary: &str) {
            self.0.lock().unwrap().push(format!("{subject}: {summary}"));
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let mut host = machine(directory.path(), 0, &[("ssh", "")]);
    let bin = directory.path().join("bin");
    program(&bin.join("apt-get"), &installing_apt(&bin));
    host.path.extend(["/usr/bin".into(), "/bin".into()]);
    // Only what the fake brings: this machine may have the real ones.
    host.path.truncate(1);
    program(&bin.join("env"), "exec /usr/bin/env \"$@\"");

    let notes = Notes(Mutex::default());
    ensure(&host, Purpose::Build, Consent::Yes, &notes).unwrap();
    let calls = fs::read_to_string(bin.join("calls")).unwrap();
    insta::assert_snapshot!(calls, @r"
    -o APT::Status-Fd=1 -o DPkg::Lock::Timeout=120 update
    -o APT::Status-Fd=1 -o DPkg::Lock::Timeout=120 install -y --no-install-recommends mmdebstrap qemu-system-x86 squashfs-tools
    ");
    insta::assert_snapshot!(notes.0.into_inner().unwrap().join("\n"), @r"
    this machine: fetching package lists
    this machine: 100 of 100
    this machine: installing mmdebstrap, qemu-system-x86, squashfs-tools
    this machine: 100 of 100
    this machine: installed mmdebstrap, qemu-system-x86, squashfs-tools
    ");
}

#[test]
fn a_person_is_asked_once_and_no_means_no() {
    let directory = tempfile::tempdir().unwrap();
    let host = machine(directory.path(), 0, &[("ssh", ""), ("apt-get", "exit 9")]);
    let asked = Mutex::new(Vec::new());
    let ask = |question: &str| {
        asked.lock().unwrap().push(question.to_owned());
        false
    };
    let error = ensure(&host, Purpose::Run, Consent::Ask(&ask), &Silent).unwrap_err();
    assert!(
        matches!(error, RequirementsError::Missing { .. }),
        "{error}"
    );
    assert_eq!(
        asked.into_inner().unwrap(),
        ["Install qemu-system-x86 on this machine?"]
    );
}

#[test]
fn a_failed_installation_shows_what_apt_said() {
    let directory = tempfile::tempdir().unwrap();
    let host = machine(
        directory.path(),
        0,
        &[
            ("ssh", ""),
            ("env", "exec /usr/bin/env \"$@\""),
            (
                "apt-get",
                "echo dlstatus:1:2.0:x; echo 'E: Unable to locate package qemu-system-x86' >&2; exit 100",
            ),
        ],
    );
    let error = ensure(&host, Purpose::Run, Consent::Yes, &Silent).unwrap_err();
    let RequirementsError::Command { tail, status, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(tail, "E: Unable to locate package qemu-system-x86");
    assert_eq!(status.code(), Some(100));
}

#[test]
fn another_apt_get_that_has_the_package_lists_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let mut host = machine(directory.path(), 0, &[("ssh", "")]);
    let bin = directory.path().join("bin");
    let busy = "echo 'E: Unable to lock directory /var/lib/apt/lists/' >&2; exit 100";
    let apt = format!(
        "{}\n[ \"$(wc -l < calls)\" -gt 1 ] || {{ {busy}; }}",
        installing_apt(&bin)
    );
    program(&bin.join("apt-get"), &apt);
    program(&bin.join("env"), "exec /usr/bin/env \"$@\"");
    host.path.truncate(1);
    ensure(&host, Purpose::Build, Consent::Yes, &Silent).unwrap();
    let calls = fs::read_to_string(bin.join("calls")).unwrap();
    let verbs: Vec<_> = calls
        .lines()
        .filter_map(|line| line.split_whitespace().nth(4))
        .collect();
    assert_eq!(verbs, ["update", "update", "install"]);
}

#[test]
fn an_installation_that_brings_nothing_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let programs = [
        ("ssh", ""),
        ("env", "exec /usr/bin/env \"$@\""),
        ("apt-get", ""),
    ];
    let host = machine(directory.path(), 0, &programs);
    let error = ensure(&host, Purpose::Run, Consent::Yes, &Silent).unwrap_err();
    assert!(
        matches!(error, RequirementsError::StillMissing { .. }),
        "{error}"
    );
}
