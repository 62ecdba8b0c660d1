//! Edits that leave something out, which then stays as it is: the scheduler (`-E` without `-s`) or the
//! forwarding method (`-e` without `-g`, `-i` or `-m`).
//!
//! The current value comes from the kernel's table and, in a restore, from the rules before the edit.

use super::allowed_options::TUNNEL_SWITCHES;
use super::entry::Entry;
use super::failure::Failure;
use super::scheduler_flags::{self, SCHEDULER_FLAGS};
use crate::ipvs::{Client, Command, Destination, Forwarding, Service, ServiceKey};

/// An edit whose command depends on the current table.
#[derive(Debug, Clone)]
pub(super) enum PartialEdit {
    /// `-E` without `-s`.
    Scheduler {
        service: Service,
        /// The argument of `-b`, to be read once the scheduler is known.
        flags: Option<String>,
    },
    /// `-e` without a forwarding method.
    Method { entry: Box<Entry>, key: ServiceKey },
}

impl PartialEdit {
    /// The whole command. `before` are commands of the same restore that come first.
    pub(super) fn complete(self, ipvs: &Client, before: &[Command]) -> Result<Command, Failure> {
        let failed = |error| Failure::command(&error);
        match self {
            Self::Scheduler { service, flags } => {
                let key = service.key;
                let live = ipvs.service(key).map_err(failed)?;
                let found = service_after(live.map(|live| live.service), key, before);
                with_scheduler(service, flags.as_deref(), found)
            }
            Self::Method { entry, key } => {
                let live = ipvs.destinations(key).map_err(failed)?;
                let live = live.into_iter().map(|status| status.destination).collect();
                with_method(&entry, key, &destinations_after(live, key, before))
            }
        }
    }
}

/// The service once these commands are done.
fn service_after(live: Option<Service>, key: ServiceKey, commands: &[Command]) -> Option<Service> {
    commands.iter().fold(live, |found, command| match command {
        Command::CreateService(service) if service.key == key => {
            // Refused where there is one.
            found.or_else(|| Some(service.clone()))
        }
        Command::EditService(service) if service.key == key => found.map(|_| service.clone()),
        Command::DeleteService(gone) if *gone == key => None,
        Command::Flush => None,
        _ => found,
    })
}

/// The service's destinations once these commands are done.
fn destinations_after(
    live: Vec<Destination>,
    key: ServiceKey,
    commands: &[Command],
) -> Vec<Destination> {
    let mut found = live;
    for command in commands {
        match command {
            Command::AddDestination(of, one)
                if *of == key && found.iter().all(|other| other.key() != one.key()) =>
            {
                found.push(one.clone());
            }
            Command::EditDestination(of, one) if *of == key => {
                for old in found.iter_mut().filter(|old| old.key() == one.key()) {
                    *old = one.clone();
                }
            }
            Command::DeleteDestination(of, gone) if *of == key => {
                found.retain(|one| one.key() != *gone);
            }
            Command::DeleteService(gone) if *gone == key => found.clear(),
            Command::Flush => found.clear(),
            _ => {}
        }
    }
    found
}

/// The edit with the service's own scheduler. If there is no such service, the command goes out with
/// ipvsadm's default and the kernel refuses it.
fn with_scheduler(
    mut service: Service,
    flags: Option<&str>,
    found: Option<Service>,
) -> Result<Command, Failure> {
    if let Some(found) = found {
        service.scheduler = found.scheduler;
        if flags.is_none() {
            // The flags belong to the scheduler that is kept.
            service.flags |= found.flags & SCHEDULER_FLAGS;
        }
    }
    if let Some(text) = flags {
        service.flags |= scheduler_flags::bits(text, &service.scheduler)?;
    }
    Ok(Command::EditService(service))
}

