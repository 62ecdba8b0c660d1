//! Where our ipvsadm differs from the distribution's on purpose: what each does, one check per row of the
//! README's table.

use lvslab::ipvs::{Client, Daemon, Forwarding, Service, Table, Timeouts};
use lvslab::ipvsadm::Behaviour;
use lvslab::netlink::route::RouteSocket;

use super::check;
use super::tools::{Outcome, ours, ours_as, theirs};

pub fn all() {
    check("saving_keeps_thresholds", saved_thresholds);
    check("saving_keeps_the_third_scheduler_flag", saved_flag);
    check(
        "restoring_reads_a_flag_that_the_original_saved_without_its_name",
        saved_flag_of_the_original,
    );
    check("marks_from_2_to_the_31_are_shown_and_saved", large_marks);
    check("editing_a_service_keeps_its_scheduler", kept_scheduler);
    check(
        "flags_of_an_edited_service_are_those_of_its_scheduler",
        flags_of_the_kept_scheduler,
    );
    check("editing_a_server_keeps_its_method", kept_method);
    check(
        "restoring_rules_with_a_mistake_changes_nothing",
        restore_with_a_mistake,
    );
    check("restoring_skips_comments", restore_with_comments);
    check(
        "restoring_what_the_kernel_refuses_changes_nothing",
        refused_restore,
    );
    check(
        "a_refused_restore_of_edits_and_deletions_changes_nothing",
        refused_edits,
    );
    check(
        "a_refused_restore_puts_timeouts_and_daemons_back",
        refused_settings,
    );
    check("a_restore_can_end_with_a_daemon", last_daemon);
    check(
        "edits_in_a_restore_keep_what_they_do_not_name",
        kept_in_a_restore,
    );
    check("restoring_can_keep_going", keep_going);
    check("rules_that_are_there_twice_are_restored_once", repeated);
    check(
        "lists_among_rules_are_refused_with_their_line",
        lists_in_rules,
    );
    check("ipvsadm_restore_clears_the_table_first", restore_wrapper);
    check("a_refused_ipvsadm_restore_changes_nothing", refused_wrapper);
    check("ipvsadm_save_only_knows_n", save_wrapper);
    check("help_and_version_need_no_ipvs", help_and_version);
}

pub(super) fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// Ours, which must succeed; its output.
pub(super) fn run(line: &str) -> String {
    let outcome = ours(&words(line), "");
    assert_eq!(
        (outcome.status, outcome.stderr.as_str()),
        (Some(0), ""),
        "{line}"
    );
    outcome.stdout
}

pub(super) fn original(line: &str) -> Outcome {
    theirs(&words(line), "")
}

pub(super) fn restore(rules: &str) -> Outcome {
    ours(&words("-R"), rules)
}

pub(super) fn table() -> Table {
    Client::open().unwrap().table().unwrap()
}

fn saved_thresholds() {
    run("-A -t 10.0.0.1:80 -s wrr");
    run("-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -x 2000 -y 1500");
    let saved = run("-Sn");
    assert!(saved.ends_with(" -m -w 1 -x 2000 -y 1500\n"), "{saved}");
    assert!(!original("-Sn").stdout.contains("-x"), "the original does");
    let before = table();
    run("-C");
    assert_eq!(restore(&saved).status, Some(0));
    assert_eq!(table(), before);
}

fn saved_flag() {
    run("-A -t 10.0.0.1:80 -s mh -b flag-3");
    let saved = run("-Sn");
    assert_eq!(saved, "-A -t 10.0.0.1:80 -s mh -b flag-3\n");
    assert_ne!(original("-Sn").stdout, saved);
    let before = table();
    run("-C");
    assert_eq!(restore(&saved).status, Some(0));
    assert_eq!(table(), before);
}

fn saved_flag_of_the_original() {
    run("-A -t 10.0.0.1:80 -s mh -b flag-3");
    let saved = original("-Sn").stdout;
    assert_eq!(saved, "-A -t 10.0.0.1:80 -s mh -b \n");
    run("-C");
    assert_ne!(
        theirs(&words("-R"), &saved).stderr,
        "",
        "the original reads it"
    );
    run("-C");
    let restored = restore(&saved);
    assert_eq!(
        (restored.status, restored.stderr.as_str()),
        (Some(0), ""),
        "{saved}"
    );
    assert_eq!(run("-Sn"), "-A -t 10.0.0.1:80 -s mh\n");
}

