//! What a person copies from the terminal: the commands below `fix` and `then`, with the blanks before them.

/// Commands for one host, as lines of a script.
#[derive(Debug, PartialEq)]
pub struct Step {
    pub host: String,
    pub script: String,
}

/// Columns before a command that follows its label on the same line.
const INDENT: usize = 14;

/// The steps of every cause in a verdict that was printed, in their order.
pub fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut cause = "";
    let mut open = false;
    // The last line is the summary, after an empty line.
    let body = text
        .trim_end()
        .rsplit_once("\n\n")
        .map_or("", |(body, _)| body);
    for line in body.lines() {
        if line.starts_with(['✗', '–', '○']) {
            cause = line.split_whitespace().nth(1).unwrap_or_default();
            open = false;
            continue;
        }
        let begins = if let Some(on) = line.strip_prefix("    then      on ") {
            Some((on.trim_end_matches(':'), ""))
        } else if line == "    fix" || line.starts_with("    fix       ") {
            Some((cause, line.get(INDENT..).unwrap_or_default()))
        } else {
            None
        };
        match (begins, steps.last_mut()) {
            (Some((host, first)), _) => {
                steps.push(Step {
                    host: host.to_owned(),
                    script: format!("set -e\n{first}\n"),
                });
                open = true;
            }
            (None, Some(step)) if open => step.script += &format!("{line}\n"),
            _ => {}
        }
    }
    steps
}
