//! Speed of our IPVS client in the sandbox, next to the distribution's ipvsadm and to the kernel alone.
//!
//! `cargo bench --bench ipvs` uploads this program and lvslab itself to a director and runs [`ipvs_guest`]'s benchmark there:
//! restore, list, save and clear of 1,000 services with 10 real servers each, both programs in turn.

#[expect(dead_code, reason = "shared with the benchmark of the labs")]
mod figures;
#[path = "../ipvs_guest/mod.rs"]
mod ipvs_guest;

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::process::{ExitCode, Stdio};

use figures::Bench;

const PROGRAM: &str = "/var/tmp/ipvs-guest";

fn main() -> ExitCode {
    if let Some(ended) = ipvs_guest::asked() {
        return ended;
    }
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), Box<dyn Error>> {
    let bench = Bench::open("topologies/dr.yaml", "dr")?;
    bench.lvslab(&["sandbox", "prepare", "--yes"])?;
    bench.lvslab(&["sandbox", "start", bench.topology])?;
    let measured = in_the_guest(&bench);
    bench.stop()?;
    print!("{}", measured?);
    Ok(())
}

fn in_the_guest(bench: &Bench) -> Result<String, Box<dyn Error>> {
    upload(bench, &std::env::current_exe()?, PROGRAM)?;
    upload(
        bench,
        env!("CARGO_BIN_EXE_lvslab").as_ref(),
        ipvs_guest::OURS,
    )?;
    let words = [
        "exec",
        "--lab",
        "dr",
        "director",
        "--",
        PROGRAM,
        ipvs_guest::FACE,
        "bench",
    ];
    Ok(bench.lvslab(&words)?)
}

fn upload(bench: &Bench, program: &Path, place: &str) -> Result<(), Box<dyn Error>> {
    let script = format!("cat > {place} && chmod +x {place}");
    let uploaded = bench
        .command(&["exec", "--lab", "dr", "director", "--", "sh", "-c", &script])
        .stdin(Stdio::from(File::open(program)?))
        .status()?;
    if !uploaded.success() {
        return Err(format!("cannot upload {} to the director", program.display()).into());
    }
    Ok(())
}
