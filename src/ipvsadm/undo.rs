//! The way back from rules that were not all taken.

use crate::ipvs::{
    Client, Command, Daemon, Desired, IpvsError, Others, Refused, Removal, Table, Timeouts,
    reconcile,
};

/// What there was before the rules, as far as they can change it.
pub(super) struct Before {
    table: Table,
    timeouts: Option<Timeouts>,
    daemons: Option<Vec<Daemon>>,
}

impl Before {
    /// Reads what these commands are about to change.
    pub(super) fn read(ipvs: &Client, commands: &[Command]) -> Result<Self, IpvsError> {
        let timeouts = commands
            .iter()
            .any(|command| matches!(command, Command::SetTimeouts(_)));
        let daemons = commands
            .iter()
            .any(|command| matches!(command, Command::StartDaemon(_) | Command::StopDaemon(_)));
        Ok(Self {
            table: ipvs.table()?,
            timeouts: timeouts.then(|| ipvs.timeouts()).transpose()?,
            daemons: daemons.then(|| ipvs.daemons()).transpose()?,
        })
    }

    /// Puts it back. `refused` is what the kernel said to the commands, `None` when it was not heard.
    pub(super) fn put_back(
        self,
        ipvs: &Client,
        commands: &[Command],
        refused: Option<&[Refused]>,
    ) -> Result<(), IpvsError> {
        let (mut back, starts) = match &self.daemons {
            Some(before) => daemon_changes(&ipvs.daemons()?, before),
            None => Default::default(),
        };
        // While a daemon runs the kernel takes no destination of the other address family, so the table
        // comes between.
        match refused.and_then(|refused| opposites(commands, refused)) {
            Some(opposites) => back.extend(opposites),
            None => back.extend(reconcile(
                &ipvs.table()?,
                &desired(self.table),
                Others::Delete,
                Removal::AtOnce,
            )),
        }
        back.extend(self.timeouts.map(Command::SetTimeouts));
        back.extend(starts);
        match ipvs.batch(&back)?.into_iter().next() {
            Some(refused) => Err(refused.into()),
            None => Ok(()),
        }
    }
}

fn desired(table: Table) -> Vec<Desired> {
    table
        .into_iter()
        .map(|status| Desired {
            service: status.service,
            destinations: status
                .destinations
                .into_iter()
                .map(|status| status.destination)
                .collect(),
        })
        .collect()
}

/// The stops, and the starts that come after them, from the daemons that run to those that should.
fn daemon_changes(now: &[Daemon], before: &[Daemon]) -> (Vec<Command>, Vec<Command>) {
    let stops = now.iter().filter(|daemon| !before.contains(daemon));
    let starts = before.iter().filter(|daemon| !now.contains(daemon));
    (
        stops
            .map(|daemon| Command::StopDaemon(daemon.role))
            .collect(),
        starts.cloned().map(Command::StartDaemon).collect(),
    )
}

/// What removes every addition that was not refused, the last one first; `None` when the commands do more
/// than add. Unlike the table of before it leaves alone what others change meanwhile.
fn opposites(commands: &[Command], refused: &[Refused]) -> Option<Vec<Command>> {
    let mut refused = refused.iter().map(|one| one.index).rev().peekable();
    let mut back = Vec::new();
    for (index, command) in commands.iter().enumerate().rev() {
        let opposite = match command {
            Command::CreateService(service) => Command::DeleteService(service.key),
            Command::AddDestination(key, destination) => {
                Command::DeleteDestination(*key, destination.key())
            }
            _ => return None,
        };
        if refused.next_if_eq(&index).is_none() {
            back.push(opposite);
        }
    }
    Some(back)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvsadm::{command_line, parse_rules};

    fn daemons(rules: &str) -> Vec<Daemon> {
        let daemon = |command| match command {
            Command::StartDaemon(daemon) => daemon,
            other => panic!("{other:?}"),
        };
        parse_rules(rules)
            .unwrap()
            .into_iter()
            .map(daemon)
            .collect()
    }

    #[test]
    fn daemons_that_changed_are_stopped_and_started_as_before() {
        const MASTER: &str = "--start-daemon master --mcast-interface eth0 --syncid 1";
        const OTHER: &str = "--start-daemon master --mcast-interface eth0 --syncid 2";
        const BACKUP: &str = "--start-daemon backup --mcast-interface eth0 --syncid 1";
        let back = |now: &[&str], before: &[&str]| {
            let (stops, starts) =
                daemon_changes(&daemons(&now.join("\n")), &daemons(&before.join("\n")));
            let lines: Vec<String> = stops.iter().chain(&starts).map(command_line).collect();
            lines
        };
        let typed = |lines: &[&str]| -> Vec<String> {
            lines.iter().map(|line| format!("ipvsadm {line}")).collect()
        };
        assert_eq!(back(&[MASTER, BACKUP], &[MASTER, BACKUP]), typed(&[]));
        assert_eq!(
            back(&[MASTER], &[BACKUP]),
            typed(&["--stop-daemon master", BACKUP])
        );
        assert_eq!(
            back(&[OTHER, BACKUP], &[MASTER, BACKUP]),
            typed(&["--stop-daemon master", MASTER])
        );
    }

    #[test]
    fn only_additions_have_opposites() {
        let adds = "-A -t 10.0.0.1:80\n-a -t 10.0.0.1:80 -r 10.1.0.1\n";
        let back = opposites(&parse_rules(adds).unwrap(), &[]).unwrap();
        let lines: Vec<String> = back.iter().map(command_line).collect();
        assert_eq!(
            lines,
            [
                "ipvsadm -d -t 10.0.0.1:80 -r 10.1.0.1:80",
                "ipvsadm -D -t 10.0.0.1:80"
            ]
        );
        let more = format!("--set 1 2 3\n{adds}");
        assert_eq!(opposites(&parse_rules(&more).unwrap(), &[]), None);
    }
}
