//! The `lvslab` binary: picks the face by who calls it and how. Everything else is in the library.

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

use lvslab::ipvsadm::program;

// `RUSTFLAGS` in the environment takes the place of the flags in .cargo/config.toml.
#[cfg(not(target_feature = "crt-static"))]
compile_error!(
    "lvslab has to be linked statically (it is PID 1 of the sandbox and runs on hosts of any kind): \
     unset RUSTFLAGS and CARGO_BUILD_TARGET, or add the flags of .cargo/config.toml to them"
);

fn main() -> ExitCode {
    let called = std::env::args_os().next().unwrap_or_default();
    let is_drop_in = |name: &OsStr| name.to_str().is_some_and(|name| program(name).is_some());
    let names_drop_in = |word: &OsStr| {
        word.to_str()
            .is_some_and(|word| program(word) == Some(word))
    };
    // PID 1 alone is not enough: a container's only process has that number, too.
    if std::process::id() == 1 && Path::new(&called).file_name() == Some(OsStr::new("init")) {
        lvslab::sandbox::init::run()
    } else if is_drop_in(&called) {
        lvslab::cli::drop_in(std::env::args_os())
    } else if std::env::args_os()
        .nth(1)
        .is_some_and(|word| names_drop_in(&word))
    {
        // The drop-in parses its own arguments, `--` included.
        lvslab::cli::drop_in(std::env::args_os().skip(1))
    } else {
        lvslab::cli::main()
    }
}
