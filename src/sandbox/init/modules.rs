//! Loads the kernel modules the image brought along, all of them, in the order it says.
//!
//! This happens before the machine's state is saved, so schedulers, tunnels and filters are there from the start, and no
//! host needs `modprobe`.

use std::ffi::CStr;
use std::fs::File;
use std::path::Path;

use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};

use super::{Failure, While, log};

const NO_PARAMETERS: &CStr = c"";

/// Loads the modules of `directory`, calling `between` after each, and frees the memory their files take.
pub fn load_all(
    directory: &Path,
    mut between: impl FnMut() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let order = directory.join("modules.order");
    let text = std::fs::read_to_string(&order).during("read modules.order")?;
    for name in names(&text) {
        let path = directory.join(name);
        let file = File::open(&path).during(format_args!("open module {name}"))?;
        match finit_module(&file, NO_PARAMETERS, ModuleInitFlags::empty()) {
            Ok(()) | Err(Errno::EEXIST) => {}
            // What needs hardware that is not there (`crc32c-intel` on a processor without it) says so.
            Err(Errno::ENODEV) => log(&format!("module {name} has no device here")),
            Err(errno) => return Err(Failure(format!("load module {name}: {errno}"))),
        }
        between()?;
    }
    std::fs::remove_dir_all(directory).during("remove the loaded modules' files")
}

/// File names, one a line; comments and blank lines are allowed.
fn names(order: &str) -> impl Iterator<Item = &str> {
    order
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_order_file_is_read_line_by_line() {
        let order = "virtio.ko\n\n# schedulers\n ip_vs_rr.ko \n";
        assert_eq!(
            super::names(order).collect::<Vec<_>>(),
            ["virtio.ko", "ip_vs_rr.ko"]
        );
    }
}
