//! Commands as text for a POSIX shell: what a person types, and what sshd hands to the login shell.

/// `arguments` as one line that a POSIX shell splits into exactly them.
///
/// A NUL cannot be part of an argument; callers get theirs from the system, which has none.
#[must_use]
pub fn command_line<S: AsRef<str>>(arguments: &[S]) -> String {
    let words: Vec<String> = arguments.iter().map(|word| quoted(word.as_ref())).collect();
    words.join(" ")
}

/// One word, in quotes only where something in it is special.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=/,.+:@%".contains(c);
    // zsh looks for a program called NAME where a word begins with `=`.
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('=') {
        return word.to_owned();
    }
    in_quotes(word)
}

/// One word, in quotes.
#[must_use]
pub fn in_quotes(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_words_stay_readable() {
        assert_eq!(
            command_line(&["curl", "-s", "http://192.168.4.15/"]),
            "curl -s http://192.168.4.15/"
        );
        assert_eq!(command_line(&["echo", ""]), "echo ''");
        assert_eq!(
            command_line(&["sh", "-c", "echo it's $HOME"]),
            r"sh -c 'echo it'\''s $HOME'"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_gives_back_the_same_words(
            words in proptest::collection::vec("[^\u{0}]{0,12}", 1..5)
        ) {
            let script = format!("printf '%s\\000' {}", command_line(&words));
            let output = Command::new("sh").arg("-c").arg(&script).output().unwrap();
            prop_assert!(output.status.success());
            let expected: Vec<u8> = words.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
            prop_assert_eq!(output.stdout, expected);
        }
    }
}
