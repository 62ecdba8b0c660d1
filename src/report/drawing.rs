//! The lab as an SVG: hosts on their segments, and the ways on which requests and replies were seen.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::layout::width as columns;
use super::markup::text;
use crate::model::{Host, HostName, Lab, NetworkId, Role};
use crate::verify::{Evidence, Leg, Status, Verdict, journeys};

/// Narrowest box, and the width of one character of its text, in units of the SVG.
const BOX_WIDTH: usize = 230;
const CHARACTER: usize = 8;
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
    width: usize,
}

impl Place<'_> {
    fn right(&self) -> usize {
        self.x + self.width
    }

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
    let width = places.iter().map(Place::right).max().unwrap_or(0) + 10;
    let height = places.iter().map(|p| p.y + p.height()).max().unwrap_or(0) + GAP;
    let mut out = format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"the lab and the way of its packets\">\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto-start-reverse\"><path d=\"M0 0 8 4 0 8z\"/></marker>\
         <marker id=\"cross\" viewBox=\"0 0 8 8\" refX=\"4\" refY=\"4\" markerWidth=\"9\" markerHeight=\"9\">\
         <path class=\"cross\" d=\"M1 1 7 7M7 1 1 7\"/></marker></defs>\n"
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
    let one_segment = lab.networks().len() == 1;
    let texts: Vec<_> = lab
        .hosts()
        .iter()
        .map(|host| lines(host, evidence))
        .collect();
    let widest = lab
        .hosts()
        .iter()
        .map(|host| columns(host.name.as_str()) + 4)
        .chain(texts.iter().flatten().map(|line| columns(line)))
        .max()
        .unwrap_or(0);
    let width = BOX_WIDTH.max(widest * CHARACTER + 24);
    let left_edge = |column: usize| 10 + column * (width + LANE);
    let mut next = [TOP; 3];
    let mut places: Vec<Place<'a>> = Vec::new();
    for (host, lines) in lab.hosts().iter().zip(texts) {
        let column = if host.is(Role::Director) {
            usize::from(!one_segment)
        } else if host.is(Role::Client) {
            0
        } else {
            lab.networks().len()
        };
        let place = Place {
            host,
            lines,
            x: left_edge(column),
            y: next[column],
            width,
        };
        let gap = if one_segment && host.is(Role::Client) {
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

/// Addresses by interface with its MAC, as the host reported them; else those of the topology.
fn lines(host: &Host, evidence: &Evidence) -> Vec<String> {
    let record = evidence.hosts().get(&host.name);
    let lab: Vec<IpAddr> = evidence
        .lab()
        .hosts()
        .iter()
        .flat_map(|host| &host.attachments)
        .map(|attachment| attachment.address.addr())
        .chain([evidence.lab().vip()])
        .map(IpAddr::V4)
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
    let width = places.first().map_or(BOX_WIDTH, |place| place.width);
    for (at, network) in lab.networks().iter().enumerate() {
        let x = 10 + at * (width + LANE) + width + LANE / 2;
        let _ = writeln!(
            out,
            "<line class=\"segment\" x1=\"{x}\" y1=\"{TOP}\" x2=\"{x}\" y2=\"{}\"/>\
             <text class=\"network\" x=\"{x}\" y=\"22\">{}</text>",
            height - 10,
            text(&network.prefix.to_string())
        );
        for place in places {
            if place.host.on_network(NetworkId::new(at)).is_none() {
                continue;
            }
            let edge = if place.x < x { place.right() } else { place.x };
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
    } else if has(Status::Error) || has(Status::Unreachable) {
        "error"
    } else if has(Status::Blocked) {
        "blocked"
    } else if has(Status::Pass) {
        "pass"
    } else {
        "skipped"
    };
    let (x, y) = (place.x, place.y);
    let _ = writeln!(
        out,
        "<g class=\"host {state}\"><rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"6\"/>\
         <text class=\"name\" x=\"{}\" y=\"{}\">{}</text>",
        place.width,
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

/// One arrow per pair of hosts that a captured frame went between.
fn arrows(out: &mut String, places: &[Place<'_>], verdict: &Verdict, evidence: &Evidence) {
    let lab = evidence.lab();
    let place = |name: &HostName| places.iter().find(|place| place.host.name == *name);
    let total: u32 = verdict.distribution.values().sum();
    let mut drawn: Vec<(&str, HostName, HostName)> = Vec::new();
    let home =
        |(class, _, to): &(&str, HostName, HostName)| *class == "reply" && *to == lab.client().name;
    for journey in journeys(evidence) {
        for (class, leg) in [("request", &journey.request), ("reply", &journey.reply)] {
            for (from, to) in hops(leg) {
                let (Some(start), Some(end)) = (place(&from), place(&to)) else {
                    continue;
                };
                let label = match (class, verdict.distribution.get(&to)) {
                    ("request", Some(count)) => count.to_string(),
                    ("request", None) if from == lab.client().name => format!("{total} answered"),
                    // The arrows of replies meet at the client, so one label is enough.
                    ("reply", _) if to == lab.client().name && !drawn.iter().any(home) => {
                        "replies".to_owned()
                    }
                    _ => String::new(),
                };
                if !drawn.contains(&(class, from.clone(), to.clone())) {
                    arrow(out, class, (start, end), &label);
                    drawn.push((class, from, to));
                }
            }
        }
    }
}

/// From whom to whom the packet went, as far as it arrived.
fn hops(leg: &Leg) -> Vec<(HostName, HostName)> {
    let stops = leg.stops.iter().zip(leg.stops.iter().skip(1));
    stops
        .map(|(from, to)| (from.host.clone(), to.host.clone()))
        .collect()
}

/// An arrow between two boxes, its label where it ends; answers beside requests.
fn arrow(out: &mut String, class: &str, (from, to): (&Place<'_>, &Place<'_>), label: &str) {
    let shift = if class == "reply" { 9 } else { 0 };
    let ((x1, y1), (x2, y2), label_at) = if from.x == to.x {
        let x = from.x + from.width / 2 + 3 * shift;
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
            (from.right(), to.x, to.x - 14, "end")
        } else {
            (from.x, to.right(), to.right() + 14, "start")
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
