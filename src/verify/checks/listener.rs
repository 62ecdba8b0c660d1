//! The web server listens where the requests arrive.

use std::net::{IpAddr, SocketAddr};

use super::target::Target;
use super::{Draft, Judged, web};
use crate::keeper::{self, ListenLine};
use crate::requirement::WebServer;
use crate::verify::graph::Finding;
use crate::verify::identity::Subject;
use crate::verify::{describe, typed};

pub(super) fn check(target: Target<'_>) -> Option<Finding> {
    let (_, wanted) = web::wanted(target)?;
    Some(listens(target, wanted))
}

fn listens(target: Target<'_>, wanted: &WebServer) -> Finding {
    let host = target.name();
    let (address, port) = (wanted.address, wanted.port.get());
    let judged = target.view.before(host).map(|found| {
        let on_port: Vec<IpAddr> = found
            .listeners
            .iter()
            .filter(|listener| listener.port == port)
            .map(|listener| listener.address)
            .collect();
        let reached = on_port
            .iter()
            .any(|there| there.is_unspecified() || *there == IpAddr::V4(address));
        let places = on_port
            .iter()
            .map(|there| SocketAddr::new(*there, port).to_string());
        Judged::new(
            reached,
            describe::joined(places, "nothing listens on that port"),
        )
    });
    let term = describe::term(target.lab(), address);
    let line = target
        .view
        .boot_files(host)
        .ok()
        .and_then(|files| repair(&keeper::listen_lines(files), port));
    let restart = typed::restart(target.system(), target.system().web_server());
    let restart = restart.filter(|_| line.is_some());
    Draft::new(
        host,
        Subject::Listens(port),
        format!("something listens on {term}{address}:{port}"),
    )
    .expected(format!("a socket on *:{port} or {address}:{port}"))
    .why(format!(
        "Requests arrive here for {term}{address}:{port}; without a listening socket for it the kernel refuses \
         the connection."
    ))
    .fix(line.into_iter().chain(restart))
    .needs([target.id(web::service(target))])
    .judged(judged)
}

/// Makes a line listen on this port: the one that is about it, else one about a port that is no web server's usual one,
/// else any but that for HTTPS.
pub(super) fn repair(lines: &[ListenLine], port: u16) -> Option<String> {
    let said = |line: &ListenLine| port_of(&line.line);
    let about_it = lines.iter().find(|line| said(line) == Some(port));
    let odd = lines
        .iter()
        .find(|line| !matches!(said(line), Some(HTTP | HTTPS)));
    let other = lines.iter().find(|line| said(line) != Some(HTTPS));
    let line = about_it.or(odd).or(other)?;
    Some(format!(
        "sed -i 's|^[[:space:]]*{}[[:space:]]*$|Listen {port}|' {}",
        pattern(&line.line),
        line.file
    ))
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

const HTTP: u16 = 80;

/// Where Apache speaks TLS, which is not what a lab asks for.
const HTTPS: u16 = 443;

/// `Listen [ADDRESS:]PORT [PROTOCOL]`.
fn port_of(line: &str) -> Option<u16> {
    let place = line.split_whitespace().nth(1)?;
    place.rsplit(':').next()?.parse().ok()
}
