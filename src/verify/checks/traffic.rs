//! The client's requests, each attributed to the real server that answered it.

use std::collections::{BTreeMap, HashMap};

use super::director::counted;
use crate::agent::protocol::Response;
use crate::model::Lab;
use crate::verify::view::View;

/// For how long a director remembers a connection that has ended, seconds: `IP_VS_TCP_S_FIN_WAIT`, two minutes, and
/// some more.
const REMEMBERED: f64 = 130.0;

/// What became of the requests.
pub(super) struct Traffic<'a> {
    /// In the order they were sent.
    pub(super) responses: &'a [Response],
    /// Number of those answered with status 200 per real server, in the lab's order.
    pub(super) counts: Vec<u32>,
    /// The same without those for which the scheduler may not have been asked.
    pub(super) turns: Vec<u32>,
    /// Bodies answered with status 200 that are no real server's page, with their number.
    pub(super) strange: BTreeMap<&'a str, u32>,
    /// By request: whether its connection was a new one to the director.
    connections: Vec<Connection>,
    /// Real server by the client's port, as the director has it.
    handed_to: HashMap<u16, usize>,
}

/// A request's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    /// The director had to choose.
    New,
    /// The client's earlier one was kept alive.
    Kept,
    /// Its port came before and the director may remember where that went: it may follow that
    /// (`conn_reuse_mode`, networking/ipvs-sysctl.rst).
    Again,
}

impl<'a> Traffic<'a> {
    /// `None` when there are no requests to speak of.
    pub(super) fn seen(view: View<'a>) -> Option<Self> {
        let responses = view.fetched().ok()?;
        let lab = view.lab();
        let connections = connections(view, responses);
        let handed_to = handed_to(view);
        let mut counts = vec![0; lab.real_servers().len()];
        let mut turns = counts.clone();
        let mut strange = BTreeMap::new();
        for (response, connection) in responses.iter().zip(&connections) {
            if !answered(response) {
                continue;
            }
            let servers = servers_with_page(lab, &response.body);
            let server = match servers[..] {
                [] => {
                    *strange.entry(response.body.as_str()).or_default() += 1;
                    continue;
                }
                [server] => server,
                // Two real servers with one page: the director knows which of them it was.
                [first, ..] => {
                    let server = handed_to.get(&response.local_port).copied();
                    server.filter(|s| servers.contains(s)).unwrap_or(first)
                }
            };
            counts[server] += 1;
            turns[server] += u32::from(*connection == Connection::New);
        }
        Some(Self {
            responses,
            counts,
            turns,
            strange,
            connections,
            handed_to,
        })
    }

    /// Number of requests with such a connection.
    pub(super) fn with(&self, connection: Connection) -> usize {
        self.connections
            .iter()
            .filter(|one| **one == connection)
            .count()
    }

    /// The answered ones of the last minute, which the director cannot have forgotten.
    pub(super) fn latest(&self) -> impl Iterator<Item = &'a Response> {
        let mut passed = 0.0;
        self.responses
            .iter()
            .rev()
            .take_while(move |response| {
                passed += response.seconds;
                passed < REMEMBERED / 2.0
            })
            .filter(|response| answered(response))
    }

    /// The whole answers, of whatever status, to requests that the director handed to this real server.
    pub(super) fn answers_of(&self, server: usize) -> impl Iterator<Item = &'a Response> {
        self.responses.iter().filter(move |response| {
            let whole = response.curl_exit == 0 && response.status != 0;
            whole && self.handed_to.get(&response.local_port) == Some(&server)
        })
    }

    pub(super) fn answered(&self) -> usize {
        self.responses.iter().filter(|r| answered(r)).count()
    }
}

/// By request.
fn connections(view: View<'_>, responses: &[Response]) -> Vec<Connection> {
    let lab = view.lab();
    let director = &lab.director().name;
    let before = view.before(director).ok();
    let before = before.and_then(|found| found.ipvs_connections.as_deref());
    // When a port was last used, in seconds from the first request on, at the earliest.
    let mut used: HashMap<u16, f64> = before
        .into_iter()
        .flatten()
        .map(|entry| (entry.client.port(), f64::INFINITY))
        .collect();
    let mut now = 0.0;
    let found: Vec<Connection> = responses
        .iter()
        .map(|response| {
            let last = used.insert(response.local_port, now + response.seconds);
            let again = last.is_some_and(|last| now - last < REMEMBERED);
            now += response.seconds;
            match response.connections {
                _ if response.local_port == 0 => Connection::New,
                Some(0) if response.curl_exit == 0 => Connection::Kept,
                // Documents of before this was noted have no run that is long enough for a port to come again.
                None if again => Connection::Kept,
                _ if again => Connection::Again,
                _ => Connection::New,
            }
        })
        .collect();
    // A director that sees the answers, too, sees connections end, and then takes the next one for a new one.
    let kept = found.iter().filter(|one| **one == Connection::Kept).count();
    if lab.profile().replies_pass_director()
        && counted(view).is_ok_and(|counted| counted >= (found.len() - kept) as u64)
    {
        return found
            .into_iter()
            .map(|one| match one {
                Connection::Again => Connection::New,
                other => other,
            })
            .collect();
    }
    found
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
