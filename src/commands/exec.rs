//! `lvslab exec HOST -- COMMAND…`.

use crate::model::{HostName, Lab, Mode};
use crate::orchestrate::{Roster, run};

use super::labs::WhichLab;
use super::{Answer, CommandError, Context, Status};

/// Run a command on a host of a lab
///
/// The arguments reach the command as they are given here. Standard input, output and error are passed
/// through, and the command's exit code is lvslab's.
#[derive(Debug, clap::Args)]
pub struct Exec {
    /// Host
    host: HostName,
    #[command(flatten)]
    which: WhichLab,
    /// Command and arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Exec {
    /// Runs it.
    ///
    /// # Errors
    /// When the host is unknown or cannot be reached.
    pub async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        let lab = self.which.with_host(&ctx.dirs, &self.host)?;
        if let Some(advice) = wrong_place(&lab, &self.host, &self.command) {
            ctx.progress.note("note", &advice);
        }
        let roster = Roster::of(&lab, &ctx.dirs)
            .map_err(CommandError::io("make the directory of the SSH sockets"))?;
        let Some(to) = roster.destination(&self.host) else {
            return Err(CommandError::UnknownHost {
                host: self.host,
                lab: lab.name().clone(),
                known: lab.hosts().iter().map(|host| host.name.clone()).collect(),
            });
        };
        match run(to, &self.command).await {
            Ok(code) => Ok(Answer {
                // Exit codes are eight bits wide on the other side, too.
                status: Status::Remote(u8::try_from(code).unwrap_or(255)),
                ..Answer::done("")
            }),
            Err(cause) => Err(CommandError::Host(Box::new(
                roster.error(&self.host, cause),
            ))),
        }
    }
}

/// The director of a DR lab owns the VIP: a request from there to the VIP never reaches IPVS the way a
/// client's does, so its result says nothing.
fn wrong_place(lab: &Lab, host: &HostName, command: &[String]) -> Option<String> {
    let vip = lab.vip().to_string();
    let names_vip = command.iter().any(|word| {
        word.match_indices(&vip).any(|(at, _)| {
            let around = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_digit() && c != '.');
            around(word[..at].chars().next_back()) && around(word[at + vip.len()..].chars().next())
        })
    });
    let asks = command
        .iter()
        .any(|word| ["curl", "wget"].iter().any(|tool| word.contains(tool)));
    let director = lab.director().name == *host;
    (lab.mode() == Mode::Dr && director && asks && names_vip).then(|| {
        format!(
            "the director owns {vip} itself, so a request from here proves nothing; \
             ask from the client: lvslab exec {} -- {}",
            lab.client().name,
            crate::orchestrate::command_line(command)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dr() -> Lab {
        crate::topology::parse(include_str!("../../topologies/dr.yaml"), "dr.yaml", None).unwrap()
    }

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn testing_from_the_director_of_a_dr_lab_is_advised_against() {
        let director = "director".parse().unwrap();
        let advice = wrong_place(&dr(), &director, &words("curl -s http://192.168.4.15/"));
        insta::assert_snapshot!(
            advice.unwrap(),
            @"the director owns 192.168.4.15 itself, so a request from here proves nothing; ask from the client: lvslab exec client -- curl -s http://192.168.4.15/"
        );
    }

    #[test]
    fn other_commands_and_hosts_are_left_alone() {
        let lab = dr();
        for (host, line) in [
            ("client", "curl -s http://192.168.4.15/"),
            ("director", "curl -s http://192.168.4.100/"),
            ("director", "curl -s http://192.168.4.150/"),
            ("director", "ip addr show to 192.168.4.15"),
        ] {
            let host = host.parse().unwrap();
            assert_eq!(wrong_place(&lab, &host, &words(line)), None, "{line}");
        }
    }
}
