//! One multiplexed SSH connection per host, shared by consecutive commands.
//!
//! The connection (ssh's "master") outlives this process by [`IDLE_SECONDS`], which saves the next command a handshake.
//! [`close`] ends it at once. We start masters ourselves, because the `openssh` crate gives sockets random names and
//! cannot end an attempt that hangs. The crate does everything else.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use openssh::Session;
use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::failure::{Cause, ConnectFailure};
use super::within::within;
use crate::model::HostName;
use crate::sys::pace::{Pace, Wait};

/// How long an idle master stays, seconds.
const IDLE_SECONDS: u32 = 120;
/// Limit for one whole attempt: connection, key exchange and login.
const ATTEMPT: Duration = Duration::from_secs(40);
/// Longest wait for a master's answer; it is a process on this machine.
const LOCAL: Duration = Duration::from_secs(5);
/// Attempts while the failure may be temporary.
const ATTEMPTS: u32 = 4;

/// Where one host is and where its master listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Name, which the configuration translates.
    pub host: HostName,
    /// Configuration with a block for the host.
    pub config: PathBuf,
    /// Control socket.
    pub control: PathBuf,
    /// How time passes for waits on the host.
    pub pace: Pace,
}

impl Destination {
    /// When ssh itself gives up: after 10 s without a banner, or 15 s without an answer later. On a sandbox it cannot tell a
    /// host that hangs from one that queues for a processor; [`within`] can. There it waits for any banner, and ends a
    /// connection only after 5 min of silence, so that even a wait without a limit, such as for a command of `exec`,
    /// has an end when the machine's kernel hangs.
    fn limits_of_ssh(&self) -> [&'static str; 3] {
        match self.pace {
            Pace::Wall => [
                "ConnectTimeout=10",
                "ServerAliveInterval=5",
                "ServerAliveCountMax=3",
            ],
            Pace::Process(_) => [
                "ConnectTimeout=none",
                "ServerAliveInterval=15",
                "ServerAliveCountMax=20",
            ],
        }
    }
}

/// A host's master, running.
#[derive(Debug, Clone)]
pub struct Connected {
    /// For commands.
    pub session: Arc<Session>,
    /// Whether an earlier command opened it. Then it may be dead.
    pub resumed: bool,
}

/// Path of the control socket of `host` below `directory`.
///
/// ssh binds `PATH.` plus 16 characters first and `sun_path` has 108 bytes with its NUL (unix(7)), so a
/// path that would not fit is replaced by a hash of it.
///
/// # Errors
/// When `directory` alone is too long.
pub fn control_path(directory: &Path, host: &HostName) -> io::Result<PathBuf> {
    let fits = |path: &Path| path.as_os_str().len() + 17 < 108;
    let readable = directory.join(host.as_str());
    if fits(&readable) {
        return Ok(readable);
    }
    let digest = Sha256::digest(host.as_str());
    let short = directory.join(format!(
        "{:02x}{:02x}{:02x}{:02x}",
        digest[0], digest[1], digest[2], digest[3]
    ));
    if fits(&short) {
        return Ok(short);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "{} is too long for a socket; set XDG_RUNTIME_DIR to a shorter directory",
            directory.display()
        ),
    ))
}

/// The host's running master, or a new one.
///
/// # Errors
/// [`Cause::Connect`] with ssh's reason, [`Cause::Local`] when ssh cannot be run here.
pub async fn open(to: &Destination) -> Result<Connected, Cause> {
    if let Some(session) = resume(to).await {
        return Ok(Connected {
            session,
            resumed: true,
        });
    }
    let _lock = lock(&beside(&to.control, "lock"), to.pace).await?;
    // Another command may have opened one while we waited for the lock.
    if let Some(session) = resume(to).await {
        return Ok(Connected {
            session,
            resumed: true,
        });
    }
    connect(to).await
}

/// A new master, in place of any other.
///
/// # Errors
/// See [`open`].
pub async fn open_fresh(to: &Destination) -> Result<Connected, Cause> {
    let _lock = lock(&beside(&to.control, "lock"), to.pace).await?;
    connect(to).await
}

