//! Printed fixes can be typed as they stand, files included.

use super::tests::without_counts;
use super::{Style, junit, verdict};
use crate::model::{ForwardingMethod, Scheduler};
use crate::verify::fixtures::healthy;
use crate::verify::fixtures::labs::{lab, plans};
use crate::verify::{Status, Verdict, check};

/// DR without the director's saved rules, and a file to be written for it, whose end must begin its line.
fn not_saved() -> Verdict {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Wrr, &[1, 1]);
    let mut evidence = healthy::evidence(&lab, &plans(&lab));
    let director = evidence.record_mut("director").before.as_mut().unwrap();
    let files = director.found.boot_files.as_mut().unwrap();
    healthy::write(files, "/etc/ipvsadm.rules", "");
    let mut verdict = check(&evidence);
    let cause = verdict.checks.iter_mut().find(|c| c.status == Status::Fail);
    cause.unwrap().fix = FILE.lines().map(str::to_owned).collect();
    verdict
}

const FILE: &str = "\
cat > /etc/ipvsadm.rules <<'EOF'
-A -t 192.168.4.15:80 -s wrr
-a -t 192.168.4.15:80 -r 192.168.4.100:80 -g -w 1
-a -t 192.168.4.15:80 -r 192.168.4.110:80 -g -w 1
EOF
chmod 600 /etc/ipvsadm.rules";

#[test]
fn a_file_to_be_written_begins_at_the_left_edge() {
    insta::assert_snapshot!(without_counts(&verdict(&not_saved(), Style::plain())), @"
    ✗ director  IPVS serves tcp 192.168.4.15:80 after a reboot  works until the next boot
        expected  wrr: 192.168.4.100:80 gatewaying weight 1, 192.168.4.110:80
                  gatewaying weight 1
        observed  no such service
        why       What is set now is gone after the next boot unless the boot sets
                  it again. The director takes every connection to 192.168.4.15:80,
                  chooses a real server and sends it the packets with nothing
                  changed but the destination MAC, so the real server sees the VIP
                  and answers the client itself.
        fix
    cat > /etc/ipvsadm.rules <<'EOF'
    -A -t 192.168.4.15:80 -s wrr
    -a -t 192.168.4.15:80 -r 192.168.4.100:80 -g -w 1
    -a -t 192.168.4.15:80 -r 192.168.4.110:80 -g -w 1
    EOF
    chmod 600 /etc/ipvsadm.rules

    1 cause · N passed exit 6
    ");
}

#[test]
fn a_shell_finds_the_end_of_the_file_in_what_is_printed() {
    let text = verdict(&not_saved(), Style::plain());
    let (_, fix) = text.split_once("    fix\n").expect("a fix below its label");
    let (fix, _) = fix.split_once("\n\n").expect("the sum after it");
    let directory = tempfile::tempdir().unwrap();
    let fix = fix.replace("/etc/", &format!("{}/", directory.path().display()));
    let status = std::process::Command::new("sh")
        .args(["-e", "-c", &fix])
        .status()
        .unwrap();
    assert!(status.success(), "{fix}");
    let written = std::fs::read_to_string(directory.path().join("ipvsadm.rules")).unwrap();
    assert!(
        written.starts_with("-A -t 192.168.4.15:80 -s wrr\n"),
        "{written}"
    );
    assert!(
        written.ends_with("-r 192.168.4.110:80 -g -w 1\n"),
        "{written}"
    );
}

#[test]
fn junit_has_the_file_as_it_has_to_be_typed() {
    let text = junit::junit(&[&not_saved()]);
    assert!(
        text.contains("\nfix:\ncat &gt; /etc/ipvsadm.rules &lt;&lt;'EOF'\n"),
        "{text}"
    );
    assert!(text.contains("\nEOF\nchmod 600 "), "{text}");
}
