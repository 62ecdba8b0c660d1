//! Whether a connection took the way its lab's mode promises, in words.

use std::net::SocketAddrV4;

use super::evidence::Evidence;
use super::journey::{End, Journey, Leg, Stop, replies_on};
use crate::model::{HostName, Lab, RealServer, Replies};

/// What is to be said of one leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// It is the way of the lab's mode.
    pub as_promised: bool,
    /// The way it took: `client → director → web1`.
    pub words: String,
}

/// What is to be said of the request.
#[must_use]
pub fn request(lab: &Lab, journey: &Journey) -> Way {
    let leg = &journey.request;
    let mut words = hosts(leg);
    let [client, director, server] = &leg.stops[..] else {
        return astray(leg, words);
    };
    let on_its_way = client.host == lab.client().name
        && director.host == lab.director().name
        && leg.end == End::Here;
    let Some(real) = real_server(lab, &server.host).filter(|_| on_its_way) else {
        return astray(leg, words);
    };
    let wanted = lab.service().destination_at(real);
    let sent = director.left.as_ref().map(|left| left.destination);
    if sent == Some(wanted) {
        return promised(words);
    }
    if let Some(sent) = sent {
        words += &format!(", sent on to {sent}");
    }
    astray(leg, words)
}

/// What is to be said of the reply.
#[must_use]
pub fn reply(evidence: &Evidence, journey: &Journey) -> Way {
    let lab = evidence.lab();
    let leg = &journey.reply;
    let mut words = hosts(leg);
    let service = SocketAddrV4::new(lab.vip(), lab.service().port.get());
    let director = &lab.director().name;
    let from_real_server = leg
        .hosts()
        .next()
        .is_some_and(|host| real_server(lab, host).is_some());
    let home = leg.hosts().last() == Some(&lab.client().name);
    if leg.stops.is_empty() {
        let arrived = journey.request.end == End::Here && journey.request.stops.len() > 1;
        return Way {
            as_promised: false,
            words: match journey.request.hosts().last().filter(|_| arrived) {
                Some(host) => format!("{host} sent no answer"),
                None => "there was no request to answer".to_owned(),
            },
        };
    }
    let seen_as = leg
        .stops
        .last()
        .and_then(|stop| stop.arrived.as_ref())
        .map(|arrived| arrived.source);
    if let Some(source) = seen_as.filter(|source| home && *source != service) {
        words += &format!(", with {source} as its source");
    }
    let by_director = leg.hosts().any(|host| host == director);
    let way = match lab.profile().replies {
        Replies::ThroughDirector => by_director && leg.stops.len() == 3,
        Replies::PastDirector => {
            let passed = replies_on(evidence, director, journey.port);
            if passed > 0 && !by_director {
                words += &format!(", {passed} others by {director}");
            }
            !by_director && passed == 0 && leg.stops.len() == 2
        }
    };
    if way && home && from_real_server && leg.end == End::Here && seen_as == Some(service) {
        promised(words)
    } else {
        astray(leg, words)
    }
}

fn promised(words: String) -> Way {
    Way {
        as_promised: true,
        words,
    }
}

fn astray(leg: &Leg, words: String) -> Way {
    let end = match &leg.end {
        End::NotSent => "nothing was sent".to_owned(),
        End::Here => match leg.stops.last() {
            Some(Stop {
                host,
                accepted_for: None,
                ..
            }) if leg.stops.len() > 1 => format!(", no further than {host}"),
            _ => String::new(),
        },
        End::Stray { mac } => format!(" → {mac}, which no host of this lab has"),
        End::Lost { toward } => format!(" → {toward}, where it did not arrive"),
        End::Unwatched { toward } => format!(" → {toward}, of which there is no capture"),
        End::Circle => ", in circles".to_owned(),
    };
    Way {
        as_promised: false,
        words: words + &end,
    }
}

fn hosts(leg: &Leg) -> String {
    let names: Vec<&str> = leg.hosts().map(HostName::as_str).collect();
    names.join(" → ")
}

fn real_server<'l>(lab: &'l Lab, host: &HostName) -> Option<&'l RealServer> {
    lab.real_server(host.as_str())
}
