//! Starting the sandbox of a lab.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::accelerator::Accelerator;
use super::addresses::{MOST_HOSTS, management_address};
use super::binary::Binary;
use super::bring_up::{How, Plan, SUBJECT, Waiting};
use super::control::Request;
use super::description::{Description, GuestHost};
use super::error::{RequestError, SandboxError};
use super::files::Files;
use super::freshness::{freshness, now};
use super::identity::image_build;
use super::keys::SandboxKeys;
use super::layout::Layout;
use super::machine::{Qemu, Size};
use super::record::{HostRecord, Record, Schema};
use super::{image::Image, leftovers, lock};
use crate::model::{Lab, LabId};
use crate::sys::dirs::Dirs;
use crate::sys::elapsed::in_seconds;
use crate::sys::progress::Progress;

/// What to start.
#[derive(Debug, Clone, Copy)]
pub struct StartRequest<'a> {
    /// The lab whose hosts are wanted.
    pub lab: &'a Lab,
    /// Where state and cache are.
    pub dirs: &'a Dirs,
    /// What the machine boots from.
    pub image: &'a Image,
    /// Whether the factory-new hosts come without httpd (it can be installed from the image's repository).
    pub without_httpd: bool,
    /// Hardware virtualisation or emulation; otherwise `LVSLAB_ACCELERATOR` or trying decides.
    pub accelerator: Option<Accelerator>,
    /// Longest wait for each of: another lvslab, the guest's boot, its hosts.
    pub timeout: Duration,
}

/// A sandbox whose hosts accept logins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// What it took.
    pub how: How,
    /// What runs the guest.
    pub accelerator: Accelerator,
    /// How long it took.
    pub elapsed: Duration,
    /// `ssh -F` this.
    pub ssh_config: PathBuf,
}

/// Starts the sandbox of a lab, unless it runs already.
///
/// Blocks until all hosts accept logins. The machine outlives this process.
///
/// # Errors
/// [`RequestError::OtherShape`] when it runs with other machines or wires. After any other error nothing of it is left.
pub fn start(request: &StartRequest<'_>, progress: &dyn Progress) -> Result<Started, SandboxError> {
    let began = Instant::now();
    let layout = Layout::of(request.lab);
    if layout.hosts.len() > MOST_HOSTS {
        return Err(RequestError::TooManyHosts {
            hosts: layout.hosts.len(),
            most: MOST_HOSTS,
        }
        .into());
    }
    let name = request.lab.id();
    let files = Files::of(request.dirs, name);
    let _lock = lock::lab(request.dirs, name, request.timeout)?;
    files.create()?;
    let started = |how, accelerator| Started {
        how,
        accelerator,
        elapsed: began.elapsed(),
        ssh_config: files.ssh_config(),
    };
    if let Some(record) = running(&files, progress)? {
        return match record.layout.difference(&layout) {
            None => {
                let started = started(How::AlreadyRunning, record.identity.accelerator);
                progress.finished(SUBJECT, "running");
                Ok(started)
            }
            Some(difference) => Err(RequestError::OtherShape {
                lab: name.clone(),
                difference,
            }
            .into()),
        };
    }
    match bring_up(request, &layout, &files, progress) {
        Ok((how, accelerator)) => {
            let started = started(how, accelerator);
            progress.finished(SUBJECT, &started.summary(layout.hosts.len()));
            Ok(started)
        }
        Err(error) => {
            // An error of the clean-up would hide the one that matters.
            let _ = leftovers::clear(&files);
            Err(error)
        }
    }
}

/// The sandbox that runs already. One whose sockets are gone is ended, so that a new one can start.
fn running(files: &Files, progress: &dyn Progress) -> Result<Option<Record>, SandboxError> {
    match leftovers::running(files) {
        Err(error @ SandboxError::SocketsGone { .. }) => {
            progress.note(SUBJECT, &format!("{error}: it is ended and started anew"));
            leftovers::clear(files)?;
            Ok(None)
        }
        found => Ok(found?.map(|(record, _)| record)),
    }
}

impl Started {
    /// `restored in 0.4 s, 4 hosts`.
    #[must_use]
    pub fn summary(&self, hosts: usize) -> String {
        let elapsed = in_seconds(self.elapsed);
        match self.how {
            How::AlreadyRunning => format!("running, {hosts} hosts"),
            How::Restored => format!("restored in {elapsed}, {hosts} hosts"),
            How::Booted => format!("booted in {elapsed}, {hosts} hosts"),
        }
    }
}

fn bring_up(
    request: &StartRequest<'_>,
    layout: &Layout,
    files: &Files,
    progress: &dyn Progress,
) -> Result<(How, Accelerator), SandboxError> {
    let qemu = Qemu::installed(request.dirs)?;
    let binary = Binary::running()?;
    let plan = Plan {
        dirs: request.dirs,
        image: request.image,
        image_build: image_build(request.image)?,
        qemu: &qemu,
        binary: &binary,
        files,
        name: machine_name(request.lab.id()),
        hosts: layout.hosts.len(),
        size: Size::for_hosts(layout.hosts.len()),
        limit: request.timeout,
    };
    let waiting = plan.bring_up(request.accelerator, progress)?;
    progress.doing(SUBJECT, &format!("starting {} hosts", layout.hosts.len()));
    let outcome = populate(request, layout, files, &waiting);
    if outcome.is_err() {
        waiting.machine.end()?;
    }
    outcome.map(|()| (waiting.how, waiting.identity.accelerator))
}

/// Gives the machine the lab's hosts, with new keys, and writes down how to reach them.
fn populate(
    request: &StartRequest<'_>,
    layout: &Layout,
    files: &Files,
    waiting: &Waiting,
) -> Result<(), SandboxError> {
    let lab = request.lab.id();
    let keys = SandboxKeys::generate(lab, layout.hosts.iter().map(|host| &host.name))?;
    let mut guests = Vec::new();
    let mut records = Vec::new();
    let hosts = layout.hosts.iter().zip(&waiting.ports).zip(keys.hosts);
    for (number, ((host, &port), key)) in hosts.enumerate() {
        let management = management_address(number);
        guests.push(GuestHost {
            name: host.name.clone(),
            management,
            host_key: key.private,
            without_httpd: request.without_httpd,
            interfaces: host.interfaces.clone(),
            hosts_file: host.neighbours.clone(),
        });
        records.push(HostRecord {
            name: host.name.clone(),
            management,
            port,
            host_key: key.public,
        });
    }
    let fresh = freshness()?;
    let description = Description {
        clock: fresh.clock,
        seed_base64: fresh.seed_base64,
        segments: layout.segments,
        authorized_key: keys.person.public.clone(),
        hosts: guests,
    };
    waiting.machine.ask(
        Request::Start(Box::new(description)),
        request.timeout,
        "starting its hosts",
    )?;
    let record = Record {
        schema: Schema::Sandbox1,
        lab: lab.clone(),
        layout: layout.clone(),
        runtime: files.runtime.clone(),
        hosts: records,
        identity: waiting.identity.clone(),
        started: now().as_secs(),
    };
    record.write(files, &keys.person.private)
}

/// What `ps` calls the machine.
pub fn machine_name(lab: &LabId) -> String {
    format!("lvslab-{lab}")
}
