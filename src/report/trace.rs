//! The way of live requests, hop by hop, with what was rewritten at each.

use serde::Serialize;

use super::clean;
use super::headline;
use super::layout::{pad, width, wrap};
use super::style::{Style, Tone};
use crate::agent::protocol::Response;
use crate::model::{ForwardingMethod, HostName, Lab, LabName};
use crate::verify::{self, End, Evidence, Journey, Leg, Passage, Stop, Way, refuses};

/// Schema of [`Document`] as JSON.
pub const SCHEMA: &str = "lvslab.trace/1";

/// What `trace --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Lab.
    pub lab: LabName,
    /// Forwarding method of the lab's real servers.
    #[serde(rename = "mode")]
    pub method: ForwardingMethod,
    /// Every request was answered and took the way of the mode, there and back.
    pub as_promised: bool,
    /// One per request, in the order they were sent.
    pub journeys: Vec<Traced>,
    /// Hosts of which there is no capture, with the reason.
    pub unwatched: Vec<Unwatched>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Traced {
    /// Whether the request took the way of the mode.
    pub request_as_promised: bool,
    /// Whether the reply did.
    pub reply_as_promised: bool,
    /// The way itself.
    #[serde(flatten)]
    pub journey: Journey,
}

/// A host that was not listened to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unwatched {
    /// Which.
    pub host: HostName,
    /// Why, a lower-case fragment.
    pub cause: String,
}

/// The document of what `evidence` holds.
#[must_use]
pub fn document(evidence: &Evidence) -> Document {
    let lab = evidence.lab();
    let journeys: Vec<Traced> = verify::journeys(evidence)
        .into_iter()
        .map(|journey| Traced {
            request_as_promised: verify::request(lab, &journey).as_promised,
            reply_as_promised: verify::reply(evidence, &journey).as_promised,
            journey,
        })
        .collect();
    Document {
        schema: SCHEMA,
        lab: lab.name().clone(),
        method: lab.method(),
        as_promised: !journeys.is_empty()
            && journeys.iter().all(|traced| {
                traced.request_as_promised
                    && traced.reply_as_promised
                    && traced.journey.response.as_ref().is_some_and(answered)
            }),
        journeys,
        unwatched: unwatched(evidence),
    }
}

fn unwatched(evidence: &Evidence) -> Vec<Unwatched> {
    let mut found = Vec::new();
    for host in evidence.lab().hosts() {
        let cause = match evidence.hosts().get(&host.name).map(|r| &r.captured) {
            Some(Ok(captured)) => captured
                .failures
                .iter()
                .next()
                .map(|(interface, reason)| format!("{interface}: {reason}")),
            Some(Err(absence)) => Some(absence.cause.clone()),
            None => None,
        };
        found.extend(cause.map(|cause| Unwatched {
            host: host.name.clone(),
            cause,
        }));
    }
    found
}

fn answered(response: &Response) -> bool {
    response.curl_exit == 0 && response.status == 200
}

/// The same for a terminal.
#[must_use]
pub fn trace(evidence: &Evidence, style: Style) -> String {
    let lab = evidence.lab();
    let mut text = headline(lab) + "\n";
    let journeys = verify::journeys(evidence);
    for journey in &journeys {
        text.push('\n');
        text += &one(evidence, journey, style);
    }
    if journeys.is_empty() {
        text += "\nno frame of a request was seen\n";
    }
    for Unwatched { host, cause } in unwatched(evidence) {
        text += &format!("no capture of {host}: {}\n", clean::line(&cause));
    }
    text
}