/// Call with the lock held: of two ssh processes that start a master on one socket, one would run on without a socket.
async fn connect(to: &Destination) -> Result<Connected, Cause> {
    close(to).await;
    let mut attempt = 1;
    loop {
        match launch(to).await {
            Ok(()) => {
                let session = Arc::new(Session::resume_mux(
                    to.control.clone().into_boxed_path(),
                    Some(beside(&to.control, "log").into_boxed_path()),
                ));
                return Ok(Connected {
                    session,
                    resumed: false,
                });
            }
            Err(Cause::Connect(failure)) if failure.passing() && attempt < ATTEMPTS => {
                sleep(pause(attempt)).await;
                attempt += 1;
            }
            Err(cause) => return Err(cause),
        }
    }
}

/// Ends the host's master, if there is one, and removes its socket.
pub async fn close(to: &Destination) {
    if to.control.exists() {
        let session = Session::resume_mux(to.control.clone().into_boxed_path(), None);
        let _ = timeout(LOCAL, session.close()).await;
        let _ = std::fs::remove_file(&to.control);
    }
}

async fn resume(to: &Destination) -> Option<Arc<Session>> {
    if !to.control.exists() {
        return None;
    }
    let session = Session::resume_mux(to.control.clone().into_boxed_path(), None);
    match timeout(LOCAL, session.check()).await {
        Ok(Ok(())) => Some(Arc::new(session)),
        // A killed master leaves its socket behind.
        Ok(Err(_)) | Err(_) => None,
    }
}

async fn launch(to: &Destination) -> Result<(), Cause> {
    let log = beside(&to.control, "log");
    let words = fresh(&log)?;
    let mut ssh = Command::new("ssh");
    ssh.arg("-F")
        .arg(&to.config)
        .arg("-E")
        .arg(&log)
        .arg("-S")
        .arg(&to.control)
        // Without -v a persistent master sends the words of a jump host's ssh to /dev/null (sshconnect.c,
        // ssh_proxy_connect).
        .args(["-M", "-N", "-f", "-v"]);
    ssh.arg("-o").arg(format!("ControlPersist={IDLE_SECONDS}s"));
    ssh.args(["-o", "BatchMode=yes"]);
    for option in to.limits_of_ssh() {
        ssh.arg("-o").arg(option);
    }
    ssh.arg("--")
        .arg(to.host.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // The ssh to a jump host does not inherit -E and writes its reason here.
        .stderr(words)
        .kill_on_drop(true);
    without_a_person(&mut ssh);
    // After the login ssh goes into the background, so this process's exit ends the attempt.
    match within(ATTEMPT, to.pace, ssh.status()).await {
        Some(Ok(status)) if status.success() => Ok(()),
        Some(Ok(_)) => {
            let said = std::fs::read(&log).unwrap_or_default();
            let said = String::from_utf8_lossy(&said);
            Err(Cause::Connect(ConnectFailure::from_ssh(&said)))
        }
        Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => Err(Cause::Local {
            doing: "run ssh".to_owned(),
            reason: "it is not installed (Debian package openssh-client)".to_owned(),
        }),
        Some(Err(error)) => Err(local("run ssh", &error)),
        None => Err(Cause::Connect(ConnectFailure::TimedOut {
            at: "the host's SSH server during the login".to_owned(),
        })),
    }
}

/// An empty log that several processes append to.
fn fresh(log: &Path) -> Result<File, Cause> {
    let _ = std::fs::remove_file(log);
    File::options()
        .create(true)
        .append(true)
        .open(log)
        .map_err(|error| local(&format!("open {}", log.display()), &error))
}

/// Keeps ssh from asking for a password or about a host key. `BatchMode` covers the destination only. The ssh to a jump
/// host would ask on the terminal, which a new session does not have, or start a program (ssh(1), `SSH_ASKPASS`).
fn without_a_person(ssh: &mut Command) {
    ssh.env("SSH_ASKPASS_REQUIRE", "never");
    #[expect(
        unsafe_code,
        reason = "setsid(2) is async-signal-safe and the closure touches nothing else"
    )]
    unsafe {
        ssh.pre_exec(|| nix::unistd::setsid().map(drop).map_err(Into::into));
    }
}

