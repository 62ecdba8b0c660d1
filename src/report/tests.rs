//! The texts as people see them.

use std::collections::BTreeMap;

use super::plan::{Section, plan};
use super::{HostLine, HostOutcome, Ink, Style, UpTable, host_summary, up_table, verdict};
use crate::agent::protocol::Response;
use crate::model::{ForwardingMethod, Lab, Scheduler};
use crate::plan::HostPlan;
use crate::resource::{Change, Observed, ResourceId};
use crate::verify::fixtures::healthy;
use crate::verify::fixtures::labs::{lab, name, plans};
use crate::verify::{Absence, AbsenceKind, Evidence, Verdict, check};

fn evidence(lab: &Lab) -> Evidence {
    healthy::evidence(lab, &plans(lab))
}

/// NAT without web1's default route: half of the requests time out.
fn broken() -> Verdict {
    let lab = lab(ForwardingMethod::Nat, Scheduler::Wrr, &[1, 1]);
    let mut evidence = evidence(&lab);
    let web1 = evidence.record_mut("web1").before.as_mut().unwrap();
    for observed in web1.found.observed.iter_mut().flatten() {
        if let Observed::DefaultRoute { routes } = observed {
            routes.clear();
        }
    }
    web1.found.routes[0].interface = None;
    web1.found.routes[0].via = None;
    for response in evidence.fetched_mut().as_mut().unwrap() {
        if response.body == "192.168.2.100" {
            *response = Response {
                status: 0,
                curl_exit: 28,
                body: String::new(),
                ..*response
            };
        }
    }
    check(&evidence)
}

fn unreachable() -> Verdict {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Wrr, &[1, 1]);
    let mut evidence = evidence(&lab);
    evidence.absent(
        &name("web2"),
        Absence {
            kind: AbsenceKind::Unreachable,
            cause: "cannot connect: connection refused at 10.20.0.12:22".to_owned(),
            hint: Some(
                "is sshd running there? `ssh -F ssh_config web2` shows the same attempt".to_owned(),
            ),
        },
    );
    check(&evidence)
}

/// The text with `N` for numbers of checks, so that a new check changes no snapshot; in such lines runs of spaces are
/// one, since the right edge depends on the numbers' width.
pub(super) fn without_counts(text: &str) -> String {
    let counted = |next: &str| {
        let next = next.trim_end_matches([',', '·']);
        matches!(
            next,
            "check" | "checks" | "passed" | "blocked" | "unreachable" | "not"
        )
    };
    let lines = text.lines().map(|line| {
        if !line.contains(" passed") && !line.contains("could not be made") {
            return line.to_owned();
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let masked = words.iter().enumerate().map(|(at, word)| {
            let is_count = word.parse::<usize>().is_ok();
            match words.get(at + 1) {
                Some(next) if is_count && counted(next) => "N",
                _ => word,
            }
        });
        masked.collect::<Vec<_>>().join(" ")
    });
    lines.map(|line| line + "\n").collect()
}

#[test]
fn the_numbers_are_those_of_the_checks() {
    let judged = broken();
    let (count, text) = (judged.count(), verdict(&judged, Style::plain()));
    let sum = format!(
        "1 cause · {} passed · {} blocked",
        count.pass, count.blocked
    );
    assert!(text.contains(&sum), "{sum}: {text}");
    let judged = unreachable();
    let (count, text) = (judged.count(), verdict(&judged, Style::plain()));
    let sum = format!("{} unreachable · {} passed", count.unreachable, count.pass);
    assert!(text.contains(&sum), "{sum}: {text}");
    // All of them but the one that says that the host is unreachable.
    let missing = format!("{} checks of web2 could not be made", count.unreachable - 1);
    assert!(text.contains(&missing), "{missing}: {text}");
}

#[test]
fn a_broken_lab_shows_the_cause_and_what_it_blocks() {
    insta::assert_snapshot!(without_counts(&verdict(&broken(), Style::plain())));
}

#[test]
fn a_narrow_terminal_wraps_reasons_and_keeps_commands_whole() {
    let narrow = Style::new(Ink::Plain, 50);
    insta::assert_snapshot!(without_counts(&verdict(&broken(), narrow)));
}

#[test]
fn two_causes_and_a_setting_that_a_reboot_takes_back() {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Wrr, &[1, 1]);
    let mut evidence = evidence(&lab);
    let web2 = evidence.record_mut("web2").before.as_mut().unwrap();
    for (resource, observed) in web2.asked.resources.iter().zip(&mut web2.found.observed) {
        if resource.id().0 == "sysctl net.ipv4.conf.all.arp_ignore" {
            let value = Some("0".to_owned());
            *observed = Ok(Observed::Sysctl { value });
        }
    }
    let files = web2.found.boot_files.as_mut().unwrap();
    let line = "net.ipv4.conf.all.arp_announce = 0\n";
    healthy::write(files, "/etc/sysctl.conf", line);
    insta::assert_snapshot!(without_counts(&verdict(&check(&evidence), Style::plain())));
}

