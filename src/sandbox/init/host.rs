//! One lab host as PID 1 of the machine sees it: a disk, and the system that runs on it between power-on and power-off.
//!
//! Namespaces, mounts and the management interface are the same for every host. So the saved machine has a few spare
//! hosts with all of that, and a start only has to tell them who they are.

use std::fs::File;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::assignment::Assignment;
use super::disk::Disk;
use super::early::{BASE, HTTPD};
use super::line::{self, Heard, Line, PLUGGED};
use super::wires::{Bridges, Cables};
use super::{Failure, LAYER, While, cgroups, inside, log, login_keys, namespaces};
use crate::netlink::route::RouteSocket;
use crate::sandbox::addresses::management_address;
use crate::sandbox::control::{GuestState, GuestStatus};
use crate::sandbox::description::GuestHost;
use crate::sandbox::system::System;
use nix::unistd::Pid;

/// How long a host may take to shut down before it is switched off.
pub const SHUTDOWN_LIMIT: Duration = Duration::from_secs(30);

/// What a host comes with from the factory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Make {
    /// What it runs.
    pub system: System,
    /// Whether httpd is installed.
    pub httpd: bool,
}

impl Make {
    fn layers(self) -> &'static [&'static str] {
        if self.httpd {
            &[LAYER, HTTPD, BASE]
        } else {
            &[LAYER, BASE]
        }
    }
}

/// One host.
#[derive(Debug)]
pub struct Host {
    number: usize,
    make: Make,
    disk: Disk,
    /// `None`: a spare.
    assignment: Option<Assignment>,
    /// How often it was switched on.
    boots: u32,
    running: Option<Running>,
}

/// A host that is switched on.
#[derive(Debug)]
struct Running {
    init: Pid,
    line: Line,
    /// Different for every boot of every host.
    tag: String,
    network: File,
    cables: Cables,
    since: Instant,
    stage: Stage,
}

#[derive(Debug, PartialEq)]
enum Stage {
    Booting,
    Waiting,
    Up,
    Stopping { since: Instant },
}

/// What has become of a host.
#[derive(Debug, PartialEq)]
pub enum News {
    /// It waits for its assignment.
    Waiting,
    /// It accepts logins.
    Up,
    /// It cannot come up.
    Failed(String),
    /// [`Host::line`] is another descriptor from now on.
    HandedOver,
    /// Nothing new.
    Nothing,
}

impl Host {
    /// A spare host with a factory-new disk, switched off.
    pub fn spare(number: usize, make: Make) -> Result<Self, Failure> {
        Ok(Self {
            number,
            make,
            disk: Disk::new(number, make.layers())?,
            assignment: None,
            boots: 0,
            running: None,
        })
    }

    /// Its name; a spare has none.
    pub fn name(&self) -> &str {
        self.assignment
            .as_ref()
            .map_or("a spare host", |assignment| assignment.host.name.as_str())
    }

    /// Whether this spare can become `host`.
    pub fn can_become(&self, host: &GuestHost) -> bool {
        self.assignment.is_none()
            && self.make.httpd != host.without_httpd
            && host.management == management_address(self.number)
    }

    /// Whether it is a spare that waits for its assignment.
    pub fn is_waiting(&self) -> bool {
        self.running
            .as_ref()
            .is_some_and(|running| running.stage == Stage::Waiting)
    }

    /// Its init, when it is switched on.
    pub fn init(&self) -> Option<Pid> {
        self.running.as_ref().map(|running| running.init)
    }

    /// The line to its first process, when it is switched on.
    pub fn line(&self) -> Option<&Line> {
        self.running.as_ref().map(|running| &running.line)
    }

    /// What it is doing; `None` for a spare.
    pub fn status(&self) -> Option<GuestStatus> {
        let name = self.assignment.as_ref()?.host.name.clone();
        let (state, uptime_seconds) = match &self.running {
            None => (GuestState::Off, 0),
            Some(running) => match running.stage {
                Stage::Booting | Stage::Waiting => (GuestState::Booting, 0),
                Stage::Up => (GuestState::Up, running.since.elapsed().as_secs()),
                Stage::Stopping { .. } => (GuestState::Stopping, 0),
            },
        };
        Some(GuestStatus {
            name,
            state,
            uptime_seconds,
        })
    }

