//! PID 1 of the sandbox machine.
//!
//! In: the devices of [`crate::sandbox::machine`], the kernel modules beside it in the first root file
//! system, and [`Request`](super::control::Request)s over the virtio-serial port. Out: lab hosts, each a set of
//! namespaces over one shared read-only root, wired to the layer-2 segments of their description.
//!
//! Everything happens in this one thread, through system calls and netlink: a process start costs a tenth of
//! a second under emulation, and a single-threaded process can be cloned into a host's init safely.

mod assignment;
mod cgroups;
mod disk;
mod early;
mod freshness;
mod guest;
mod host;
mod inside;
mod line;
mod login_keys;
mod modules;
mod namespaces;
mod port;
mod timestamps;
mod warm;
mod wires;

use std::convert::Infallible;
use std::fmt;
use std::io;

/// Where the kernel starts this binary, and how it knows that it is the sandbox's PID 1 and not, say, the
/// first process of a container.
pub const PATH: &str = "/init";

/// Directory of the kernel modules in the first root file system, with `modules.order` in it.
pub const MODULES: &str = "/modules";

/// Directory laid over every host's root: the agent, already where an upload would put it.
pub const LAYER: &str = "/layer";

/// Whether this process is the sandbox's PID 1: the first process, started as [`PATH`].
#[must_use]
pub fn is_this_process() -> bool {
    std::process::id() == 1 && std::env::args_os().next().is_some_and(|name| name == PATH)
}

/// Brings the machine up and serves its hosts for ever.
pub fn run() -> ! {
    let Err(error) = serve();
    log(&format!("cannot go on: {error}"));
    // QEMU runs with -no-reboot and ends; the controller shows the console's tail.
    let _ = nix::sys::reboot::reboot(nix::sys::reboot::RebootMode::RB_AUTOBOOT);
    std::process::exit(1);
}

fn serve() -> Result<Infallible, Failure> {
    let base = early::bring_up()?;
    guest::Guest::new(base)?.serve()
}

/// One line on the machine's console.
fn log(line: &str) {
    eprintln!("lvslab: {line}");
}

/// Why PID 1 or a host's init could not do something: one lower-case sentence, no recovery beyond saying it.
#[derive(Debug)]
struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says what was being done when the system said no.
trait While<T> {
    fn during(self, doing: impl fmt::Display) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> While<T> for Result<T, E> {
    fn during(self, doing: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| Failure(format!("{doing}: {}", error.into())))
    }
}
