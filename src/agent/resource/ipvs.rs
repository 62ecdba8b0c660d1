//! One service of the kernel's IPVS table. Other services are not ours and never touched.

use crate::agent::protocol::ResourceError;
use crate::agent::protocol::error::because;
use crate::ipvs::{
    Client, Command, Destination, IpvsError, Service, ServiceKey, ServiceStatus, reconcile_service,
};

/// Opens the kernel's IPVS in the network namespace of this thread.
pub(in crate::agent) fn open() -> Result<Client, ResourceError> {
    Client::open().map_err(|error| {
        let unavailable = matches!(error, IpvsError::Unavailable);
        let error = asked(error);
        if unavailable {
            error.hint("a director needs a kernel with IPVS; real servers and clients do not")
        } else {
            error
        }
    })
}

/// The service with its destinations; `None` when there is none.
pub(super) fn observe(
    client: &Client,
    key: ServiceKey,
) -> Result<Option<ServiceStatus>, ResourceError> {
    client.service(key).map_err(asked)
}

/// Makes the service what is asked for with as few changes as possible.
pub(super) fn converge(
    client: &Client,
    service: &Service,
    destinations: &[Destination],
    now: Option<&ServiceStatus>,
) -> Result<(), ResourceError> {
    run(client, &reconcile_service(now, service, destinations))
}

/// Makes the service what it was.
pub(super) fn restore(
    client: &Client,
    key: ServiceKey,
    before: Option<&ServiceStatus>,
    now: Option<&ServiceStatus>,
) -> Result<(), ResourceError> {
    match before {
        Some(status) => {
            let destinations: Vec<Destination> = status
                .destinations
                .iter()
                .map(|d| d.destination.clone())
                .collect();
            converge(client, &status.service, &destinations, now)
        }
        None if now.is_some() => run(client, &[Command::DeleteService(key)]),
        None => Ok(()),
    }
}

fn run(client: &Client, commands: &[Command]) -> Result<(), ResourceError> {
    let refused = client.batch(commands).map_err(asked)?;
    match refused.first() {
        None => Ok(()),
        Some(first) => Err(because(first.to_string())),
    }
}

/// The error with the system's reason, where there is one below it.
pub(in crate::agent) fn asked(error: IpvsError) -> ResourceError {
    let mut cause = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(below) = source {
        cause.push_str(&format!(": {below}"));
        source = below.source();
    }
    because(cause)
}