/// The edit with the destination's own forwarding method. If there is no such destination, the command goes
/// out with ipvsadm's `-g` and the kernel refuses it.
fn with_method(entry: &Entry, key: ServiceKey, there: &[Destination]) -> Result<Command, Failure> {
    let with_port = |port: u16| {
        there
            .iter()
            .find(|one| Some(one.address) == entry.server.address && one.port == port)
    };
    let service_port = match key {
        ServiceKey::Address { port, .. } => port,
        ServiceKey::Fwmark { .. } => entry.server.port,
    };
    let found = with_port(entry.server.port).or_else(|| with_port(service_port));
    let Some(found) = found else {
        return entry.server_command(key, Forwarding::Route);
    };
    let mut command = entry.server_command(key, found.forwarding)?;
    if let Command::EditDestination(_, destination) = &mut command {
        // Without tunnel options the tunnel stays as it is, too.
        if found.forwarding == Forwarding::Tunnel && !entry.switches.has_any(TUNNEL_SWITCHES) {
            destination.tunnel = found.tunnel;
            destination.tunnel_flags = found.tunnel_flags;
        }
        destination.port = found.port;
    }
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvsadm::action::{Action, understand};
    use crate::ipvsadm::behaviour::Setting;
    use crate::ipvsadm::parse_rules;

    fn partial(line: &str) -> PartialEdit {
        let words: Vec<&str> = line.split(' ').collect();
        match understand("ipvsadm", &words, &Setting::default()) {
            Ok(Action::Edit(partial)) => partial,
            other => panic!("{line}: {other:?}"),
        }
    }

    /// What an edit of a service becomes after these rules, in an empty table.
    fn service(line: &str, before: &str) -> Result<Service, String> {
        let PartialEdit::Scheduler { service, flags } = partial(line) else {
            panic!("{line}");
        };
        let found = service_after(None, service.key, &parse_rules(before).unwrap());
        match with_scheduler(service, flags.as_deref(), found) {
            Ok(Command::EditService(service)) => Ok(service),
            Ok(other) => panic!("{other:?}"),
            Err(failure) => Err(failure.message),
        }
    }

    const SH: &str = "-A -t 10.0.0.1:80 -s sh -b sh-port\n";

    #[test]
    fn an_edit_keeps_what_the_rules_before_it_made() {
        let edit = "-E -t 10.0.0.1:80 -p 60";
        let kept = |before| service(edit, before).map(|found| (found.scheduler, found.flags));
        let is = |scheduler: &str, flags| Ok((scheduler.to_owned(), flags));
        assert_eq!(kept(SH), is("sh", Service::SCHEDULER_FLAG_2));
        assert_eq!(kept(""), is("wlc", 0));
        for (rules, scheduler) in [
            ("-E -t 10.0.0.1:80 -s rr\n", "rr"),
            // It is refused: there is one.
            ("-A -t 10.0.0.1:80 -s rr\n", "sh"),
            ("-C\n-A -t 10.0.0.1:80 -s rr\n", "rr"),
            ("-D -t 10.0.0.1:80\n", "wlc"),
            ("-D -t 10.0.0.2:80\n", "sh"),
        ] {
            let found = service(edit, &format!("{SH}{rules}")).unwrap();
            assert_eq!(found.scheduler, scheduler, "{rules}");
        }
    }

    #[test]
    fn flags_are_those_of_the_scheduler_that_stays() {
        let edit = "-E -t 10.0.0.1:80 -b sh-fallback";
        let found = service(edit, SH).unwrap();
        assert_eq!(found.flags, Service::SCHEDULER_FLAG_1);
        for before in ["", "-A -t 10.0.0.1:80 -s mh\n"] {
            assert_eq!(
                service(edit, before),
                Err("incompatible scheduler flag `sh-fallback'".to_owned())
            );
        }
    }

    #[test]
    fn an_edit_of_a_server_keeps_the_method_that_the_rules_before_it_gave() {
        let rules = "-A -t 10.0.0.1:80\n\
            -a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m\n\
            -a -t 10.0.0.1:80 -r 10.1.0.2 -i --tun-type gre\n\
            -e -t 10.0.0.1:80 -r 10.1.0.2 -i --tun-type gue --tun-port 6080\n\
            -a -t 10.0.0.1:80 -r 10.1.0.3 -m\n\
            -d -t 10.0.0.1:80 -r 10.1.0.3\n";
        let before = parse_rules(rules).unwrap();
        let kept = |server: &str| {
            let PartialEdit::Method { entry, key } =
                partial(&format!("-e -t 10.0.0.1:80 -r {server} -w 5"))
            else {
                panic!("{server}");
            };
            let there = destinations_after(Vec::new(), key, &before);
            match with_method(&entry, key, &there).unwrap() {
                Command::EditDestination(_, one) => {
                    assert_eq!(one.weight, 5);
                    (one.port, one.forwarding, one.tunnel)
                }
                other => panic!("{other:?}"),
            }
        };
        use crate::ipvs::TunnelKind::{Gue, Ipip};
        assert_eq!(kept("10.1.0.1:8080"), (8080, Forwarding::Masquerade, Ipip));
        assert_eq!(
            kept("10.1.0.2"),
            (80, Forwarding::Tunnel, Gue { port: 6080 })
        );
        assert_eq!(kept("10.1.0.3"), (80, Forwarding::Route, Ipip));
    }
}
