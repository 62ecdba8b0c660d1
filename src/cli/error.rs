//! Errors as people and programs read them: the error, its sources, and what to do, once.

use std::error::Error;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::commands::CommandError;
use crate::report::clean;

use super::exit;

/// `error: MESSAGE: SOURCE: …` and `hint: …`.
pub fn text(error: &CommandError) -> String {
    let mut out = String::from("error: ");
    push_lines(&mut out, &message(error), "");
    if let CommandError::Host(host) = error
        && let Some(tried) = host.tried()
    {
        let _ = writeln!(out, "tried: {}", clean::line(&tried));
    }
    if let Some(hint) = error.hint() {
        out.push_str("hint:  ");
        push_lines(&mut out, &hint, "       ");
    }
    out
}

/// `lvslab.error/1`.
pub fn document(error: &CommandError) -> Value {
    json!({
        "schema": "lvslab.error/1",
        "error": message(error),
        "hint": error.hint(),
        "exit": exit::code(error.status()),
    })
}

/// The error with its sources, each of which says only what the one before leaves out.
fn message(error: &CommandError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

fn push_lines(out: &mut String, text: &str, indent: &str) {
    for (number, line) in text.lines().enumerate() {
        if number > 0 {
            out.push_str(indent);
        }
        out.push_str(&clean::line(line));
        out.push('\n');
    }
}
