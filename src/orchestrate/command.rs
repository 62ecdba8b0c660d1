//! One command on one host with this process's own standard streams, as `lvslab exec` runs it.

use std::io;
use std::sync::Arc;

use openssh::Stdio;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::agent::lost;
use super::failure::Cause;
use super::session::{self, Destination};
use crate::sys::output::unless_closed;
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
    let (output, errors) = tokio::join!(
        pass_on(output, tokio::io::stdout()),
        pass_on(errors, tokio::io::stderr())
    );
    for (stream, passed) in [("output", output), ("error", errors)] {
        passed.map_err(|error| Cause::Local {
            doing: format!("write standard {stream}"),
            reason: error.to_string(),
        })?;
    }
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

/// Ends when the command closes its stream, or when ours is closed or full, which closes the command's.
///
/// # Errors
/// When ours cannot be written, except that its reader has closed it.
async fn pass_on(
    from: Option<impl AsyncRead + Unpin>,
    mut to: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let Some(mut from) = from else { return Ok(()) };
    let mut buffer = vec![0; 8 * 1024];
    loop {
        // A connection that breaks shows when the exit code is waited for.
        let count = from.read(&mut buffer).await.unwrap_or(0);
        let written = match to.write_all(&buffer[..count]).await {
            Ok(()) => to.flush().await,
            failed => failed,
        };
        if count == 0 || written.is_err() {
            return unless_closed(written);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn output_that_cannot_be_written_is_an_error_and_a_closed_pipe_is_none() {
        let mut small = [0; 2];
        let full = io::Cursor::new(&mut small[..]);
        let error = pass_on(Some(&b"text"[..]), full).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
        let (reader, writer) = tokio::io::duplex(1);
        drop(reader);
        pass_on(Some(&b"text"[..]), writer).await.unwrap();
    }
}
