//! The machine's life after boot: one loop that serves requests and looks after the hosts.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::early::Base;
use super::host::{Host, Make, News};
use super::port::Port;
use super::timestamps::Timestamps;
use super::wires::Bridges;
use super::{Failure, While, freshness, log};
use crate::netlink::route::RouteSocket;
use crate::sandbox::control::{NewKeys, Reply, Request};
use crate::sandbox::description::{Description, GuestHost};
use crate::sandbox::system::System;

const PORT: u64 = 0;
const SIGNALS: u64 = 1;
const FIRST_HOST: u64 = 2;

/// How many hosts are made before the machine's state is saved: those of the usual lab.
const SPARES: usize = 4;

/// How often slow shutdowns are looked at.
const TICK: Duration = Duration::from_millis(500);

/// Everything PID 1 knows.
#[derive(Debug)]
pub struct Guest {
    epoll: Epoll,
    signals: SignalFd,
    port: Port,
    route: RouteSocket,
    _timestamps: Timestamps,
    bridges: Bridges,
    system: System,
    /// Spares, until the lab's hosts are known.
    hosts: Vec<Host>,
    started: bool,
    waiting: Vec<Waiting>,
}

/// A request that is answered when hosts have reached a state.
#[derive(Debug)]
struct Waiting {
    id: u64,
    /// Numbers of the hosts that have not reached it.
    hosts: Vec<usize>,
    wanted: News,
    answer: Reply,
}

