//! One request as a ladder: a line per host, an arrow per frame from host to host, with addresses above it and
//! MACs below, and what a host rewrote set off. All of it was seen on the wire.

use std::fmt::Write as _;

use super::markup::text;
use crate::model::{HostName, Lab};
use crate::verify::{End, Evidence, Journey, Leg, Passage, Way, journeys};

/// Between two hosts' lines: room for two addresses with ports, or two MACs, and an arrow.
const SPACING: usize = 330;
/// Left and right of the outermost lines.
const MARGIN: usize = 90;
/// From one frame to the next.
const STEP: usize = 58;
/// Of a host's box at the top.
const BOX_WIDTH: usize = 150;
const BOX_HEIGHT: usize = 28;
/// Length of an arrow whose frame did not arrive: it ends short of the next host's line.
const SHORT: usize = SPACING / 2;

/// A ladder per way that captured requests took, each an `<svg>` with a caption; empty where there was no capture.
pub(super) fn ladders(evidence: &Evidence) -> String {
    let mut ways: Vec<((Way, Way), Journey, usize)> = Vec::new();
    for journey in journeys(evidence) {
        let way = (
            crate::verify::request(evidence.lab(), &journey),
            crate::verify::reply(evidence, &journey),
        );
        match ways.iter_mut().find(|(known, _, _)| *known == way) {
            Some((_, _, more)) => *more += 1,
            None => ways.push((way, journey, 0)),
        }
    }
    ways.iter()
        .map(|(way, journey, more)| {
            let lanes = lanes(evidence.lab(), journey);
            format!(
                "<figure>\n{}<figcaption>{}</figcaption>\n</figure>\n",
                Ladder::new(&lanes).draw(journey),
                text(&caption(way, journey, *more))
            )
        })
        .collect()
}

fn caption((request, reply): &(Way, Way), journey: &Journey, more: usize) -> String {
    let end = match &journey.response {
        Some(response) if response.curl_exit == 0 => format!("status {}", response.status),
        Some(response) => format!("no answer, curl {}", response.curl_exit),
        None => "outcome unknown".to_owned(),
    };
    let others = match more {
        0 => String::new(),
        1 => " 1 more went the same way.".to_owned(),
        more => format!(" {more} more went the same way."),
    };
    format!(
        "The request from port {}: {}; its reply: {} ({end}).{others}",
        journey.port, request.words, reply.words
    )
}

/// Client, director, and every other host that the packets passed or were sent to, in the lab's order.
fn lanes<'l>(lab: &'l Lab, journey: &Journey) -> Vec<&'l HostName> {
    let on_the_way = |host: &HostName| {
        [&journey.request, &journey.reply].iter().any(|leg| {
            let meant = match &leg.end {
                End::Lost { toward } | End::Unwatched { toward } => toward == host,
                _ => false,
            };
            meant || leg.hosts().any(|other| other == host)
        })
    };
    lab.hosts()
        .iter()
        .map(|host| &host.name)
        .filter(|host| {
            **host == lab.client().name || **host == lab.director().name || on_the_way(host)
        })
        .collect()
}

struct Ladder<'a> {
    lanes: &'a [&'a HostName],
    out: String,
    y: usize,
}

