//! This machine, as the rules for changes need it.

use std::io;
use std::process::{ChildStdin, Command, Stdio};

use crate::agent::change::journal::Item;
use crate::agent::change::machine::{Applied, GuardStart, Machine};
use crate::agent::protocol::ResourceError;
use crate::agent::protocol::error::because;
use crate::agent::system::root::Root;
use crate::agent::system::ssh_connection::SshConnection;
use crate::ipvs::Client;
use crate::resource::{Observed, Resource, SelinuxMode, ServiceState};

use super::network::Network;
use super::{file, firewalld, ipvs, package, selinux, service, sysctl};

/// This machine. What it needs of the kernel is opened when it is first needed.
#[derive(Debug)]
pub(in crate::agent) struct Local {
    root: Root,
    ssh: Option<SshConnection>,
    network: Option<Network>,
    ipvs: Option<Client>,
}

impl Local {
    /// The machine under `root`, reached over `ssh`.
    pub(in crate::agent) fn new(root: Root, ssh: Option<SshConnection>) -> Self {
        Self {
            root,
            ssh,
            network: None,
            ipvs: None,
        }
    }

    /// Its root directory.
    pub(in crate::agent) fn root(&self) -> &Root {
        &self.root
    }

    /// The SSH connection that carries the agent.
    pub(in crate::agent) fn ssh(&self) -> Option<SshConnection> {
        self.ssh
    }

    /// Its network.
    pub(in crate::agent) fn network(&mut self) -> Result<&Network, ResourceError> {
        match &mut self.network {
            Some(network) => Ok(network),
            empty => Ok(empty.insert(Network::open(self.ssh)?)),
        }
    }

    /// Its IPVS.
    pub(in crate::agent) fn ipvs(&mut self) -> Result<&Client, ResourceError> {
        match &mut self.ipvs {
            Some(client) => Ok(client),
            empty => Ok(empty.insert(ipvs::open()?)),
        }
    }
}

impl Machine for Local {
    fn observe(&mut self, resource: &Resource) -> Result<Observed, ResourceError> {
        Ok(match resource {
            Resource::Package(p) => Observed::Package {
                version: package::observe(&self.root, &p.name)?,
            },
            Resource::File(f) => Observed::File {
                state: file::observe(&self.root, &f.path)?,
            },
            Resource::Sysctl(s) => Observed::Sysctl {
                value: sysctl::observe(&self.root, &s.key)?,
            },
            Resource::Link(l) => Observed::Link {
                up: self.network()?.link_up(&l.interface)?,
            },
            Resource::Address(a) => Observed::Address {
                occurrences: self.network()?.occurrences(a)?,
            },
            Resource::DefaultRoute(d) => Observed::DefaultRoute {
                routes: self.network()?.default_routes(d.via)?,
            },
            Resource::Service(s) => Observed::Service {
                state: service::observe(&self.root, &s.name)?,
            },
            Resource::Firewall(_) => Observed::Firewall {
                zone: firewalld::observe(&self.root)?,
            },
            Resource::Selinux(_) => {
                let (live, configured) = selinux::observe(&self.root)?;
                Observed::Selinux { live, configured }
            }
            Resource::Ipvs(i) => Observed::Ipvs {
                status: ipvs::observe(self.ipvs()?, i.service.key)?,
            },
        })
    }

    fn side_effects(&mut self, resource: &Resource) -> Result<Vec<Item>, ResourceError> {
        match resource {
            Resource::File(f) => file::side_effects(&self.root, &f.path),
            Resource::Sysctl(s) => sysctl::side_effects(&self.root, &s.key),
            _ => Ok(Vec::new()),
        }
    }

