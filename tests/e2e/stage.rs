//! The surroundings of one end-to-end run: its own state and runtime directories, the user's image cache, and the
//! deployed labs that tests start from.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lvslab::exit::Status;

/// The result of a test; the error is text for people.
pub type Check = Result<(), String>;

/// The directories of this run, and which labs have been deployed there.
pub struct Stage {
    root: tempfile::TempDir,
    turn: Mutex<BTreeMap<&'static str, ()>>,
}

/// One run of the program.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
    pub line: String,
}

impl Stage {
    /// Fresh directories. Only the images, which take minutes to build, come from the user's cache.
    pub fn open() -> std::io::Result<Self> {
        let stage = Self {
            root: tempfile::Builder::new().prefix("lvslab-e2e-").tempdir()?,
            turn: Mutex::default(),
        };
        let images = lvslab::sys::dirs::Dirs::from_environment()?
            .cache
            .join("images");
        fs::create_dir_all(&images)?;
        fs::create_dir_all(stage.path("cache/lvslab"))?;
        std::os::unix::fs::symlink(images, stage.path("cache/lvslab/images"))?;
        Ok(stage)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Runs `lvslab` with nothing on its standard input.
    pub fn lvslab<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Ran {
        self.lvslab_with(arguments, Stdio::null())
    }

    /// `lvslab exec HOST -- COMMAND…`
    pub fn exec(&self, lab: &str, host: &str, command: &[&str]) -> Ran {
        let mut arguments = vec!["exec", "--lab", lab, host, "--"];
        arguments.extend(command);
        self.lvslab(&arguments)
    }

    /// Runs `lvslab` with `input` as its standard input.
    pub fn lvslab_with<S: AsRef<OsStr>>(&self, arguments: &[S], input: Stdio) -> Ran {
        let line = arguments
            .iter()
            .map(|a| a.as_ref().to_string_lossy().into_owned())
            .collect::<Vec<_>>()
            .join(" ");
        let output = self
            .command()
            .args(arguments)
            .stdin(input)
            .output()
            .expect("lvslab starts");
        Ran::new(format!("lvslab {line}"), &output)
    }

    /// Starts `lvslab` and does not wait for it.
    pub fn begin(&self, arguments: &[&str]) -> Result<Child, String> {
        self.command()
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())
    }

    /// The program with this stage's directories.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lvslab"));
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("NO_COLOR", "1")
            .env_remove("RUST_BACKTRACE");
        command
    }

    /// A lab that is up, exactly as `up` left it; no other test runs while it is held.
    pub fn deployed(&self, lab: &'static str) -> Result<Deployed<'_>, String> {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if turn.contains_key(lab) {
            self.lvslab(&["sandbox", "restore", "deployed", "--lab", lab])
                .exit(0)?;
        } else {
            self.lvslab(&["up", &topology(lab), "--yes"]).exit(0)?;
            self.lvslab(&["sandbox", "save", "deployed", "--lab", lab])
                .exit(0)?;
            turn.insert(lab, ());
        }
        Ok(Deployed {
            stage: self,
            lab,
            _turn: turn,
        })
    }

    /// No other test runs while this is held; no lab is up yet.
    pub fn alone(&self) -> Alone<'_> {
        Alone {
            _turn: self.turn.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Stops the labs that tests left up. Fails with the processes that still run afterwards.
    pub fn close(self) -> Check {
        let mut left = Vec::new();
        if let Ok(labs) = fs::read_dir(self.path("state/lvslab")) {
            for lab in labs.flatten() {
                let name = lab.file_name().to_string_lossy().into_owned();
                if lab.path().is_dir() {
                    let _ = self.lvslab(&["sandbox", "stop", "--lab", &name]);
                }
            }
        }
        let root = self.root.path().to_string_lossy().into_owned();
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            left = processes_naming(&root);
            if left.is_empty() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(format!("still running after the tests: {left:?}"))
    }
}

/// See [`Stage::alone`].
pub struct Alone<'a> {
    _turn: MutexGuard<'a, BTreeMap<&'static str, ()>>,
}

/// See [`Stage::deployed`].
pub struct Deployed<'a> {
    pub stage: &'a Stage,
    pub lab: &'static str,
    _turn: MutexGuard<'a, BTreeMap<&'static str, ()>>,
}

impl Deployed<'_> {
    pub fn topology(&self) -> String {
        topology(self.lab)
    }

    /// `lvslab exec HOST -- COMMAND…`
    pub fn exec(&self, host: &str, command: &[&str]) -> Ran {
        self.stage.exec(self.lab, host, command)
    }

    /// The same with `input` as standard input.
    pub fn exec_with(&self, host: &str, command: &[&str], input: Stdio) -> Ran {
        let mut arguments = vec!["exec", "--lab", self.lab, host, "--"];
        arguments.extend(command);
        self.stage.lvslab_with(&arguments, input)
    }

    pub fn up(&self) -> Ran {
        self.stage.lvslab(&["up", &self.topology(), "--yes"])
    }

    pub fn verify(&self) -> Ran {
        self.stage.lvslab(&["verify", &self.topology()])
    }

    pub fn verify_json(&self) -> Result<serde_json::Value, String> {
        let ran = self.stage.lvslab(&["verify", &self.topology(), "--json"]);
        serde_json::from_str(&ran.out).map_err(|e| format!("not one JSON document ({e}):\n{ran}"))
    }
}

impl Drop for Deployed<'_> {
    fn drop(&mut self) {
        // Two machines at once would slow each other down. A failed stop shows in `Stage::close`.
        let _ = self.stage.lvslab(&["sandbox", "stop", "--lab", self.lab]);
    }
}

pub fn topology(lab: &str) -> String {
    format!("topologies/{lab}.yaml")
}

/// Command lines that contain `text`, of all processes but this one.
pub fn processes_naming(text: &str) -> Vec<String> {
    let own = std::process::id().to_string();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .bytes()
                .all(|b| b.is_ascii_digit())
        })
        .filter(|entry| entry.file_name().to_string_lossy() != own)
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(text))
        .collect()
}

/// Every file below `path`, relative to it.
pub fn files_below(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            } else {
                found.push(
                    entry
                        .path()
                        .strip_prefix(path)
                        .unwrap_or(&entry.path())
                        .to_owned(),
                );
            }
        }
    }
    found.sort();
    found
}

impl Ran {
    pub fn new(line: String, output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            line,
        }
    }

    /// Whether the run ended because a host was not reached.
    pub fn is_unreachable(&self) -> bool {
        self.code == i32::from(Status::Unreachable.code())
    }

    /// Fails unless the run ended with `code`.
    pub fn exit(self, code: i32) -> Result<Self, String> {
        if self.code == code {
            Ok(self)
        } else {
            Err(format!("expected exit {code}\n{self}"))
        }
    }

    /// Fails unless `text` is in what was printed, on either stream.
    pub fn says(self, text: &str) -> Result<Self, String> {
        if self.out.contains(text) || self.err.contains(text) {
            Ok(self)
        } else {
            Err(format!("expected to read {text:?}\n{self}"))
        }
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "$ {}\n--- exit {}\n--- stdout\n{}\n--- stderr\n{}",
            self.line, self.code, self.out, self.err
        )
    }
}

/// Fails with both values unless they are equal.
pub fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Check {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}\n   found {found:?}\nexpected {expected:?}"))
    }
}
