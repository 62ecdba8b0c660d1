//! The machine lvslab itself runs on: directories, whole-or-nothing file writes, waits, progress.

pub mod atomic;
pub mod dirs;
pub mod local;
pub mod pace;
pub mod progress;
#[cfg(test)]
pub mod test_programs;
#[cfg(test)]
pub mod test_script;
