//! What the wire shows: traces, capture files, answers to ARP; and the report in a browser.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::Test;
use crate::browser::Browser;
use crate::packages;
use crate::stage::{Check, Deployed, Ran, Stage, equal};

pub const TESTS: &[Test] = &[
    ("nat_trace_shows_both_rewrites_of_the_director", nat_trace),
    ("dr_trace_is_a_capture_that_wireshark_opens", dr_trace),
    ("dr_a_second_arp_answer_points_at_arp_ignore", arp_ignore),
    ("dr_report_shows_the_path_in_a_browser", page),
    (
        "nat_trace_watches_a_real_server_that_goes_round_the_director",
        trace_of_a_bypass,
    ),
    (
        "nat_a_hanging_real_server_is_named_after_a_few_requests",
        hanging,
    ),
    (
        "a_verification_whose_connections_break_is_made_again",
        connections_break,
    ),
];

/// Stops curl as soon as it runs.
const STOP_CURL: &str = "\
for round in $(seq 3000); do pkill -STOP -x curl && exit 0; sleep 0.02; done; exit 1";

fn connections_break(stage: &Stage) -> Check {
    let lab = stage.deployed("dr")?;
    // Opens the connections.
    lab.verify().exit(0)?;
    let sockets = stage.path("run/lvslab/dr/ssh");
    let ran = thread::scope(|scope| {
        // The requests are interrupted in the middle: a curl that is stopped does not finish them.
        let watch = scope.spawn(|| lab.exec("client", &["sh", "-c", STOP_CURL]));
        let verify = scope.spawn(|| {
            let topology = lab.topology();
            stage.lvslab(&["verify", &topology])
        });
        let watched = watch.join().map_err(|_| "the watch panicked".to_owned())?;
        for host in ["client", "director", "web1", "web2"] {
            let _ = Command::new("ssh")
                .arg("-S")
                .arg(sockets.join(host))
                .args(["-O", "exit", "none"])
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
        let ran = verify.join().map_err(|_| "verify panicked".to_owned())?;
        watched.exit(0)?;
        Ok::<_, String>(ran)
    })?;
    ran.exit(0)?
        .says("client: looking again: a connection was lost")?;
    Ok(())
}

fn nat_trace(stage: &Stage) -> Check {
    let lab = stage.deployed("nat")?;
    lab.stage
        .lvslab(&["trace", &lab.topology()])
        .exit(0)?
        .says("← destination was 192.168.4.5:80")?
        .says("← source was 192.168.2.")?
        .says("✓ the way of NAT: client → director → web")?;
    let ran = lab.stage.lvslab(&["trace", "nat", "--json"]).exit(0)?;
    let document: Value = serde_json::from_str(&ran.out).map_err(|e| format!("{e}\n{ran}"))?;
    equal("as promised", &document["as_promised"], &Value::Bool(true))?;
    let journeys = document["journeys"].as_array().ok_or("no journeys")?;
    equal("one request", &journeys.len(), &1)?;
    let ways = ["request", "reply"].map(|leg| hosts(&journeys[0][leg]));
    let server = ways[1].first().cloned().unwrap_or_default();
    let way = |hosts: &[&str]| hosts.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>();
    equal(
        "the request's way",
        &ways[0],
        &way(&["client", "director", &server]),
    )?;
    equal(
        "the reply's way",
        &ways[1],
        &way(&[&server, "director", "client"]),
    )
}

fn trace_of_a_bypass(stage: &Stage) -> Check {
    let lab = stage.deployed("nat")?;
    stage
        .lvslab(&["break", "nat", "second-address", "--host", "web1"])
        .exit(0)?;
    for ran in two_traces(&lab)? {
        if ran.out.contains("no capture") || ran.err.contains('✗') {
            return Err(format!("web1 is not watched\n{ran}"));
        }
    }
    stage.lvslab(&["repair", "nat"]).exit(0).map(drop)
}

/// Two traces in a row, so one for each real server. Fails unless exactly one of them went the wrong way.
fn two_traces(lab: &Deployed<'_>) -> Result<[Ran; 2], String> {
    let ran = [(); 2].map(|()| lab.stage.lvslab(&["trace", &lab.topology()]));
    let codes: BTreeSet<i32> = ran.iter().map(|ran| ran.code).collect();
    if codes == BTreeSet::from([0, 6]) {
        return Ok(ran);
    }
    let [one, other] = ran;
    Err(format!("expected to end with 0 and 6\n{one}\n{other}"))
}

fn hosts(leg: &Value) -> Vec<String> {
    let stops = leg["stops"].as_array().into_iter().flatten();
    stops
        .filter_map(|stop| stop["host"].as_str().map(str::to_owned))
        .collect()
}

fn dr_trace(stage: &Stage) -> Check {
    let lab = stage.deployed("dr")?;
    let file = stage.path("dr.pcapng");
    let name = file.to_string_lossy().into_owned();
    lab.stage
        .lvslab(&["trace", &lab.topology(), "--pcap", &name])
        .exit(0)?
        .says("← only the MAC changed")?
        .says("accepted for lo:0")?
        .says("← did not pass the director")?
        .says("✓ the way of direct routing")?;
    let about = tool("capinfos", &["-t", "-E", "-I", "-c", &name])?;
    for interface in ["client:eth0", "director:eth0", "web1:eth0", "web2:eth0"] {
        if !about.contains(&format!("Name = {interface}")) {
            return Err(format!("capinfos sees no interface {interface}:\n{about}"));
        }
    }
    if !about.contains("pcapng") {
        return Err(format!("capinfos takes it for something else:\n{about}"));
    }
    let fields = [
        "frame.interface_name",
        "eth.src",
        "eth.dst",
        "ip.src",
        "ip.dst",
    ];
    let mut arguments = vec![
        "-n",
        "-r",
        &name,
        "-Y",
        "tcp.flags.syn == 1 && tcp.flags.ack == 0",
    ];
    arguments.extend(["-T", "fields"]);
    arguments.extend(fields.iter().flat_map(|field| ["-e", field]));
    let printed = tool("tshark", &arguments)?;
    let frames: Vec<Vec<&str>> = printed.lines().map(|l| l.split('\t').collect()).collect();
    let places: Vec<&str> = frames.iter().map(|frame| frame[0]).collect();
    let expected = ["client:eth0", "director:eth0", "director:eth0"];
    equal(
        "where the SYN was seen",
        &places[..3.min(places.len())].to_vec(),
        &expected.to_vec(),
    )?;
    equal("and on a real server", &places.len(), &4)?;
    if frames
        .iter()
        .any(|f| (f[3], f[4]) != ("192.168.4.10", "192.168.4.15"))
    {
        return Err(format!("direct routing changed an address:\n{printed}"));
    }
    // The frame arrives at the director and leaves it with different MACs, both source and destination.
    let macs: BTreeSet<_> = frames.iter().map(|f| (f[1], f[2])).collect();
    equal("segments of the way by their MACs", &macs.len(), &2)?;
    // Wireshark finds no malformed frame.
    let malformed = tool("tshark", &["-n", "-r", &name, "-Y", "_ws.malformed"])?;
    equal("malformed frames", &malformed.as_str(), &"")
}

/// The output of a Wireshark program.
fn tool(name: &str, arguments: &[&str]) -> Result<String, String> {
    let program = packages::program(name, "tshark")?;
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|e| format!("{name}: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(text)
    } else {
        let complaint = String::from_utf8_lossy(&output.stderr);
        Err(format!(
            "{name} ended with {}\n{complaint}{text}",
            output.status
        ))
    }
}

fn arp_ignore(stage: &Stage) -> Check {
    let lab = stage.deployed("dr")?;
    for name in ["all", "eth0"] {
        let setting = format!("net.ipv4.conf.{name}.arp_ignore=0");
        lab.exec("web2", &["sysctl", "-w", &setting]).exit(0)?;
    }
    let report = lab.verify_json()?;
    let checks = report["checks"].as_array().ok_or("no checks")?;
    let with = |status: &str| -> Vec<&str> {
        let matching = checks.iter().filter(|check| check["status"] == status);
        matching.filter_map(|check| check["id"].as_str()).collect()
    };
    equal(
        "the one cause",
        &with("fail"),
        &vec!["web2/effective arp_ignore on eth0"],
    )?;
    let answers = checks
        .iter()
        .find(|check| check["id"] == "client/ARP answers for 192.168.4.15")
        .ok_or_else(|| format!("no check of ARP answers in {report:#}"))?;
    equal("its status", &answers["status"].as_str(), &Some("blocked"))?;
    let observed = answers["observed"].as_str().unwrap_or_default();
    for owner in ["(director)", "(web2)"] {
        if !observed.contains(owner) {
            return Err(format!(
                "{owner} is not among those who answered: {observed}"
            ));
        }
    }
    if observed.contains("(web1)") {
        return Err(format!("web1 keeps quiet, yet: {observed}"));
    }
    // The ARP probe has not taught the client web2's MAC: with the setting back, the lab is green at once.
    lab.exec("web2", &["sysctl", "-w", "net.ipv4.conf.all.arp_ignore=1"])
        .exit(0)?;
    lab.verify().exit(0)?;
    Ok(())
}

fn page(stage: &Stage) -> Check {
    let lab = stage.deployed("dr")?;
    let (html, kept) = (stage.path("dr.html"), stage.path("dr.json"));
    let (html_name, kept_name) = (html.to_string_lossy(), kept.to_string_lossy());
    let topology = lab.topology();
    let mut arguments = vec!["verify", &topology, "--html", &html_name];
    arguments.extend(["--evidence-out", &kept_name]);
    lab.stage.lvslab(&arguments).exit(0)?;
    // The kept evidence gives the same verdict without any host.
    lab.stage
        .lvslab(&["verify", "--from", &kept_name])
        .exit(0)?;
    lab.stage
        .lvslab(&["trace", "--from", &kept_name])
        .exit(0)?
        .says("✓ the way of direct routing: client → director → web1; web1 → client")?
        .says("✓ the way of direct routing: client → director → web2; web2 → client")?;
    let browser = Browser::open()?;
    for width in [1280, 640] {
        healthy_page(&browser.measure(&html, width)?)
            .map_err(|error| format!("{width} pixels wide: {error}"))?;
    }
    printed(&browser, &html)
}

fn healthy_page(seen: &Value) -> Check {
    equal(
        "pixels to scroll sideways",
        &seen["sideways"],
        &Value::from(0),
    )?;
    let none = Value::Array(Vec::new());
    equal("text outside its place", &seen["outside"], &none)?;
    equal("text over text", &seen["overlapping"], &none)?;
    equal("requests for anything else", &seen["requests"], &none)?;
    equal("drawings", &seen["drawings"], &Value::from(3))?;
    equal("ladders", &seen["ladders"], &Value::from(2))?;
    // Two hops for the request and one for the reply, in each of two ladders.
    equal("arrows", &seen["arrows"], &Value::from(6))?;
    let rewritten = seen["rewritten"].as_array().map_or(0, Vec::len);
    equal("rewritten MACs, source and destination", &rewritten, &4)?;
    let bars: Vec<u64> = seen["bars"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_u64)
        .collect();
    if bars.len() != 2 || bars[0] == 0 || bars[0] != bars[1] {
        return Err(format!("equal shares have equal bars, yet: {bars:?}"));
    }
    let text = seen["text"].as_str().unwrap_or_default();
    for shown in [
        "Verified: ",
        "192.168.4.15",
        "52:54:",
        "50 (50 %)",
        "client → director → web1",
    ] {
        if !text.contains(shown) {
            return Err(format!("{shown:?} is not to be read in\n{text}"));
        }
    }
    Ok(())
}

fn printed(browser: &Browser, html: &Path) -> Check {
    let pdf = browser.print(html)?;
    let text = String::from_utf8_lossy(&pdf);
    let pages = text.matches("/Type /Page\n").count() + text.matches("/Type /Page ").count();
    if !text.starts_with("%PDF") || pages == 0 || pages > 20 {
        return Err(format!("{} bytes of PDF with {pages} pages", pdf.len()));
    }
    Ok(())
}

fn hanging(stage: &Stage) -> Check {
    let lab = stage.deployed("nat")?;
    lab.exec("web1", &["ip", "route", "del", "default"])
        .exit(0)?;
    let kept = stage.path("hanging.json");
    let name = kept.to_string_lossy().into_owned();
    lab.stage
        .lvslab(&["verify", &lab.topology(), "--evidence-out", &name])
        .exit(6)?
        .says("default via 192.168.2.5")?;
    let text = std::fs::read_to_string(&kept).map_err(|e| e.to_string())?;
    let evidence: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    let responses = evidence["fetched"]["Ok"]
        .as_array()
        .ok_or_else(|| format!("no requests, but {}", evidence["fetched"]))?;
    let late = responses.iter().filter(|r| r["curl_exit"] == 28).count();
    equal(
        "requests that timed out before the rest was given up",
        &late,
        &2,
    )?;
    if responses.len() >= 100 {
        return Err("all requests were sent".to_owned());
    }
    two_traces(&lab).map(drop)
}
