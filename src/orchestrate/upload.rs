//! The commands that start the agent on a host, and upload it first if it is missing.
//!
//! Each is one remote command. It begins in the user's login shell, which may be csh, so it uses nothing but the syntax
//! that csh and Bourne shells share until it has started `/bin/sh`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use crate::sys::on_host;
use crate::sys::shell::quoted;

/// The agent is not there.
pub const EXIT_MISSING: i32 = 93;
/// The user is not root and there is no sudo.
pub const EXIT_NO_SUDO: i32 = 95;
/// It could not be written.
pub const EXIT_NOT_WRITTEN: i32 = 96;
/// What was written has another hash.
pub const EXIT_CORRUPT: i32 = 97;

/// This program, as it is copied to hosts.
#[derive(Debug)]
pub struct AgentBinary {
    path: PathBuf,
    sha256: String,
    compressed: OnceLock<Arc<[u8]>>,
}

impl AgentBinary {
    /// The running program; reads all of it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn this() -> io::Result<Self> {
        // The link keeps naming the program that runs, even after the file was replaced on disk.
        Self::at(Path::new("/proc/self/exe"))
    }

    fn at(path: &Path) -> io::Result<Self> {
        let digest = Sha256::digest(fs::read(path)?);
        Ok(Self {
            path: path.to_owned(),
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            compressed: OnceLock::new(),
        })
    }

    /// The program as a gzip stream, compressed at the first call.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn compressed(&self) -> io::Result<Arc<[u8]>> {
        if let Some(done) = self.compressed.get() {
            return Ok(Arc::clone(done));
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&fs::read(&self.path)?)?;
        let bytes: Arc<[u8]> = encoder.finish()?.into();
        Ok(Arc::clone(self.compressed.get_or_init(|| bytes)))
    }

    /// Starts the agent, or ends with [`EXIT_MISSING`] or [`EXIT_NO_SUDO`].
    ///
    /// For root, with the agent in place, the agent is the only process that is started.
    #[must_use]
    pub fn start_command(&self) -> String {
        self.start_command_in(on_host::DIRECTORY)
    }

    fn start_command_in(&self, directory: &str) -> String {
        let agent = format!("{directory}/bin/{}", self.sha256);
        let as_root =
            format!("if [ -x {agent} ]; then exec {agent} agent; fi; exit {EXIT_MISSING}");
        let otherwise = quoted(&become_root(&as_root));
        format!("[ -x {agent} ] && exec {agent} agent; exec /bin/sh -c {otherwise}")
    }

    /// Takes exactly `length` bytes of gzip stream from standard input, puts the program in place and starts
    /// it, or ends with one of the other codes.
    #[must_use]
    pub fn upload_command(&self, length: usize) -> String {
        self.upload_command_in(on_host::DIRECTORY, length)
    }

    fn upload_command_in(&self, directory: &str, length: usize) -> String {
        let sha256 = &self.sha256;
        // `head` leaves what follows the program to the agent, which reads on from the same input.
        let script = format!(
            "umask 077; d={directory}; \
             mkdir -p $d/bin && chmod 700 $d $d/bin && t=$(mktemp $d/bin/.upload.XXXXXX) || exit {EXIT_NOT_WRITTEN}; \
             trap \"rm -f $t\" EXIT; trap \"exit {EXIT_NOT_WRITTEN}\" HUP INT TERM; \
             head -c {length} | gzip -dc >$t || exit {EXIT_NOT_WRITTEN}; \
             s=$(sha256sum <$t); [ \"${{s%% *}}\" = {sha256} ] || exit {EXIT_CORRUPT}; \
             chmod 700 $t && mv -f $t $d/bin/{sha256} || exit {EXIT_NOT_WRITTEN}; \
             exec $d/bin/{sha256} agent"
        );
        format!("exec /bin/sh -c {}", quoted(&become_root(&script)))
    }
}