fn one(evidence: &Evidence, journey: &Journey, style: Style) -> String {
    let lab = evidence.lab();
    let request = rows(lab, &journey.request, &lab.client().name);
    let reply = rows(lab, &journey.reply, &lab.client().name);
    let all = || request.iter().chain(&reply);
    let widest = |cell: fn(&Row) -> &str| all().map(|row| width(cell(row))).max().unwrap_or(0);
    let columns = Columns {
        host: widest(|row| &row.host),
        interface: widest(|row| &row.interface),
        ends: all().map(|row| width(&row.ends())).max().unwrap_or(0),
        receiver: widest(|row| &row.receiver),
    };
    let mut text = format!(
        "{}  {}\n",
        style.paint(Tone::Strong, "request"),
        title(&journey.request, "client", "VIP")
    );
    for row in &request {
        text += &row.line(&columns, style);
    }
    let answerer = journey.request.hosts().last();
    let from = answerer.map_or("nobody", HostName::as_str);
    text += &format!(
        "{}    {}\n",
        style.paint(Tone::Strong, "reply"),
        title(&journey.reply, from, "client")
    );
    for row in &reply {
        text += &row.line(&columns, style);
    }
    text += &format!(
        "{}   {}\n",
        style.paint(Tone::Strong, "answer"),
        answer(journey)
    );
    text + &judgement(evidence, journey, style)
}

fn title(leg: &Leg, from: &str, to: &str) -> String {
    if leg.stops.is_empty() {
        "nothing was sent".to_owned()
    } else {
        format!("{from} → {to}")
    }
}

fn answer(journey: &Journey) -> String {
    match &journey.response {
        Some(response) if answered(response) => format!(
            "{} `{}` after {:.0} ms",
            response.status,
            clean::line(&response.body),
            response.seconds * 1000.0
        ),
        Some(response) if response.curl_exit == 0 => format!("status {}", response.status),
        Some(response) => format!("none (curl {})", response.curl_exit),
        None => "unknown".to_owned(),
    }
}

fn judgement(evidence: &Evidence, journey: &Journey, style: Style) -> String {
    let lab = evidence.lab();
    let words = &lab.profile().words;
    let ways = [
        ("request", verify::request(lab, journey), words.request_way),
        ("reply", verify::reply(evidence, journey), words.reply_way),
    ];
    if ways.iter().all(|(_, way, _)| way.as_promised) {
        let [request, reply] = ways.map(|(_, way, _)| way.words);
        return format!(
            "{} the way of {}: {request}; {reply}\n",
            style.paint(Tone::Good, "✓"),
            lab.profile().name
        );
    }
    let mut text = String::new();
    for (what, Way { words, .. }, promised) in ways.iter().filter(|(_, way, _)| !way.as_promised) {
        text += &format!("{} {what}: {words}\n", style.paint(Tone::Bad, "✗"));
        let columns = style.columns().saturating_sub(14);
        for (at, line) in wrap(promised, columns).iter().enumerate() {
            let label = if at == 0 { "expected" } else { "" };
            text += &format!("    {}{line}\n", pad(label, 10));
        }
    }
    text
}

struct Columns {
    host: usize,
    interface: usize,
    ends: usize,
    receiver: usize,
}

/// One line: a packet leaving a host, or where it ended.
#[derive(Default)]
struct Row {
    host: String,
    interface: String,
    source: String,
    destination: String,
    /// `to 52:54:00:00:00:05 (director)`.
    receiver: String,
    note: String,
    rewritten: Rewritten,
}

/// What a host changed of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Rewritten {
    source: bool,
    destination: bool,
    mac: bool,
}

impl Row {
    fn ends(&self) -> String {
        if self.destination.is_empty() {
            self.source.clone()
        } else {
            format!("{} → {}", self.source, self.destination)
        }
    }

