//! How each kind of resource is looked at, made true and put back on this machine.

mod file;
pub(super) mod firewalld;
pub(super) mod ipvs;
mod local;
pub(super) mod network;
pub(super) mod package;
pub(super) mod selinux;
pub(super) mod service;
pub(super) mod sysctl;

pub(super) use local::Local;
