//! Our IPVS client and ipvsadm in the sandbox's kernel, next to the distribution's ipvsadm.
//!
//! This program uploads itself to a director and runs [`crate::ipvs_guest`] there. The generated sequences
//! are those of a fixed seed; `LVSLAB_IPVS_SEED` and `LVSLAB_IPVS_SEQUENCES` choose others.

use std::fs::File;
use std::process::Stdio;

use crate::Test;
use crate::ipvs_guest::FACE;
use crate::stage::{Check, Deployed, Ran, Stage, equal};

pub const TESTS: &[Test] = &[
    ("ipvs_client_against_the_kernel", |stage| {
        guest(stage, &["client"])
    }),
    (
        "ipvs_differences_from_ipvsadm_are_the_documented_ones",
        |stage| guest(stage, &["differences"]),
    ),
    ("ipvs_connections_are_listed_and_survive_changes", |stage| {
        guest(stage, &["traffic"])
    }),
    ("ipvs_command_sequences_do_what_ipvsadm_does", compare),
    ("ipvs_apply_makes_the_smallest_change", apply),
    ("director_has_ipvsadm_also_after_a_reboot", drop_in),
    ("rules_are_back_as_saved_after_a_reboot", saved_rules),
];

const PROGRAM: &str = "/var/tmp/ipvs-guest";
const SEED: &str = "20231";
const SEQUENCES: &str = "2000";

/// Puts this program onto the director.
fn upload(lab: &Deployed<'_>) -> Check {
    let program = std::env::current_exe().and_then(File::open);
    let program = program.map_err(|error| format!("cannot read this program: {error}"))?;
    let script = format!("cat > {PROGRAM} && chmod +x {PROGRAM}");
    lab.exec_with("director", &["sh", "-c", &script], Stdio::from(program))
        .exit(0)?;
    Ok(())
}

fn run(lab: &Deployed<'_>, arguments: &[&str]) -> Ran {
    let words = [&[PROGRAM, FACE], arguments].concat();
    lab.exec("director", &words)
}

fn guest(stage: &Stage, arguments: &[&str]) -> Check {
    let lab = stage.deployed("dr")?;
    upload(&lab)?;
    let ran = run(&lab, arguments).exit(0)?;
    eprintln!("{}", ran.out.trim_end());
    ran.says(" passed\n")?;
    Ok(())
}

fn compare(stage: &Stage) -> Check {
    let chosen = |name, otherwise: &str| std::env::var(name).unwrap_or_else(|_| otherwise.into());
    let seed = chosen("LVSLAB_IPVS_SEED", SEED);
    let sequences = chosen("LVSLAB_IPVS_SEQUENCES", SEQUENCES);
    eprintln!("{sequences} sequences of LVSLAB_IPVS_SEED={seed}");
    guest(stage, &["compare", &sequences, &seed])
}

const LIST: &str = "\
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  192.168.4.15:80 wrr
  -> 192.168.4.100:80             Route   1      0          0         
  -> 192.168.4.200:80             Route   1      0          0         
";

