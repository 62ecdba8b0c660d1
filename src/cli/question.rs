//! A yes-or-no question on the terminal. Anything but yes is no.

use std::io::{BufRead, Write};

/// Asks on standard error and reads the answer from standard input.
pub fn ask(question: &str) -> bool {
    put(
        question,
        &mut std::io::stderr(),
        &mut std::io::stdin().lock(),
    )
}

fn put(question: &str, to: &mut impl Write, from: &mut impl BufRead) -> bool {
    let mut answer = String::new();
    let asked = write!(to, "{question} [y/N] ").and_then(|()| to.flush());
    asked.is_ok()
        && from.read_line(&mut answer).is_ok()
        && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        for (answer, expected) in [
            ("y\n", true),
            ("YES\n", true),
            ("\n", false),
            ("", false),
            ("no\n", false),
            ("yesterday\n", false),
        ] {
            let mut shown = Vec::new();
            assert_eq!(
                put("Install qemu?", &mut shown, &mut answer.as_bytes()),
                expected,
                "{answer:?}"
            );
            assert_eq!(shown, b"Install qemu? [y/N] ");
        }
    }
}
