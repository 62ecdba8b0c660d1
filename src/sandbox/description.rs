//! What the controller hands to PID 1 of the sandbox: the hosts to make, and what must be fresh.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::model::{HostName, InterfaceName};

/// A lab as the guest sees it: machines and wires, nothing of its purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Seconds and nanoseconds since 1970, UTC, at hand-over.
    pub clock: (i64, i64),
    /// 64 random bytes in base64 for the kernel's generator, mixed in before any key is used.
    pub seed_base64: String,
    /// Number of layer-2 segments.
    pub segments: usize,
    /// Public key that may log in as root, OpenSSH format, one line.
    pub authorized_key: String,
    pub hosts: Vec<GuestHost>,
}

/// One machine of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestHost {
    /// Host name.
    pub name: HostName,
    /// Address of `mgmt0`, in 10.0.2.0/24, where user networking forwards the loopback port to.
    pub management: Ipv4Addr,
    /// Private host key, OpenSSH format.
    pub host_key: String,
    /// Whether httpd is absent on the factory-new machine (to be installed from the offline repository).
    pub without_httpd: bool,
    /// Lab interfaces.
    pub interfaces: Vec<GuestInterface>,
    /// Names of the other machines for `/etc/hosts`, by lab address.
    pub hosts_file: Vec<(Ipv4Net, HostName)>,
}

/// One unconfigured lab interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestInterface {
    /// Name inside the host, `eth0`.
    pub name: InterfaceName,
    /// Segment it is plugged into.
    pub segment: usize,
    /// MAC, locally administered.
    pub mac: String,
}