/// The course's commands, typed on the director.
fn drop_in(stage: &Stage) -> Check {
    let lab = stage.deployed("dr")?;
    let typed = |line: &str| lab.exec("director", &["sh", "-c", line]);
    let listed = || -> Check {
        typed("ipvsadm -Z").exit(0)?;
        // Connections of the verification are still in their timeouts.
        let list = typed("ipvsadm -Ln").exit(0)?.out;
        let (version, table) = list.split_once('\n').ok_or("an empty list")?;
        if !version.starts_with("IP Virtual Server version 1.2.1 (size=") {
            return Err(format!("the first line is {version:?}"));
        }
        let still = |line: &str| match line.get(..49) {
            Some(start) if line.starts_with("  -> 1") => format!("{start}0          0         "),
            _ => line.to_owned(),
        };
        let table: Vec<String> = table.lines().map(still).collect();
        equal(
            "the table",
            &table.join("\n"),
            &LIST.trim_end_matches('\n').to_owned(),
        )
    };
    typed("command -v ipvsadm")
        .exit(0)?
        .says("/usr/local/sbin/ipvsadm")?;
    listed()?;
    typed("ipvsadm -A -t nonsense -s rr")
        .exit(2)?
        .says("illegal virtual server address[:port] specified")?;
    typed("ipvsadm -D -t 10.9.9.9:80")
        .exit(255)?
        .says("No such service")?;
    lab.stage
        .lvslab(&["sandbox", "reboot", "director", "--lab", lab.lab])
        .exit(0)?;
    listed()?;
    typed("ipvsadm -Sn > /tmp/rules && ipvsadm -C && ipvsadm -R < /tmp/rules").exit(0)?;
    listed()?;
    typed("ipvsadm-save -n > /etc/sysconfig/ipvsadm").exit(0)?;
    let help = typed("ipvsadm-save -h").exit(1)?;
    equal("what help prints", &help.out.as_str(), &"")?;
    equal(
        "a word that is no option",
        &typed("ipvsadm-save rules").exit(0)?.out,
        &typed("ipvsadm-save").exit(0)?.out,
    )?;
    // It clears the table first, whatever the words.
    for words in ["", "-n", "-h"] {
        typed(&format!("ipvsadm-restore {words} < /etc/sysconfig/ipvsadm")).exit(0)?;
    }
    // A full disk is an error, a reader that has read enough is none.
    typed("ipvsadm -Ln > /dev/full")
        .exit(1)?
        .says("cannot write to standard output: No space left on device")?;
    let closed = typed("{ sleep 1; ipvsadm -Ln; echo $? > /tmp/status; } | true; cat /tmp/status");
    equal(
        "the status at a closed pipe",
        &closed.exit(0)?.out.as_str(),
        &"0\n",
    )?;
    typed("LVSLAB_IPVSADM_COMPAT=1.31 ipvsadm -Ln=").exit(255)?;
    typed("LVSLAB_IPVSADM_COMPAT=2 ipvsadm -Ln")
        .exit(2)?
        .says("the only version it can name is 1.31")?;
    listed()?;
    lab.verify().exit(0)?;
    Ok(())
}

/// What a person types and saves, as the course's last exercise has it, in both distributions' places.
fn saved_rules(stage: &Stage) -> Check {
    let lab = stage.deployed("dr")?;
    let typed = |line: &str| lab.exec("director", &["sh", "-c", line]);
    let saved = |path: &str| -> Result<String, String> {
        let rules = typed(&format!("cat {path}")).exit(0)?.out;
        lab.stage
            .lvslab(&["sandbox", "reboot", "director", "--lab", lab.lab])
            .exit(0)?;
        let table = typed("ipvsadm -Sn").exit(0)?.out;
        equal("the table after the reboot", &table, &rules)?;
        Ok(rules)
    };
    saved("/etc/ipvsadm.rules")?;
    for line in [
        "ipvsadm -e -t 192.168.4.15:80 -r 192.168.4.200:80 -g -w 3 -x 20 -y 10",
        "ipvsadm -A -t 192.168.4.15:443 -s sh -p 600 -M 255.255.255.0 -b sh-port",
        "ipvsadm -A -f 8 -6 -s rr",
        "ipvsadm -Sn > /etc/ipvsadm.rules",
    ] {
        typed(line).exit(0)?;
    }
    let rules = saved("/etc/ipvsadm.rules")?;
    equal("rules", &rules.lines().count(), &5)?;
    // What is deleted before saving stays deleted, although the other file still has it.
    typed("ipvsadm -D -f 8 -6 && ipvsadm-save -n > /etc/sysconfig/ipvsadm").exit(0)?;
    let rules = saved("/etc/sysconfig/ipvsadm")?;
    equal("rules", &rules.lines().count(), &4)?;
    // The lab's rules are read again once they are the newer ones; verification looks at what a boot reads.
    lab.up().exit(0)?;
    saved("/etc/ipvsadm.rules")?;
    typed("echo '-A -f 9 -s rr' > /etc/sysconfig/ipvsadm").exit(0)?;
    lab.verify()
        .exit(6)?
        .says("IPVS serves tcp 192.168.4.15:80 after a reboot")?
        .says("works until the next boot")?;
    lab.up().exit(0)?.says("1 changed")?;
    saved("/etc/ipvsadm.rules")?;
    Ok(())
}

const APPLY: &str = "/var/lib/lvslab/agent ipvs apply --json";

