//! `lvslab hint LAB`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::exercise;
use crate::labs::Selection;

use super::{Answer, CommandError, Context, Status};

/// Help with the exercise that is set, a little more each time
///
/// First the symptom, then where to look, then the host, then the setting.
#[derive(Debug, clap::Args)]
pub struct Hint {
    #[command(flatten)]
    selection: Selection,
    /// Print one JSON document (`lvslab.hint/1`) on standard output
    #[arg(long)]
    pub json: bool,
}

impl Hint {
    /// The hints so far and one more.
    ///
    /// # Errors
    /// Mistakes in the files, or that no exercise is set.
    pub fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        let lab = self.selection.load(&ctx.dirs)?;
        let name = lab.id();
        let Some(mut set) = exercise::active(&ctx.dirs, name)? else {
            return Err(CommandError::NoExercise { lab: name.clone() });
        };
        let all = set.all_hints();
        let most = u32::try_from(all.len()).unwrap_or(u32::MAX);
        set.hints = (set.hints + 1).min(most);
        exercise::remember(&ctx.dirs, name, &set)?;
        let given = usize::try_from(set.hints).unwrap_or(all.len());
        let left = all.len() - given;
        if self.json {
            let hints: Vec<Value> = all[..given]
                .iter()
                .map(|(about, hint)| json!({ "about": about, "hint": hint }))
                .collect();
            return Answer::document(
                &json!({ "schema": "lvslab.hint/1", "lab": name, "hints": hints, "left": left }),
                Status::Done,
            );
        }
        let mut text = String::new();
        for (about, hint) in &all[..given] {
            let _ = writeln!(text, "  {about:9}{hint}");
        }
        let _ = match left {
            0 => writeln!(
                text,
                "\nthat is all: `lvslab verify {name}` says how to put it right, `lvslab repair {name}` does it"
            ),
            1 => writeln!(text, "\n1 more hint: lvslab hint {name}"),
            _ => writeln!(text, "\n{left} more hints: lvslab hint {name}"),
        };
        Ok(Answer::done(text))
    }
}
