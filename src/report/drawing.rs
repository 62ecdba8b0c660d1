//! The lab as an SVG: hosts on their segments, and the way the requests took as the evidence has it.
//!
//! Requests go to whoever the client's neighbour table names for the VIP and on by the director's
//! connections; answers come through the director where it counted outgoing packets, else straight.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::markup::text;
use crate::agent::protocol::HostEvidence;
use crate::model::{Host, HostName, Lab, Role};
use crate::verify::{Evidence, Status, Verdict};

const BOX_WIDTH: usize = 230;
const LINE: usize = 17;
const GAP: usize = 26;
/// Room between two columns of boxes, for the segment and the arrows.
const LANE: usize = 150;
const TOP: usize = 34;

/// A host's box.
struct Place<'a> {
    host: &'a Host,
    lines: Vec<String>,
    x: usize,
    y: usize,
}

impl Place<'_> {
    fn height(&self) -> usize {
        LINE * (self.lines.len() + 1) + 18
    }

    fn middle(&self) -> usize {
        self.y + self.height() / 2
    }
}

/// The drawing, an `<svg>` element that scales to the width it is given.
pub(super) fn svg(verdict: &Verdict, evidence: &Evidence) -> String {
    let lab = evidence.lab();
    let places = arrange(lab, evidence);
    let width = places.iter().map(|p| p.x + BOX_WIDTH).max().unwrap_or(0) + 10;
    let height = places.iter().map(|p| p.y + p.height()).max().unwrap_or(0) + GAP;
    let mut out = format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"the lab and the way of its packets\">\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto-start-reverse\"><path d=\"M0 0 8 4 0 8z\"/></marker></defs>\n"
    );
    segments(&mut out, lab, &places, height);
    for place in &places {
        host(&mut out, place, verdict);
    }
    arrows(&mut out, &places, verdict, evidence);
    out + "</svg>\n"
}

/// Columns from left to right: client, director, real servers; on one segment the client above the director.
fn arrange<'a>(lab: &'a Lab, evidence: &Evidence) -> Vec<Place<'a>> {
    let one_segment = lab.segments() == 1;
    let mut next = [TOP; 3];
    let mut places: Vec<Place<'a>> = Vec::new();
    for host in lab.hosts() {
        let column = match host.role {
            Role::Client => 0,
            Role::Director => usize::from(!one_segment),
            Role::RealServer => lab.segments(),
        };
        let place = Place {
            host,
            lines: lines(host, evidence),
            x: left_edge(column),
            y: next[column],
        };
        let gap = if one_segment && host.role == Role::Client {
            3 * GAP
        } else {
            GAP
        };
        next[column] += place.height() + gap;
        places.push(place);
    }
    let tallest = next.into_iter().max().unwrap_or(TOP);
    for (column, end) in next.into_iter().enumerate() {
        for place in places
            .iter_mut()
            .filter(|place| place.x == left_edge(column))
        {
            place.y += (tallest - end) / 2;
        }
    }
    places
}

fn left_edge(column: usize) -> usize {
    10 + column * (BOX_WIDTH + LANE)
}

/// Addresses by interface with its MAC, as the host reported them; else those of the topology.
fn lines(host: &Host, evidence: &Evidence) -> Vec<String> {
    let record = evidence.hosts().get(&host.name);
    let lab: Vec<Ipv4Addr> = evidence
        .lab()
        .hosts()
        .iter()
        .flat_map(|host| &host.attachments)
        .map(|attachment| attachment.address.addr())
        .chain([evidence.lab().vip()])
        .collect();
    let Some(Ok(seen)) = record.map(|record| &record.before) else {
        return host
            .attachments
            .iter()
            .map(|attachment| format!("{} (not seen)", attachment.address))
            .collect();
    };
    let mut lines = Vec::new();
    for state in &seen.found.addresses {
        if !lab.contains(&state.address.addr()) {
            continue;
        }
        lines.push(format!("{} {}", state.label, state.address));
        let link = seen.found.links.iter().find(|link| {
            link.name == state.interface && !link.mac.is_empty() && state.interface.as_str() != "lo"
        });
        if let Some(link) = link.filter(|_| state.label == state.interface.as_str()) {
            lines.push(format!("  {}", link.mac));
        }
    }
    lines
}

fn segments(out: &mut String, lab: &Lab, places: &[Place<'_>], height: usize) {
    for segment in 0..lab.segments() {
        let x = left_edge(segment) + BOX_WIDTH + LANE / 2;
        let network = lab
            .hosts()
            .iter()
            .find_map(|host| host.on_segment(segment))
            .map(|attachment| attachment.address.trunc().to_string())
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "<line class=\"segment\" x1=\"{x}\" y1=\"{TOP}\" x2=\"{x}\" y2=\"{}\"/>\
             <text class=\"network\" x=\"{x}\" y=\"22\">{}</text>",
            height - 10,
            text(&network)
        );
        for place in places {
            if place.host.on_segment(segment).is_none() {
                continue;
            }
            let edge = if place.x < x {
                place.x + BOX_WIDTH
            } else {
                place.x
            };
            let y = place.middle();
            let _ = writeln!(
                out,
                "<line class=\"plug\" x1=\"{edge}\" y1=\"{y}\" x2=\"{x}\" y2=\"{y}\"/>"
            );
        }
    }
}

