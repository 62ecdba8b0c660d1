//! `lvslab sandbox …`.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::deployment::sandbox::{Consent, Starting, prepare_image, start, stop};
use crate::deployment::{DeploymentError, blocking, disconnect};
use crate::labs::{self, LabOption, LabsError, Selection};
use crate::model::HostName;
use crate::sandbox::control::GuestState;
use crate::sandbox::{self, HostStatus, RestoreRequest, Status, System};
use crate::sys::elapsed::{in_large_units, in_seconds};

use super::{Answer, CommandError, Context};

/// Prepare, start and look after the sandbox
#[derive(Debug, clap::Args)]
pub struct Sandbox {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Get the kernel and the system that sandbox hosts run, once
    Prepare(Prepare),
    /// Start a lab's hosts as factory-new machines, without configuring them
    Start(Start),
    /// Stop a lab's hosts; what was on them is gone
    Stop(Selection),
    /// Show the running hosts and how to log in
    Status(ShowStatus),
    /// Restart one host from its own disk
    Reboot(Reboot),
    /// Keep a running lab, with all that is on its hosts, under a name
    Save(Save),
    /// Bring a kept lab back, in place of the running one
    Restore(Restore),
}

/// See [`Verb::Prepare`].
#[derive(Debug, clap::Args)]
struct Prepare {
    #[command(flatten)]
    consent: Consent,
}

/// See [`Verb::Start`].
#[derive(Debug, clap::Args)]
struct Start {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    starting: Starting,
}

/// See [`Verb::Status`].
#[derive(Debug, clap::Args)]
struct ShowStatus {
    /// Print one JSON document (`lvslab.sandbox-status/1`) on standard output
    #[arg(long)]
    json: bool,
}

/// See [`Verb::Reboot`].
#[derive(Debug, clap::Args)]
struct Reboot {
    /// Host
    host: HostName,
    #[command(flatten)]
    which: LabOption,
}

/// See [`Verb::Save`].
#[derive(Debug, clap::Args)]
struct Save {
    /// Name to keep it under
    name: String,
    #[command(flatten)]
    which: LabOption,
}

/// See [`Verb::Restore`].
#[derive(Debug, clap::Args)]
struct Restore {
    /// Name it was kept under
    name: String,
    #[command(flatten)]
    which: LabOption,
    #[command(flatten)]
    consent: Consent,
}

impl Sandbox {
    /// Whether a document for programs was asked for.
    #[must_use]
    pub fn json(&self) -> bool {
        matches!(&self.verb, Verb::Status(status) if status.json)
    }

    /// Does it.
    ///
    /// # Errors
    /// When the sandbox does not do it.
    pub async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        match self.verb {
            Verb::Prepare(prepare) => {
                let image = prepare_image(ctx, &prepare.consent, System::default()).await?;
                Ok(Answer::done(format!(
                    "the sandbox is prepared: {}\n",
                    image.rootfs.parent().unwrap_or(&image.rootfs).display()
                )))
            }
            Verb::Start(options) => options.exec(ctx).await,
            Verb::Stop(which) => {
                let name = which.name(&ctx.dirs)?;
                let lab = labs::saved(&ctx.dirs, &name)?;
                if lab.is_some_and(|lab| !labs::in_sandbox(&lab)) {
                    return Err(LabsError::NotInSandbox { lab: name }.into());
                }
                Ok(Answer::done(if stop(ctx, &name).await? {
                    format!("the sandbox of lab {name} is stopped\n")
                } else {
                    format!("nothing to do: no sandbox of lab {name} is running\n")
                }))
            }
            Verb::Status(status) => status.exec(ctx).await,
            Verb::Reboot(reboot) => reboot.exec(ctx).await,
            Verb::Save(save) => save.exec(ctx).await,
            Verb::Restore(restore) => restore.exec(ctx).await,
        }
    }
}

impl Start {
    async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        let lab = self.selection.load(&ctx.dirs)?;
        if !labs::in_sandbox(&lab) {
            return Err(LabsError::NotInSandbox {
                lab: lab.id().clone(),
            }
            .into());
        }
        labs::same_place(&ctx.dirs, &lab)?;
        let started = start(ctx, &lab, &self.starting).await?;
        let hosts = lab.hosts().iter().map(|host| host.name.as_str());
        Ok(Answer::done(format!(
            "lab {} is started ({}, {}): {}\nlog in   lvslab ssh {}\n",
            lab.id(),
            started.accelerator,
            in_seconds(started.elapsed),
            hosts.collect::<Vec<_>>().join(", "),
            lab.client().name,
        )))
    }
}

