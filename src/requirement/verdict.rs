//! A requirement held against the state of a host.

use super::{HostState, Interfaces, Need, Origin, Requirement, Topic};
use super::{arp, attachment, firewall, forwarding, program, selinux, service, vip, way, web};

/// Whether a requirement holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Holds {
        /// What is seen, a short fragment.
        seen: String,
    },
    /// It does not hold.
    Fails {
        /// What is seen instead, a short fragment.
        seen: String,
        /// The places that make it so, where the state was predicted.
        places: Vec<Origin>,
    },
    /// There is no telling.
    Unknown {
        /// Why not, a lower-case fragment.
        cause: String,
        /// What could not be read, where that is the reason.
        place: Option<Origin>,
    },
}

impl Verdict {
    pub(super) fn holds(seen: impl Into<String>) -> Self {
        Self::Holds { seen: seen.into() }
    }

    pub(super) fn fails(seen: impl Into<String>, places: impl IntoIterator<Item = Origin>) -> Self {
        Self::Fails {
            seen: seen.into(),
            places: places.into_iter().collect(),
        }
    }

    pub(super) fn not_seen(what: &str) -> Self {
        Self::unknown(format!("{what} was not looked at"))
    }

    pub(super) fn unknown(cause: impl Into<String>) -> Self {
        Self::Unknown {
            cause: cause.into(),
            place: None,
        }
    }

    /// Whether it holds for certain.
    #[must_use]
    pub fn is_met(&self) -> bool {
        matches!(self, Self::Holds { .. })
    }
}

/// Whether `requirement` holds on a host in this state, whose interfaces were chosen to be these.
///
/// What could not be read may change any effect of its topic, so nothing of that topic holds or fails for certain.
#[must_use]
pub fn judge(requirement: &Requirement, interfaces: &Interfaces, state: &HostState) -> Verdict {
    let topic = topic(&requirement.need);
    if let Some(unread) = state
        .unread
        .iter()
        .find(|unread| Some(unread.topic) == topic)
    {
        return Verdict::Unknown {
            cause: unread.cause.clone(),
            place: Some(unread.place.clone()),
        };
    }
    match &requirement.need {
        Need::Program(program) => program::judge(*program, state),
        Need::Link { network } => attachment::judge_link(*network, interfaces, state),
        Need::OwnAddress(own) => attachment::judge(own, interfaces, state),
        Need::DirectorVip { network, vip } => {
            vip::judge_director((*network, *vip), interfaces, state)
        }
        Need::RealServerVip { vip, .. } => vip::judge_real_server(*vip, interfaces, state),
        Need::HiddenVip { network, .. } => arp::judge(*network, &arp::HIDING, interfaces, state),
        Need::ArpAnswers { network } => arp::judge(*network, &[arp::ANSWERING], interfaces, state),
        Need::Forwarding { network, .. } => forwarding::judge(*network, interfaces, state),
        Need::Setting(setting) => forwarding::judge_setting(*setting, state),
        Need::Way(way) => way::judge(way, interfaces, state),
        Need::WebServer(wanted) => web::judge(wanted, state),
        Need::VirtualService(wanted) => service::judge(wanted, state),
        Need::OpenFirewall { zone } => firewall::judge(zone, state),
        Need::Selinux { mode } => selinux::judge(*mode, state),
    }
}

/// The part of the state that decides; packages survive a boot whatever the files say.
fn topic(need: &Need) -> Option<Topic> {
    match need {
        Need::Program(_) => None,
        Need::Link { .. }
        | Need::OwnAddress(_)
        | Need::DirectorVip { .. }
        | Need::RealServerVip { .. }
        | Need::Way(_) => Some(Topic::Network),
        Need::HiddenVip { .. }
        | Need::ArpAnswers { .. }
        | Need::Forwarding { .. }
        | Need::Setting(_) => Some(Topic::Settings),
        Need::WebServer(_) => Some(Topic::Web),
        Need::VirtualService(_) => Some(Topic::Ipvs),
        Need::OpenFirewall { .. } | Need::Selinux { .. } => Some(Topic::Protection),
    }
}
