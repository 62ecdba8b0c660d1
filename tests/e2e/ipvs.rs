//! Our IPVS client and ipvsadm in the sandbox's kernel, next to the distribution's ipvsadm.
//!
//! This program uploads itself to a director and runs [`crate::ipvs_guest`] there. The generated sequences
//! are those of a fixed seed; `LVSLAB_IPVS_SEED` and `LVSLAB_IPVS_SEQUENCES` choose others.

use std::fs::File;
use std::process::Stdio;

use crate::Test;
use crate::ipvs_guest::FACE;
use crate::stage::{Check, Deployed, Ran, Stage};

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
];

const PROGRAM: &str = "/var/tmp/ipvs-guest";
const SEED: &str = "20231";
const SEQUENCES: &str = "3000";

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
