//! What a boot starts: links that systemd follows, and the links of a runlevel.

use super::{BootFiles, Place, System};
use crate::requirement::Origin;
use crate::resource::ServiceManager;

pub(super) const PLACES: &[Place] = &[
    Place::Links {
        directory: "/etc/systemd/system",
        below: ".wants",
    },
    Place::Links {
        directory: "/etc/rc2.d",
        below: "",
    },
];

/// The link by which a boot starts the service; `None` where it does not, or the service is masked.
///
/// Only what somebody enabled counts, under `/etc`: systemd's own units start what the lab does not need.
#[must_use]
pub fn started(files: &BootFiles, system: &System, service: &str) -> Option<Origin> {
    let unit = format!("{service}.service");
    let mask = format!("/etc/systemd/system/{unit}");
    let masked = files
        .links()
        .any(|(path, target)| path == mask && target == "/dev/null");
    let starts = |path: &str| match system.service_manager {
        ServiceManager::Systemd => {
            let wanted = path
                .rsplit_once('/')
                .is_some_and(|(directory, name)| directory.ends_with(".wants") && name == unit);
            wanted && !masked
        }
        // `S01apache2`; runlevel 2 is that of a normal boot (Debian's default; chkconfig starts scripts in it, too).
        ServiceManager::SysV => path
            .strip_prefix("/etc/rc2.d/S")
            .and_then(|rest| rest.get(2..))
            .is_some_and(|name| name == service),
    };
    files
        .links()
        .find(|(path, _)| starts(path))
        .map(|(path, _)| Origin::file(path))
}
