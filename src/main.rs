//! The `lvslab` binary: picks the face by who calls it and how. Everything else is in the library.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let called = arguments.next().unwrap_or_default();
    match Path::new(&called)
        .file_name()
        .and_then(|name| name.to_str())
    {
        // PID 1 alone is not enough: a container's only process has that number, too.
        Some("init") if std::process::id() == 1 => lvslab::sandbox::init::run(),
        Some("ipvsadm") => lvslab::ipvsadm::main(arguments),
        _ => lvslab::cli::main(),
    }
}
