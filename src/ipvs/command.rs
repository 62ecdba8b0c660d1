//! Changes that the kernel can be asked for.

use std::fmt;

use super::model::{
    Daemon, DaemonRole, Destination, DestinationKey, Service, ServiceKey, Timeouts,
};

/// One change to a network namespace's IPVS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Creates a service.
    CreateService(Service),
    /// Replaces the settings of a service; its destinations stay.
    EditService(Service),
    /// Deletes a service with its destinations. Its connections end with their next packet.
    DeleteService(ServiceKey),
    /// Adds a destination. If it was deleted while it had connections, it comes back with its old counters.
    AddDestination(ServiceKey, Destination),
    /// Replaces the settings of a destination; its connections stay.
    EditDestination(ServiceKey, Destination),
    /// Deletes a destination.
    DeleteDestination(ServiceKey, DestinationKey),
    /// Deletes every service.
    Flush,
    /// Sets the counters of one service and its destinations, or of all, to zero.
    Zero(Option<ServiceKey>),
    /// Sets the timeouts that are not 0.
    SetTimeouts(Timeouts),
    /// Starts a synchronisation daemon.
    StartDaemon(Daemon),
    /// Stops a synchronisation daemon.
    StopDaemon(DaemonRole),
}

impl fmt::Display for Command {
    /// A lower-case fragment that reads after "cannot": `add destination 192.168.4.100:80 to tcp 192.168.4.15:80`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateService(service) => write!(f, "create service {}", service.key),
            Self::EditService(service) => write!(f, "change service {}", service.key),
            Self::DeleteService(key) => write!(f, "delete service {key}"),
            Self::AddDestination(service, destination) => {
                write!(f, "add destination {} to {service}", destination.key())
            }
            Self::EditDestination(service, destination) => {
                write!(f, "change destination {} of {service}", destination.key())
            }
            Self::DeleteDestination(service, destination) => {
                write!(f, "delete destination {destination} of {service}")
            }
            Self::Flush => f.write_str("delete every service"),
            Self::Zero(Some(service)) => write!(f, "zero the counters of {service}"),
            Self::Zero(None) => f.write_str("zero every counter"),
            Self::SetTimeouts(_) => f.write_str("set the timeouts"),
            Self::StartDaemon(daemon) => {
                write!(
                    f,
                    "start the {} daemon on {}",
                    daemon.role, daemon.interface
                )
            }
            Self::StopDaemon(role) => write!(f, "stop the {role} daemon"),
        }
    }
}
