//! The guard of changes on trial: the process that rolls them back when no confirmation comes.
//!
//! In: the end of its standard input, which is the end of the apply. It outlives the session that started it.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::signals::ignore;
use crate::agent::change::trial::{LOOK, awaits_confirmation, roll_back_unconfirmed};
use crate::agent::resource::Local;
use crate::agent::system::root::Root;
use crate::model::LabId;

/// The guard of `run`: waits for the end of `apply_goes_on`, then `seconds` for a confirmation, then rolls back.
///
/// # Errors
/// When the host stays locked or the trial's files cannot be used.
pub fn guard(lab: &LabId, run: &str, seconds: u32, mut apply_goes_on: impl Read) -> io::Result<()> {
    outlive_the_session();
    let root = Root::machine();
    // An error of the input means as well that the apply is over.
    let _ = io::copy(&mut apply_goes_on, &mut io::sink());
    let end = Instant::now() + Duration::from_secs(seconds.into());
    while Instant::now() < end {
        if !awaits_confirmation(&root, lab, run).map_err(io::Error::other)? {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
    let mut machine = Local::new(root.clone(), None);
    roll_back_unconfirmed(&mut machine, &root, lab, run).map_err(io::Error::other)
}

/// Neither the end of the session nor a hang-up of its terminal ends this process.
fn outlive_the_session() {
    let ignored = ignore(Signal::SIGHUP);
    // It is no group leader, so there is nothing that could keep it from leaving.
    let _ = (ignored, nix::unistd::setsid());
}
