//! What lvslab costs on this machine, beside a floor for each figure: the same kernel booting to an empty init, or one
//! `ssh HOST true` on all four hosts at once.
//!
//! `cargo bench` prints a table. Each figure is the median of its runs; the runs of all figures alternate.

mod figures;
mod floor;

use std::error::Error;
use std::time::Duration;

use figures::{Bench, Figure};

const RUNS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().any(|argument| argument == "--list") {
        return Ok(());
    }
    let bench = Bench::open("topologies/dr.yaml", "dr")?;
    bench.lvslab(&["sandbox", "prepare", "--yes"])?;
    let result = measure(&bench);
    bench.stop()?;
    print!("{}", figures::table(&result?));
    Ok(())
}

fn measure(bench: &Bench) -> Result<Vec<Figure>, Box<dyn Error>> {
    let mut rows = Rows::default();
    for _ in 0..RUNS {
        rows.empty_boot.push(floor::empty_boot(bench)?);
        bench.forget_base_state()?;
        rows.booted.push(bench.start_until_ssh()?);
        bench.stop()?;
        rows.restored.push(bench.start_until_ssh()?);
        rows.first_deploy
            .push(bench.timed(&["up", bench.topology, "--yes"])?);
        rows.ssh_true.push(bench.ssh_true()?);
        bench.close_connections()?;
        rows.rerun
            .push(bench.timed(&["up", bench.topology, "--yes"])?);
        rows.rerun_connected
            .push(bench.timed(&["up", bench.topology, "--yes"])?);
        rows.requests.push(bench.requests_over_ssh(100)?);
        bench.close_connections()?;
        rows.verify
            .push(bench.timed(&["verify", bench.topology, "--requests", "100"])?);
        rows.peak_memory
            .push(bench.peak_memory(&["up", bench.topology, "--yes"])?);
        bench.stop()?;
    }
    Ok(rows.figures(bench)?)
}

#[derive(Default)]
struct Rows {
    empty_boot: Vec<Duration>,
    booted: Vec<Duration>,
    restored: Vec<Duration>,
    first_deploy: Vec<Duration>,
    ssh_true: Vec<Duration>,
    rerun: Vec<Duration>,
    rerun_connected: Vec<Duration>,
    requests: Vec<Duration>,
    verify: Vec<Duration>,
    peak_memory: Vec<u64>,
}

impl Rows {
    fn figures(self, bench: &Bench) -> std::io::Result<Vec<Figure>> {
        let empty = figures::median(&self.empty_boot);
        let ssh = figures::median(&self.ssh_true);
        let requests = figures::median(&self.requests);
        let (binary, upload) = bench.binary_sizes()?;
        Ok(vec![
            Figure::time("the kernel to an empty init", &self.empty_boot, None),
            Figure::time(
                "`ssh HOST true` on four hosts at once",
                &self.ssh_true,
                None,
            ),
            Figure::time(
                "sandbox start to four hosts answering SSH, booted",
                &self.booted,
                Some((empty, "empty init")),
            ),
            Figure::time(
                "sandbox start to four hosts answering SSH, restored",
                &self.restored,
                Some((ssh, "ssh true")),
            ),
            Figure::time(
                "first deploy, with verification",
                &self.first_deploy,
                Some((ssh, "ssh true")),
            ),
            Figure::time(
                "re-run without changes, new connections",
                &self.rerun,
                Some((ssh, "ssh true")),
            ),
            Figure::time(
                "re-run without changes, connections kept",
                &self.rerun_connected,
                Some((ssh, "ssh true")),
            ),
            Figure::time(
                "100 requests by one curl, over one `ssh client`",
                &self.requests,
                Some((ssh, "ssh true")),
            ),
            Figure::time(
                "verify with 100 requests, capture and ARP probe, new connections",
                &self.verify,
                Some((requests, "those 100 requests")),
            ),
            Figure::bytes("binary", binary),
            Figure::bytes("upload to a host", upload),
            Figure::bytes(
                "peak memory of the controller",
                figures::largest(&self.peak_memory),
            ),
        ])
    }
}