impl Guest {
    /// Takes over from [`super::early`].
    pub fn new(base: Base) -> Result<Self, Failure> {
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGCHLD);
        mask.thread_block().during("block SIGCHLD")?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = SignalFd::with_flags(&mask, flags).during("make a signal descriptor")?;
        let port = Port::open()?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).during("make an epoll")?;
        // Edge-triggered: without a controller the port reports its hang-up for ever.
        let edge = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        epoll
            .add(&port, EpollEvent::new(edge, PORT))
            .during("watch the port")?;
        epoll
            .add(&signals, EpollEvent::new(EpollFlags::EPOLLIN, SIGNALS))
            .during("watch signals")?;
        let mut guest = Self {
            epoll,
            signals,
            port,
            route: base.route,
            _timestamps: base.timestamps,
            bridges: Bridges {
                management: base.management_bridge,
                segments: Vec::new(),
            },
            system: base.system,
            hosts: Vec::new(),
            started: false,
            waiting: Vec::new(),
        };
        for number in 0..SPARES {
            let make = Make {
                system: guest.system,
                httpd: true,
            };
            guest.hosts.push(Host::spare(number, make)?);
            guest.switch_on(number)?;
        }
        Ok(guest)
    }

    /// For ever.
    pub fn serve(mut self) -> Result<Infallible, Failure> {
        loop {
            let mut events = [EpollEvent::empty(); 32];
            let tick = EpollTimeout::try_from(TICK).unwrap_or(EpollTimeout::NONE);
            let count = match self.epoll.wait(&mut events, tick) {
                Ok(count) => count,
                Err(nix::Error::EINTR) => 0,
                Err(errno) => return Err(Failure(format!("wait for events: {errno}"))),
            };
            for event in &events[..count] {
                match event.data() {
                    PORT => {}
                    SIGNALS => while let Ok(Some(_)) = self.signals.read_signal() {},
                    host => self.listen_to((host - FIRST_HOST) as usize),
                }
            }
            // Read after every event: the edge may have been reported before all bytes were there.
            for request in self.port.requests() {
                self.serve_request(request.id, request.body);
            }
            self.reap();
            let now = Instant::now();
            for host in &self.hosts {
                host.insist(now);
            }
        }
    }

    fn serve_request(&mut self, id: u64, request: Request) {
        let done = match request {
            Request::Ready => Ok(self.ready(id)),
            Request::Status => Ok(Some(Reply::Status {
                hosts: self.hosts.iter().filter_map(Host::status).collect(),
            })),
            Request::Start(description) => self.start(id, *description),
            Request::Reboot { host } => self.reboot(id, host.as_str()),
            Request::Refresh { fresh, keys } => freshness::apply(fresh.clock, &fresh.seed_base64)
                .and_then(|()| self.change_keys(&keys))
                .map(|()| self.end_orphaned_sessions())
                .map(|()| Some(Reply::Refreshed)),
        };
        match done {
            Ok(Some(reply)) => self.port.answer(id, reply),
            Ok(None) => {}
            Err(Failure(cause)) => {
                log(&cause);
                self.port.answer(id, Reply::Failed { cause });
            }
        }
    }

    /// Answers once every spare waits, so that no unfinished one is saved.
    fn ready(&mut self, id: u64) -> Option<Reply> {
        let hosts: Vec<usize> = (0..self.hosts.len())
            .filter(|&number| !self.hosts[number].is_waiting())
            .collect();
        if self.started || hosts.is_empty() {
            return Some(Reply::Ready);
        }
        self.waiting.push(Waiting {
            id,
            hosts,
            wanted: News::Waiting,
            answer: Reply::Ready,
        });
        None
    }

    fn start(&mut self, id: u64, description: Description) -> Result<Option<Reply>, Failure> {
        if self.started {
            return Err(Failure("this machine already has its hosts".to_owned()));
        }
        self.started = true;
        // Before anything makes or uses a key.
        freshness::apply(description.clock, &description.seed_base64)?;
        self.bridges
            .add_segments(&self.route, description.segments)?;
        while self.hosts.len() > description.hosts.len() {
            if let Some(spare) = self.hosts.pop() {
                spare.discard(&self.route);
            }
        }
        for (number, wanted) in description.hosts.into_iter().enumerate() {
            self.make_spare_for(number, &wanted)?;
            self.hosts[number].assign(
                wanted,
                &description.authorized_key,
                &self.route,
                &self.bridges,
            )?;
        }
        self.waiting.push(Waiting {
            id,
            hosts: (0..self.hosts.len()).collect(),
            wanted: News::Up,
            answer: Reply::Started,
        });
        Ok(None)
    }

    /// Makes the host with this number a running spare that can become `wanted`, unless it is one.
    fn make_spare_for(&mut self, number: usize, wanted: &GuestHost) -> Result<(), Failure> {
        if self
            .hosts
            .get(number)
            .is_some_and(|spare| spare.init().is_some() && spare.can_become(wanted))
        {
            return Ok(());
        }
        let make = Make {
            system: self.system,
            httpd: !wanted.without_httpd,
        };
        if number < self.hosts.len() {
            // Its disk has the same place, so it must go first.
            self.hosts.remove(number).discard(&self.route);
            self.hosts.insert(number, Host::spare(number, make)?);
        } else {
            self.hosts.push(Host::spare(number, make)?);
        }
        if !self.hosts[number].can_become(wanted) {
            return Err(Failure(format!(
                "host {number} cannot have the management address {}",
                wanted.management
            )));
        }
        self.switch_on(number)
    }

    fn change_keys(&mut self, keys: &NewKeys) -> Result<(), Failure> {
        for (host, key) in self.hosts.iter_mut().zip(&keys.host_keys) {
            host.change_keys(key, &keys.authorized_key)?;
        }
        Ok(())
    }

    fn reboot(&mut self, id: u64, name: &str) -> Result<Option<Reply>, Failure> {
        let number = self
            .hosts
            .iter()
            .position(|host| host.name() == name)
            .ok_or_else(|| Failure(format!("there is no host {name}")))?;
        if self.hosts[number].init().is_some() {
            self.hosts[number].shut_down()?;
        } else {
            self.switch_on(number)?;
        }
        self.waiting.push(Waiting {
            id,
            hosts: vec![number],
            wanted: News::Up,
            answer: Reply::Rebooted,
        });
        Ok(None)
    }

    fn switch_on(&mut self, number: usize) -> Result<(), Failure> {
        self.hosts[number].switch_on(&self.route, &self.bridges)?;
        self.watch(number)
    }

    /// Waits for messages on the host's line. Closing the former line removed it from the epoll.
    fn watch(&self, number: usize) -> Result<(), Failure> {
        let Some(line) = self.hosts[number].line() else {
            return Ok(());
        };
        let event = EpollEvent::new(EpollFlags::EPOLLIN, FIRST_HOST + number as u64);
        self.epoll.add(line, event).during("watch a host's line")
    }

    fn listen_to(&mut self, number: usize) {
        let Some(host) = self.hosts.get_mut(number) else {
            return;
        };
        match host.listen() {
            News::Nothing => {}
            News::HandedOver => {
                if let Err(Failure(cause)) = self.watch(number) {
                    self.gave_up(number, &cause);
                }
            }
            News::Failed(cause) => {
                let cause = format!("{} did not come up: {cause}", host.name());
                self.gave_up(number, &cause);
            }
            news @ (News::Waiting | News::Up) => self.has_come_to(number, &news),
        }
    }

    fn has_come_to(&mut self, number: usize, news: &News) {
        for waiting in &mut self.waiting {
            if waiting.wanted == *news {
                waiting.hosts.retain(|&other| other != number);
            }
        }
        let port = &mut self.port;
        self.waiting.retain(|waiting| {
            let done = waiting.hosts.is_empty();
            if done {
                port.answer(waiting.id, waiting.answer.clone());
            }
            !done
        });
    }

    fn gave_up(&mut self, number: usize, cause: &str) {
        log(cause);
        let port = &mut self.port;
        self.waiting.retain(|waiting| {
            let concerned = waiting.hosts.contains(&number);
            if concerned {
                let cause = cause.to_owned();
                port.answer(waiting.id, Reply::Failed { cause });
            }
            !concerned
        });
    }

    fn reap(&mut self) {
        loop {
            let (pid, how) = match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, How::Exit(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, How::Signal(signal)),
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(_) => continue,
            };
            if let Some(number) = self.hosts.iter().position(|host| host.init() == Some(pid)) {
                self.ended(number, how);
            }
        }
    }

    /// A host's init ended. reboot(2) from inside a pid namespace ends its init with SIGHUP for a restart
    /// and SIGINT for a power-off.
    fn ended(&mut self, number: usize, how: How) {
        // Its last message, before the line closes.
        self.listen_to(number);
        let host = &mut self.hosts[number];
        let stopping = host.exited(&self.route);
        let name = host.name().to_owned();
        if stopping || how == How::Signal(Signal::SIGHUP) {
            if let Err(Failure(cause)) = self.switch_on(number) {
                self.gave_up(number, &format!("{name} did not start again: {cause}"));
            }
        } else {
            self.gave_up(number, &format!("{name} is off ({how:?})"));
        }
    }

    /// After a restore the other ends of the SSH connections are gone, and the hosts would never notice.
    fn end_orphaned_sessions(&self) {
        let inits: Vec<Pid> = self.hosts.iter().filter_map(Host::init).collect();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            if is_login_of(&stat, &inits) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            }
        }
    }
}

/// How a host's init ended.
#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    Exit(i32),
    Signal(Signal),
}

/// Whether `/proc/PID/stat` is an sshd that one of `inits` started.
fn is_login_of(stat: &str, inits: &[Pid]) -> bool {
    let Some((head, tail)) = stat.rsplit_once(')') else {
        return false;
    };
    let parent = tail
        .split_whitespace()
        .nth(1)
        .and_then(|text| text.parse().ok());
    head.ends_with("(sshd") && parent.is_some_and(|parent| inits.contains(&Pid::from_raw(parent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_sshd_started_by_a_hosts_init_is_a_login() {
        let inits = [Pid::from_raw(70), Pid::from_raw(71)];
        assert!(is_login_of("812 (sshd) S 71 812 812 0 -1", &inits));
        assert!(!is_login_of("813 (sshd) S 812 812 812 0 -1", &inits));
        assert!(!is_login_of("900 (apache2) S 71 900 900 0 -1", &inits));
        assert!(!is_login_of("", &inits));
    }
}
