//! Why a topology was refused, as people read it.

use std::fmt;
use std::path::PathBuf;

use unicode_width::UnicodeWidthStr;

use super::MAX_FILE_BYTES;

/// Why there is no lab. `Display` may have several lines; it reads after `error: `.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// The system did not let us read the file.
    #[error("cannot read {}", path.display())]
    Read {
        /// File.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A directory, where a file is needed.
    #[error("{} is a directory; name a topology or inventory file in it", path.display())]
    Directory {
        /// Directory.
        path: PathBuf,
    },
    /// Larger than [`MAX_FILE_BYTES`].
    #[error("{} is larger than {} KiB, which is more than a lab needs", path.display(), MAX_FILE_BYTES / 1024)]
    TooLarge {
        /// File.
        path: PathBuf,
    },
    /// Not text.
    #[error("{}:{line}:{column}: not UTF-8 text", path.display())]
    NotUtf8 {
        /// File.
        path: PathBuf,
        /// Line of the first bad byte, from 1.
        line: usize,
        /// Column of the first bad byte, from 1, in characters.
        column: usize,
    },
    /// The mistakes in the file, in file order: at least one, and at most as many as are printed.
    #[error("{}", Mistakes(.0))]
    Mistakes(Vec<Mistake>),
}

impl TopologyError {
    /// What the person can do, if the message does not say it already.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Some("give the path of a topology file, for example topologies/dr.yaml")
            }
            Self::NotUtf8 { .. } => Some("save the file as UTF-8"),
            _ => None,
        }
    }

    /// The mistakes in the file, for programs; empty when the file could not be read at all.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        match self {
            Self::Mistakes(mistakes) => mistakes,
            _ => &[],
        }
    }
}

/// One mistake in a file. `Display` shows the place in the file with carets under the offending text.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Mistake {
    /// What is wrong, quoting the offending text.
    pub title: String,
    /// File, as it was named to us.
    pub file: String,
    /// Line, from 1; 0 when the mistake is the file's as a whole.
    pub line: usize,
    /// Column, from 1, in characters; 0 when the mistake is the file's as a whole.
    pub column: usize,
    /// Number of offending characters on that line.
    pub length: usize,
    /// The line as it is in the file.
    pub source_line: String,
    /// What stands after the carets: `did you mean …?`.
    pub label: Option<String>,
    /// What is allowed, a line each.
    pub notes: Vec<String>,
}

/// Mistakes printed at most.
pub(super) const MOST_SHOWN: usize = 20;

/// Columns of a source line shown at most; a file can be one line of a megabyte.
const MOST_COLUMNS: usize = 100;

struct Mistakes<'a>(&'a [Mistake]);

impl fmt::Display for Mistakes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.0.iter().take(MOST_SHOWN).enumerate() {
            if number > 0 {
                f.write_str("\n\nerror: ")?;
            }
            mistake.fmt(f)?;
        }
        if self.0.len() > MOST_SHOWN {
            f.write_str("\n\nand more")?;
        }
        Ok(())
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)?;
        let file = printable(&self.file);
        let mut gutter = 1;
        if self.line == 0 {
            write!(f, "\n  ┌ {file}")?;
        } else {
            let number = self.line.to_string();
            gutter = number.len();
            let shown = Excerpt::new(&self.source_line, self.column - 1, self.length);
            write!(f, "\n{:gutter$} ┌ {file}:{number}:{}", "", self.column)?;
            write!(f, "\n{}", format!("{number} │ {}", shown.line).trim_end())?;
            let (indent, carets) = (shown.indent, "^".repeat(shown.width));
            write!(f, "\n{:gutter$} │ {:indent$}{carets}", "", "")?;
            if let Some(label) = &self.label {
                write!(f, " {label}")?;
            }
        }
        for note in &self.notes {
            write!(f, "\n{:gutter$} = {note}", "")?;
        }
        Ok(())
    }
}

/// The part of a source line around the offending text, and where that is in columns of a terminal.
struct Excerpt {
    line: String,
    indent: usize,
    width: usize,
}

