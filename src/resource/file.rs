//! Files: what is compared, and how it is shown.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Change, File, FileState};

impl FileState {
    /// The content; `None` when what the journal or the wire holds is no base64.
    #[must_use]
    pub fn content(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.content_base64).ok()
    }

    /// `content` as [`FileState::content_base64`] keeps it.
    #[must_use]
    pub fn encode(content: &[u8]) -> String {
        STANDARD.encode(content)
    }
}

pub(super) fn diff(desired: &File, state: Option<&FileState>) -> Option<Change> {
    let Some(state) = state else {
        return Some(Change::Text {
            from: None,
            to: desired.content.clone(),
        });
    };
    let content = state.content().unwrap_or_default();
    if content != desired.content.as_bytes() {
        return Some(contents(&content, &desired.content));
    }
    let wanted = Access {
        mode: desired.mode & 0o7777,
        uid: 0,
        gid: 0,
    };
    let found = Access::of(state);
    if wanted != found {
        return Some(Change::value(Some(found.to_string()), wanted.to_string()));
    }
    // Written again, it is the newer one.
    state.read_instead.as_ref().map(|other| {
        Change::value(
            Some(format!("{other} is newer")),
            format!("newer than {other}"),
        )
    })
}

/// From the file as it is to the file as it was, for putting it back.
pub(super) fn undo(before: Option<&FileState>, now: Option<&FileState>) -> Option<Change> {
    let (Some(before), Some(now)) = (before, now) else {
        return match (before, now) {
            (None, None) => None,
            (None, Some(now)) => Some(Change::value(Some(summary(now)), "no file")),
            (Some(before), _) => Some(Change::value(None, summary(before))),
        };
    };
    if before.content_base64 != now.content_base64 {
        let (from, to) = (
            now.content().unwrap_or_default(),
            before.content().unwrap_or_default(),
        );
        return Some(match text(&to) {
            Some(to) => contents(&from, to),
            None => Change::value(Some(summary(now)), summary(before)),
        });
    }
    if Access::of(before) != Access::of(now) {
        return Some(Change::value(
            Some(Access::of(now).to_string()),
            Access::of(before).to_string(),
        ));
    }
    // Where SELinux was off when the file was journaled there is no context to put back.
    (before.context.is_some() && before.context != now.context).then(|| {
        Change::value(
            now.context.clone(),
            before.context.clone().unwrap_or_default(),
        )
    })
}

fn contents(from: &[u8], to: &str) -> Change {
    match text(from) {
        Some(from) => Change::Text {
            from: Some(from.to_owned()),
            to: to.to_owned(),
        },
        None => Change::value(
            Some(format!("binary file of {} bytes", from.len())),
            format!("text of {} bytes", to.len()),
        ),
    }
}

fn summary(state: &FileState) -> String {
    let content = state.content().unwrap_or_default();
    let kind = match text(&content) {
        Some(_) => "text",
        None => "binary file",
    };
    format!("{kind} of {} bytes", content.len())
}

/// What may be shown as text: UTF-8 without control characters beyond white space.
fn text(content: &[u8]) -> Option<&str> {
    std::str::from_utf8(content)
        .ok()
        .filter(|text| !text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t' | '\r')))
}

/// Who may do what with a file.
#[derive(PartialEq)]
struct Access {
    mode: u32,
    uid: u32,
    gid: u32,
}

impl Access {
    fn of(state: &FileState) -> Self {
        Self {
            mode: state.mode,
            uid: state.uid,
            gid: state.gid,
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mode, uid, gid } = self;
        write!(f, "mode {mode:04o} owner {uid}:{gid}")
    }
}
