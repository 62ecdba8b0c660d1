//! The floor of every boot: the sandbox's kernel, started by the same QEMU, to an init that powers off at once.

use std::fs;
use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lvslab::sandbox::System;
use lvslab::sandbox::cpio::Archive;
use lvslab::sandbox::image;
use lvslab::sys::dirs::Dirs;

use crate::figures::Bench;

/// A 64-bit ELF program of one segment: `reboot(LINUX_REBOOT_MAGIC1, MAGIC2, LINUX_REBOOT_CMD_POWER_OFF)`,
/// reboot(2).
fn power_off_program() -> Vec<u8> {
    const CODE: &[u8] = &[
        0xb8, 0xa9, 0x00, 0x00, 0x00, // mov eax, 169 (reboot)
        0xbf, 0xad, 0xde, 0xe1, 0xfe, // mov edi, 0xfee1dead
        0xbe, 0x69, 0x19, 0x12, 0x28, // mov esi, 672274793
        0xba, 0xdc, 0xfe, 0x21, 0x43, // mov edx, 0x4321fedc
        0x0f, 0x05, // syscall
        0xeb, 0xfe, // jmp to itself
    ];
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let length = HEADERS + CODE.len() as u64;
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    for (value, width) in [
        (2, 2),  // ET_EXEC
        (62, 2), // EM_X86_64
        (1, 4),
        (BASE + HEADERS, 8), // entry
        (64, 8),             // program headers
        (0, 8),
        (0, 4),
        (64, 2),
        (56, 2),
        (1, 2),
        (64, 2),
        (0, 2),
        (0, 2),
        (1, 4), // PT_LOAD
        (5, 4), // readable, executable
        (0, 8),
        (BASE, 8),
        (BASE, 8),
        (length, 8),
        (length, 8),
        (0x1000, 8),
    ] {
        elf.extend_from_slice(&u64::to_le_bytes(value)[..width]);
    }
    elf.extend_from_slice(CODE);
    elf
}

/// How long QEMU runs, from its start to its end.
pub fn empty_boot(bench: &Bench) -> io::Result<Duration> {
    let image = Dirs::from_environment().map(|dirs| image::find(&dirs, System::Plain))?;
    let kernel = image
        .ok_or_else(|| io::Error::other("the sandbox is not prepared"))?
        .kernel;
    let mut archive = Archive::new(Vec::new());
    archive.file("init", 0o755, &power_off_program())?;
    let initramfs = bench.path("empty.cpio");
    fs::write(&initramfs, archive.finish()?)?;
    let start = Instant::now();
    let ended = Command::new("qemu-system-x86_64")
        .args([
            "-M",
            "q35",
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max",
            "-smp",
            "2",
            "-m",
            "1024",
        ])
        .args([
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
        ])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(&initramfs)
        .args([
            "-append",
            "quiet mitigations=off no_timer_check tsc=reliable random.trust_cpu=on panic=-1",
        ])
        .stdin(Stdio::null())
        .status()?;
    if ended.success() {
        Ok(start.elapsed())
    } else {
        Err(io::Error::other(format!("qemu ended with {ended}")))
    }
}