impl Excerpt {
    /// `start` and `length` are in characters of `line`.
    fn new(line: &str, start: usize, length: usize) -> Self {
        let characters: Vec<char> = line.chars().collect();
        let start = start.min(characters.len());
        let end = (start + length).min(characters.len());
        // Leave most of the room for what stands before: that is what tells people where they are.
        let (from, to) = if characters.len() <= MOST_COLUMNS {
            (0, characters.len())
        } else {
            let from = start.saturating_sub(MOST_COLUMNS * 3 / 5);
            (from, (from + MOST_COLUMNS).min(characters.len()))
        };
        let end = end.min(to);
        let lead = if from > 0 { "…" } else { "" };
        let tail = if to < characters.len() { "…" } else { "" };
        let before: String = characters[from..start]
            .iter()
            .map(|&c| visible(c))
            .collect();
        let text: String = characters[start..end].iter().map(|&c| visible(c)).collect();
        let after: String = characters[end..to].iter().map(|&c| visible(c)).collect();
        Self {
            line: format!("{lead}{before}{text}{after}{tail}")
                .trim_end()
                .to_owned(),
            indent: lead.width() + before.width(),
            width: text.width().max(1),
        }
    }
}

/// Makes a line safe for a terminal. A tab becomes one blank, so that the carets below stay under the text. Characters
/// that move the cursor or reverse the text (controls, bidirectional marks, zero-width characters) become U+FFFD.
fn visible(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() || invisible(c) => '\u{fffd}',
        c => c,
    }
}

/// Whether a terminal acts on the character or hides it. Combining marks are shown, so they do not count.
fn invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Text for one line of a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(visible).collect()
}

/// The offending text in backquotes, shortened, with nothing a terminal would act on.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let escaped: String = text
        .chars()
        .take(LONGEST + 1)
        .flat_map(|c| {
            let escape = c.is_control() || invisible(c);
            let plain = (!escape).then_some(c);
            escape
                .then(|| c.escape_default())
                .into_iter()
                .flatten()
                .chain(plain)
        })
        .collect();
    if escaped.chars().count() > LONGEST {
        let short: String = escaped.chars().take(LONGEST).collect();
        return format!("`{short}…`");
    }
    format!("`{escaped}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(source_line: &str, column: usize, length: usize) -> Mistake {
        Mistake {
            title: "title".to_owned(),
            file: "x.yaml".to_owned(),
            line: 12,
            column,
            length,
            source_line: source_line.to_owned(),
            label: Some("label".to_owned()),
            notes: vec!["note".to_owned()],
        }
    }

    #[test]
    fn carets_stand_under_the_text_after_tabs_and_wide_characters() {
        insta::assert_snapshot!(mistake("\t页: 漢字 x", 5, 2), @"
        title
           ┌ x.yaml:12:5
        12 │  页: 漢字 x
           │      ^^^^ label
           = note
        ");
    }

    #[test]
    fn control_and_bidirectional_characters_are_not_sent_to_the_terminal() {
        let shown = mistake("a\u{1b}[31m\u{202e}b", 1, 9).to_string();
        assert!(
            !shown.contains('\u{1b}') && !shown.contains('\u{202e}'),
            "{shown:?}"
        );
        assert_eq!(quoted("a\u{1b}\u{202e}"), "`a\\u{1b}\\u{202e}`");
    }

    #[test]
    fn a_very_long_line_is_shown_around_the_place() {
        let line = format!("{}BAD{}", "x".repeat(500_000), "y".repeat(500_000));
        insta::assert_snapshot!(mistake(&line, 500_001, 3), @"
        title
           ┌ x.yaml:12:500001
        12 │ …xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxBADyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…
           │                                                              ^^^ label
           = note
        ");
    }

    #[test]
    fn a_place_past_the_end_of_the_line_still_has_a_caret() {
        insta::assert_snapshot!(mistake("ab", 9, 4), @"
        title
           ┌ x.yaml:12:9
        12 │ ab
           │   ^ label
           = note
        ");
    }

    #[test]
    fn only_the_first_mistakes_are_shown_and_that_there_are_more() {
        let text = TopologyError::Mistakes(vec![mistake("ab", 1, 1); 23]).to_string();
        assert_eq!(text.matches("┌").count(), 20);
        assert!(text.ends_with("\n\nand more"), "{text}");
    }
}
