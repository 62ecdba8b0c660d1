//! Which options each command allows, and ipvsadm's messages for those that it does not.

use super::failure::Failure;

/// A command of ipvsadm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    AddService,
    EditService,
    DeleteService,
    Flush,
    List,
    AddServer,
    DeleteServer,
    EditServer,
    SetTimeouts,
    StartDaemon,
    StopDaemon,
    Restore,
    Save,
    Zero,
}

impl Verb {
    /// Its name in messages.
    const fn name(self) -> &'static str {
        match self {
            Self::AddService => "add-service",
            Self::EditService => "edit-service",
            Self::DeleteService => "delete-service",
            Self::Flush => "flush",
            Self::List => "list",
            Self::AddServer => "add-server",
            Self::DeleteServer => "delete-server",
            Self::EditServer => "edit-server",
            Self::SetTimeouts => "set",
            Self::StartDaemon => "start-daemon",
            Self::StopDaemon => "stop-daemon",
            Self::Restore => "restore",
            Self::Save => "save",
            Self::Zero => "zero",
        }
    }
}

/// An option, or several that exclude each other, which may be given once; in the order in which they are
/// checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    Numeric,
    Connection,
    Service,
    Scheduler,
    Persistent,
    Netmask,
    Server,
    Forward,
    Weight,
    UpperThreshold,
    LowerThreshold,
    McastInterface,
    Timeout,
    Daemon,
    Stats,
    Rate,
    Thresholds,
    PersistentConn,
    NoSort,
    SyncId,
    Exact,
    OnePacket,
    Engine,
    SchedulerFlags,
    McastGroup,
    McastPort,
    McastTtl,
    SyncMaxlen,
    TunnelInfo,
    TunnelType,
    TunnelPort,
    TunnelNoChecksum,
    TunnelChecksum,
    TunnelRemoteChecksum,
    KeepGoing,
}

use Switch::{
    Connection, Daemon, Engine, Exact, Forward, KeepGoing, LowerThreshold, McastGroup,
    McastInterface, McastPort, McastTtl, Netmask, NoSort, Numeric, OnePacket, Persistent,
    PersistentConn, Rate, Scheduler, SchedulerFlags, Server, Service, Stats, SyncId, SyncMaxlen,
    Thresholds, Timeout, TunnelChecksum, TunnelInfo, TunnelNoChecksum, TunnelPort,
    TunnelRemoteChecksum, TunnelType, UpperThreshold, Weight,
};

const ALL: [Switch; 35] = [
    Numeric,
    Connection,
    Service,
    Scheduler,
    Persistent,
    Netmask,
    Server,
    Forward,
    Weight,
    UpperThreshold,
    LowerThreshold,
    McastInterface,
    Timeout,
    Daemon,
    Stats,
    Rate,
    Thresholds,
    PersistentConn,
    NoSort,
    SyncId,
    Exact,
    OnePacket,
    Engine,
    SchedulerFlags,
    McastGroup,
    McastPort,
    McastTtl,
    SyncMaxlen,
    TunnelInfo,
    TunnelType,
    TunnelPort,
    TunnelNoChecksum,
    TunnelChecksum,
    TunnelRemoteChecksum,
    KeepGoing,
];

impl Switch {
    /// Its name in messages.
    const fn name(self) -> &'static str {
        match self {
            Numeric => "numeric",
            Connection => "connection",
            Service => "service-address",
            Scheduler => "scheduler",
            Persistent => "persistent",
            Netmask => "netmask",
            Server => "real-server",
            Forward => "forwarding-method",
            Weight => "weight",
            UpperThreshold => "u-threshold",
            LowerThreshold => "l-threshold",
            McastInterface => "mcast-interface",
            Timeout => "timeout",
            Daemon => "daemon",
            Stats => "stats",
            Rate => "rate",
            Thresholds => "thresholds",
            PersistentConn => "persistent-conn",
            NoSort => "nosort",
            SyncId => "syncid",
            Exact => "exact",
            OnePacket => "ops",
            Engine => "pe",
            SchedulerFlags => "sched-flags",
            McastGroup => "mcast-group",
            McastPort => "mcast-port",
            McastTtl => "mcast-ttl",
            SyncMaxlen => "sync-maxlen",
            TunnelInfo => "tun-info",
            TunnelType => "tun-type",
            TunnelPort => "tun-port",
            TunnelNoChecksum => "tun-nocsum",
            TunnelChecksum => "tun-csum",
            TunnelRemoteChecksum => "tun-remcsum",
            KeepGoing => "keep-going",
        }
    }
}

