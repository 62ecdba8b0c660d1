//! What the agent needs of the operating system it runs on: its root directory, programs, processes, files of settings.

pub(super) mod boot_files;
pub(super) mod command;
pub(super) mod os_release;
pub(super) mod processes;
pub(super) mod root;
pub(super) mod selinux_context;
pub(super) mod ssh_connection;
pub mod sysctl_files;