fn large_marks() {
    run("-A -f 2147483648 -s rr");
    run("-A -f 4294967295 -6 -s rr");
    assert_eq!(
        run("-Sn"),
        "-A -f 2147483648 -s rr\n-A -f 4294967295 -6 -s rr\n"
    );
    let listed = run("-Ln");
    assert!(listed.contains("\nFWM  2147483648 rr\n"), "{listed}");
    assert!(listed.contains("\nFWM  4294967295 IPv6 rr\n"), "{listed}");
    assert!(original("-Sn").stdout.contains("-A -f -2147483648 "));
    run("-D -f 2147483648");
    run("-D -f 4294967295 -6");
    assert_eq!(table(), []);
}

fn kept_scheduler() {
    run("-A -t 10.0.0.1:80 -s sh -b sh-port");
    run("-E -t 10.0.0.1:80 -p 300");
    let service = table()[0].service.clone();
    assert_eq!(service.scheduler, "sh");
    assert_eq!(service.flags, Service::SCHEDULER_FLAG_2);
    assert_eq!(service.persistence.map(u32::from), Some(300));
    assert_eq!(original("-E -t 10.0.0.1:80 -p 300").status, Some(0));
    assert_eq!(table()[0].service.scheduler, "wlc", "the original's");
    // Without such a service there is nothing to keep, and the message is the same.
    let line = "-E -t 10.0.0.9:80";
    assert_eq!(ours(&words(line), ""), original(line));
}

fn flags_of_the_kept_scheduler() {
    run("-A -t 10.0.0.1:80 -s sh -b sh-port");
    run("-E -t 10.0.0.1:80 -b sh-fallback");
    assert_eq!(run("-Sn"), "-A -t 10.0.0.1:80 -s sh -b sh-fallback\n");
    let outcome = original("-E -t 10.0.0.1:80 -b sh-port");
    assert_eq!(
        outcome.status,
        Some(2),
        "the original's wlc has no such flag"
    );
    run("-E -t 10.0.0.1:80 -s wlc");
    for line in ["-E -t 10.0.0.1:80 -b sh-port", "-E -t 10.0.0.9:80 -b wide"] {
        assert_eq!(ours(&words(line), ""), original(line));
    }
}

fn kept_method() {
    run("-A -t 10.0.0.1:80 -s wrr");
    run("-a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m");
    run("-a -t 10.0.0.1:80 -r 10.1.0.2 -i --tun-type gue --tun-port 6080 --tun-csum");
    let before = table();
    run("-e -t 10.0.0.1:80 -r 10.1.0.1:8080 -w 5");
    run("-e -t 10.0.0.1:80 -r 10.1.0.2 -w 6");
    let mut expected = before;
    for status in &mut expected[0].destinations {
        status.destination.weight = match status.destination.forwarding {
            Forwarding::Masquerade => 5,
            _ => 6,
        };
    }
    assert_eq!(table(), expected);
    // The original asks for direct routing, for which the port is the service's: another server.
    let outcome = original("-e -t 10.0.0.1:80 -r 10.1.0.1:8080 -w 5");
    assert_eq!(outcome.stderr, "No such destination\n");
    let line = "-e -t 10.0.0.1:80 -r 10.1.0.9 -w 5";
    assert_eq!(ours(&words(line), ""), original(line));
}

const MISTAKE: &str =
    "-A -t 10.0.0.1:80 -s wrr\n-a -t 10.0.0.1:80 -r 10.1.0.1 -g\n-A -t nonsense -s wrr\n";

fn restore_with_a_mistake() {
    run("-A -f 1 -s rr");
    let before = table();
    let outcome = restore(MISTAKE);
    assert_eq!(
        outcome.stderr,
        "line 3: illegal virtual server address[:port] specified\n"
    );
    assert_eq!(outcome.status, Some(2));
    assert_eq!(table(), before);
    let outcome = theirs(&words("-R"), MISTAKE);
    assert_eq!(outcome.status, Some(2));
    assert_eq!(table().len(), 2, "the original's half");
}

fn restore_with_comments() {
    let rules = "# the web service\n\n-A -t 10.0.0.1:80 -s wrr # weighted\n";
    assert_eq!(restore(rules).status, Some(0));
    assert_eq!(table().len(), 1);
    run("-C");
    assert_ne!(theirs(&words("-R"), rules).status, Some(0));
}

const REFUSED: &str = "\
-A -t 10.0.0.1:80 -s wrr
-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1
-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1
-A -t 10.0.0.2:80 -s nosuch
-a -t 10.0.0.3:80 -r 10.1.0.1:80 -g -w 1
-A -t 10.0.0.4:80 -s rr
";