/// A set of switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Switches(u64);

impl Switches {
    const fn of(list: &[Switch]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < list.len() {
            bits |= 1 << list[index] as u64;
            index += 1;
        }
        Self(bits)
    }

    /// Whether a switch is in it.
    pub(super) const fn has(self, switch: Switch) -> bool {
        self.0 & (1 << switch as u64) != 0
    }

    /// Whether any of them is in it.
    pub(super) const fn has_any(self, list: &[Switch]) -> bool {
        self.0 & Self::of(list).0 != 0
    }

    /// Adds one that is not in it yet.
    pub(super) fn set(&mut self, switch: Switch) -> Result<(), Failure> {
        if self.has(switch) {
            return Err(Failure::usage(format!(
                "multiple '{}' options specified",
                switch.name()
            )));
        }
        self.0 |= 1 << switch as u64;
        Ok(())
    }
}

/// The options that a command or a tunnel type allows; all others are illegal with it.
#[derive(Debug, Clone, Copy, Default)]
struct Legal {
    required: Switches,
    optional: Switches,
    /// At most one of these.
    exclusive: Switches,
}

impl Legal {
    const fn of(required: &[Switch], optional: &[Switch], exclusive: &[Switch]) -> Self {
        Self {
            required: Switches::of(required),
            optional: Switches::of(optional),
            exclusive: Switches::of(exclusive),
        }
    }

    fn check(
        self,
        given: Switches,
        considered: &[Switch],
        of_what: impl Fn() -> String,
    ) -> Result<(), Failure> {
        let mut first_exclusive = None::<Switch>;
        for &switch in considered {
            let name = switch.name();
            if !given.has(switch) {
                if self.required.has(switch) {
                    return Err(Failure::usage(format!(
                        "You need to supply the '{name}' option for the {}",
                        of_what()
                    )));
                }
            } else if self.exclusive.has(switch) {
                if let Some(first) = first_exclusive {
                    return Err(Failure::usage(format!(
                        "The option '{name}' conflicts with the '{}' option in the {}",
                        first.name(),
                        of_what()
                    )));
                }
                first_exclusive = Some(switch);
            } else if !self.required.has(switch) && !self.optional.has(switch) {
                return Err(Failure::usage(format!(
                    "Illegal '{name}' option with the {}",
                    of_what()
                )));
            }
        }
        Ok(())
    }
}

const SERVICE_OPTIONS: &[Switch] = &[
    Scheduler,
    Persistent,
    Netmask,
    OnePacket,
    Engine,
    SchedulerFlags,
];

const SERVER_OPTIONS: &[Switch] = &[
    Forward,
    Weight,
    UpperThreshold,
    LowerThreshold,
    TunnelType,
    TunnelPort,
    TunnelNoChecksum,
    TunnelChecksum,
    TunnelRemoteChecksum,
];

