//! What is there of a lab's sandbox: a running machine, the remains of one, or nothing.

use super::error::SandboxError;
use super::files::{self, Files};
use super::machine::{self, Machine};
use super::record::{self, Record};

/// The running sandbox of these files, if one came up completely. Removes the remains of any other: a machine whose
/// start was interrupted, or files of a machine that ended by itself. Resumes a machine that an interrupted save paused.
///
/// Call with the lab's lock held.
///
/// # Errors
/// [`SandboxError::SocketsGone`], and then it is left alone; when remains cannot be cleared, or QEMU does not answer.
pub fn running(files: &Files) -> Result<Option<(Record, Machine)>, SandboxError> {
    let found = record::files(files);
    match (Machine::running(&found), Record::read(&found.record())) {
        (Some(machine), Some(record)) if machine.can_be_asked() => {
            machine.run_on()?;
            Ok(Some((record, machine)))
        }
        (Some(_), Some(record)) => Err(SandboxError::SocketsGone {
            lab: record.lab,
            runtime: record.runtime,
        }),
        _ => {
            clear(files)?;
            Ok(None)
        }
    }
}

/// Ends the machine if one runs, and removes the sandbox's files. Without a sandbox it removes nothing: a lab on existing
/// machines keeps its SSH configuration in the same place.
///
/// # Errors
/// When the machine does not end or a file cannot be removed.
pub fn clear(files: &Files) -> Result<(), SandboxError> {
    let files = &record::files(files);
    if !exist(files) {
        return Ok(());
    }
    if let Some(machine) = Machine::running(files) {
        machine.end()?;
    }
    machine::remove_remains(files)?;
    // The record goes first and the console last. If this is interrupted, a console without a record marks remains.
    for file in [
        files.record(),
        files.ssh_config(),
        files.known_hosts(),
        files.identity(),
        files.console(),
    ] {
        files::remove(&file)?;
    }
    Ok(())
}

/// Whether there is anything of a sandbox. The console is there from QEMU's first moment on.
pub fn exist(files: &Files) -> bool {
    files.record().exists() || files.console().exists()
}

/// Removes the directories that are empty now. Those with other files stay.
pub fn remove_empty_directories(files: &Files) {
    for directory in [&files.state, &files.runtime] {
        if std::fs::remove_dir(directory).is_ok()
            && let Some(parent) = directory.parent()
        {
            let _ = std::fs::remove_dir(parent);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use super::*;
    use crate::sandbox::accelerator::Accelerator;
    use crate::sandbox::identity::Identity;
    use crate::sandbox::layout::Layout;
    use crate::sandbox::machine::Size;
    use crate::sandbox::record::Schema;

    fn files(directory: &tempfile::TempDir) -> Files {
        let files = Files {
            state: directory.path().join("state/dr"),
            runtime: directory.path().join("run/dr"),
        };
        files.create().unwrap();
        files
    }

    /// A sandbox of these files came up.
    fn write_record(files: &Files) {
        let record = Record {
            schema: Schema::Sandbox1,
            lab: "dr".parse().unwrap(),
            layout: Layout {
                segments: 0,
                hosts: Vec::new(),
            },
            runtime: files.runtime.clone(),
            hosts: Vec::new(),
            identity: Identity {
                accelerator: Accelerator::Tcg,
                qemu: String::new(),
                image: String::new(),
                binary: String::new(),
                size: Size::for_hosts(0),
            },
            started: 0,
        };
        record.write(files, "key").unwrap();
    }

    /// A process whose command line is that of the machine of these files.
    fn begin_machine(files: &Files) -> Child {
        let child = Command::new("sh")
            .args(["-c", "read line", "sh", "-pidfile"])
            .arg(files.pid())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        std::fs::write(files.pid(), child.id().to_string()).unwrap();
        // The new program's command line appears a moment after its parent goes on.
        let appears = (0..2000).any(|_| {
            std::thread::sleep(Duration::from_millis(5));
            Machine::running(files).is_some()
        });
        assert!(appears);
        child
    }

    #[test]
    fn the_ssh_configuration_of_a_lab_without_a_sandbox_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(&directory);
        std::fs::write(files.ssh_config(), "Host web1").unwrap();
        assert!(running(&files).unwrap().is_none());
        assert!(files.ssh_config().exists());
    }

    #[test]
    fn remains_of_a_machine_that_is_gone_are_cleared_and_others_files_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(&directory);
        for file in [files.record(), files.ssh_config(), files.console()] {
            std::fs::write(file, "old").unwrap();
        }
        // This process has that pid, and is no machine.
        std::fs::write(files.pid(), std::process::id().to_string()).unwrap();
        std::fs::write(files.monitor(), "old").unwrap();
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

    #[test]
    fn a_machine_is_found_and_ended_also_when_the_runtime_directory_is_another_or_gone() {
        let directory = tempfile::tempdir().unwrap();
        let started = files(&directory);
        write_record(&started);
        let mut machine = begin_machine(&started);
        std::fs::remove_dir_all(&started.runtime).unwrap();
        let now = Files {
            runtime: directory.path().join("other/dr"),
            ..started.clone()
        };
        assert_eq!(record::files(&now), started);

        let error = running(&now).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the sandbox of lab dr runs, but its sockets in {} are gone",
                started.runtime.display()
            )
        );
        assert!(machine.try_wait().unwrap().is_none());
        clear(&now).unwrap();
        assert!(!machine.wait().unwrap().success());
        assert!(running(&now).unwrap().is_none());
        assert_eq!(std::fs::read_dir(&now.state).unwrap().count(), 0);
    }
}
