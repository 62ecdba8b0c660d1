//! ipvsadm and its two helpers, where the director's system has none: names for the agent's own. No requirement asks for
//! them: the course's commands are typed there, and the lab itself does without them.

use minijinja::context;

use super::render::Template;
use super::target::Rendered;
use super::{Purpose, Step, Target, WriteError};
use crate::requirement::Need;
use crate::sys::on_host;

/// The programs of the ipvsadm package, in the directory that goes before the one of packages.
const PROGRAMS: [(&str, Template); 3] = [
    ("/usr/local/sbin/ipvsadm", Template::DROP_IN),
    ("/usr/local/sbin/ipvsadm-save", Template::SAVE),
    ("/usr/local/sbin/ipvsadm-restore", Template::RESTORE),
];

/// The programs for a director without ipvsadm.
///
/// # Errors
/// A template cannot be rendered.
pub fn write(target: Target<'_>) -> Result<Vec<Step>, WriteError> {
    let balances = target
        .needs()
        .any(|need| matches!(need, Need::VirtualService(_)));
    if !balances || target.facts.ipvsadm {
        return Ok(Vec::new());
    }
    PROGRAMS
        .into_iter()
        .map(|(path, template)| {
            let mut step = target.file(
                Rendered {
                    path: path.to_owned(),
                    template,
                    context: context! { agent => on_host::AGENT },
                    mode: 0o755,
                    directory: None,
                },
                Purpose::IpvsadmProgram,
                "The course's commands are typed on the director; where no package brought an ipvsadm, this \
                 one does the same.",
            )?;
            // A person has installed the package.
            step.by_hand.clear();
            Ok(step)
        })
        .collect()
}
