//! The machine lvslab itself runs on: directories, whole-or-nothing file writes, waits, progress.

pub mod atomic;
pub mod clock;
pub mod dirs;
pub mod elapsed;
pub mod local;
pub mod on_host;
pub mod output;
pub mod pace;
pub mod progress;
pub mod shell;