fn host(out: &mut String, place: &Place<'_>, verdict: &Verdict) {
    let has = |status| {
        verdict
            .checks
            .iter()
            .any(|check| check.host == place.host.name && check.status == status)
    };
    let state = if has(Status::Fail) {
        "fail"
    } else if has(Status::Error) {
        "error"
    } else if has(Status::Blocked) {
        "blocked"
    } else {
        "pass"
    };
    let (x, y) = (place.x, place.y);
    let _ = writeln!(
        out,
        "<g class=\"host {state}\"><rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{}\" rx=\"6\"/>\
         <text class=\"name\" x=\"{}\" y=\"{}\">{}</text>",
        place.height(),
        x + 12,
        y + 20,
        text(place.host.name.as_str())
    );
    for (at, line) in place.lines.iter().enumerate() {
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{}\">{}</text>",
            x + 12,
            y + 20 + LINE * (at + 1),
            text(line)
        );
    }
    *out += "</g>\n";
}

fn arrows(out: &mut String, places: &[Place<'_>], verdict: &Verdict, evidence: &Evidence) {
    let lab = evidence.lab();
    let place = |name: &HostName| places.iter().find(|place| place.host.name == *name);
    let (Some(client), Some(director)) = (place(&lab.client().name), place(&lab.director().name))
    else {
        return;
    };
    let total: u32 = verdict.distribution.values().sum();
    let answerer = vip_owner(evidence);
    let through_director = answerer == Some(&director.host.name);
    if through_director && total > 0 {
        arrow(
            out,
            "request",
            (client, director),
            &format!("{total} requests"),
        );
    }
    let translated = packets_out(evidence).is_some_and(|packets| packets > 0);
    for server in lab.real_servers() {
        let count = verdict.distribution.get(&server.host).copied().unwrap_or(0);
        let Some(server) = place(&server.host).filter(|_| count > 0) else {
            continue;
        };
        if through_director {
            arrow(out, "request", (director, server), &count.to_string());
        } else if answerer == Some(&server.host.name) {
            arrow(
                out,
                "request",
                (client, server),
                &format!("{count}, past the director"),
            );
        }
        if translated {
            arrow(out, "reply", (server, director), "");
        } else {
            arrow(out, "reply", (server, client), "answers");
        }
    }
    if translated {
        arrow(out, "reply", (director, client), "answers");
    }
}

/// An arrow between two boxes, its label where it ends; answers beside requests.
fn arrow(out: &mut String, class: &str, (from, to): (&Place<'_>, &Place<'_>), label: &str) {
    let shift = if class == "reply" { 9 } else { 0 };
    let ((x1, y1), (x2, y2), label_at) = if from.x == to.x {
        let x = from.x + BOX_WIDTH / 2 + 3 * shift;
        let (y1, y2) = if from.y < to.y {
            (from.y + from.height(), to.y)
        } else {
            (from.y, to.y + to.height())
        };
        (
            (x, y1),
            (x, y2),
            (x + 8, usize::midpoint(y1, y2) + 4, "start"),
        )
    } else {
        let (x1, x2, label_x, anchor) = if from.x < to.x {
            (from.x + BOX_WIDTH, to.x, to.x - 14, "end")
        } else {
            (from.x, to.x + BOX_WIDTH, to.x + BOX_WIDTH + 14, "start")
        };
        let (y1, y2) = (from.middle() + shift, to.middle() + shift);
        let label_y = if shift == 0 {
            y2.saturating_sub(8)
        } else {
            y2 + 16
        };
        ((x1, y1), (x2, y2), (label_x, label_y, anchor))
    };
    let _ = writeln!(
        out,
        "<path class=\"{class}\" marker-end=\"url(#tip)\" d=\"M{x1} {y1} L{x2} {y2}\"/>"
    );
    if !label.is_empty() {
        let (x, y, anchor) = label_at;
        let _ = writeln!(
            out,
            "<text class=\"label\" text-anchor=\"{anchor}\" x=\"{x}\" y=\"{y}\">{}</text>",
            text(label)
        );
    }
}

/// The host whose MAC the client had for the VIP after its requests.
fn vip_owner(evidence: &Evidence) -> Option<&HostName> {
    let lab = evidence.lab();
    let client = after(evidence, &lab.client().name)?;
    let entry = client
        .neighbours
        .iter()
        .find(|entry| entry.address == lab.vip())?;
    let mac = entry.mac.as_deref()?;
    let owner = evidence.hosts().iter().find(|(_, record)| {
        record
            .before
            .as_ref()
            .is_ok_and(|seen| seen.found.links.iter().any(|link| link.mac == mac))
    });
    owner.map(|(name, _)| name)
}

/// Packets the director passed on from real servers to clients meanwhile.
fn packets_out(evidence: &Evidence) -> Option<u64> {
    let director = &evidence.lab().director().name;
    let before = evidence.hosts().get(director)?.before.as_ref().ok()?;
    let after = after(evidence, director)?;
    let (before, after) = (before.found.ipvs_totals?, after.ipvs_totals?);
    Some(after.packets_out.saturating_sub(before.packets_out))
}

fn after<'e>(evidence: &'e Evidence, host: &HostName) -> Option<&'e HostEvidence> {
    let record = evidence.hosts().get(host)?;
    record.after.as_ref().ok().map(|sighting| &sighting.found)
}