/// Checks that the options go with the command.
pub(super) fn check_verb(verb: Verb, given: Switches) -> Result<(), Failure> {
    let legal = match verb {
        Verb::AddService | Verb::EditService => Legal::of(&[Service], SERVICE_OPTIONS, &[]),
        Verb::DeleteService => Legal::of(&[Service], &[], &[]),
        Verb::Flush | Verb::SetTimeouts => Legal::default(),
        Verb::List => Legal::of(
            &[],
            &[
                Numeric,
                Stats,
                Rate,
                Thresholds,
                PersistentConn,
                NoSort,
                // ipvsadm allows it here, although it has no effect.
                SyncId,
                Exact,
                TunnelInfo,
            ],
            &[Connection, Service, Timeout, Daemon],
        ),
        Verb::AddServer | Verb::EditServer => Legal::of(&[Service, Server], SERVER_OPTIONS, &[]),
        Verb::DeleteServer => Legal::of(&[Service, Server], &[], &[]),
        Verb::StartDaemon => Legal::of(
            &[],
            &[
                McastInterface,
                SyncId,
                McastGroup,
                McastPort,
                McastTtl,
                SyncMaxlen,
            ],
            &[],
        ),
        Verb::StopDaemon => Legal::of(&[], &[SyncId], &[]),
        Verb::Restore => Legal::of(&[], &[KeepGoing], &[]),
        Verb::Save => Legal::of(&[], &[Numeric], &[]),
        Verb::Zero => Legal::of(&[], &[Service], &[]),
    };
    legal.check(given, &ALL, || format!("'{}' command", verb.name()))
}

/// Tunnel types by their names on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum TunnelName {
    #[default]
    Ipip,
    Gue,
    Gre,
}

impl TunnelName {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ipip => "ipip",
            Self::Gue => "gue",
            Self::Gre => "gre",
        }
    }
}

/// The switches that only a tunnel has.
pub(super) const TUNNEL_SWITCHES: &[Switch] = &[
    TunnelType,
    TunnelPort,
    TunnelNoChecksum,
    TunnelChecksum,
    TunnelRemoteChecksum,
];

/// Checks that the options go with the tunnel type.
pub(super) fn check_tunnel(tunnel: TunnelName, given: Switches) -> Result<(), Failure> {
    let legal = match tunnel {
        TunnelName::Ipip => Legal::default(),
        TunnelName::Gue => Legal::of(
            &[TunnelPort],
            &[],
            &[TunnelNoChecksum, TunnelChecksum, TunnelRemoteChecksum],
        ),
        TunnelName::Gre => Legal::of(&[], &[], &[TunnelNoChecksum, TunnelChecksum]),
    };
    legal.check(given, &TUNNEL_SWITCHES[1..], || {
        format!("'{}' tunnel type", tunnel.name())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(list: &[Switch]) -> Switches {
        Switches::of(list)
    }

    #[test]
    fn every_switch_is_checked_in_its_own_place() {
        for (index, switch) in ALL.into_iter().enumerate() {
            assert_eq!(switch as usize, index);
        }
    }

    #[test]
    fn sentences_name_option_and_command() {
        let said = |verb, list: &[Switch]| check_verb(verb, given(list)).unwrap_err().to_string();
        insta::assert_snapshot!(
            [
                said(Verb::AddService, &[Service, Weight]),
                said(Verb::AddService, &[]),
                said(Verb::DeleteServer, &[Service]),
                said(Verb::List, &[Connection, Timeout]),
                said(Verb::Flush, &[Numeric]),
                check_tunnel(TunnelName::Gue, given(&[])).unwrap_err().to_string(),
                check_tunnel(TunnelName::Gre, given(&[TunnelNoChecksum, TunnelChecksum]))
                    .unwrap_err()
                    .to_string(),
                check_tunnel(TunnelName::Ipip, given(&[TunnelPort])).unwrap_err().to_string(),
            ]
            .join("\n"),
            @r"
        Illegal 'weight' option with the 'add-service' command
        You need to supply the 'service-address' option for the 'add-service' command
        You need to supply the 'real-server' option for the 'delete-server' command
        The option 'timeout' conflicts with the 'connection' option in the 'list' command
        Illegal 'numeric' option with the 'flush' command
        You need to supply the 'tun-port' option for the 'gue' tunnel type
        The option 'tun-csum' conflicts with the 'tun-nocsum' option in the 'gre' tunnel type
        Illegal 'tun-port' option with the 'ipip' tunnel type
        "
        );
    }

    #[test]
    fn a_switch_is_given_once() {
        let mut switches = Switches::default();
        switches.set(Weight).unwrap();
        assert_eq!(
            switches.set(Weight).unwrap_err().to_string(),
            "multiple 'weight' options specified"
        );
    }
}
