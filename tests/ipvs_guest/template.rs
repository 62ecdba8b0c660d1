//! A program that is started once and run many times.
//!
//! Starting a process is what costs under emulation: linking the original ipvsadm dynamically takes more
//! than ten times as long as its work. So it is started once under ptrace(2) and stopped where the dynamic
//! linker hands over to the program's own first instruction. For each run it is made to fork there, and the
//! child goes on with arguments of its own. Code, libraries and system calls are those of an ordinary start.

use std::fs::File;
use std::io::{Seek, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::tools::Outcome;

type Word = libc::c_long;

/// `syscall; int3` in the lowest bytes of a word.
const SYSCALL_AND_TRAP: Word = 0x00cc_050f;
const SYSCALL_AND_TRAP_MASK: Word = 0x00ff_ffff;
/// `int3`
const TRAP: Word = 0xcc;
/// auxv's number of the program's first instruction, getauxval(3).
const AT_ENTRY: u64 = 9;

/// A program stopped before its first instruction. Every call must come from the thread that made it.
pub struct Template {
    process: Child,
    entry: u64,
    /// What is at `entry`.
    code: Word,
    registers: libc::user_regs_struct,
    auxiliary: Vec<u8>,
    input: File,
    output: File,
    errors: File,
    watchdog: Watchdog,
}

impl Template {
    /// Starts it in this thread's network namespace.
    pub fn new(mut command: Command) -> Self {
        let [input, output, errors] = ["input", "output", "errors"].map(|name| {
            File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC).expect("a file in memory"))
        });
        let share = |file: &File| file.try_clone().expect("its descriptor");
        command
            .stdin(share(&input))
            .stdout(share(&output))
            .stderr(share(&errors));
        #[expect(
            unsafe_code,
            reason = "ptrace(2) is asked for between fork and exec; both calls are async-signal-safe"
        )]
        unsafe {
            command.pre_exec(|| {
                // Its children are not waited for.
                libc::signal(libc::SIGCHLD, libc::SIG_IGN);
                match libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        let process = command.spawn().expect("the program");
        let pid = process.id().cast_signed();
        assert_eq!(stop(pid), Stop::Signal(libc::SIGTRAP, 0), "exec");
        let options = libc::PTRACE_O_TRACEFORK | libc::PTRACE_O_EXITKILL;
        trace(
            libc::PTRACE_SETOPTIONS,
            pid,
            0,
            Word::from(options) as usize,
        );
        let auxiliary = std::fs::read(format!("/proc/{pid}/auxv")).expect("its auxiliary vector");
        let entry = entry(&auxiliary);
        let code = peek(pid, entry);
        poke(pid, entry, (code & !0xff) | TRAP);
        go_on(pid, 0);
        assert_eq!(stop(pid), Stop::Signal(libc::SIGTRAP, 0), "its entry");
        let mut registers = registers(pid);
        registers.rip = entry;
        poke(
            pid,
            entry,
            (code & !SYSCALL_AND_TRAP_MASK) | SYSCALL_AND_TRAP,
        );
        Self {
            process,
            entry,
            code,
            registers,
            auxiliary,
            input,
            output,
            errors,
            watchdog: Watchdog::new(),
        }
    }

    /// Runs it with these arguments, its own name first, and this on standard input.
    pub fn run(&mut self, arguments: &[&str], input: &str) -> Outcome {
        for (file, content) in [
            (&mut self.input, input),
            (&mut self.output, ""),
            (&mut self.errors, ""),
        ] {
            file.set_len(0).expect("an empty file");
            file.rewind().expect("its start");
            file.write_all(content.as_bytes()).expect("its content");
            file.rewind().expect("its start");
        }
        let child = self.fork();
        let _watched = self.watchdog.watch(child);
        poke(child, self.entry, self.code);
        let (stack, top) = self.stack(arguments);
        let memory = File::options()
            .write(true)
            .open(format!("/proc/{child}/mem"))
            .expect("its memory");
        memory.write_all_at(&stack, top).expect("its stack");
        let mut start = self.registers;
        start.rsp = top;
        set_registers(child, &start);
        let mut signal = 0;
        let status = loop {
            go_on(child, signal);
            match stop(child) {
                Stop::Exited(status) => break Some(status),
                Stop::Killed => break None,
                Stop::Signal(number, _) => signal = number,
            }
        };
        Outcome {
            stdout: content(&self.output),
            stderr: content(&self.errors),
            status,
        }
    }

    fn fork(&mut self) -> i32 {
        let pid = self.process.id().cast_signed();
        let mut registers = self.registers;
        registers.rax = libc::SYS_fork as u64;
        // Not in a system call that could be restarted.
        registers.orig_rax = u64::MAX;
        set_registers(pid, &registers);
        go_on(pid, 0);
        let event = stop(pid);
        assert_eq!(event, Stop::Signal(libc::SIGTRAP, libc::PTRACE_EVENT_FORK));
        let mut child: libc::c_ulong = 0;
        trace(
            libc::PTRACE_GETEVENTMSG,
            pid,
            0,
            (&raw mut child).expose_provenance(),
        );
        go_on(pid, 0);
        assert_eq!(stop(pid), Stop::Signal(libc::SIGTRAP, 0), "after the fork");
        let child = i32::try_from(child).expect("a process");
        assert_eq!(stop(child), Stop::Signal(libc::SIGSTOP, 0), "the child");
        child
    }

    /// The initial stack (System V ABI, "Process Initialization") and where it goes.
    fn stack(&self, arguments: &[&str]) -> (Vec<u8>, u64) {
        let text: usize = arguments.iter().map(|word| word.len() + 1).sum();
        // Arguments' number and places, two ends of lists, no environment.
        let words = (arguments.len() + 3) * 8 + self.auxiliary.len();
        let size = (words + text).next_multiple_of(16) as u64;
        // Far below what the dynamic linker's stack frames may still hold.
        let top = (self.registers.rsp - 4096 - size) & !15;
        let mut place = top + words as u64;
        let mut stack = Vec::with_capacity(words + text);
        stack.extend((arguments.len() as u64).to_ne_bytes());
        for word in arguments {
            stack.extend(place.to_ne_bytes());
            place += word.len() as u64 + 1;
        }
        stack.extend([0; 16]);
        stack.extend(&self.auxiliary);
        for word in arguments {
            stack.extend(word.as_bytes());
            stack.push(0);
        }
        (stack, top)
    }
}

impl Drop for Template {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Ends a run that takes too long: the original waits for ever for what the kernel does not answer.
struct Watchdog(Arc<Mutex<Option<(i32, Instant)>>>);

/// Until this is dropped the run is watched.
struct Watched<'a>(&'a Watchdog);

impl Watchdog {
    const LIMIT: Duration = Duration::from_secs(30);

    fn new() -> Self {
        let watched = Arc::new(Mutex::new(None::<(i32, Instant)>));
        let weak = Arc::downgrade(&watched);
        std::thread::spawn(move || {
            while let Some(watched) = weak.upgrade() {
                // The watching thread reaps the process, so until then the number cannot be reused.
                if let Some((pid, end)) = *watched.lock().expect("no panic under it")
                    && Instant::now() > end
                {
                    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
                drop(watched);
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        Self(watched)
    }

    fn watch(&self, pid: i32) -> Watched<'_> {
        *self.0.lock().expect("no panic under it") = Some((pid, Instant::now() + Self::LIMIT));
        Watched(self)
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        *self.0.0.lock().expect("no panic under it") = None;
    }
}

fn content(file: &File) -> String {
    let length = file.metadata().expect("its length").len();
    let mut bytes = vec![0; usize::try_from(length).expect("not that long")];
    file.read_exact_at(&mut bytes, 0).expect("its content");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn entry(auxiliary: &[u8]) -> u64 {
    let number = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().expect("8 bytes"));
    auxiliary
        .chunks_exact(16)
        .find(|pair| number(&pair[..8]) == AT_ENTRY)
        .map(|pair| number(&pair[8..]))
        .expect("AT_ENTRY")
}

#[derive(Debug, PartialEq, Eq)]
enum Stop {
    Exited(i32),
    Killed,
    /// Signal and ptrace event.
    Signal(i32, i32),
}

fn stop(pid: i32) -> Stop {
    let mut status = 0;
    #[expect(unsafe_code, reason = "waitpid(2) writes one number")]
    let found = unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) };
    assert_eq!(found, pid, "{}", std::io::Error::last_os_error());
    if libc::WIFEXITED(status) {
        Stop::Exited(libc::WEXITSTATUS(status))
    } else if libc::WIFSIGNALED(status) {
        Stop::Killed
    } else {
        Stop::Signal(libc::WSTOPSIG(status), status >> 16)
    }
}

fn trace(request: libc::c_uint, pid: i32, address: usize, data: usize) -> Word {
    #[expect(
        unsafe_code,
        reason = "ptrace(2) on a process of ours; data is a number, or where the request's own result goes"
    )]
    let result = unsafe {
        *libc::__errno_location() = 0;
        libc::ptrace(request, pid, address, data)
    };
    let error = std::io::Error::last_os_error();
    assert!(
        result != -1 || error.raw_os_error() == Some(0),
        "ptrace {request}: {error}"
    );
    result
}

fn go_on(pid: i32, signal: i32) {
    trace(libc::PTRACE_CONT, pid, 0, signal as usize);
}

fn peek(pid: i32, address: u64) -> Word {
    trace(libc::PTRACE_PEEKTEXT, pid, address as usize, 0)
}

fn poke(pid: i32, address: u64, word: Word) {
    trace(libc::PTRACE_POKETEXT, pid, address as usize, word as usize);
}

fn registers(pid: i32) -> libc::user_regs_struct {
    #[expect(unsafe_code, reason = "numbers, for which all zeroes is a value")]
    let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    trace(
        libc::PTRACE_GETREGS,
        pid,
        0,
        (&raw mut registers).expose_provenance(),
    );
    registers
}

fn set_registers(pid: i32, registers: &libc::user_regs_struct) {
    trace(
        libc::PTRACE_SETREGS,
        pid,
        0,
        std::ptr::from_ref(registers).expose_provenance(),
    );
}
