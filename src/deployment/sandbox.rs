//! Starting and stopping a lab's sandbox, with what depends on it: connections and the remembered lab.

use std::sync::Arc;
use std::time::Duration;

use crate::context::Context;
use crate::labs;
use crate::model::{Lab, LabId};
use crate::sandbox::image::{self, Image};
use crate::sandbox::{self, StartRequest, Started, System};

use super::{DeploymentError, addresses, blocking, disconnect, hang_up};

/// Whether packages may be installed on this machine.
#[derive(Debug, Clone, clap::Args)]
pub struct Consent {
    /// Install what the sandbox needs on this machine without asking
    #[arg(short, long)]
    yes: bool,
}

/// How a lab's sandbox is started.
#[derive(Debug, Clone, clap::Args)]
pub struct Starting {
    #[command(flatten)]
    consent: Consent,
    /// Start sandbox hosts without httpd, to be installed from the sandbox's own package repository
    #[arg(long)]
    without_httpd: bool,
    /// What sandbox hosts run: `plain`, or `debian` with systemd
    #[arg(long, hide = true, default_value_t)]
    system: System,
    /// Longest wait for the sandbox machine, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 180, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

/// Gets the image with hosts of `system`, asking or installing as `consent` says.
///
/// # Errors
/// When it cannot be had.
pub async fn prepare_image(
    ctx: &Context,
    consent: &Consent,
    system: System,
) -> Result<Image, DeploymentError> {
    let (dirs, progress) = (ctx.dirs.clone(), Arc::clone(&ctx.progress));
    let (yes, ask) = (consent.yes, ctx.ask.clone());
    let prepare = move || {
        let asking;
        let consent = match (&ask, yes) {
            (_, true) => image::Consent::Yes,
            (Some(ask), false) => {
                asking = |question: &str| ask(question);
                image::Consent::Ask(&asking)
            }
            (None, false) => image::Consent::No,
        };
        image::prepare(&dirs, system, consent, progress.as_ref())
    };
    Ok(blocking(prepare).await??)
}

/// Starts the lab's sandbox, or finds it running, and remembers the lab.
///
/// # Errors
/// When the image or the machine cannot be had.
pub async fn start(
    ctx: &Context,
    lab: &Lab,
    starting: &Starting,
) -> Result<Started, DeploymentError> {
    let image = prepare_image(ctx, &starting.consent, starting.system).await?;
    let before = addresses(ctx, lab);
    let (dirs, progress) = (ctx.dirs.clone(), Arc::clone(&ctx.progress));
    let (wanted, starting) = (lab.clone(), starting.clone());
    let start = move || {
        let request = StartRequest {
            lab: &wanted,
            dirs: &dirs,
            image: &image,
            without_httpd: starting.without_httpd,
            accelerator: None,
            timeout: Duration::from_secs(starting.timeout),
        };
        sandbox::start(&request, progress.as_ref())
    };
    ctx.situation.set(format!(
        "the sandbox of lab {0} may be started in part: `lvslab down {0}` removes it",
        lab.id()
    ));
    let started = blocking(start).await??;
    if addresses(ctx, lab) != before {
        hang_up(ctx, lab).await;
    }
    labs::remember(&ctx.dirs, lab)?;
    ctx.situation.set(format!(
        "the sandbox of lab {0} runs: `lvslab down {0}` stops it",
        lab.id()
    ));
    Ok(started)
}

/// Ends the connections to the lab's hosts, stops its machine, and forgets the lab. Whether one ran.
///
/// # Errors
/// When it does not stop.
pub async fn stop(ctx: &Context, lab: &LabId) -> Result<bool, DeploymentError> {
    disconnect(ctx, lab).await;
    let (dirs, name) = (ctx.dirs.clone(), lab.clone());
    ctx.progress.doing("sandbox", "stopping");
    let stopped = blocking(move || sandbox::stop(&dirs, &name)).await??;
    labs::forget(&ctx.dirs, lab)?;
    Ok(stopped)
}