fn refused_restore() {
    run("-A -f 1 -s rr");
    run("-a -f 1 -r 10.1.0.9 -g");
    let before = table();
    let outcome = restore(REFUSED);
    assert_eq!(
        outcome.stderr,
        "line 3: Destination already exists\n\
         line 4: Scheduler or persistence engine not found\n\
         line 5: Service not defined\n\
         nothing was restored\n"
    );
    assert_eq!(outcome.status, Some(255));
    assert_eq!(table(), before);
}

fn refused_edits() {
    run("-A -t 10.0.0.1:80 -s wrr");
    run("-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 3 -x 20");
    run("-A -t 10.0.0.2:80 -s sh -p 60");
    let before = table();
    let outcome = restore(
        "-e -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 9\n\
         -E -t 10.0.0.1:80 -s rr\n\
         -D -t 10.0.0.2:80\n\
         -A -t 10.0.0.5:80 -s rr\n\
         -D -t 10.0.0.6:80\n",
    );
    assert_eq!(
        outcome.stderr,
        "line 5: No such service\nnothing was restored\n"
    );
    let mut now = table();
    now.sort_by_key(|status| status.service.key);
    let mut before = before;
    before.sort_by_key(|status| status.service.key);
    assert_eq!(now, before);
}

/// Timeouts, daemons and the table.
fn settings() -> (Timeouts, Vec<Daemon>, Table) {
    let client = Client::open().unwrap();
    (
        client.timeouts().unwrap(),
        client.daemons().unwrap(),
        client.table().unwrap(),
    )
}

fn add_eth0() {
    RouteSocket::open().unwrap().add_bridge("eth0").unwrap();
}

const SETTINGS: &str = "\
--set 100 10 50
--start-daemon master --syncid 1
--stop-daemon backup
-Z
-C
-D -t 10.9.9.9:80
";

fn refused_settings() {
    add_eth0();
    run("-A -t 10.0.0.1:80 -s wrr");
    run("-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g");
    run("--set 600 100 200");
    run("--start-daemon backup --syncid 3 --sync-maxlen 1000");
    let before = settings();
    let outcome = restore(SETTINGS);
    assert_eq!(
        outcome.stderr,
        "line 6: No such service\n\
         nothing was restored; counters that -Z set to zero stay so\n"
    );
    assert_eq!(settings(), before);
    // Without the last line it is done.
    let rules = SETTINGS.rsplit_once("-D").unwrap().0;
    assert_eq!(restore(rules).status, Some(0));
    let (timeouts, daemons, table) = settings();
    assert_eq!(
        (timeouts.tcp_seconds, daemons.len(), table.len()),
        (100, 1, 0)
    );
}

/// One that is stopped before it ran makes the kernel not answer.
fn last_daemon() {
    add_eth0();
    for _ in 0..20 {
        let outcome = restore("--start-daemon master --syncid 1\n--stop-daemon master\n");
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
        run("--start-daemon backup");
        run("--stop-daemon backup");
    }
    assert_eq!(Client::open().unwrap().daemons().unwrap(), []);
}

fn kept_in_a_restore() {
    run("-A -t 10.0.0.1:80 -s sh -b sh-port");
    run("-a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m");
    let outcome = restore(
        "-E -t 10.0.0.1:80 -p 60 -b sh-fallback\n\
         -e -t 10.0.0.1:80 -r 10.1.0.1:8080 -w 5\n\
         -A -t 10.0.0.2:80 -s mh\n\
         -a -t 10.0.0.2:80 -r 10.1.0.2:8080 -m\n\
         -E -t 10.0.0.2:80 -p 300\n\
         -e -t 10.0.0.2:80 -r 10.1.0.2:8080 -w 6\n",
    );
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        run("-Sn"),
        "-A -t 10.0.0.1:80 -s sh -p 60 -b sh-fallback\n\
         -a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 5\n\
         -A -t 10.0.0.2:80 -s mh -p 300\n\
         -a -t 10.0.0.2:80 -r 10.1.0.2:8080 -m -w 6\n"
    );
    theirs(&words("-R"), "-E -t 10.0.0.1:80 -p 60\n");
    assert!(
        run("-Sn").starts_with("-A -t 10.0.0.1:80 -s wlc "),
        "the original's"
    );
}

fn keep_going() {
    let outcome = ours(&words("-R --keep-going"), REFUSED);
    assert_eq!(outcome.status, Some(255));
    assert!(!outcome.stderr.contains("nothing was restored"));
    let kept = table();
    run("-C");
    theirs(&words("-R"), REFUSED);
    let keys = |table: Table| {
        let mut keys: Vec<_> = table
            .iter()
            .map(|s| (s.service.key, s.destinations.len()))
            .collect();
        keys.sort_unstable();
        keys
    };
    assert_eq!(keys(kept), keys(table()), "what the original leaves");
}

