//! The `lvslab` binary: picks the face by who calls it and how. Everything else is in the library.

use std::path::Path;
use std::process::ExitCode;

// `RUSTFLAGS` in the environment takes the place of the flags in .cargo/config.toml.
#[cfg(not(target_feature = "crt-static"))]
compile_error!(
    "lvslab has to be linked statically (it is PID 1 of the sandbox and runs on hosts of any kind): \
     unset RUSTFLAGS and CARGO_BUILD_TARGET, or add the flags of .cargo/config.toml to them"
);

fn main() -> ExitCode {
    let called = std::env::args_os().next().unwrap_or_default();
    match Path::new(&called)
        .file_name()
        .and_then(|name| name.to_str())
    {
        // PID 1 alone is not enough: a container's only process has that number, too.
        Some("init") if std::process::id() == 1 => lvslab::sandbox::init::run(),
        Some("ipvsadm") => lvslab::cli::drop_in(std::env::args_os()),
        // Its words are its own, `--` included.
        _ if std::env::args_os()
            .nth(1)
            .is_some_and(|word| word == "ipvsadm") =>
        {
            lvslab::cli::drop_in(std::env::args_os().skip(1))
        }
        _ => lvslab::cli::main(),
    }
}
