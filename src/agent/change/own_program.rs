//! `/var/lib/lvslab/agent`: the link through which a boot starts the program that last applied here.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::agent::protocol::AgentError;
use crate::agent::protocol::error::host;
use crate::agent::system::root::Root;
use crate::agent::system::selinux_context;
use crate::sys::on_host;

/// Points the link at the running program, if that was uploaded (`bin/SHA256`).
pub(in crate::agent) fn link(root: &Root) -> Result<(), AgentError> {
    match fs::read_link("/proc/self/exe") {
        Ok(program) => {
            let linked = link_to(root, &program)
                .map_err(|error| host(format!("cannot make the link {}", on_host::AGENT), error))?;
            if linked && root.join("/sys/fs/selinux/enforce").exists() {
                allow_init(&program);
            }
            Ok(())
        }
        Err(error) => Err(host("cannot find the running program", error)),
    }
}

/// Labels the file as a program: where SELinux enforces, a boot starts no other.
fn allow_init(program: &Path) {
    let result = fs::File::open(program)
        .and_then(|file| selinux_context::set(&file, "system_u:object_r:bin_t:s0"));
    if let Err(error) = result {
        eprintln!(
            "lvslab agent: cannot label {} as a program: {error}",
            program.display()
        );
    }
}

/// Returns whether the link changed.
fn link_to(root: &Root, program: &Path) -> io::Result<bool> {
    let state = root.state();
    let Ok(target) = program.strip_prefix(&state) else {
        return Ok(false);
    };
    let link = state.join("agent");
    if fs::read_link(&link).is_ok_and(|found| found == target) {
        return Ok(false);
    }
    let new = state.join(format!(".agent-{}", std::process::id()));
    let _ = fs::remove_file(&new);
    symlink(target, &new)?;
    fs::rename(&new, &link).inspect_err(|_| {
        let _ = fs::remove_file(&new);
    })?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_follows_the_program_that_applied_last() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        let bin = root.state().join("bin");
        fs::create_dir_all(&bin).unwrap();
        for name in ["aaaa", "bbbb"] {
            fs::write(bin.join(name), name).unwrap();
            assert!(link_to(&root, &bin.join(name)).unwrap());
            assert!(!link_to(&root, &bin.join(name)).unwrap());
            assert_eq!(
                fs::read_to_string(root.state().join("agent")).unwrap(),
                name
            );
        }
        assert!(!link_to(&root, Path::new("/usr/bin/lvslab")).unwrap());
        assert_eq!(
            fs::read_link(root.state().join("agent")).unwrap(),
            Path::new("bin/bbbb")
        );
        assert_eq!(fs::read_dir(root.state()).unwrap().count(), 2);
    }
}
