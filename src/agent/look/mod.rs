//! What the host shows of itself. Nothing is changed.

mod directories;
pub(super) mod evidence;
pub(super) mod facts;
mod firewall;
mod ipvs_traffic;
mod sockets;
