//! Hardware virtualisation or emulation, chosen by trying.
//!
//! `/dev/kvm` proves nothing: with nested or paravirtual KVM every guest may hang. So the first start on a machine tries
//! KVM, waits for the guest's first output, and otherwise emulates. The result is remembered for this kernel, processor
//! and QEMU. A temporary refusal is not remembered, and a KVM that worked and then fails is tried anew next time.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Qemu;
use crate::sandbox::accelerator::{Accelerator, UnknownAccelerator, VARIABLE};
use crate::sys::atomic;
use crate::sys::dirs::Dirs;

/// How long a guest under KVM may take to print its first line; a working one needs well under a second.
pub const FIRST_OUTPUT: Duration = Duration::from_secs(5);

/// What to try, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// No alternative: it was asked for, it is known to work, or KVM is not available.
    Decided(Accelerator),
    /// KVM has worked on this machine.
    KvmWorked,
    /// KVM is available and untested on this machine.
    TryKvm,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Memory {
    machine: String,
    accelerator: Accelerator,
}

/// What to try first on this machine; `wish` or [`VARIABLE`] decide if given.
///
/// # Errors
/// When [`VARIABLE`] has another value than `kvm` and `tcg`.
pub fn choose(
    wish: Option<Accelerator>,
    dirs: &Dirs,
    qemu: &Qemu,
) -> Result<Choice, UnknownAccelerator> {
    if let Some(wish) = wish {
        return Ok(Choice::Decided(wish));
    }
    if let Ok(value) = std::env::var(VARIABLE)
        && !value.is_empty()
    {
        return value.parse().map(Choice::Decided);
    }
    let usable = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .is_ok();
    let memory = std::fs::read(memory_file(dirs))
        .ok()
        .and_then(|json| serde_json::from_slice(&json).ok());
    Ok(decide(usable, memory, &machine(qemu)))
}

/// Keeps the answer for the next start. Failing to is no harm: the next start tries again.
pub fn remember(dirs: &Dirs, qemu: &Qemu, accelerator: Accelerator) {
    let memory = Memory {
        machine: machine(qemu),
        accelerator,
    };
    if let Ok(json) = serde_json::to_vec(&memory) {
        let _ = std::fs::create_dir_all(&dirs.cache)
            .and_then(|()| atomic::write(&memory_file(dirs), &json, 0o600));
    }
}

/// Makes the next start try again.
pub fn forget(dirs: &Dirs) {
    let _ = atomic::remove(&memory_file(dirs));
}

/// Whether QEMU's complaint is that KVM cannot be had now: another hypervisor has the processor (`EBUSY`), or memory
/// is short (`ENOMEM`).
#[must_use]
pub fn is_passing(complaint: &str) -> bool {
    ["Device or resource busy", "Cannot allocate memory"]
        .iter()
        .any(|text| complaint.contains(text))
}

fn memory_file(dirs: &Dirs) -> PathBuf {
    dirs.cache.join("accelerator.json")
}

fn decide(kvm_usable: bool, memory: Option<Memory>, machine: &str) -> Choice {
    if !kvm_usable {
        return Choice::Decided(Accelerator::Tcg);
    }
    match memory {
        Some(memory) if memory.machine == machine => match memory.accelerator {
            Accelerator::Kvm => Choice::KvmWorked,
            Accelerator::Tcg => Choice::Decided(Accelerator::Tcg),
        },
        _ => Choice::TryKvm,
    }
}

/// What the answer depends on: kernel, processor, QEMU.
fn machine(qemu: &Qemu) -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpu_info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = cpu_info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .and_then(|rest| rest.split_once(':'))
        .map_or("", |(_, name)| name.trim());
    format!(
        "Linux {} on {processor} with QEMU {}",
        kernel.trim(),
        qemu.version
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(machine: &str, accelerator: Accelerator) -> Option<Memory> {
        Some(Memory {
            machine: machine.to_owned(),
            accelerator,
        })
    }

    #[test]
    fn without_kvm_nothing_is_tried() {
        let choice = decide(false, memory("here", Accelerator::Kvm), "here");
        assert_eq!(choice, Choice::Decided(Accelerator::Tcg));
    }

    #[test]
    fn an_answer_counts_on_the_machine_it_was_found_on_only() {
        for (accelerator, expected) in [
            (Accelerator::Kvm, Choice::KvmWorked),
            (Accelerator::Tcg, Choice::Decided(Accelerator::Tcg)),
        ] {
            let choice = decide(true, memory("here", accelerator), "here");
            assert_eq!(choice, expected);
        }
        let choice = decide(true, memory("there", Accelerator::Tcg), "here");
        assert_eq!(choice, Choice::TryKvm);
        assert_eq!(decide(true, None, "here"), Choice::TryKvm);
    }

    #[test]
    fn a_busy_kvm_may_be_had_later_and_one_that_ends_qemu_may_not() {
        assert!(is_passing(
            "qemu-system-x86_64: ioctl(KVM_CREATE_VM) failed: 16 Device or resource busy\n\
             qemu-system-x86_64: failed to initialize kvm: Device or resource busy"
        ));
        assert!(!is_passing(
            "qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69\n\
             qemu-system-x86_64: ../../target/i386/kvm/kvm.c:3183: kvm_buf_set_msrs: Assertion failed."
        ));
    }

    #[test]
    fn a_wrong_word_is_refused_with_the_right_ones() {
        let error = "hvf".parse::<Accelerator>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`hvf` is no accelerator; there are `kvm` and `tcg`"
        );
    }
}