#[test]
fn an_unreachable_host_is_told_of_once() {
    insta::assert_snapshot!(without_counts(&verdict(&unreachable(), Style::plain())));
}

#[test]
fn a_proven_lab_is_one_line() {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Wrr, &[1, 3]);
    insta::assert_snapshot!(
        without_counts(&verdict(&check(&evidence(&lab)), Style::plain())),
        @"✓ N checks passed · 100 requests: web1 25 · web2 75 · replies bypass the director"
    );
}

#[test]
fn many_real_servers_are_counted_in_every_output() {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Wrr, &[1; 12]);
    let evidence = evidence(&lab);
    let judged = check(&evidence);
    let text = verdict(&judged, Style::plain());
    assert!(text.contains("12 real servers"), "{text}");
    assert!(!text.contains("web7"), "{text}");
    let page = super::html::page(&judged, &evidence);
    let header = page.split("</header>").next().unwrap();
    assert!(header.contains("12 real servers"), "{header}");
    let order = |text: &str| ["web2<", "web9<", "web10<", "web12<"].map(|name| text.find(name));
    let bars = page.split("<h2>Distribution</h2>").nth(1).unwrap();
    assert!(order(bars).is_sorted(), "{:?}", order(bars));

    let mut broken = evidence;
    broken.fetched_mut().as_mut().unwrap()[0].body = "192.168.4.140".to_owned();
    let junit = super::junit::junit(&[&check(&broken)]);
    for line in junit.lines().filter(|line| line.contains("expected:")) {
        assert!(line.len() < 800, "{line}");
    }
}

#[test]
fn colour_adds_escape_sequences_and_nothing_else() {
    for verdict_of in [broken(), unreachable()] {
        let plain = verdict(&verdict_of, Style::plain());
        let ansi = verdict(&verdict_of, Style::new(Ink::Ansi, 80));
        assert_ne!(plain, ansi);
        assert_eq!(super::clean::block(&ansi), plain);
    }
}

fn table(lab: &Lab, outcomes: [HostOutcome; 4]) -> UpTable {
    let lines = plans(lab).into_iter().zip(outcomes);
    UpTable {
        place: Some("sandbox (TCG)".to_owned()),
        sandbox: Some("restored in 0.4 s, 4 hosts".to_owned()),
        hosts: lines
            .map(|(plan, outcome)| HostLine {
                summary: host_summary(&plan),
                host: plan.host,
                outcome,
            })
            .collect(),
        next: [
            ("log in", "lvslab ssh client"),
            ("try", "curl http://192.168.4.15/"),
            ("undo", "lvslab down topologies/dr.yaml"),
        ]
        .map(|(what, command)| (what.to_owned(), command.to_owned()))
        .to_vec(),
    }
}

#[test]
fn up_ends_with_what_there_is_now_and_how_to_get_in() {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Wrr, &[1, 1]);
    let changed = HostOutcome::Changed;
    let table = table(
        &lab,
        [changed(1), changed(5), HostOutcome::Unchanged, changed(11)],
    );
    let verdict = check(&evidence(&lab));
    insta::assert_snapshot!(without_counts(&up_table(
        &lab,
        &table,
        Some(&verdict),
        Style::plain()
    )));
}

#[test]
fn up_says_nothing_of_success_after_a_failure() {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Wrr, &[1, 1]);
    let failed = HostOutcome::Failed {
        cause: "package apache2: apt-get ended with 100".to_owned(),
        hint: Some("is the network there?".to_owned()),
    };
    let unreachable = HostOutcome::Unreachable {
        cause: "cannot connect: connection refused at 10.20.0.12:22".to_owned(),
        hint: None,
    };
    let table = table(
        &lab,
        [
            HostOutcome::Unchanged,
            HostOutcome::Unchanged,
            failed,
            unreachable,
        ],
    );
    let text = up_table(&lab, &table, None, Style::plain());
    assert!(!text.contains("verified") && !text.contains("passed"));
    insta::assert_snapshot!(text);
}

