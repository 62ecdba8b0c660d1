//! The web server listens where the requests arrive.

use std::net::IpAddr;

use super::planned::{named, reader};
use super::{Draft, Judged};
use crate::agent::protocol::ListenLine;
use crate::model::{Host, Mode, Role};
use crate::plan::HostPlan;
use crate::resource::Resource;
use crate::verify::describe;
use crate::verify::graph::Finding;
use crate::verify::view::View;

pub(super) fn check(view: View<'_>, host: &Host, plan: &HostPlan) -> Option<Finding> {
    if host.role != Role::RealServer {
        return None;
    }
    let lab = view.lab();
    let port = lab.service().port.get();
    // Under NAT the director rewrites the destination to the RIP; under direct routing it stays the VIP.
    let arrives_at = match lab.mode() {
        Mode::Nat => lab.real_server(host.name.as_str())?.address(),
        Mode::Dr => lab.vip(),
    };
    let judged = view.before(&host.name).map(|found| {
        let on_port: Vec<IpAddr> = found
            .listeners
            .iter()
            .filter(|listener| listener.port == port)
            .map(|listener| listener.address)
            .collect();
        let reached = on_port
            .iter()
            .any(|address| address.is_unspecified() || *address == IpAddr::V4(arrives_at));
        let seen = describe::joined(
            on_port
                .iter()
                .map(|address| std::net::SocketAddr::new(*address, port).to_string()),
            "nothing listens on that port",
        );
        Judged::new(reached, seen)
    });
    let target = describe::term(lab, arrives_at);
    let fix = view
        .before(&host.name)
        .map(|found| repair(&found.listen_lines, plan, port))
        .unwrap_or_default();
    Some(
        Draft::topic(
            &host.name,
            format_args!("listens on tcp {port}"),
            format!("something listens on {target}{arrives_at}:{port}"),
        )
        .expected(format!("a socket on *:{port} or {arrives_at}:{port}"))
        .why(format!(
            "Requests arrive here for {target}{arrives_at}:{port}; without a listening socket for it the kernel \
             refuses the connection."
        ))
        .fix(fix)
        .needs(named(&host.name, plan, |resource| match resource {
            Resource::Package(_) | Resource::Service(_) => true,
            Resource::File(file) => reader(plan, &file.path).is_some(),
            _ => false,
        }))
        .judged(judged),
    )
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
