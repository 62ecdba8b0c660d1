//! Columns: width as a terminal counts it, padding, wrapping.

use unicode_width::UnicodeWidthStr as _;

/// Columns the text takes; wide characters take two.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The text with spaces up to `columns`.
pub(super) fn pad(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// `left`, and `right` at the right edge; two spaces between them where they do not fit.
pub(super) fn spread(left: &str, right: &str, columns: usize) -> String {
    let gap = columns.saturating_sub(width(left) + width(right)).max(2);
    format!("{left}{}{right}", " ".repeat(gap))
}

/// Lines of at most `columns`, broken at spaces; a longer word has a line of its own.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// `1 check`, `2 checks`.
pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}

/// Whether a file is written by one of these commands, line by line up to a line that holds the end and nothing else.
pub(super) fn has_here_document(commands: &[String]) -> bool {
    commands.iter().any(|command| command.contains("<<'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_count_for_two() {
        assert_eq!(pad("中", 4), "中  ");
        assert_eq!(spread("中", "x", 6), "中   x");
    }

    #[test]
    fn wrapping_breaks_at_spaces_and_keeps_long_words_whole() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("a 0123456789 b", 5), ["a", "0123456789", "b"]);
        assert_eq!(wrap("", 5), [""]);
    }
}
