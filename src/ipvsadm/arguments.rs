//! From scanned options to an [`Entry`].
//!
//! Options are taken in their order, because ipvsadm's meaning depends on it: `-r` takes its port from a
//! service named before it, `-M` is a mask or a prefix by the family known so far. The first mistake is
//! the one that is reported.

use std::num::{NonZeroU8, NonZeroU16, NonZeroU32};

use super::allowed_options::{Switch, Switches, TunnelName, Verb, check_verb};
use super::behaviour::{Behaviour, Setting};
use super::endpoint;
use super::entry::{Entry, Format, MissingScheduler, ServerOptions, ServiceOptions};
use super::failure::{Failure, Kind};
use super::names::Names;
use super::number::{number_within, whole_number};
use super::options::{Opt, Scanner};
use super::values::{daemon_role, multicast_group, netmask, timeout};
use crate::ipvs::{Daemon, DaemonRole, Family, Forwarding, Service, Timeouts, Transport};

/// The timeout of `-p` without a number, seconds.
const DEFAULT_PERSISTENCE: u32 = 360;

/// Bytes of a scheduler's or interface's name that ipvsadm keeps.
const NAME_BYTES: usize = 15;

/// A command line, parsed.
#[derive(Debug, Clone)]
pub(super) enum Parsed {
    Help,
    Version,
    Entry(Box<Entry>),
}

/// Reads argv without its first element; `program` is that element, for the messages.
pub(super) fn parse(program: &str, words: &[&str], setting: &Setting) -> Result<Parsed, Failure> {
    let mut scanner = Scanner::new(words);
    let try_help = || Failure::no_command(program);
    let Ok(Some((first, argument))) = scanner.next() else {
        return Err(try_help());
    };
    let mut role = DaemonRole::Master;
    let verb = match first {
        Opt::AddService => Verb::AddService,
        Opt::EditService => Verb::EditService,
        Opt::DeleteService => Verb::DeleteService,
        Opt::AddServer => Verb::AddServer,
        Opt::EditServer => Verb::EditServer,
        Opt::DeleteServer => Verb::DeleteServer,
        Opt::Clear => Verb::Flush,
        Opt::List => Verb::List,
        Opt::Zero => Verb::Zero,
        Opt::Set => Verb::SetTimeouts,
        Opt::Restore => Verb::Restore,
        Opt::Save => Verb::Save,
        Opt::StartDaemon => {
            role = daemon_role(argument, "illegal start-daemon parameter specified")?;
            Verb::StartDaemon
        }
        Opt::StopDaemon => {
            role = daemon_role(argument, "illegal start_daemon specified")?;
            Verb::StopDaemon
        }
        Opt::Help => return Ok(Parsed::Help),
        Opt::Version => return Ok(Parsed::Version),
        _ => return Err(try_help()),
    };
    let mut entry = Entry {
        verb,
        switches: Switches::default(),
        format: Format {
            behaviour: setting.behaviour,
            ..Format::default()
        },
        service: ServiceOptions::default(),
        server: ServerOptions::default(),
        timeouts: Timeouts::default(),
        daemon: Daemon {
            role,
            interface: String::new(),
            sync_id: 0,
            max_length_bytes: None,
            group: None,
            port: None,
            ttl: None,
        },
    };
    let mut scheduler_flags = None;
    loop {
        match scanner.next() {
            Ok(None) => break,
            Ok(Some((Opt::SchedulerFlags, argument))) => {
                entry.switches.set(Switch::SchedulerFlags)?;
                scheduler_flags = argument;
            }
            Ok(Some((opt, argument))) => {
                entry.option(opt, argument, &setting.names, scanner.word())?;
            }
            Err(error) => {
                return Err(Failure::new(
                    Kind::UnknownOption,
                    format!("{}: {}", error.word, error.reason),
                ));
            }
        }
    }
    let mut leftovers = scanner.into_leftovers().into_iter();
    if verb == Verb::SetTimeouts {
        let (Some(tcp), Some(tcp_fin), Some(udp)) =
            (leftovers.next(), leftovers.next(), leftovers.next())
        else {
            return Err(Failure::usage("--set option requires 3 timeout values"));
        };
        entry.timeouts = Timeouts {
            tcp_seconds: timeout(tcp, 0)?,
            tcp_fin_seconds: timeout(tcp_fin, 0)?,
            udp_seconds: timeout(udp, 0)?,
        };
    }
    if let Some(word) = leftovers.next() {
        return Err(Failure::usage(format!("unexpected argument {word}")));
    }
    if let Some(text) = scheduler_flags {
        let missing = match (verb, setting.behaviour) {
            (Verb::EditService, Behaviour::Ours) => MissingScheduler::Kept,
            _ => MissingScheduler::Default,
        };
        entry.service.read_scheduler_flags(text, missing)?;
    }
    check_verb(verb, entry.switches)?;
    Ok(Parsed::Entry(Box::new(entry)))
}

