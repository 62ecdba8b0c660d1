//! Verifies a lab with a fault in it, and mends it as a person would: with what the terminal shows.

use serde_json::Value;

use crate::faults::{Stopped, document, failing, outline, reached};
use crate::printed::steps;
use crate::stage::{Check, Ran, Stage};

/// Verifies a lab and keeps the evidence, so that the text for the terminal can be printed from it afterwards.
pub struct Look<'a> {
    pub stage: &'a Stage,
    pub name: &'static str,
    /// The file with the evidence.
    pub kept: String,
}

impl Look<'_> {
    /// `verify`, with so many requests.
    pub fn again(&self, requests: &str) -> Ran {
        let mut arguments = vec!["verify", self.name, "--requests", requests, "--json"];
        arguments.extend(["--evidence-out", &self.kept]);
        self.stage.lvslab(&arguments)
    }

    /// Types what is printed for the one check that failed, and verifies again: what was typed, or why the lab is not
    /// green.
    ///
    /// Between the first look and the repair a neighbour may have learnt a wrong MAC. `verify` then names its entry,
    /// and what is printed for that is typed too, once.
    pub fn fix(&self, check: &Value) -> Result<Result<Vec<String>, String>, Stopped> {
        let commands = check["fix"].as_array().into_iter().flatten();
        let typed: Vec<String> = commands
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        if typed.is_empty() {
            return Ok(Err(format!("no command is printed\n{}", outline(check))));
        }
        for last in [false, true] {
            if let Err(why) = self.type_in()? {
                return Ok(Err(why));
            }
            let ran = reached(self.again("4"))?;
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

    /// Runs what the terminal shows for the causes of the last look, each command on its host.
    fn type_in(&self) -> Result<Check, Stopped> {
        let shown = self
            .stage
            .lvslab(&["verify", "--from", &self.kept])
            .exit(6)?;
        let steps = steps(&shown.out);
        if steps.is_empty() {
            return Ok(Err(format!("no command is printed\n{shown}")));
        }
        for step in steps {
            let command = ["sh", "-c", &step.script];
            let ran = reached(self.stage.exec(self.name, &step.host, &command))?;
            if ran.code != 0 {
                return Ok(Err(format!("the printed command fails\n{ran}")));
            }
        }
        Ok(Ok(()))
    }
}
