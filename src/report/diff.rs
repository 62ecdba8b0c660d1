//! What a change would do: a unified diff for texts, `old → new` for values.

use similar::{ChangeTag, TextDiff};

use super::clean;
use super::style::{Style, Tone};
use crate::resource::Change;

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// The change of `what` (a file's path where it is a text), every line ended.
#[must_use]
pub fn change(what: &str, change: &Change, style: Style) -> String {
    match change {
        Change::Value { from, to } => {
            let from = from.as_deref().map_or("(absent)".to_owned(), clean::line);
            format!(
                "{} → {}\n",
                style.paint(Tone::Bad, &from),
                style.paint(Tone::Good, &clean::line(to))
            )
        }
        Change::Text { from, to } => text(what, from.as_deref(), to, style),
    }
}

fn text(path: &str, from: Option<&str>, to: &str, style: Style) -> String {
    let path = clean::line(path);
    let (from, to) = (from.map(clean::block), clean::block(to));
    let before = if from.is_some() { &path } else { "/dev/null" };
    let from = from.unwrap_or_default();
    let diff = TextDiff::from_lines(from.as_str(), to.as_str());
    let mut out = format!(
        "{}\n{}\n",
        style.paint(Tone::Strong, &format!("--- {before}")),
        style.paint(Tone::Strong, &format!("+++ {path}"))
    );
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        out += &style.paint(Tone::Muted, &hunk.header().to_string());
        out.push('\n');
        for change in hunk.iter_changes() {
            let line = change.value().trim_end_matches('\n');
            out += &match change.tag() {
                ChangeTag::Equal => format!(" {line}"),
                ChangeTag::Delete => style.paint(Tone::Bad, &format!("-{line}")),
                ChangeTag::Insert => style.paint(Tone::Good, &format!("+{line}")),
            };
            out.push('\n');
            if change.missing_newline() {
                out += "\\ No newline at end of file\n";
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Ink;

    #[test]
    fn a_changed_file_is_a_unified_diff() {
        let edit = Change::Text {
            from: Some("a\nb\nc\n".to_owned()),
            to: "a\nB\nc".to_owned(),
        };
        assert_eq!(
            change("/etc/x", &edit, Style::plain()),
            "--- /etc/x\n+++ /etc/x\n@@ -1,3 +1,3 @@\n a\n-b\n-c\n+B\n+c\n\\ No newline at end of file\n"
        );
    }

    #[test]
    fn a_new_file_is_a_diff_against_nothing() {
        let new = Change::Text {
            from: None,
            to: "a\n".to_owned(),
        };
        assert_eq!(
            change("/etc/x", &new, Style::plain()),
            "--- /dev/null\n+++ /etc/x\n@@ -0,0 +1 @@\n+a\n"
        );
    }

    #[test]
    fn a_value_goes_from_old_to_new_and_remote_escapes_are_gone() {
        let edit = Change::Value {
            from: Some("\u{1b}[2J0".to_owned()),
            to: "1".to_owned(),
        };
        assert_eq!(change("x", &edit, Style::plain()), "0 → 1\n");
        let coloured = change("x", &edit, Style::new(Ink::Ansi, 80));
        assert_eq!(coloured, "\u{1b}[31m0\u{1b}[0m → \u{1b}[32m1\u{1b}[0m\n");
    }
}