    fn line(&self, columns: &Columns, style: Style) -> String {
        let strong = |text: &str, changed: bool| {
            if changed {
                style.paint(Tone::Strong, text)
            } else {
                text.to_owned()
            }
        };
        let ends = if self.destination.is_empty() {
            pad(&self.source, columns.ends)
        } else {
            let missing = columns.ends.saturating_sub(width(&self.ends()));
            format!(
                "{} → {}{}",
                strong(&self.source, self.rewritten.source),
                strong(&self.destination, self.rewritten.destination),
                " ".repeat(missing)
            )
        };
        let missing = columns.receiver.saturating_sub(width(&self.receiver));
        let line = format!(
            "  {}  {}  {ends}  {}",
            pad(&self.host, columns.host),
            pad(&self.interface, columns.interface),
            strong(&self.receiver, self.rewritten.mac),
        );
        if self.note.is_empty() {
            return line.trim_end().to_owned() + "\n";
        }
        let taken = 8 + columns.host + columns.interface + columns.ends + columns.receiver;
        if taken + 2 + width(&self.note) <= style.columns() {
            let gap = " ".repeat(missing + 2);
            return format!("{line}{gap}{}\n", strong(&self.note, true));
        }
        let indent = " ".repeat(4 + columns.host + columns.interface + 2);
        format!(
            "{}\n{indent}{}\n",
            line.trim_end(),
            strong(&self.note, true)
        )
    }
}

fn rows(lab: &Lab, leg: &Leg, client: &HostName) -> Vec<Row> {
    let mut rows: Vec<Row> = leg
        .stops
        .iter()
        .filter_map(|stop| Some(departure(lab, leg, stop, stop.left.as_ref()?, client)))
        .collect();
    rows.extend(arrival(leg));
    rows
}

fn departure(lab: &Lab, leg: &Leg, stop: &Stop, left: &Passage, client: &HostName) -> Row {
    let rewritten = stop.arrived.as_ref().map(|arrived| Rewritten {
        source: arrived.source != left.source,
        destination: arrived.destination != left.destination,
        mac: arrived.destination_mac != left.destination_mac,
    });
    let note = match (&stop.arrived, rewritten) {
        (Some(arrived), Some(changed)) => match (changed.source, changed.destination) {
            (true, true) => "← source and destination rewritten".to_owned(),
            (true, false) => format!("← source was {}", arrived.source),
            (false, true) => format!("← destination was {}", arrived.destination),
            (false, false) if changed.mac => "← only the MAC changed".to_owned(),
            (false, false) => String::new(),
        },
        _ if stop.host != *client => bypass(lab, leg),
        _ => String::new(),
    };
    Row {
        host: stop.host.to_string(),
        interface: left.interface.to_string(),
        source: left.source.to_string(),
        destination: left.destination.to_string(),
        receiver: format!(
            "to {} ({})",
            left.destination_mac,
            left.receiver
                .as_ref()
                .map_or("no host of this lab", HostName::as_str)
        ),
        note,
        rewritten: rewritten.unwrap_or_default(),
    }
}

/// A reply's first hop: whether the director is on its way.
fn bypass(lab: &Lab, leg: &Leg) -> String {
    let director = &lab.director().name;
    if leg.hosts().any(|host| host == director) {
        String::new()
    } else {
        "← did not pass the director".to_owned()
    }
}

/// Where the packet ended.
fn arrival(leg: &Leg) -> Option<Row> {
    let last = leg.stops.last()?;
    let (host, interface, words) = match &leg.end {
        End::NotSent => return None,
        End::Here => {
            let arrived = last.arrived.as_ref()?;
            let words = match (&last.accepted_for, refuses(arrived)) {
                (Some(_), true) => "arrived: the connection is refused".to_owned(),
                (Some(label), false) => format!("accepted for {label}"),
                (None, _) => format!(
                    "no further; {} is no address of it",
                    arrived.destination.ip()
                ),
            };
            (&last.host, arrived.interface.to_string(), words)
        }
        End::Stray { .. } => return None,
        End::Lost { toward } => (toward, String::new(), "did not arrive".to_owned()),
        End::Unwatched { toward } => (toward, String::new(), "is not watched".to_owned()),
        End::Circle => (
            &last.host,
            String::new(),
            "again: it goes in circles".to_owned(),
        ),
    };
    Some(Row {
        host: host.to_string(),
        interface,
        source: words,
        ..Row::default()
    })
}

#[cfg(test)]
mod tests;
