//! What is there of a lab's sandbox: a running machine, the remains of one, or nothing.

use std::path::Path;

use super::SandboxError;
use super::machine::{self, Machine};
use super::record::{Files, Record};

/// The running sandbox of these files, if one came up completely. Remains of anything else (a machine whose
/// controller was killed half-way, files of a machine that ended by itself) are cleared away, and a machine that a
/// save was to hold for a moment runs on.
///
/// Call with the lab's lock held.
///
/// # Errors
/// When remains cannot be cleared, or QEMU does not answer.
pub fn running(files: &Files) -> Result<Option<(Record, Machine)>, SandboxError> {
    let machine = Machine::running(&files.runtime, &files.console());
    match (machine, Record::read(&files.record())) {
        (Some(machine), Some(record)) => {
            machine.run_on()?;
            Ok(Some((record, machine)))
        }
        (machine, _) => {
            if let Some(machine) = machine {
                machine.end()?;
            }
            clear(files)?;
            Ok(None)
        }
    }
}

/// Ends the machine if one runs, and removes the files the sandbox made. Where there never was a sandbox the
/// files are left alone: a lab on other people's machines has an SSH configuration in the same place.
///
/// # Errors
/// When the machine does not end or a file cannot be removed.
pub fn clear(files: &Files) -> Result<(), SandboxError> {
    if !exist(files) {
        return Ok(());
    }
    if let Some(machine) = Machine::running(&files.runtime, &files.console()) {
        machine.end()?;
    }
    // The record first: without it the rest is known to be remains. The console last: with it, too.
    for file in [
        files.record(),
        files.ssh_config(),
        files.known_hosts(),
        files.identity(),
        files.console(),
    ] {
        remove(&file)?;
    }
    machine::remove_runtime_files(&files.runtime).map_err(SandboxError::io("clean", &files.runtime))
}

/// Whether there is anything of a sandbox. The console is there from QEMU's first moment on.
pub fn exist(files: &Files) -> bool {
    files.record().exists() || files.console().exists()
}

/// Removes directories that are empty now; others' files in them are theirs.
pub fn remove_empty_directories(files: &Files) {
    for directory in [&files.state, &files.runtime] {
        if std::fs::remove_dir(directory).is_ok()
            && let Some(parent) = directory.parent()
        {
            let _ = std::fs::remove_dir(parent);
        }
    }
}

fn remove(file: &Path) -> Result<(), SandboxError> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(SandboxError::io("remove", file)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ssh_configuration_of_a_lab_without_a_sandbox_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files {
            state: directory.path().join("state/dr"),
            runtime: directory.path().join("run/dr"),
        };
        files.create().unwrap();
        std::fs::write(files.ssh_config(), "Host web1").unwrap();
        assert!(running(&files).unwrap().is_none());
        assert!(files.ssh_config().exists());
    }

    #[test]
    fn remains_of_a_machine_that_is_gone_are_cleared_and_others_files_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files {
            state: directory.path().join("state/dr"),
            runtime: directory.path().join("run/dr"),
        };
        files.create().unwrap();
        for file in [files.record(), files.ssh_config(), files.console()] {
            std::fs::write(file, "old").unwrap();
        }
        // This process has that pid, and is no machine.
        let pid_file = files.runtime.join("pid");
        std::fs::write(&pid_file, std::process::id().to_string()).unwrap();
        std::fs::write(files.state.join("lab.json"), "{}").unwrap();

        assert!(running(&files).unwrap().is_none());
        let left = |path: &Path| -> Vec<String> {
            std::fs::read_dir(path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect()
        };
        assert_eq!(left(&files.state), ["lab.json"]);
        assert!(left(&files.runtime).is_empty());
        remove_empty_directories(&files);
        assert!(files.state.exists() && !files.runtime.exists());
    }
}