impl ShowStatus {
    async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        let dirs = ctx.dirs.clone();
        let running = blocking(move || sandbox::status(&dirs))
            .await?
            .map_err(DeploymentError::from)?;
        if self.json {
            return Answer::document(
                &json!({ "schema": "lvslab.sandbox-status/1", "labs": running }),
                super::Status::Done,
            );
        }
        if running.is_empty() {
            return Ok(Answer::done("no sandbox is running\n"));
        }
        let mut text = String::new();
        for (number, lab) in running.iter().enumerate() {
            if number > 0 {
                text.push('\n');
            }
            text.push_str(&describe(lab));
        }
        Ok(Answer::done(text))
    }
}

impl Reboot {
    async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        let lab = self.which.with_host(&ctx.dirs, &self.host)?;
        let (dirs, name, host) = (ctx.dirs.clone(), lab.id().clone(), self.host.clone());
        ctx.progress.doing(host.as_str(), "rebooting");
        blocking(move || sandbox::reboot(&dirs, &name, &host))
            .await?
            .map_err(DeploymentError::from)?;
        Ok(Answer::done(format!("{} is up again\n", self.host)))
    }
}

impl Save {
    async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        let lab = self.which.name(&ctx.dirs)?;
        let (dirs, name) = (ctx.dirs.clone(), self.name.clone());
        ctx.progress.doing("sandbox", "saving");
        let saved = lab.clone();
        blocking(move || sandbox::save(&dirs, &saved, &name))
            .await?
            .map_err(DeploymentError::from)?;
        Ok(Answer::done(format!(
            "lab {lab} is kept as {0}: lvslab sandbox restore {0} --lab {lab}\n",
            self.name
        )))
    }
}

impl Restore {
    async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        let lab = self.which.name(&ctx.dirs)?;
        let image = prepare_image(ctx, &self.consent, System::default()).await?;
        // Connections into the machine that is about to be replaced lead nowhere.
        disconnect(ctx, &lab).await;
        let (dirs, name) = (ctx.dirs.clone(), self.name.clone());
        let progress = Arc::clone(&ctx.progress);
        let restored = lab.clone();
        let restore = move || {
            let request = RestoreRequest {
                lab: &restored,
                name: &name,
                dirs: &dirs,
                image: &image,
                timeout: RESTORE_LIMIT,
            };
            sandbox::restore(&request, progress.as_ref())
        };
        let started = blocking(restore).await?.map_err(DeploymentError::from)?;
        Ok(Answer::done(format!(
            "lab {lab} is as it was kept, after {}\n",
            in_seconds(started.elapsed)
        )))
    }
}

/// Longest wait for a restored machine.
const RESTORE_LIMIT: Duration = Duration::from_secs(60);

/// `up 3 min 20 s`
pub(super) fn state(host: &HostStatus) -> String {
    match (host.state, host.uptime_seconds) {
        (_, Some(seconds)) => format!("up {}", in_large_units(seconds)),
        (Some(GuestState::Booting), _) => "booting".to_owned(),
        (Some(GuestState::Stopping), _) => "stopping".to_owned(),
        (Some(GuestState::Off), _) => "off".to_owned(),
        (Some(GuestState::Up), None) => "up".to_owned(),
        (None, None) => "unknown".to_owned(),
    }
}

/// One lab's machine and hosts.
fn describe(lab: &Status) -> String {
    let mut parts = vec![format!("lab {}", lab.lab), lab.accelerator.to_string()];
    match lab.pid {
        Some(pid) => {
            parts.push(format!("up {}", in_large_units(lab.uptime_seconds)));
            parts.push(format!("pid {pid}"));
        }
        None => parts.push("not running any more".to_owned()),
    }
    if let Some(bytes) = lab.memory_bytes {
        parts.push(format!(
            "{} of {} MiB",
            bytes / (1024 * 1024),
            lab.guest_memory_mib
        ));
    }
    let mut text = format!("{}\n", parts.join(" · "));
    let width = lab.hosts.iter().map(|host| host.name.as_str().len()).max();
    let width = width.unwrap_or(0);
    for host in &lab.hosts {
        let state = state(host);
        let _ = writeln!(text, "  {:width$}  {state:<14}  {}", host.name, host.login);
    }
    text
}
