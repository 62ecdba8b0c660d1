//! Time and randomness, which a restored machine must not have from its saved state.

use std::fs::OpenOptions;
use std::os::fd::AsRawFd;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_settime};

use super::{Failure, While};

/// `struct rand_pool_info` of `random.h` with room for the seed.
#[repr(C)]
struct Pool {
    entropy_bits: libc::c_int,
    size_bytes: libc::c_int,
    bytes: [u8; SEED_BYTES],
}

const SEED_BYTES: usize = 64;

/// Sets the clock to `clock` (seconds and nanoseconds since 1970) and mixes the seed into the kernel's generator,
/// which then makes a new key from all it has.
///
/// The generator of a restored machine would otherwise give the same numbers after every restore.
pub fn apply(clock: (i64, i64), seed_base64: &str) -> Result<(), Failure> {
    clock_settime(ClockId::CLOCK_REALTIME, TimeSpec::new(clock.0, clock.1))
        .during("set the clock")?;
    let mut pool = Pool {
        entropy_bits: (SEED_BYTES * 8) as libc::c_int,
        size_bytes: SEED_BYTES as libc::c_int,
        bytes: decode(seed_base64)?,
    };
    let random = OpenOptions::new()
        .write(true)
        .open("/dev/urandom")
        .during("open /dev/urandom")?;
    add_entropy(random.as_raw_fd(), &mut pool).during("RNDADDENTROPY")?;
    reseed(random.as_raw_fd()).during("RNDRESEEDCRNG")
}

fn decode(seed_base64: &str) -> Result<[u8; SEED_BYTES], Failure> {
    STANDARD
        .decode(seed_base64)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| {
            Failure(format!(
                "the random seed is not {SEED_BYTES} bytes in base64"
            ))
        })
}

/// `RNDADDENTROPY`, `_IOW('R', 0x03, int [2])`; random(4).
fn add_entropy(random: libc::c_int, pool: &mut Pool) -> Result<(), std::io::Error> {
    const RNDADDENTROPY: libc::Ioctl = 0x4008_5203;
    #[expect(
        unsafe_code,
        reason = "the request reads a rand_pool_info followed by size_bytes bytes, which Pool is"
    )]
    let result = unsafe { libc::ioctl(random, RNDADDENTROPY, std::ptr::from_mut(pool)) };
    nix::errno::Errno::result(result)?;
    Ok(())
}

/// `RNDRESEEDCRNG`, `_IO('R', 0x07)`; random(4).
fn reseed(random: libc::c_int) -> Result<(), std::io::Error> {
    const RNDRESEEDCRNG: libc::Ioctl = 0x5207;
    #[expect(unsafe_code, reason = "the request takes no argument")]
    let result = unsafe { libc::ioctl(random, RNDRESEEDCRNG) };
    nix::errno::Errno::result(result)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_of_the_wrong_length_is_refused() {
        assert_eq!(decode(&STANDARD.encode([7; 64])).unwrap(), [7; 64]);
        assert!(decode(&STANDARD.encode([7; 63])).is_err());
        assert!(decode("no base64!").is_err());
    }
}
