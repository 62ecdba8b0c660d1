//! SELinux's mode: live through selinuxfs, at boot through `/etc/selinux/config` (selinux_config(5)).

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use crate::agent::protocol::ResourceError;
use crate::agent::protocol::error::{because, failed};
use crate::agent::system::root::Root;
use crate::agent::system::selinux_context;
use crate::resource::SelinuxMode;
use crate::sys::atomic;

/// `1` while it enforces; absent where SELinux is off. setenforce(8) writes here.
const ENFORCE: &str = "/sys/fs/selinux/enforce";
const CONFIG: &str = "/etc/selinux/config";

/// Live and configured mode.
pub(in crate::agent) fn observe(
    root: &Root,
) -> Result<(Option<SelinuxMode>, Option<SelinuxMode>), ResourceError> {
    let live = match fs::read_to_string(root.join(ENFORCE)) {
        Ok(text) if text.trim() == "1" => Some(SelinuxMode::Enforcing),
        Ok(_) => Some(SelinuxMode::Permissive),
        Err(_) => None,
    };
    let configured = match fs::read_to_string(root.join(CONFIG)) {
        Ok(text) => configured(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(format!("cannot read {CONFIG}"), error)),
    };
    Ok((live, configured))
}

/// Sets both where they are there at all. A mode of `Disabled` takes a reboot and is permissive until then.
pub(super) fn set(
    root: &Root,
    live: Option<SelinuxMode>,
    at_boot: Option<SelinuxMode>,
) -> Result<(), ResourceError> {
    let (live_now, configured_now) = observe(root)?;
    if let (Some(wanted), Some(now)) = (live, live_now) {
        let enforcing = wanted == SelinuxMode::Enforcing;
        if enforcing != (now == SelinuxMode::Enforcing) {
            fs::write(root.join(ENFORCE), if enforcing { "1" } else { "0" })
                .map_err(|error| failed("cannot change SELinux's live mode", error))?;
        }
    }
    match (at_boot, configured_now) {
        (Some(wanted), Some(now)) if wanted != now => configure(root, wanted),
        _ => Ok(()),
    }
}

fn configure(root: &Root, mode: SelinuxMode) -> Result<(), ResourceError> {
    let path = root.join(CONFIG);
    let text = fs::read_to_string(&path).map_err(|e| failed(format!("cannot read {CONFIG}"), e))?;
    let edited =
        with_mode(&text, mode).ok_or_else(|| because(format!("{CONFIG} has no line SELINUX=…")))?;
    let found = fs::metadata(&path).map_err(|e| failed(format!("cannot look at {CONFIG}"), e))?;
    let context = selinux_context::of(&path);
    atomic::write_prepared(
        &path,
        edited.as_bytes(),
        found.mode() & 0o7777,
        |file| match &context {
            Some(context) => selinux_context::set(file, context),
            None => Ok(()),
        },
    )
    .map_err(|e| failed(format!("cannot write {CONFIG}"), e))
}

fn word(mode: SelinuxMode) -> &'static str {
    match mode {
        SelinuxMode::Enforcing => "enforcing",
        SelinuxMode::Permissive => "permissive",
        SelinuxMode::Disabled => "disabled",
    }
}

/// Where the value of the last `SELINUX=` line is in the text.
fn value_at(text: &str) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    let mut found = None;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        if let Some(value) = line.trim_start().strip_prefix("SELINUX=") {
            let lead = value.len() - value.trim_start().len();
            let from = start + indent + "SELINUX=".len() + lead;
            let length = value
                .trim_start()
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(value.trim_start().len());
            found = Some(from..from + length);
        }
        start += line.len();
    }
    found
}

fn configured(text: &str) -> Option<SelinuxMode> {
    let value = text.get(value_at(text)?)?;
    [
        SelinuxMode::Enforcing,
        SelinuxMode::Permissive,
        SelinuxMode::Disabled,
    ]
    .into_iter()
    .find(|mode| value.eq_ignore_ascii_case(word(*mode)))
}

/// The same text but for the mode.
fn with_mode(text: &str, mode: SelinuxMode) -> Option<String> {
    let at = value_at(text)?;
    let mut edited = text.to_owned();
    edited.replace_range(at, word(mode));
    Some(edited)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "# SELINUX= can take one of these three values:\nSELINUX=enforcing   # why\nSELINUXTYPE=targeted\n";

    #[test]
    fn only_the_mode_is_edited_and_put_back_byte_for_byte() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        for (path, content) in [(ENFORCE, "1"), (CONFIG, TEXT)] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), content).unwrap();
        }
        let enforcing = Some(SelinuxMode::Enforcing);
        let permissive = Some(SelinuxMode::Permissive);
        assert_eq!(observe(&root).unwrap(), (enforcing, enforcing));
        set(&root, permissive, permissive).unwrap();
        assert_eq!(observe(&root).unwrap(), (permissive, permissive));
        assert_eq!(
            fs::read_to_string(root.join(CONFIG)).unwrap(),
            TEXT.replace("=enforcing ", "=permissive ")
        );
        set(&root, enforcing, enforcing).unwrap();
        assert_eq!(observe(&root).unwrap(), (enforcing, enforcing));
        assert_eq!(fs::read_to_string(root.join(CONFIG)).unwrap(), TEXT);
    }

    #[test]
    fn a_host_without_selinux_has_no_mode_and_nothing_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        assert_eq!(observe(&root).unwrap(), (None, None));
        let permissive = Some(SelinuxMode::Permissive);
        set(&root, permissive, permissive).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    proptest! {
        #[test]
        fn an_edited_text_says_the_mode_and_nothing_else_changed(before in "(\\PC|\n){0,40}", after in "(\n(\\PC|\n){0,40})?") {
            let text = format!("{before}\nSELINUX=enforcing{after}");
            if let (Some(SelinuxMode::Enforcing), Some(edited)) = (configured(&text), with_mode(&text, SelinuxMode::Permissive)) {
                prop_assert_eq!(configured(&edited), Some(SelinuxMode::Permissive));
                prop_assert_eq!(edited.len(), text.len() + 1);
            }
        }
    }
}