const TWICE: &str = "\
-A -t 10.0.0.1:80 -s wrr
-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 3
-A -t 10.0.0.1:80 -s wrr
-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 3
";

fn repeated() {
    let outcome = restore(TWICE);
    assert_eq!(
        (outcome.status, outcome.stderr.as_str()),
        (
            Some(0),
            "line 3: Service already exists\nline 4: Destination already exists\n"
        )
    );
    let restored = table();
    run("-C");
    let original = theirs(&words("-R"), TWICE);
    assert_eq!(
        (original.status, original.stderr.as_str()),
        (
            Some(255),
            "Service already exists\nDestination already exists\n"
        )
    );
    assert_eq!(table(), restored, "the original goes on");
    // A table that is full already is another matter.
    let outcome = restore(TWICE);
    assert_eq!(outcome.status, Some(255));
    assert!(
        outcome
            .stderr
            .starts_with("line 1: Service already exists\n")
    );
    assert_eq!(table(), restored);
}

fn lists_in_rules() {
    for verb in ["-L", "-S", "-h", "-v"] {
        let rules = format!("-A -t 10.0.0.1:80 -s rr\n{verb}\n-A -t 10.0.0.2:80 -s rr\n");
        let outcome = restore(&rules);
        assert_eq!(
            (outcome.status, outcome.stderr),
            (Some(2), format!("line 2: `{verb}' is no rule\n"))
        );
        assert_eq!(table(), []);
        let original = theirs(&words("-R"), &rules);
        assert_eq!(original.status, Some(0), "{verb}");
        assert_ne!(original.stdout, "", "{verb}");
        let ends = ["-h", "-v"].contains(&verb);
        assert_eq!(table().len(), if ends { 1 } else { 2 }, "{verb}");
        run("-C");
    }
}

/// What Debian's ipvsadm-restore does with the original, comments left out.
fn theirs_restored(rules: &str) -> Outcome {
    original("-C");
    theirs(&words("-R"), rules)
}

fn restore_wrapper() {
    let rules = "-A -t 10.0.0.1:80 -s wrr\n-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 3\n";
    run("-A -f 1 -s rr");
    for behaviour in [Behaviour::Ours, Behaviour::Original] {
        // Twice, and with words that it ignores.
        for line in ["", "-n", "-h", "rules"] {
            let text = format!("# saved\n{rules}");
            let outcome = ours_as("ipvsadm-restore", &words(line), &text, behaviour);
            let expected = theirs_restored(rules);
            assert_eq!(outcome, expected, "{line}");
            assert_eq!(run("-Sn"), rules);
        }
    }
    let outcome = ours_as("ipvsadm-restore", &[], "", Behaviour::Ours);
    assert_eq!(outcome.status, Some(0));
    assert_eq!(table(), []);
}

fn refused_wrapper() {
    run("-A -f 1 -s rr");
    run("-a -f 1 -r 10.1.0.9 -g");
    let before = table();
    for rules in [REFUSED, MISTAKE] {
        let outcome = ours_as("ipvsadm-restore", &[], rules, Behaviour::Ours);
        assert_ne!(outcome.status, Some(0));
        assert_eq!(table(), before);
        // The original clears the table first, and keeps the rules that it could restore.
        let outcome = ours_as("ipvsadm-restore", &[], rules, Behaviour::Original);
        let left = table();
        assert_eq!(outcome, theirs_restored(rules));
        assert_eq!(table(), left);
        run("-C");
        run("-A -f 1 -s rr");
        run("-a -f 1 -r 10.1.0.9 -g");
    }
}

fn save_wrapper() {
    run("-A -t 10.0.0.1:80 -s wrr");
    let saved = |line: &str| ours_as("ipvsadm-save", &words(line), "", Behaviour::Ours);
    assert_eq!(saved("-n"), original("-Sn"));
    assert_eq!(saved("rules -n"), original("-Sn"));
    assert_eq!(saved("rules"), original("-S"));
    for line in ["-h", "-x", "-n --help"] {
        let outcome = saved(line);
        assert_eq!(outcome.status, Some(1));
        assert_eq!(outcome.stdout, "");
        assert!(outcome.stderr.starts_with("ipvsadm-save: "));
    }
}

fn help_and_version() {
    for line in ["-h", "-v"] {
        let outcome = ours(&words(line), "");
        assert_eq!(outcome.status, Some(0));
        assert_eq!(outcome.stdout, original(line).stdout);
    }
}
