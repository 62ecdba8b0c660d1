//! Programs that tests look at results with: installed from Debian's packages where they are missing, without
//! asking, as the sandbox's own are.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Tests run at the same time, and one installation is enough.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The program's file; its package is installed first where there is none.
pub fn program(name: &str, package: &str) -> Result<PathBuf, String> {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = find(name) {
        return Ok(found);
    }
    eprintln!("installing {package} for the tests");
    // Lists may be missing or older than the mirror: they are fetched only when it takes that. Another apt-get may have
    // them just now.
    let end = Instant::now() + Duration::from_secs(300);
    while let Err(error) = installed(package) {
        if !error.contains("Unable to lock directory") || Instant::now() > end {
            return Err(error);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    find(name).ok_or_else(|| format!("package {package} has no program {name}"))
}

fn installed(package: &str) -> Result<(), String> {
    install(package).or_else(|_| {
        apt(&["update"])?;
        install(package)
    })
}

fn install(package: &str) -> Result<(), String> {
    apt(&["install", "-y", "--no-install-recommends", package])
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/bin", "/usr/sbin"])
        .map(|directory| PathBuf::from(directory).join(name))
        .find(|file| file.is_file())
}

/// As root, or through sudo where it asks for no password.
fn apt(arguments: &[&str]) -> Result<(), String> {
    let mut command = if nix::unistd::geteuid().is_root() {
        Command::new("env")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "env"]);
        sudo
    };
    let output = command
        .args([
            "DEBIAN_FRONTEND=noninteractive",
            "LC_ALL=C.UTF-8",
            "apt-get",
        ])
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .output()
        .map_err(|error| format!("apt-get: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "`apt-get {}` ended with {}; as root, it is what makes this test possible\n{}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    ))
}
