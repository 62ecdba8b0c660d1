//! The system's curl made old, or slow to speak.

use std::path::Path;

use super::*;
use crate::testing::script;

/// The system's curl with its words, its configuration and what it says on standard error passed through bash commands.
fn altered_curl(directory: &Path, before: &str, words: &str, errors: &str) -> PathBuf {
    let real = command::find("curl").unwrap();
    let script = format!(
        r#"#!/bin/bash
{before}
alter() {{ {words}; }}
words=()
for word; do words+=("$(alter <<< "$word")"); done
exec 3>&1
{} "${{words[@]}}" < <(alter) 2>&1 >&3 | {errors} >&2
exit "${{PIPESTATUS[0]}}"
"#,
        real.display()
    );
    let path = directory.join("curl");
    script::write(&path, &script);
    path
}

/// A curl that knows as little as an old one.
fn old_curl(directory: &Path, unknown: &[&str]) -> PathBuf {
    let mut before = String::new();
    if unknown.contains(&"--next") {
        before = r#"for word; do
  if [ "$word" = --next ]; then echo "curl: option --next: is unknown" >&2; exit 2; fi
done"#
            .to_owned();
    }
    let mut strange = String::new();
    let mut honest = String::new();
    for variable in unknown.iter().filter(|word| !word.starts_with('-')) {
        strange += &format!("s/%{{{variable}}}/%{{no-{variable}}}/g;");
        honest += &format!("s/'no-{variable}'/'{variable}'/;");
    }
    altered_curl(
        directory,
        &before,
        &format!("sed '{strange}'"),
        &format!("sed -u '{honest}'"),
    )
}

/// RHEL 7 has curl 7.29, RHEL 8 has 7.61.
const OLD_CURLS: [&[&str]; 2] = [&["--next", "stderr", "exitcode"], &["stderr", "exitcode"]];

#[test]
fn an_old_curl_sends_the_marked_ones_and_the_others() {
    for unknown in OLD_CURLS {
        let directory = tempfile::tempdir().unwrap();
        let (url, server) = server(5, |number, stream| {
            page(stream, &number.to_string());
            true
        });
        let marked = Fetch {
            marked: 2,
            ports: Some(free_ports(8)),
            ..request(&url, 5)
        };
        let curl = old_curl(directory.path(), unknown);
        let session = Session::new(&marked, curl, "MARK".to_owned());
        let responses = session.run(&|| false).unwrap();
        server.join().unwrap();
        let bodies: Vec<_> = responses.iter().map(|r| r.body.as_str()).collect();
        assert_eq!(bodies, ["0", "1", "2", "3", "4"], "{unknown:?}");
        let ports = marked.ports.unwrap();
        assert!(responses[..2].iter().all(|r| ports.contains(r.local_port)));
    }
}

#[test]
fn an_old_curl_is_ended_as_soon_as_a_new_one() {
    for unknown in OLD_CURLS {
        let directory = tempfile::tempdir().unwrap();
        // Every second one hangs.
        let (url, _listening) = server(1000, |number, stream| {
            if number % 2 == 0 {
                page(stream, "page");
            }
            number % 2 == 0
        });
        let request = hasty(&url, 1000);
        let curl = old_curl(directory.path(), unknown);
        let session = Session::new(&request, curl, "MARK".to_owned());
        let responses = session.run(&|| false).unwrap();
        let late = responses.iter().filter(|r| r.curl_exit == TIMED_OUT);
        assert_eq!(late.count(), 2, "{unknown:?}");
        assert!(responses.iter().any(|r| r.body == "page"));
        assert!(responses.len() < 10, "{}", responses.len());
    }
}

#[test]
fn a_request_that_timed_out_is_counted_although_its_numbers_come_after_the_complaint() {
    let directory = tempfile::tempdir().unwrap();
    let (url, _listening) = one_page_of(1000);
    let request = hasty(&url, 1000);
    let slowly = r#"while IFS= read -r line; do printf '%s\n' "$line"; sleep 0.1; done"#;
    let curl = altered_curl(directory.path(), "", "cat", &format!("({slowly})"));
    let session = Session::new(&request, curl, "MARK".to_owned());
    let exits: Vec<_> = session
        .run(&|| false)
        .unwrap()
        .iter()
        .map(|r| r.curl_exit)
        .collect();
    assert_eq!(exits, [0, TIMED_OUT, TIMED_OUT]);
}