fn apply(stage: &Stage) -> Check {
    let lab = stage.deployed("dr")?;
    let typed = |line: &str| lab.exec("director", &["sh", "-c", line]);
    let changes = |ran: &Ran| -> Result<Vec<String>, String> {
        let document: serde_json::Value =
            serde_json::from_str(&ran.out).map_err(|e| format!("no document ({e}):\n{ran}"))?;
        equal(
            "schema",
            &document["schema"].as_str(),
            &Some("lvslab.ipvs-apply/1"),
        )?;
        let changes = document["changes"].as_array().ok_or("no changes")?;
        let commands = changes.iter().map(|change| change["command"].as_str());
        Ok(commands.flatten().map(str::to_owned).collect())
    };
    // What is so already is not touched.
    let ran = typed(&format!("ipvsadm -Sn | {APPLY} -")).exit(0)?;
    equal("changes to the same table", &changes(&ran)?, &Vec::new())?;
    // One weight is one change; a dry run makes none.
    let edit = "ipvsadm -Sn | sed 's/\\(-r 192.168.4.200:80 .* -w \\)1/\\13/'";
    let expected = vec!["ipvsadm -e -t 192.168.4.15:80 -r 192.168.4.200:80 -g -w 3".to_owned()];
    for options in ["--dry-run", ""] {
        let ran = typed(&format!("{edit} | {APPLY} {options} -")).exit(0)?;
        equal("changes for one weight", &changes(&ran)?, &expected)?;
    }
    typed("ipvsadm -Sn")
        .exit(0)?
        .says("-r 192.168.4.200:80 -g -w 3")?;
    // A mistake changes nothing; a refusal names its line.
    typed(&format!(
        "printf -- '-A -f 1\\n-a -f 2 -r 1.2.3.4\\n' | {APPLY} -"
    ))
    .exit(2)?
    .says("line 2: Service not defined")?;
    typed(&format!(
        "(ipvsadm -Sn; echo '-A -f 1 -s nosuch') | {APPLY} -"
    ))
    .exit(3)?
    .says("\"line\": 4")?
    .says("the kernel has no such scheduler")?;
    // What was changed before a refusal is taken back.
    let rules = typed("ipvsadm -Sn").exit(0)?.out;
    let ran = typed(&format!(
        "(ipvsadm -Sn | sed 's/-w 3/-w 5/'; echo '-A -f 2 -s rr'; echo '-A -f 1 -s nosuch') | {APPLY} -"
    ))
    .exit(3)?;
    equal("changes that stay", &changes(&ran)?, &Vec::new())?;
    let now = typed("ipvsadm -Sn").exit(0)?.out;
    equal("the table after a refusal", &now, &rules)?;
    // `show` has the order of `-Sn`.
    typed("ipvsadm -A -f 3 -s rr && ipvsadm -A -t 10.0.0.1:80 -s rr").exit(0)?;
    let shown = typed("/var/lib/lvslab/agent ipvs show").exit(0)?.out;
    equal("show", &shown, &typed("ipvsadm -Sn").exit(0)?.out)?;
    typed("/var/lib/lvslab/agent ipvs show > /dev/full").exit(1)?;
    typed("ipvsadm -D -f 3 && ipvsadm -D -t 10.0.0.1:80").exit(0)?;
    // Two lines that contradict each other are both named, and so is every mistake.
    typed(&format!(
        "printf -- '-A -f 1 -s rr\\n-A -f 1 -s wrr\\n-C\\n' | {APPLY} -"
    ))
    .exit(2)?
    .says("line 2: contradicts line 1")?
    .says("line 3: only -A and -a describe a table")?;
    // A file without rules needs a word more.
    typed(&format!("{APPLY} - < /dev/null"))
        .exit(2)?
        .says("has no rules")?
        .says("--yes")?;
    let now = typed("ipvsadm -Sn").exit(0)?.out;
    equal("the table after a file without rules", &now, &rules)?;
    typed(&format!("{APPLY} --dry-run - < /dev/null")).exit(0)?;
    typed(&format!("{APPLY} --yes --at-once - < /dev/null")).exit(0)?;
    let now = typed("ipvsadm -Sn").exit(0)?.out;
    equal("the empty table", &now.as_str(), &"")?;
    // The lab's own program puts its service back and leaves what is not its own.
    typed("ipvsadm -A -f 7 -s rr").exit(0)?;
    lab.up().exit(0)?.says("1 changed")?;
    typed("ipvsadm -Sn").exit(0)?.says("-A -f 7 -s rr")?;
    Ok(())
}
