//! The web server listens where the requests arrive, now and after the next boot.

use std::net::{IpAddr, Ipv4Addr};

use super::planned::{named, reader};
use super::{Draft, Judged};
use crate::agent::protocol::ListenLine;
use crate::model::{Host, Lab};
use crate::plan::HostPlan;
use crate::resource::Resource;
use crate::verify::describe;
use crate::verify::graph::Finding;
use crate::verify::identity::{CheckId, Subject};
use crate::verify::probes;
use crate::verify::view::View;

pub(super) fn check(view: View<'_>, host: &Host, plan: &HostPlan) -> Vec<Finding> {
    let Some(place) = Place::of(view.lab(), host) else {
        return Vec::new();
    };
    vec![listens(view, plan, place), boot_listens(view, plan, place)]
}

/// Where requests arrive on a real server.
#[derive(Clone, Copy)]
struct Place {
    address: Ipv4Addr,
    port: u16,
}

impl Place {
    fn of(lab: &Lab, host: &Host) -> Option<Self> {
        lab.real_server(host.name.as_str())?;
        Some(Self {
            address: probes::source(lab, host)?,
            port: lab.service().port.get(),
        })
    }

    fn is_reached_at(self, address: IpAddr) -> bool {
        address.is_unspecified() || address == IpAddr::V4(self.address)
    }
}

/// What the web server needs to listen.
fn needs(plan: &HostPlan) -> Vec<CheckId> {
    named(&plan.host, plan, |resource| match resource {
        Resource::Package(_) | Resource::Service(_) => true,
        Resource::File(file) => reader(plan, &file.path).is_some(),
        _ => false,
    })
}

fn listens(view: View<'_>, plan: &HostPlan, place: Place) -> Finding {
    let host = &plan.host;
    let Place { address, port } = place;
    let judged = view.before(host).map(|found| {
        let on_port: Vec<IpAddr> = found
            .listeners
            .iter()
            .filter(|listener| listener.port == port)
            .map(|listener| listener.address)
            .collect();
        let reached = on_port.iter().any(|address| place.is_reached_at(*address));
        let seen = describe::joined(
            on_port
                .iter()
                .map(|address| std::net::SocketAddr::new(*address, port).to_string()),
            "nothing listens on that port",
        );
        Judged::new(reached, seen)
    });
    let target = describe::term(view.lab(), address);
    let fix = view
        .before(host)
        .map(|found| repair(&found.listen_lines, plan, port))
        .unwrap_or_default();
    Draft::new(
        host,
        Subject::Listens(port),
        format!("something listens on {target}{address}:{port}"),
    )
    .expected(format!("a socket on *:{port} or {address}:{port}"))
    .why(format!(
        "Requests arrive here for {target}{address}:{port}; without a listening socket for it the kernel refuses \
         the connection."
    ))
    .fix(fix)
    .needs(needs(plan))
    .judged(judged)
}

/// The running web server has read its configuration when it started; the next boot reads what it says by then.
fn boot_listens(view: View<'_>, plan: &HostPlan, place: Place) -> Finding {
    let host = &plan.host;
    let Place { address, port } = place;
    let draft = Draft::new(
        host,
        Subject::BootListens(port),
        format!("the web server listens on tcp {port} after a reboot"),
    )
    .after_reboot()
    .expected(format!("a line `Listen {port}`, or `Listen {address}:{port}`"))
    .why("The web server listens where its configuration told it when it was started; the next boot starts it anew.")
    .needs([CheckId::new(host, Subject::Listens(port))])
    .needs(needs(plan));
    let lines = match view.before(host) {
        // Documents of before the lines were asked for everywhere have none.
        Ok(found) if found.listen_lines.is_empty() => {
            return draft.skipped("no `Listen` line of the web server was found");
        }
        Ok(found) => Ok(&found.listen_lines),
        Err(gap) => Err(gap),
    };
    let fix = lines
        .as_ref()
        .ok()
        .and_then(|lines| repair(lines, plan, port).into_iter().next());
    draft.fix(fix).judged(lines.map(|lines| {
        let listens = |line: &ListenLine| {
            port_of(&line.line) == Some(port)
                && address_of(&line.line).is_none_or(|address| place.is_reached_at(address))
        };
        let seen = lines
            .iter()
            .map(|line| format!("`{}` in {}", line.line, line.file));
        Judged::new(lines.iter().any(listens), describe::joined(seen, ""))
    }))
}

/// Makes the line that is about this port, else the one about no port of another protocol, listen on it, and
/// has the web server read it.
fn repair(lines: &[ListenLine], plan: &HostPlan, port: u16) -> Vec<String> {
    let service = plan.steps.iter().find_map(|step| match &step.resource {
        Resource::Service(_) => step.by_hand.first(),
        _ => None,
    });
    let about = |wanted: u16| move |line: &&ListenLine| port_of(&line.line) == Some(wanted);
    let line = lines
        .iter()
        .find(about(port))
        .or_else(|| lines.iter().find(|line| !about(HTTPS)(line)));
    let (Some(line), Some(restart)) = (line, service) else {
        return Vec::new();
    };
    vec![
        format!(
            "sed -i 's|^[[:space:]]*{}[[:space:]]*$|Listen {port}|' {}",
            pattern(&line.line),
            line.file
        ),
        restart.clone(),
    ]
}

/// A regular expression of sed(1) for this text and nothing else.
fn pattern(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            // A bracket that closes stands for itself where none was opened.
            '.' | '*' | '[' => format!("[{c}]"),
            other => other.to_string(),
        })
        .collect()
}

/// Where Apache speaks TLS, which is not what a lab asks for.
const HTTPS: u16 = 443;

/// `Listen [ADDRESS:]PORT [PROTOCOL]`.
fn port_of(line: &str) -> Option<u16> {
    let place = line.split_whitespace().nth(1)?;
    place.rsplit(':').next()?.parse().ok()
}

/// The address of `Listen ADDRESS:PORT`; `None` for all of them (`Listen 80`, `Listen *:80`).
fn address_of(line: &str) -> Option<IpAddr> {
    let (address, _) = line.split_whitespace().nth(1)?.rsplit_once(':')?;
    address.trim_matches(['[', ']']).parse().ok()
}