fn by_host(lab: &Lab) -> BTreeMap<crate::model::HostName, HostPlan> {
    let plans = plans(lab).into_iter();
    plans.map(|plan| (plan.host.clone(), plan)).collect()
}

#[test]
fn a_plan_says_what_will_be_true_and_why() {
    let lab = lab(ForwardingMethod::Nat, Scheduler::Wrr, &[1]);
    let plans = by_host(&lab);
    let mut sections: BTreeMap<_, _> = plans
        .iter()
        .map(|(host, plan)| (host.clone(), Section::Plan(plan)))
        .collect();
    let why = "web1: which interface is in 192.168.2.0/24? candidates: eth0, eth1".to_owned();
    sections.insert(name("web1"), Section::Missing(why));
    insta::assert_snapshot!(plan(&lab, &sections, &[], Style::plain()));
}

#[test]
fn a_plan_with_changes_shows_only_those() {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Wrr, &[1]);
    let plans = by_host(&lab);
    let none = BTreeMap::new();
    let changes = BTreeMap::from([
        (
            ResourceId("sysctl net.ipv4.conf.all.arp_ignore".to_owned()),
            Change::Value {
                from: Some("0".to_owned()),
                to: "1".to_owned(),
            },
        ),
        (
            ResourceId("file /etc/sysctl.d/90-lvslab.conf".to_owned()),
            Change::Text {
                from: None,
                to: "net.ipv4.conf.all.arp_ignore = 1\n".to_owned(),
            },
        ),
    ]);
    let sections = plans
        .iter()
        .map(|(host, plan)| {
            let changes = if *host == name("web1") {
                &changes
            } else {
                &none
            };
            (host.clone(), Section::Diff(plan, changes))
        })
        .collect();
    insta::assert_snapshot!(plan(&lab, &sections, &[], Style::plain()));
}

#[test]
fn an_explanation_is_a_script_with_reasons() {
    let lab = lab(ForwardingMethod::Nat, Scheduler::Wrr, &[1]);
    insta::assert_snapshot!(super::explain::explain(
        &lab,
        &by_host(&lab),
        Style::plain()
    ));
}

#[test]
fn junit_has_failures_errors_and_skipped_apart() {
    let text = super::junit::junit(&[&broken()]);
    let shown: Vec<&str> = text
        .lines()
        .filter(|line| !line.ends_with("\"/>") || line.contains("skipped"))
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
    let judged = unreachable();
    let (count, text) = (judged.count(), super::junit::junit(&[&judged]));
    assert!(count.unreachable > 1 && count.blocked > 1);
    let numbers = format!(
        "failures=\"0\" errors=\"{}\" skipped=\"{}\"",
        count.unreachable, count.blocked
    );
    assert!(text.contains(&numbers), "{numbers}: {text}");
}

/// A verdict in which checks came out in every way there is.
fn every_way() -> (Verdict, Evidence) {
    let lab = lab(ForwardingMethod::Nat, Scheduler::Lblc, &[1, 1, 1]);
    let mut evidence = evidence(&lab);
    let web1 = evidence.record_mut("web1").before.as_mut().unwrap();
    web1.found.links[0].carrier = false;
    web1.found.routes[0].via = None;
    let web3 = evidence.record_mut("web3").before.as_mut().unwrap();
    web3.found.observed.truncate(3);
    evidence.absent(
        &name("web2"),
        Absence {
            kind: AbsenceKind::Unreachable,
            cause: "cannot connect: connection refused at 10.20.0.12:22".to_owned(),
            hint: None,
        },
    );
    for response in evidence.fetched_mut().as_mut().unwrap() {
        if response.body == "192.168.2.100" {
            response.status = 0;
            response.curl_exit = 28;
        }
    }
    (check(&evidence), evidence)
}