/// Runs `script` as root: directly, or through `sudo -n` for another user.
fn become_root(script: &str) -> String {
    let through_sudo = quoted(script);
    format!(
        "if [ \"$(id -u)\" != 0 ]; then \
         command -v sudo >/dev/null || exit {EXIT_NO_SUDO}; exec sudo -n /bin/sh -c {through_sudo}; fi; {script}"
    )
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Command, Output, Stdio};

    use super::*;
    use crate::testing::script;

    /// Stands for the agent: says how it was started, then repeats what it is told.
    const PROGRAM: &str = "#!/bin/sh\necho started \"$@\"\ncat\n";

    struct Bench {
        directory: tempfile::TempDir,
        binary: AgentBinary,
    }

    fn bench() -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("program");
        fs::write(&program, PROGRAM).unwrap();
        Bench {
            binary: AgentBinary::at(&program).unwrap(),
            directory,
        }
    }

    impl Bench {
        fn host(&self) -> String {
            self.directory.path().join("host").display().to_string()
        }

        /// As root would run it, whoever runs the tests: `id` and `sudo` are stand-ins on the PATH.
        fn shell(&self, shell: &str, command: &str, input: &[u8]) -> Output {
            let bin = self.directory.path().join("path");
            fs::create_dir_all(&bin).unwrap();
            script::write(&bin.join("id"), "#!/bin/sh\necho 0\n");
            let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", bin.display());
            run(shell, command, &path, input)
        }
    }

    fn run(shell: &str, command: &str, path: &str, input: &[u8]) -> Output {
        let mut child = Command::new(shell)
            .args(["-c", command])
            .env("PATH", path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // The other side may end without reading.
        let _ = stdin.write_all(input);
        drop(stdin);
        child.wait_with_output().unwrap()
    }

    #[test]
    fn a_missing_agent_is_told_by_its_exit_code() {
        let bench = bench();
        let command = bench.binary.start_command_in(&bench.host());
        for shell in ["sh", "bash"] {
            let output = bench.shell(shell, &command, b"");
            assert_eq!(output.status.code(), Some(EXIT_MISSING), "{output:?}");
            assert_eq!(output.stdout, b"");
        }
    }

    #[test]
    fn an_upload_starts_the_agent_on_the_same_input_and_the_next_start_finds_it() {
        let bench = bench();
        let compressed = bench.binary.compressed().unwrap();
        let mut input = compressed.to_vec();
        input.extend_from_slice(b"first request");
        let command = bench
            .binary
            .upload_command_in(&bench.host(), compressed.len());
        let output = bench.shell("sh", &command, &input);
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "started agent\nfirst request",
            "{output:?}"
        );

        let installed = Path::new(&bench.host())
            .join("bin")
            .join(&bench.binary.sha256);
        assert_eq!(fs::read_to_string(&installed).unwrap(), PROGRAM);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&installed), 0o700);
        assert_eq!(mode(installed.parent().unwrap()), 0o700);
        assert_eq!(
            fs::read_dir(installed.parent().unwrap()).unwrap().count(),
            1,
            "no temporary file stays"
        );

        let start = bench.binary.start_command_in(&bench.host());
        let output = bench.shell("sh", &start, b"second request");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "started agent\nsecond request"
        );
    }

    #[test]
    fn a_damaged_upload_is_not_installed() {
        let bench = bench();
        let mut other = GzEncoder::new(Vec::new(), Compression::best());
        other
            .write_all(b"#!/bin/sh\necho something else\n")
            .unwrap();
        let other = other.finish().unwrap();
        let command = bench.binary.upload_command_in(&bench.host(), other.len());
        let output = bench.shell("sh", &command, &other);
        assert_eq!(output.status.code(), Some(EXIT_CORRUPT), "{output:?}");

        let compressed = bench.binary.compressed().unwrap();
        let command = bench
            .binary
            .upload_command_in(&bench.host(), compressed.len());
        let output = bench.shell("sh", &command, &compressed[..compressed.len() / 2]);
        assert_eq!(output.status.code(), Some(EXIT_NOT_WRITTEN), "{output:?}");
        let left = fs::read_dir(Path::new(&bench.host()).join("bin")).unwrap();
        assert_eq!(left.count(), 0);
    }

    #[test]
    fn another_user_goes_through_sudo_or_is_told_that_there_is_none() {
        let bench = bench();
        let bin = bench.directory.path().join("other");
        fs::create_dir(&bin).unwrap();
        let tool = |name: &str, text: &str| script::write(&bin.join(name), text);
        tool("id", "#!/bin/sh\necho 1000\n");
        let command = bench.binary.start_command_in(&bench.host());
        let path = bin.display().to_string();
        let output = run("/bin/sh", &command, &path, b"");
        assert_eq!(output.status.code(), Some(EXIT_NO_SUDO), "{output:?}");

        tool(
            "sudo",
            "#!/bin/sh\n[ \"$1\" = -n ] || exit 9\nshift\nexec \"$@\"\n",
        );
        let output = run("/bin/sh", &command, &path, b"");
        assert_eq!(output.status.code(), Some(EXIT_MISSING), "{output:?}");
    }

    #[test]
    fn the_hash_is_that_of_the_program() {
        let bench = bench();
        let expected = Sha256::digest(PROGRAM);
        let expected: String = expected.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(bench.binary.sha256, expected);
        let mut plain = String::new();
        flate2::read::GzDecoder::new(&bench.binary.compressed().unwrap()[..])
            .read_to_string(&mut plain)
            .unwrap();
        assert_eq!(plain, PROGRAM);
    }
}
