//! Looks at a lab with a fault in it, and mends it as a person would: by what the terminal shows.

use serde_json::Value;

use crate::faults::{document, failing, outline};
use crate::printed::steps;
use crate::stage::{Check, Ran, Stage};

/// Looks at a lab, each with its evidence in a file: what the terminal shows of it can be had from there.
pub struct Look<'a> {
    pub stage: &'a Stage,
    pub name: &'static str,
    /// The file.
    pub kept: String,
}

impl Look<'_> {
    /// `verify`, with so many requests.
    pub fn again(&self, requests: &str) -> Result<Ran, String> {
        let mut arguments = vec!["verify", self.name, "--requests", requests, "--json"];
        arguments.extend(["--evidence-out", &self.kept]);
        Ok(self.stage.lvslab(&arguments))
    }

    /// Types what is printed, and looks again.
    ///
    /// A neighbour may have learnt something wrong between the first look and the repair. That is named by
    /// itself then, and what is printed for it is typed, too, once.
    pub fn fix(&self, check: &Value) -> Result<Result<Vec<String>, String>, String> {
        let commands = check["fix"].as_array().into_iter().flatten();
        let typed: Vec<String> = commands
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        if typed.is_empty() {
            return Ok(Err(format!("no command is printed\n{}", outline(check))));
        }
        for last in [false, true] {
            if let Err(why) = self.type_in() {
                return Ok(Err(why));
            }
            let ran = self.again("4")?;
            if ran.code == 0 {
                return Ok(Ok(typed));
            }
            let report = document(ran)?;
            let left = failing(&report);
            let learnt = |check: &&Value| {
                let id = check["id"].as_str().unwrap_or_default();
                id.contains("/neighbour ")
            };
            if last || left.is_empty() || !left.iter().all(learnt) {
                let shown: Vec<String> = left.into_iter().map(outline).collect();
                return Ok(Err(format!(
                    "not green after\n{}\n{}",
                    typed.join("\n"),
                    shown.join("\n")
                )));
            }
        }
        Ok(Ok(typed))
    }

    /// What the terminal shows for the causes of the last look, copied to the hosts it is for.
    fn type_in(&self) -> Check {
        let shown = self
            .stage
            .lvslab(&["verify", "--from", &self.kept])
            .exit(6)?;
        let steps = steps(&shown.out);
        if steps.is_empty() {
            return Err(format!("no command is printed\n{shown}"));
        }
        for step in steps {
            let command = ["sh", "-c", &step.script];
            let ran = self.stage.exec(self.name, &step.host, &command);
            if ran.code != 0 {
                return Err(format!("the printed command fails\n{ran}"));
            }
        }
        Ok(())
    }
}