async fn lock(path: &Path, pace: Pace) -> Result<File, Cause> {
    let file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|error| local(&format!("open {}", path.display()), &error))?;
    let wait = Wait::begin(ATTEMPT * ATTEMPTS, pace);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if !wait.is_over() => {
                sleep(Duration::from_millis(20)).await;
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Cause::Local {
                    doing: format!("lock {}", path.display()),
                    reason: "another lvslab has been connecting for minutes".to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => {
                return Err(local(&format!("lock {}", path.display()), &error));
            }
        }
    }
}

pub(super) fn local(doing: &str, error: &io::Error) -> Cause {
    Cause::Local {
        doing: doing.to_owned(),
        reason: error.to_string(),
    }
}

fn beside(control: &Path, extension: &str) -> PathBuf {
    let mut path = control.as_os_str().to_owned();
    path.push(".");
    path.push(extension);
    path.into()
}

/// 0.2, 0.4, 0.8 s, plus a random part of up to the same length: hosts behind one jump host must not retry together.
fn pause(attempt: u32) -> Duration {
    let base = 100 << attempt.min(6);
    let mut random = [0; 2];
    // Without random numbers they retry together, which is no reason to fail.
    let _ = getrandom::fill(&mut random);
    Duration::from_millis(base + u64::from(u16::from_le_bytes(random)) % base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sockets_are_readable_where_they_fit_and_never_too_long() {
        let host: HostName = "web1".parse().unwrap();
        assert_eq!(
            control_path(Path::new("/run/user/1000/lvslab/dr/ssh"), &host).unwrap(),
            Path::new("/run/user/1000/lvslab/dr/ssh/web1")
        );
        let long: HostName = "w".repeat(32).parse().unwrap();
        let directory = format!("/run/user/1000/lvslab/{}/ssh", "l".repeat(32));
        let path = control_path(Path::new(&directory), &long).unwrap();
        assert!(path.as_os_str().len() + 17 < 108, "{}", path.display());
        let hopeless = format!("/{}", "d".repeat(100));
        let error = control_path(Path::new(&hopeless), &host).unwrap_err();
        assert!(error.to_string().contains("XDG_RUNTIME_DIR"), "{error}");
    }

    /// With a proxy that stands for the ssh to a jump host: it is started the same way.
    fn behind(directory: &Path, proxy: &str) -> Destination {
        let script = directory.join("jump");
        std::fs::write(&script, format!("cd {}\n{proxy}\n", directory.display())).unwrap();
        let config = directory.join("ssh_config");
        let block = format!("Host web1\n    ProxyCommand sh {}\n", script.display());
        std::fs::write(&config, block).unwrap();
        Destination {
            host: "web1".parse().unwrap(),
            config,
            control: directory.join("web1"),
            pace: Pace::Wall,
        }
    }

    #[tokio::test]
    async fn a_jump_host_that_refuses_us_is_heard_and_not_asked_again() {
        crate::testing::programs::program("ssh", "openssh-client").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let to = behind(
            directory.path(),
            // The sixth field is the session (proc_pid_stat(5)).
            "echo $SSH_ASKPASS_REQUIRE $(cut -d ' ' -f 6 /proc/$$/stat) >> attempts\n\
             echo 'ann@bastion: Permission denied (publickey,password).' >&2; exit 255",
        );
        let refusal = ConnectFailure::JumpHost {
            detail: "ann@bastion: Permission denied (publickey,password)".to_owned(),
        };
        assert_eq!(open(&to).await.unwrap_err(), Cause::Connect(refusal));
        let attempts = std::fs::read_to_string(directory.path().join("attempts")).unwrap();
        let [attempt] = attempts.lines().collect::<Vec<_>>()[..] else {
            panic!("one attempt: {attempts}");
        };
        let ours = nix::unistd::getsid(None).unwrap();
        assert!(attempt.starts_with("never "), "{attempt}");
        assert_ne!(attempt, format!("never {ours}"), "no terminal of ours");
    }

    #[test]
    fn pauses_grow_and_differ_by_at_most_their_own_length() {
        for (attempt, base) in [(1, 200), (2, 400), (3, 800)] {
            let pause = pause(attempt).as_millis();
            assert!((base..2 * base).contains(&pause), "{attempt}: {pause}");
        }
    }
}