    /// Switches it on: new namespaces, its own disk, its cables. An assigned host boots; a spare waits for its
    /// assignment.
    pub fn switch_on(&mut self, route: &RouteSocket, bridges: &Bridges) -> Result<(), Failure> {
        let (line, inner_line) = Line::pair()?;
        self.boots += 1;
        let tag = format!("h{}.{}", self.number, self.boots);
        let Some(init) = namespaces::clone_into()? else {
            inside::run(inside::Start {
                management: management_address(self.number),
                root: &self.disk.root(),
                system: self.make.system,
                tag: &tag,
                line: inner_line,
            })
        };
        drop(inner_line);
        let plugged = File::open(format!("/proc/{init}/ns/net"))
            .during("open the host's network namespace")
            .and_then(|network| {
                let address = management_address(self.number);
                let cables =
                    Cables::plug_management(route, bridges, address, network.as_fd(), &tag)?;
                line.tell(PLUGGED)?;
                Ok((network, cables))
            });
        let (network, cables) = plugged.inspect_err(|_| line::cut_power(init))?;
        self.running = Some(Running {
            init,
            line,
            tag,
            network,
            cables,
            since: Instant::now(),
            stage: Stage::Booting,
        });
        self.tell_assignment(route, bridges)
    }

    /// Makes a running spare the host it will be from now on.
    pub fn assign(
        &mut self,
        host: GuestHost,
        authorized_key: &str,
        route: &RouteSocket,
        bridges: &Bridges,
    ) -> Result<(), Failure> {
        self.assignment = Some(Assignment {
            host,
            authorized_key: authorized_key.to_owned(),
            factory_new: true,
        });
        if let Some(running) = &mut self.running {
            running.since = Instant::now();
            running.stage = Stage::Booting;
        }
        self.tell_assignment(route, bridges)
    }

    /// Changes its keys. Open logins stay.
    pub fn change_keys(&mut self, host_key: &str, authorized_key: &str) -> Result<(), Failure> {
        let Some(assignment) = &mut self.assignment else {
            return Ok(());
        };
        let before = &assignment.authorized_key;
        login_keys::write(&self.disk.root(), host_key, authorized_key, before)?;
        host_key.clone_into(&mut assignment.host.host_key);
        authorized_key.clone_into(&mut assignment.authorized_key);
        Ok(())
    }

    fn tell_assignment(&mut self, route: &RouteSocket, bridges: &Bridges) -> Result<(), Failure> {
        let (Some(assignment), Some(running)) = (&mut self.assignment, &mut self.running) else {
            return Ok(());
        };
        running.cables.plug_lab(
            route,
            bridges,
            &assignment.host.interfaces,
            running.network.as_fd(),
        )?;
        let message = serde_json::to_vec(assignment)
            .map_err(std::io::Error::other)
            .during("write down an assignment")?;
        running.line.tell(&message)?;
        assignment.factory_new = false;
        Ok(())
    }

    /// Hears what its first process says.
    pub fn listen(&mut self) -> News {
        let Some(running) = &mut self.running else {
            return News::Nothing;
        };
        match running.line.listen() {
            Heard::Waiting => {
                if self.assignment.is_none() {
                    running.stage = Stage::Waiting;
                }
                News::Waiting
            }
            // A host that was told to shut down in the meantime does not count as up.
            Heard::Up if running.stage == Stage::Booting => {
                running.stage = Stage::Up;
                News::Up
            }
            Heard::Failed(cause) => News::Failed(cause),
            Heard::HandedOver => News::HandedOver,
            Heard::Up | Heard::Nothing => News::Nothing,
        }
    }

    /// Asks it to shut down; [`Host::exited`] is called when it has.
    pub fn shut_down(&mut self) -> Result<(), Failure> {
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        running.stage = Stage::Stopping {
            since: Instant::now(),
        };
        running.line.shut_down(running.init)
    }

    /// Switches it off if its shutdown takes too long.
    pub fn insist(&self, now: Instant) {
        if let Some(Running {
            init,
            stage: Stage::Stopping { since },
            ..
        }) = &self.running
            && now.duration_since(*since) > SHUTDOWN_LIMIT
        {
            log(&format!(
                "{} does not shut down, switching it off",
                self.name()
            ));
            line::cut_power(*init);
        }
    }

    /// Its init ended; takes the cables out and tells whether it was being stopped for a reboot.
    pub fn exited(&mut self, route: &RouteSocket) -> bool {
        let Some(running) = self.running.take() else {
            return false;
        };
        running.cables.pull(route);
        cgroups::remove(&running.tag);
        matches!(running.stage, Stage::Stopping { .. })
    }

    /// Switches an unused spare off for good.
    pub fn discard(mut self, route: &RouteSocket) {
        if let Some(running) = self.running.take() {
            line::cut_power(running.init);
            running.cables.pull(route);
        }
        self.disk.discard();
    }
}