    fn apply(
        &mut self,
        resource: &Resource,
        observed: &Observed,
    ) -> Result<Applied, ResourceError> {
        let mut applied = Applied::default();
        match (resource, observed) {
            (Resource::Package(p), _) => applied.installed = package::install(&self.root, &p.name)?,
            (Resource::File(f), Observed::File { state }) => {
                file::apply(&self.root, f, state.as_ref())?;
            }
            (Resource::Sysctl(s), _) => sysctl::set(&self.root, &s.key, &s.value)?,
            (Resource::Link(l), _) => self.network()?.set_link(&l.interface, true)?,
            (Resource::Address(a), Observed::Address { occurrences }) => {
                self.network()?.set_address(a, occurrences)?;
            }
            (Resource::DefaultRoute(d), Observed::DefaultRoute { routes }) => {
                self.network()?.set_default_route(d, routes)?;
            }
            (Resource::Service(s), Observed::Service { state }) => {
                let wanted = ServiceState {
                    running: s.running,
                    enabled: s.enabled,
                    masked: false,
                };
                service::set(&self.root, &s.name, *state, wanted)?;
            }
            (Resource::Firewall(f), _) => firewalld::set(&f.zone)?,
            (Resource::Selinux(s), Observed::Selinux { live, configured }) => {
                // A mode that is lax enough already stays what it is.
                let stricter = |mode: &Option<SelinuxMode>| {
                    let enforces = *mode == Some(SelinuxMode::Enforcing);
                    (enforces || s.mode == SelinuxMode::Enforcing).then_some(s.mode)
                };
                selinux::set(&self.root, stricter(live), stricter(configured))?;
            }
            (Resource::Ipvs(i), Observed::Ipvs { status }) => {
                ipvs::converge(self.ipvs()?, &i.service, &i.destinations, status.as_ref())?;
            }
            (resource, _) => return Err(of_another_kind(resource)),
        }
        Ok(applied)
    }

    fn restore(
        &mut self,
        resource: &Resource,
        before: &Observed,
        now: &Observed,
    ) -> Result<(), ResourceError> {
        match (resource, before, now) {
            // Only a purge removes packages.
            (Resource::Package(_), _, _) => Ok(()),
            (Resource::File(f), Observed::File { state }, _) => {
                file::restore(&self.root, &f.path, state.as_ref())
            }
            (Resource::Sysctl(s), Observed::Sysctl { value: Some(value) }, _) => {
                sysctl::set(&self.root, &s.key, value)
            }
            (Resource::Link(l), Observed::Link { up: Some(up) }, _) => {
                self.network()?.set_link(&l.interface, *up)
            }
            (
                Resource::Address(_),
                Observed::Address { occurrences },
                Observed::Address { occurrences: now },
            ) => self.network()?.restore_addresses(occurrences, now),
            (
                Resource::DefaultRoute(d),
                Observed::DefaultRoute { routes },
                Observed::DefaultRoute { routes: now },
            ) => self.network()?.restore_default_routes(d.via, routes, now),
            (
                Resource::Service(s),
                Observed::Service { state },
                Observed::Service { state: now },
            ) => service::set(&self.root, &s.name, *now, state.unwrap_or_default()),
            (Resource::Firewall(_), Observed::Firewall { zone: Some(zone) }, _) => {
                firewalld::set(zone)
            }
            (Resource::Selinux(_), Observed::Selinux { live, configured }, _) => {
                selinux::set(&self.root, *live, *configured)
            }
            (Resource::Ipvs(i), Observed::Ipvs { status }, Observed::Ipvs { status: now }) => {
                ipvs::restore(self.ipvs()?, i.service.key, status.as_ref(), now.as_ref())
            }
            (resource, _, _) => Err(of_another_kind(resource)),
        }
    }

    fn remove_directory(&mut self, path: &str) -> Result<bool, ResourceError> {
        file::remove_directory(&self.root, path)
    }

    fn restart(&mut self, service: &str) -> Result<(), ResourceError> {
        service::restart(&self.root, service)
    }

    fn start_guard(&mut self, start: GuardStart<'_>) -> io::Result<Option<ChildStdin>> {
        let seconds = start.seconds.to_string();
        let guard = Command::new("/proc/self/exe")
            .args(["guard", start.lab.as_str(), start.run, &seconds])
            .current_dir("/")
            .stdin(Stdio::piped())
            // None of the session's own streams: the session would not end before the guard does. A guard writes
            // nothing, so its standard output carries the lock.
            .stdout(start.alive)
            .stderr(Stdio::null())
            .spawn()?;
        Ok(guard.stdin)
    }

    fn purge(&mut self, package: &str, installed: &[String]) -> Result<(), ResourceError> {
        package::purge(&self.root, package, installed)
    }
}

fn of_another_kind(resource: &Resource) -> ResourceError {
    because(format!(
        "what is noted of {} is of another kind",
        resource.id()
    ))
}
