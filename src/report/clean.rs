//! The one place where text from other machines loses its power over the terminal.
//!
//! A host's page, error or file may hold escape sequences that move the cursor, retitle the window or answer
//! queries (ECMA-48), and Unicode's bidirectional controls, which show text in another order than it has.
//! Sequences are dropped, other controls are shown as `\x07`.

use std::iter::Peekable;
use std::str::Chars;

/// Text on one line: line ends and tabs become spaces, too.
#[must_use]
pub fn line(text: &str) -> String {
    block(text.trim_end()).replace(['\n', '\t'], " ")
}

/// Text that keeps its lines and tabs.
#[must_use]
pub fn block(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_escape(&mut rest),
            // The same introducers as single C1 characters.
            '\u{9b}' => skip_control_sequence(&mut rest),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut rest),
            '\n' | '\t' => clean.push(c),
            '\r' if rest.peek() == Some(&'\n') => {}
            c if c.is_control() => clean.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if is_format_control(c) => clean.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => clean.push(c),
        }
    }
    clean
}

/// Bidirectional embeddings, overrides and isolates, marks, and characters that take no room.
fn is_format_control(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}')
}

/// What follows an ESC.
fn skip_escape(rest: &mut Peekable<Chars<'_>>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            skip_control_sequence(rest);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            rest.next();
            skip_string(rest);
        }
        Some(' '..='/') => {
            while rest.next_if(|c| matches!(c, ' '..='/')).is_some() {}
            rest.next_if(|c| matches!(c, '0'..='~'));
        }
        Some('0'..='~') => {
            rest.next();
        }
        _ => {}
    }
}

/// Parameters, intermediates and the final byte of a control sequence.
fn skip_control_sequence(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|c| matches!(c, ' '..='?')).is_some() {}
    rest.next_if(|c| matches!(c, '@'..='~'));
}

/// A control string up to its terminator (BEL, ST, or the end of the text or line).
fn skip_string(rest: &mut Peekable<Chars<'_>>) {
    while let Some(c) = rest.next_if(|c| *c != '\n') {
        match c {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                rest.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn colours_titles_and_cursor_movements_vanish() {
        assert_eq!(line("\u{1b}[31mred\u{1b}[0m"), "red");
        assert_eq!(line("a\u{1b}]0;pwned\u{7}b"), "ab");
        assert_eq!(line("a\u{1b}]8;;http://x\u{1b}\\b"), "ab");
        assert_eq!(line("a\u{1b}[2J\u{1b}[1;1Hb\u{9b}5mc"), "abc");
        assert_eq!(line("a\u{1b}(Bb\u{1b}cd"), "abd");
    }

    #[test]
    fn other_controls_are_shown_for_what_they_are() {
        assert_eq!(line("a\u{7}b\rc"), "a\\x07b\\x0dc");
        assert_eq!(line("abc\u{202e}cba"), "abc\\u{202e}cba");
        assert_eq!(line("one\r\ntwo\n"), "one two");
        assert_eq!(block("one\n\ttwo\n"), "one\n\ttwo\n");
    }

    proptest! {
        #[test]
        fn nothing_that_controls_a_terminal_is_left(text in any::<String>()) {
            let clean = line(&text);
            prop_assert!(!clean.chars().any(|c| c.is_control() || is_format_control(c)));
        }

        #[test]
        fn ordinary_text_stays_as_it_is(text in "[ -~äöü中文]{0,40}") {
            prop_assert_eq!(block(&text), text);
        }
    }
}