impl<'a> Ladder<'a> {
    fn new(lanes: &'a [&'a HostName]) -> Self {
        Self {
            lanes,
            out: String::new(),
            y: BOX_HEIGHT + 44,
        }
    }

    fn x(&self, host: &HostName) -> Option<usize> {
        let lane = self.lanes.iter().position(|lane| *lane == host)?;
        Some(MARGIN + lane * SPACING)
    }

    fn draw(mut self, journey: &Journey) -> String {
        self.leg(&journey.request, "request");
        self.leg(&journey.reply, "reply");
        let width = 2 * MARGIN + (self.lanes.len() - 1) * SPACING;
        let height = self.y;
        let mut svg = format!(
            "<svg class=\"ladder\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-label=\"the way of one request and its reply\">\n"
        );
        for (at, host) in self.lanes.iter().enumerate() {
            let x = MARGIN + at * SPACING;
            let left = x - BOX_WIDTH / 2;
            // Long names are drawn narrower rather than over their box.
            let squeezed = if host.as_str().len() > 16 {
                format!(
                    " textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\"",
                    BOX_WIDTH - 12
                )
            } else {
                String::new()
            };
            let _ = writeln!(
                svg,
                "<line class=\"life\" x1=\"{x}\" y1=\"{BOX_HEIGHT}\" x2=\"{x}\" y2=\"{}\"/>\
                 <rect x=\"{left}\" y=\"1\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"5\"/>\
                 <text class=\"name\" text-anchor=\"middle\" x=\"{x}\" y=\"20\"{squeezed}>{}</text>",
                height - 6,
                text(host.as_str())
            );
        }
        svg + &self.out + "</svg>\n"
    }

    fn leg(&mut self, leg: &Leg, class: &str) {
        let mut before: Option<&Passage> = None;
        for (at, stop) in leg.stops.iter().enumerate() {
            let Some(left) = &stop.left else { break };
            let lost = at + 1 == leg.stops.len();
            self.hop(
                &stop.host,
                left,
                before.or(stop.arrived.as_ref()),
                class,
                lost,
            );
            before = Some(left);
        }
        if let (End::Here, Some(last)) = (&leg.end, leg.stops.last())
            && let (Some(x), Some(_)) = (self.x(&last.host), &last.arrived)
        {
            let words = match &last.accepted_for {
                Some(label) => format!("taken for {label}"),
                None => "goes no further".to_owned(),
            };
            // On the side where there is room for it.
            let (anchor, x) = if x > MARGIN {
                ("end", x - 10)
            } else {
                ("start", x + 10)
            };
            let _ = writeln!(
                self.out,
                "<text class=\"end\" text-anchor=\"{anchor}\" x=\"{x}\" y=\"{}\">{}</text>",
                self.y - 16,
                text(&words)
            );
            self.y += 14;
        }
        self.y += 10;
    }

    fn hop(
        &mut self,
        from: &HostName,
        left: &Passage,
        before: Option<&Passage>,
        class: &str,
        lost: bool,
    ) {
        let Some(start) = self.x(from) else { return };
        let receiver = left.receiver.as_ref().and_then(|host| self.x(host));
        let end = match receiver {
            Some(x) if !lost => x,
            // Lost on the way: drawn in the direction in which it was sent.
            Some(x) if x < start => start - SHORT,
            None if start > MARGIN => start - SHORT,
            _ => start + SHORT,
        };
        let y = self.y;
        let marker = if lost { "#cross" } else { "#tip" };
        let tail = if end > start { end - 3 } else { end + 3 };
        // Beside the sender's line, so that a line that is passed over does not run through the text.
        let next = if end > start {
            start + SPACING / 2
        } else {
            start - SPACING / 2
        };
        let _ = writeln!(
            self.out,
            "<path class=\"{class}\" marker-end=\"url({marker})\" d=\"M{start} {y} L{tail} {y}\"/>\
             <text class=\"label\" text-anchor=\"middle\" x=\"{next}\" y=\"{}\">{} → {}</text>\
             <text class=\"label mac\" text-anchor=\"middle\" x=\"{next}\" y=\"{}\">{} → {}</text>",
            y - 7,
            new(
                &left.source.to_string(),
                before.is_some_and(|b| b.source != left.source)
            ),
            new(
                &left.destination.to_string(),
                before.is_some_and(|b| b.destination != left.destination)
            ),
            y + 16,
            new(
                &left.source_mac.to_string(),
                before.is_some_and(|b| b.source_mac != left.source_mac)
            ),
            new(
                &left.destination_mac.to_string(),
                before.is_some_and(|b| b.destination_mac != left.destination_mac)
            ),
        );
        self.y += STEP;
    }
}

/// Sets off a value that the host changed.
fn new(value: &str, rewritten: bool) -> String {
    if rewritten {
        format!("<tspan class=\"new\">{}</tspan>", text(value))
    } else {
        text(value)
    }
}
