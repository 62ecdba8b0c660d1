//! The wrong place to ask from: the director of a direct-routing lab.
//!
//! It owns the VIP, and the real servers answer it with the VIP as their source: the kernel drops what arrives from an
//! address of its own (`ip_route_input_slow`, "martian source"). So the result says nothing of what a client gets.

use crate::model::{HostName, Lab};

/// What to say to a login.
pub fn of_login(lab: &Lab, host: &HostName) -> Option<String> {
    is_wrong(lab, host).then(|| {
        format!(
            "{}; ask from the client: lvslab ssh {}",
            why(lab),
            lab.client().name
        )
    })
}

/// What to say to a command that asks the VIP for a page.
pub fn of_command(lab: &Lab, host: &HostName, command: &[String]) -> Option<String> {
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
    (is_wrong(lab, host) && asks && names_vip).then(|| {
        format!(
            "{}; ask from the client: lvslab exec {} -- {}",
            why(lab),
            lab.client().name,
            crate::sys::shell::command_line(command)
        )
    })
}

fn is_wrong(lab: &Lab, host: &HostName) -> bool {
    // Where replies pass the director, it takes an answer to its own request for one of a client's.
    !lab.profile().replies_pass_director() && lab.director().name == *host
}

fn why(lab: &Lab) -> String {
    format!(
        "the director owns {vip} itself and drops answers that come from it, so a request from here proves nothing",
        vip = lab.vip()
    )
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
        let advice = of_command(&dr(), &director, &words("curl -s http://192.168.4.15/"));
        insta::assert_snapshot!(
            advice.unwrap(),
            @"the director owns 192.168.4.15 itself and drops answers that come from it, so a request from here proves nothing; ask from the client: lvslab exec client -- curl -s http://192.168.4.15/"
        );
    }

    #[test]
    fn who_logs_in_there_is_told_before() {
        let lab = dr();
        insta::assert_snapshot!(
            of_login(&lab, &"director".parse().unwrap()).unwrap(),
            @"the director owns 192.168.4.15 itself and drops answers that come from it, so a request from here proves nothing; ask from the client: lvslab ssh client"
        );
        assert_eq!(of_login(&lab, &"client".parse().unwrap()), None);
        let nat = include_str!("../../topologies/nat.yaml");
        let nat = crate::topology::parse(nat, "nat.yaml", None).unwrap();
        assert_eq!(of_login(&nat, &"director".parse().unwrap()), None);
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
            assert_eq!(of_command(&lab, &host, &words(line)), None, "{line}");
        }
    }
}