impl Entry {
    fn option(
        &mut self,
        opt: Opt,
        argument: Option<&str>,
        names: &Names,
        word: &str,
    ) -> Result<(), Failure> {
        let text = argument.unwrap_or_default();
        let illegal = |what: &str| Failure::usage(format!("illegal {what} specified"));
        let bounded =
            |least, most, what: &str| number_within(text, least, most).ok_or_else(|| illegal(what));
        match opt {
            Opt::TcpService => self.service_address(Transport::Tcp, text, names)?,
            Opt::UdpService => self.service_address(Transport::Udp, text, names)?,
            Opt::SctpService => self.service_address(Transport::Sctp, text, names)?,
            Opt::FwmarkService => {
                self.switches.set(Switch::Service)?;
                self.service.family = Some(Family::Inet);
                self.service.transport = Some(Transport::Tcp);
                self.service.mark = Some(
                    whole_number(text)
                        .and_then(|number| u32::try_from(number).ok())
                        .and_then(NonZeroU32::new)
                        .ok_or_else(|| {
                            Failure::usage(format!("invalid fwmark value `{text}' specified"))
                        })?,
                );
            }
            Opt::Scheduler => {
                self.switches.set(Switch::Scheduler)?;
                self.service.scheduler = Some(name(text, NAME_BYTES)).filter(|s| !s.is_empty());
            }
            Opt::Persistent => {
                self.switches.set(Switch::Persistent)?;
                self.service.persistence = NonZeroU32::new(match argument {
                    None => DEFAULT_PERSISTENCE,
                    Some(text) => timeout(text, 1)?,
                });
            }
            Opt::Netmask => {
                self.switches.set(Switch::Netmask)?;
                self.service.granularity = netmask(text, self.service.family, names)?;
            }
            Opt::RealServer => {
                self.switches.set(Switch::Server)?;
                let endpoint = endpoint::parse(text, self.service.transport, names)
                    .ok_or_else(|| illegal("real server address[:port]"))?;
                self.server.address = Some(endpoint.address);
                self.server.port = endpoint.port.unwrap_or(self.service.port);
            }
            Opt::Ipip => self.forward(Forwarding::Tunnel)?,
            Opt::Gatewaying => self.forward(Forwarding::Route)?,
            Opt::Masquerading => self.forward(Forwarding::Masquerade)?,
            Opt::Weight => {
                self.switches.set(Switch::Weight)?;
                self.server.weight = Some(bounded(0, i32::MAX as u32, "weight")?);
            }
            Opt::UpperThreshold => {
                self.switches.set(Switch::UpperThreshold)?;
                self.server.upper_threshold = bounded(0, i32::MAX as u32, "u_threshold")?;
            }
            Opt::LowerThreshold => {
                self.switches.set(Switch::LowerThreshold)?;
                self.server.lower_threshold = bounded(0, i32::MAX as u32, "l_threshold")?;
            }
            Opt::Connection => self.switches.set(Switch::Connection)?,
            Opt::Numeric => {
                self.switches.set(Switch::Numeric)?;
                self.format.numeric = true;
            }
            Opt::McastInterface => {
                self.switches.set(Switch::McastInterface)?;
                self.daemon.interface = name(text, NAME_BYTES);
            }
            Opt::SyncId => {
                self.switches.set(Switch::SyncId)?;
                self.daemon.sync_id = bounded(0, 255, "syncid")?;
            }
            Opt::Timeout => self.switches.set(Switch::Timeout)?,
            Opt::Daemon => self.switches.set(Switch::Daemon)?,
            Opt::Stats => {
                self.switches.set(Switch::Stats)?;
                self.format.stats = true;
            }
            Opt::Rate => {
                self.switches.set(Switch::Rate)?;
                self.format.rate = true;
            }
            Opt::Thresholds => {
                self.switches.set(Switch::Thresholds)?;
                self.format.thresholds = true;
            }
            Opt::PersistentConn => {
                self.switches.set(Switch::PersistentConn)?;
                self.format.persistent_conn = true;
            }
            Opt::NoSort => {
                self.switches.set(Switch::NoSort)?;
                self.format.unsorted = true;
            }
            // Sorted is the default.
            Opt::Sort => {}
            Opt::Exact => {
                self.switches.set(Switch::Exact)?;
                self.format.exact = true;
            }
            Opt::Ipv6 => {
                if self.service.mark.is_none() {
                    return Err(Failure::usage("-6 used before -f\n"));
                }
                self.service.family = Some(Family::Inet6);
                self.service.granularity = None;
            }
            Opt::OnePacket => {
                self.switches.set(Switch::OnePacket)?;
                self.service.flags |= Service::ONE_PACKET;
            }
            Opt::Engine => {
                self.switches.set(Switch::Engine)?;
                self.service.engine = Some(name(text, NAME_BYTES + 1)).filter(|s| !s.is_empty());
            }
            Opt::McastGroup => {
                self.switches.set(Switch::McastGroup)?;
                self.daemon.group = Some(multicast_group(text)?);
            }
            Opt::McastPort => {
                self.switches.set(Switch::McastPort)?;
                self.daemon.port = to_u16(bounded(1, 65535, "mcast-port")?);
            }
            Opt::McastTtl => {
                self.switches.set(Switch::McastTtl)?;
                self.daemon.ttl = u8::try_from(bounded(1, 255, "mcast-ttl")?)
                    .ok()
                    .and_then(NonZeroU8::new);
            }
            Opt::SyncMaxlen => {
                self.switches.set(Switch::SyncMaxlen)?;
                // The largest datagram without IPv4 and UDP headers.
                self.daemon.max_length_bytes = to_u16(bounded(1, 65535 - 20 - 8, "sync-maxlen")?);
            }
            Opt::TunnelInfo => {
                self.switches.set(Switch::TunnelInfo)?;
                self.format.tunnel_info = true;
            }
            Opt::TunnelType => {
                self.switches.set(Switch::TunnelType)?;
                self.server.tunnel = match text {
                    "ipip" => TunnelName::Ipip,
                    "gue" => TunnelName::Gue,
                    "gre" => TunnelName::Gre,
                    _ => return Err(illegal("tunnel type")),
                };
            }
            Opt::TunnelPort => {
                self.switches.set(Switch::TunnelPort)?;
                self.server.tunnel_port =
                    to_u16(bounded(1, 65535, "tunnel port")?).map_or(0, NonZeroU16::get);
            }
            Opt::TunnelNoChecksum => self.switches.set(Switch::TunnelNoChecksum)?,
            Opt::TunnelChecksum => {
                self.switches.set(Switch::TunnelChecksum)?;
                self.server.tunnel_flags |= 1;
            }
            Opt::TunnelRemoteChecksum => {
                self.switches.set(Switch::TunnelRemoteChecksum)?;
                self.server.tunnel_flags |= 2;
            }
            Opt::KeepGoing => self.switches.set(Switch::KeepGoing)?,
            // A command is only valid as the first option.
            _ => return Err(Failure::usage(format!("invalid option `{word}'"))),
        }
        Ok(())
    }

    fn service_address(
        &mut self,
        transport: Transport,
        text: &str,
        names: &Names,
    ) -> Result<(), Failure> {
        self.switches.set(Switch::Service)?;
        self.service.transport = Some(transport);
        let endpoint = endpoint::parse(text, Some(transport), names)
            .ok_or_else(|| Failure::usage("illegal virtual server address[:port] specified"))?;
        self.service.family = Some(Family::of(endpoint.address));
        self.service.address = Some(endpoint.address);
        self.service.port = endpoint.port.unwrap_or_default();
        if endpoint.address.is_ipv6() {
            self.service.granularity = None;
        }
        Ok(())
    }

    fn forward(&mut self, forwarding: Forwarding) -> Result<(), Failure> {
        self.switches.set(Switch::Forward)?;
        self.server.forwarding = Some(forwarding);
        Ok(())
    }
}

/// The first `bytes` bytes of a name.
fn name(text: &str, bytes: usize) -> String {
    let mut name = text.to_owned();
    endpoint::cut(&mut name, 0, bytes);
    name
}

fn to_u16(number: u32) -> Option<NonZeroU16> {
    u16::try_from(number).ok().and_then(NonZeroU16::new)
}
