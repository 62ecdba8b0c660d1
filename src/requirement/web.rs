//! The web server of a real server.

use std::net::Ipv4Addr;
use std::num::NonZeroU16;

use super::{HostState, Listening, Need, Origin, Requirement, Sourced, Verdict};
use crate::model::{Host, Lab};

/// A web server that answers with a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebServer {
    /// Where requests arrive: the VIP, or the RIP where the director rewrites their destination.
    pub address: Ipv4Addr,
    pub port: NonZeroU16,
    /// The page without its line end.
    pub page: String,
}

pub(super) fn required(lab: &Lab, host: &Host) -> Vec<Requirement> {
    lab.served_by(host.name.as_str())
        .map(|(service, server)| {
            Requirement {
                need: Need::WebServer(WebServer {
                    address: *service.destination_at(server).ip(),
                    port: server.port,
                    page: server.page.clone(),
                }),
                service: Some(super::service::key(service)),
                why: "IPVS sends requests whether or not anybody answers them, so the web server must run, also \
                      after a reboot."
                    .to_owned(),
                symptom: "The requests that this real server is chosen for are refused, or show another page.",
            }
        })
        .collect()
}

pub(super) fn judge(wanted: &WebServer, state: &HostState) -> Verdict {
    let Some(web) = &state.web else {
        return Verdict::not_seen("the web server");
    };
    if !web.running {
        return Verdict::fails("does not run", []);
    }
    let Some(listening) = &web.listening else {
        return Verdict::not_seen("where the web server listens");
    };
    let takes = |found: &&Sourced<Listening>| {
        let Listening { address, port } = found.value;
        port == wanted.port.get() && address.is_none_or(|address| address == wanted.address)
    };
    if !listening.iter().any(|found| takes(&found)) {
        let places: Vec<Origin> = listening
            .iter()
            .filter_map(|one| one.origin.clone())
            .collect();
        return Verdict::fails(format!("does not listen on port {}", wanted.port), places);
    }
    match &web.page {
        None => Verdict::not_seen("the web server's page"),
        Some(page) if page.value == wanted.page => {
            Verdict::holds(format!("listens on port {} with its page", wanted.port))
        }
        Some(page) => Verdict::fails(
            format!("its page says `{}`", page.value),
            page.origin.clone(),
        ),
    }
}
