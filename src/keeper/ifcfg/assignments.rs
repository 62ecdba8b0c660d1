//! The shell assignments of an `ifcfg-*` file.
//!
//! Only `KEY=VALUE` with a constant value is read. Anything else is an error, because a system that sources the file
//! would run it.

use std::collections::BTreeMap;

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct AssignmentError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: &'static str,
}

/// Values by name. Of two assignments to one name the later one counts, as in a shell.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, String>, AssignmentError> {
    let mut values = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.trim_end().is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = assignment(line).map_err(|what| AssignmentError {
            line: number + 1,
            what,
        })?;
        values.insert(key.to_owned(), value);
    }
    Ok(values)
}

fn assignment(line: &str) -> Result<(&str, String), &'static str> {
    let (key, rest) = line.split_once('=').ok_or("no assignment")?;
    let mut characters = key.chars();
    let is_name = characters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err("no assignment");
    }
    Ok((key, word(rest)?))
}

/// One word of the shell's grammar (POSIX.1 Shell Command Language, 2.2 Quoting) that needs no expansion.
fn word(text: &str) -> Result<String, &'static str> {
    const EXPANSION: &str = "`$` and backquotes are not followed here";
    const OPEN: &str = "a quote that does not end on its line";
    let mut value = String::new();
    let mut rest = text.chars();
    if text.starts_with('~') {
        return Err("`~` is not followed here");
    }
    while let Some(c) = rest.next() {
        match c {
            '\'' => loop {
                match rest.next().ok_or(OPEN)? {
                    '\'' => break,
                    c => value.push(c),
                }
            },
            '"' => loop {
                match rest.next().ok_or(OPEN)? {
                    '"' => break,
                    '$' | '`' => return Err(EXPANSION),
                    '\\' => match rest.next().ok_or(OPEN)? {
                        c @ ('"' | '\\' | '$' | '`') => value.push(c),
                        c => value.extend(['\\', c]),
                    },
                    c => value.push(c),
                }
            },
            '\\' => value.push(rest.next().ok_or("a line that goes on after its end")?),
            '$' | '`' => return Err(EXPANSION),
            ';' | '&' | '|' | '<' | '>' | '(' | ')' => return Err("more than an assignment"),
            c if c.is_whitespace() => {
                let after = rest.as_str().trim();
                return if after.is_empty() || after.starts_with('#') {
                    Ok(value)
                } else {
                    Err("more than an assignment")
                };
            }
            c => value.push(c),
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_and_comments_are_those_of_a_shell() {
        let text = "\
# comment
DEVICE=eth0:0
  NAME=\"System \\\"eth0\\\"\"   # why not
EMPTY=
SINGLE='a $b'\"c\"d
HASH=a#b
ONBOOT=no
ONBOOT=yes\r
";
        let expected = [
            ("DEVICE", "eth0:0"),
            ("EMPTY", ""),
            ("HASH", "a#b"),
            ("NAME", "System \"eth0\""),
            ("ONBOOT", "yes"),
            ("SINGLE", "a $bcd"),
        ];
        let found = parse(text).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_a_shell_would_run_is_an_error_with_its_line() {
        for (text, what) in [
            ("A=1\nreboot", "line 2: no assignment"),
            ("A=1; reboot", "line 1: more than an assignment"),
            ("A=1 reboot", "line 1: more than an assignment"),
            (
                "A=$(reboot)",
                "line 1: `$` and backquotes are not followed here",
            ),
            (
                "A=\"`reboot`\"",
                "line 1: `$` and backquotes are not followed here",
            ),
            ("export A=1", "line 1: no assignment"),
            ("A='1", "line 1: a quote that does not end on its line"),
            ("A=1\\", "line 1: a line that goes on after its end"),
            ("A=~root", "line 1: `~` is not followed here"),
            ("=1", "line 1: no assignment"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), what, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(\\PC|\n){0,80}") {
            let _ = parse(&text);
        }

        #[test]
        fn a_value_in_single_quotes_is_read_as_it_is(value in "[^'\n\r\x0b\x0c\u{85}\u{2028}\u{2029}]{0,40}") {
            let found = parse(&format!("KEY='{value}'")).unwrap();
            prop_assert_eq!(&found["KEY"], &value);
        }
    }
}
