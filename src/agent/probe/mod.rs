//! Traffic of our own and what comes of it: requests, captured frames, ARP announcements.

pub(super) mod announce;
mod arp;
pub(super) mod capture;
mod curl_output;
pub(super) mod fetch;
mod packet_socket;
