//! Observes the host: facts for planning, evidence for the checks. Nothing is changed.

mod directories;
pub(super) mod evidence;
pub(super) mod facts;
mod ipvs_traffic;
mod packet_filter;
mod sockets;
