//! The agent's processes: [`serve`] answers the controller's requests, [`guard`] waits for a confirmation.

mod guard;
mod serve;
mod signals;
#[cfg(test)]
#[path = "tests/session.rs"]
mod tests;

pub use guard::guard;
pub use serve::serve;