#[test]
fn unreachable_error_failed_blocked_and_skipped_stay_apart_in_every_output() {
    let (verdict, evidence) = every_way();
    let text = super::verdict(&verdict, Style::plain());
    insta::assert_snapshot!("every_way_text", without_counts(&text));
    for tag in [
        "broken",
        "unreachable",
        "not judged",
        "blocked by",
        "skipped because",
    ] {
        assert!(text.contains(tag), "{tag}: {text}");
    }
    let junit = super::junit::junit(&[&verdict]);
    for element in [
        "<failure message=",
        "<error type=\"unreachable\" message=",
        "<error type=\"not judged\" message=",
        "<skipped type=\"blocked\" message=\"blocked by ",
        "<skipped type=\"skipped\" message=\"skipped because ",
        "</error></testcase>",
    ] {
        assert!(junit.contains(element), "{element}: {junit}");
    }
    insta::assert_snapshot!(
        "every_way_junit",
        one_of_each(&verdict, &junit, |check| format!(
            "classname=\"nat.{}\" name=\"{}\"",
            check.host, check.id.subject
        ))
    );
    let page = super::html::page(&verdict, &evidence);
    for word in ["broken", "unreachable", "not judged", "blocked", "skipped"] {
        let shown = format!("<span>{word}</span>");
        assert!(page.contains(&shown), "{shown}");
    }
    insta::assert_snapshot!(
        "every_way_html",
        one_of_each(&verdict, &page, |check| format!("id=\"{}\"", check.id))
    );
    let document = serde_json::to_value(&verdict).unwrap();
    assert_eq!(document["unreachable"], serde_json::json!(["web2"]));
    let checks = document["checks"].as_array().unwrap();
    let one = |status: &str| {
        checks
            .iter()
            .find(|check| check["status"] == status)
            .expect(status)
    };
    let statuses = ["pass", "fail", "blocked", "error", "unreachable", "skipped"];
    let each: Vec<_> = statuses.map(one).to_vec();
    insta::assert_snapshot!(
        "every_way_json",
        serde_json::to_string_pretty(&each).unwrap()
    );
}

/// The lines of `document` that are about the first check that came out in each way.
fn one_of_each(
    verdict: &Verdict,
    document: &str,
    name: impl Fn(&crate::verify::Check) -> String,
) -> String {
    use crate::verify::Status;
    let each = [
        Status::Pass,
        Status::Fail,
        Status::Blocked,
        Status::Error,
        Status::Unreachable,
        Status::Skipped,
    ];
    let lines = each.map(|status| {
        let check = verdict.checks.iter().find(|check| check.status == status);
        let name = name(check.expect("a check that came out so"));
        let at = document.find(&name).expect("its line");
        let from = document[..at].rfind('\n').map_or(0, |at| at + 1);
        let length = document[from..]
            .find("\n    <testcase")
            .or(document[from..].find("</details>\n"));
        document[from..from + length.expect("its end")].to_owned()
    });
    lines.join("\n")
}

#[test]
fn what_was_skipped_is_told_of_beside_what_passed() {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Sh, &[1, 1, 0]);
    let evidence = evidence(&lab);
    let judged = check(&evidence);
    assert!(judged.passed);
    insta::assert_snapshot!(without_counts(&verdict(&judged, Style::plain())));
}

#[test]
fn junit_of_what_was_skipped_alone_is_an_error() {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Wrr, &[1]);
    let asked_nobody = Evidence::new(&lab, 100, std::time::Duration::ZERO);
    let judged = check(&asked_nobody);
    assert!(!judged.passed);
    let text = super::junit::junit(&[&judged]);
    assert!(
        text.contains("<error message=\"nothing was proven\"/>"),
        "{text}"
    );
}

#[test]
fn junit_of_nothing_is_an_error() {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Wrr, &[1]);
    let nothing = Verdict::new(
        lab.name().clone(),
        lab.method(),
        Vec::new(),
        BTreeMap::new(),
    );
    assert!(!nothing.passed);
    assert!(super::junit::junit(&[&nothing]).contains("nothing was checked"));
    assert!(verdict(&nothing, Style::plain()).contains("nothing was checked"));
}

#[test]
fn the_page_is_self_contained_and_shows_cause_path_and_shares() {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Wrr, &[1, 3]);
    let evidence = evidence(&lab);
    let page = super::html::page(&check(&evidence), &evidence);
    for loaded in ["<script", "<link", "<img", "url(http", "src=", "@import"] {
        assert!(!page.contains(loaded), "{loaded}");
    }
    for shown in [
        "Verified: ",
        "100 answered",
        "75 (75 %)",
        "<tspan class=\"new\">52:54:00:00:00:02</tspan>",
        "client → director → web1; its reply: web1 → client",
        "52:54:00:00:00:01",
        "192.168.4.15/32",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
}

#[test]
fn a_page_from_a_host_cannot_bring_markup_into_the_report() {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Wrr, &[1]);
    let mut evidence = evidence(&lab);
    for response in evidence.fetched_mut().as_mut().unwrap() {
        response.body = "<script>alert(1)</script>".to_owned();
    }
    let page = super::html::page(&check(&evidence), &evidence);
    assert!(!page.contains("<script"));
    assert!(page.contains("&lt;script&gt;"));
}
