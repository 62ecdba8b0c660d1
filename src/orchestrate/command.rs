//! One command on one host with this process's own standard streams, as `lvslab exec` runs it.

use std::sync::Arc;

use openssh::Stdio;
use tokio::io::{AsyncRead, AsyncWrite};

use super::agent::lost;
use super::failure::Cause;
use super::session::{self, Destination};
use crate::sys::shell::command_line;

/// Runs `arguments` on the host with the standard streams of this process. As with ssh(1), it returns when the command
/// has exited and no process holds its output open, and 255 stands for a command that a signal ended.
///
/// # Errors
/// When there is no connection, or it breaks.
pub async fn run(to: &Destination, arguments: &[String]) -> Result<i32, Cause> {
    let line = command_line(arguments);
    let connected = session::open(to).await?;
    let spawned = spawn(&connected.session, &line).await;
    let mut child = match spawned {
        // Nothing has run yet, so trying again over a new connection is safe.
        Err(_) if connected.resumed => {
            let fresh = session::open_fresh(to).await?;
            spawn(&fresh.session, &line).await?
        }
        other => other?,
    };
    let session = child.session();
    // Before the exit code is waited for: sshd may send it ahead of the last of the output, and with its arrival openssh
    // lets go of the channel and what is still in it.
    let (output, errors) = (child.stdout().take(), child.stderr().take());
    tokio::join!(
        pass_on(output, tokio::io::stdout()),
        pass_on(errors, tokio::io::stderr())
    );
    match child.wait().await {
        Ok(status) => Ok(status.code().unwrap_or(255)),
        Err(openssh::Error::Remote(_)) => Ok(127),
        Err(error) => match session.check().await {
            Ok(()) => Ok(255),
            Err(_) => Err(lost(&error)),
        },
    }
}

async fn spawn(
    session: &Arc<openssh::Session>,
    line: &str,
) -> Result<openssh::Child<Arc<openssh::Session>>, Cause> {
    Arc::clone(session)
        .arc_raw_command(line)
        .stdin(Stdio::inherit())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .await
        .map_err(|error| lost(&error))
}

/// Copies until the end. When our own reader is gone, the command's pipe closes, too.
async fn pass_on(from: Option<impl AsyncRead + Unpin>, mut to: impl AsyncWrite + Unpin) {
    if let Some(mut from) = from {
        let _ = tokio::io::copy(&mut from, &mut to).await;
    }
}
