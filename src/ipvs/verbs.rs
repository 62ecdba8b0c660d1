//! One method per [`Command`], each sent on its own.

use super::client::Client;
use super::command::Command;
use super::error::IpvsError;
use super::model::{
    Daemon, DaemonRole, Destination, DestinationKey, Service, ServiceKey, Timeouts,
};

impl Client {
    /// Creates a service.
    ///
    /// # Errors
    /// [`Refusal::ServiceExists`](super::Refusal), [`Refusal::NoSuchSchedulerOrEngine`](super::Refusal).
    pub fn create_service(&self, service: &Service) -> Result<(), IpvsError> {
        self.run(&Command::CreateService(service.clone()))
    }

    /// Replaces the settings of a service; its destinations stay.
    ///
    /// # Errors
    /// [`Refusal::NoSuchService`](super::Refusal), [`Refusal::NoSuchSchedulerOrEngine`](super::Refusal).
    pub fn edit_service(&self, service: &Service) -> Result<(), IpvsError> {
        self.run(&Command::EditService(service.clone()))
    }

    /// Deletes a service with its destinations.
    ///
    /// # Errors
    /// [`Refusal::NoSuchService`](super::Refusal).
    pub fn delete_service(&self, key: ServiceKey) -> Result<(), IpvsError> {
        self.run(&Command::DeleteService(key))
    }

    /// Adds a destination to a service.
    ///
    /// # Errors
    /// [`Refusal::NoSuchService`](super::Refusal), [`Refusal::DestinationExists`](super::Refusal).
    pub fn add_destination(
        &self,
        service: ServiceKey,
        destination: &Destination,
    ) -> Result<(), IpvsError> {
        self.run(&Command::AddDestination(service, destination.clone()))
    }

    /// Replaces the settings of a destination; its connections stay.
    ///
    /// # Errors
    /// [`Refusal::NoSuchService`](super::Refusal), [`Refusal::NoSuchDestination`](super::Refusal).
    pub fn edit_destination(
        &self,
        service: ServiceKey,
        destination: &Destination,
    ) -> Result<(), IpvsError> {
        self.run(&Command::EditDestination(service, destination.clone()))
    }

    /// Deletes a destination.
    ///
    /// # Errors
    /// [`Refusal::NoSuchService`](super::Refusal), [`Refusal::NoSuchDestination`](super::Refusal).
    pub fn delete_destination(
        &self,
        service: ServiceKey,
        destination: DestinationKey,
    ) -> Result<(), IpvsError> {
        self.run(&Command::DeleteDestination(service, destination))
    }

    /// Deletes every service.
    ///
    /// # Errors
    /// When the command cannot be sent.
    pub fn flush(&self) -> Result<(), IpvsError> {
        self.run(&Command::Flush)
    }

    /// Sets the counters of one service and its destinations, or of all, to zero.
    ///
    /// # Errors
    /// [`Refusal::NoSuchService`](super::Refusal).
    pub fn zero(&self, service: Option<ServiceKey>) -> Result<(), IpvsError> {
        self.run(&Command::Zero(service))
    }

    /// Sets the timeouts that are not 0.
    ///
    /// # Errors
    /// [`Refusal::Invalid`](super::Refusal) for a timeout that does not fit the kernel's tick counter.
    pub fn set_timeouts(&self, timeouts: Timeouts) -> Result<(), IpvsError> {
        self.run(&Command::SetTimeouts(timeouts))
    }

    /// Starts a synchronisation daemon.
    ///
    /// # Errors
    /// [`Refusal::DaemonRuns`](super::Refusal), [`Refusal::NoSuchInterface`](super::Refusal).
    pub fn start_daemon(&self, daemon: &Daemon) -> Result<(), IpvsError> {
        self.run(&Command::StartDaemon(daemon.clone()))
    }

    /// Stops a synchronisation daemon.
    ///
    /// # Errors
    /// [`Refusal::DaemonDoesNotRun`](super::Refusal).
    pub fn stop_daemon(&self, role: DaemonRole) -> Result<(), IpvsError> {
        self.run(&Command::StopDaemon(role))
    }
}
