//! The client's requests, each attributed to the real server that answered it.

use std::collections::{BTreeMap, HashMap};

use crate::agent::protocol::Response;
use crate::model::Lab;
use crate::verify::view::View;

/// What became of the requests.
pub(super) struct Traffic<'a> {
    /// In the order they were sent.
    pub(super) responses: &'a [Response],
    /// Number of those answered with status 200 per real server, in the lab's order.
    pub(super) counts: Vec<u32>,
    /// Bodies answered with status 200 that are no real server's page, with their number.
    pub(super) strange: BTreeMap<&'a str, u32>,
}

impl<'a> Traffic<'a> {
    /// `None` when there are no requests to speak of.
    pub(super) fn seen(view: View<'a>) -> Option<Self> {
        let responses = view.fetched().ok()?;
        let lab = view.lab();
        let handed_to = handed_to(view);
        let mut counts = vec![0; lab.real_servers().len()];
        let mut strange = BTreeMap::new();
        for response in responses.iter().filter(|response| answered(response)) {
            let servers = servers_with_page(lab, &response.body);
            match servers[..] {
                [] => *strange.entry(response.body.as_str()).or_default() += 1,
                [server] => counts[server] += 1,
                // Two real servers with one page: the director knows which of them it was.
                [first, ..] => {
                    let server = handed_to.get(&response.local_port).copied();
                    counts[server.filter(|s| servers.contains(s)).unwrap_or(first)] += 1;
                }
            }
        }
        Some(Self {
            responses,
            counts,
            strange,
        })
    }

    pub(super) fn answered(&self) -> usize {
        self.responses.iter().filter(|r| answered(r)).count()
    }
}

/// A whole answer with status 200.
pub(super) fn answered(response: &Response) -> bool {
    response.curl_exit == 0 && response.status == 200
}

fn servers_with_page(lab: &Lab, body: &str) -> Vec<usize> {
    lab.real_servers()
        .iter()
        .enumerate()
        .filter(|(_, server)| server.page.trim_end() == body)
        .map(|(at, _)| at)
        .collect()
}

/// Real server by the client's port, as the director's connection table has it.
fn handed_to(view: View<'_>) -> HashMap<u16, usize> {
    let lab = view.lab();
    let Ok(found) = view.after(&lab.director().name) else {
        return HashMap::new();
    };
    found
        .ipvs_connections
        .iter()
        .flatten()
        .filter(|entry| *entry.service.ip() == lab.vip())
        .filter_map(|entry| {
            let server = lab
                .real_servers()
                .iter()
                .position(|server| server.address() == *entry.destination.ip())?;
            Some((entry.client.port(), server))
        })
        .collect()
}
