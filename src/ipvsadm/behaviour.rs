//! Whose behaviour a command line gets where ours differs on purpose from ipvsadm 1.31.

use std::ffi::OsStr;

use super::names::Names;

/// Chooses [`Behaviour::Original`] when it is set to the original's version.
pub(super) const VARIABLE: &str = "LVSLAB_IPVSADM_COMPAT";

/// The version that the drop-in stands in for.
const VERSION: &str = "1.31";

/// What to do where ipvsadm 1.31 surprises people; the table in [`crate::ipvsadm`] lists the cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Behaviour {
    /// What the table's right column says.
    #[default]
    Ours,
    /// Exactly what ipvsadm 1.31 does, for scripts and tests that were written against it.
    Original,
}

impl Behaviour {
    /// The behaviour that a value of the environment variable `LVSLAB_IPVSADM_COMPAT` chooses.
    ///
    /// # Errors
    /// For a value that is neither empty nor `1.31`.
    pub fn chosen(value: Option<&OsStr>) -> Result<Self, String> {
        match value.map(|value| value.to_string_lossy()).as_deref() {
            None | Some("") => Ok(Self::Ours),
            Some(VERSION) => Ok(Self::Original),
            Some(other) => Err(format!(
                "{VARIABLE} is `{other}'; the only version it can name is {VERSION}"
            )),
        }
    }
}

/// What a command line is read with.
#[derive(Debug, Default)]
pub(super) struct Setting {
    pub(super) names: Names,
    pub(super) behaviour: Behaviour,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_originals_version_chooses_its_behaviour() {
        let chosen = |value: Option<&str>| Behaviour::chosen(value.map(OsStr::new));
        assert_eq!(chosen(None), Ok(Behaviour::Ours));
        assert_eq!(chosen(Some("")), Ok(Behaviour::Ours));
        assert_eq!(chosen(Some("1.31")), Ok(Behaviour::Original));
        assert_eq!(
            chosen(Some("1.30")),
            Err("LVSLAB_IPVSADM_COMPAT is `1.30'; the only version it can name is 1.31".to_owned())
        );
    }
}
