//! What one `curl` process prints for many requests: after each body a line of ours with the numbers.

use crate::agent::protocol::Response;

/// Bytes of a body that are kept.
const BODY_BYTES: usize = 4096;

/// `--write-out` text for `mark`, which no body can foresee.
///
/// The numbers go to both outputs: curl keeps standard output back while it works, so when it has to be
/// ended in the middle of a request, the latest ones are on standard error only. A curl without
/// `%{stderr}` (before 7.63) repeats them on standard output.
pub(in crate::agent) fn write_out(mark: &str) -> String {
    let numbers = format!(
        "{mark}|%{{http_code}}|%{{exitcode}}|%{{local_port}}|%{{time_total}}|%{{num_connects}}\\n"
    );
    format!("\\n{numbers}%{{stderr}}{numbers}")
}

/// The answers in order. A last one that was cut off is left out, numbers that cannot be read are 0.
///
/// `%{exitcode}` is newer than RHEL 8's curl; where it is missing, the `curl: (N) …` lines of `stderr` are
/// taken in order for the requests that got no answer.
pub(in crate::agent) fn parse(stdout: &[u8], stderr: &str, mark: &str) -> Vec<Response> {
    let mark = format!("{mark}|");
    let begin = format!("\n{mark}");
    let mut complaints = stderr.lines().filter_map(complaint);
    let mut answers = Vec::new();
    let mut rest = stdout;
    while let Some(at) = find(rest, begin.as_bytes()) {
        let (body, from) = (&rest[..at], &rest[at + begin.len()..]);
        let Some(end) = find(from, b"\n") else { break };
        let line = String::from_utf8_lossy(&from[..end]);
        answers.push(answer(&line, body, &mut complaints));
        rest = &from[end + 1..];
        if rest.starts_with(mark.as_bytes()) {
            // Repeated for want of a standard error.
            let end = find(rest, b"\n").map_or(rest.len(), |end| end + 1);
            rest = &rest[end..];
        }
    }
    // Whenever curl writes a body it lets go of everything before: only the first of those that are
    // missing can have one.
    let mut body = rest;
    let numbers = stderr
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .filter_map(|line| line.trim_end().strip_prefix(&mark));
    for line in numbers.skip(answers.len()) {
        answers.push(answer(line, body, &mut complaints));
        body = b"";
    }
    answers
}

/// How the requests ended of which standard error tells already, in order: curl's exit code of each.
///
/// A complaint alone is no end yet: its numbers come after it.
pub(in crate::agent) fn ended(stderr: &str, mark: &str) -> Vec<i32> {
    let answers = parse(b"", stderr, mark);
    answers.iter().map(|answer| answer.curl_exit).collect()
}

/// Whether this curl, as of before 7.63, has the numbers on standard output only, where they come late.
pub(in crate::agent) fn cannot_say_at_once(stderr: &str) -> bool {
    stderr.contains("unknown --write-out variable: 'stderr'")
}

fn answer(line: &str, body: &[u8], complaints: &mut impl Iterator<Item = i32>) -> Response {
    let fields: Vec<&str> = line.split('|').collect();
    let number = |at: usize| fields.get(at).and_then(|f| f.parse::<u32>().ok());
    let status = number(0).and_then(|n| u16::try_from(n).ok()).unwrap_or(0);
    let curl_exit = number(1)
        .and_then(|n| i32::try_from(n).ok())
        .unwrap_or_else(|| {
            // No answer and no complaint: some failure all the same (CURLE_GOT_NOTHING).
            if status == 0 {
                complaints.next().unwrap_or(52)
            } else {
                0
            }
        });
    let seconds = fields.get(3).and_then(|f| f.parse::<f64>().ok());
    Response {
        status,
        curl_exit,
        body: text(body),
        local_port: number(2).and_then(|n| u16::try_from(n).ok()).unwrap_or(0),
        seconds: seconds.filter(|s| s.is_finite()).unwrap_or(0.0),
        connections: Some(number(4).unwrap_or(0)),
    }
}

fn text(body: &[u8]) -> String {
    let kept = &body[..body.len().min(BODY_BYTES)];
    String::from_utf8_lossy(kept).trim_end().to_owned()
}

/// `curl: (28) Operation timed out`
fn complaint(line: &str) -> Option<i32> {
    let number = line.strip_prefix("curl: (")?;
    number.split_once(')')?.0.parse().ok()
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MARK: &str = "5f3759df";

    fn printed(body: &[u8], line: &str) -> Vec<u8> {
        let mut bytes = body.to_vec();
        bytes.extend(format!("\n{MARK}|{line}\n").bytes());
        bytes
    }

    #[test]
    fn answers_and_failures_are_told_apart() {
        let mut stdout = printed(b"192.168.4.100\n", "200|0|51514|0.001234|1");
        stdout.extend(printed(b"", "000|7|0|0.000321|0"));
        stdout.extend(printed(b"192.168.4.200\n", "200|0|51515|0.002|0"));
        stdout.extend(b"half a body");
        let answers = parse(&stdout, "", MARK);
        let short: Vec<_> = answers
            .iter()
            .map(|a| {
                let r = a;
                (
                    r.status,
                    r.curl_exit,
                    r.body.as_str(),
                    r.local_port,
                    a.connections.unwrap(),
                )
            })
            .collect();
        assert_eq!(
            short,
            [
                (200, 0, "192.168.4.100", 51514, 1),
                (0, 7, "", 0, 0),
                (200, 0, "192.168.4.200", 51515, 0)
            ]
        );
        assert!((answers[0].seconds - 0.001_234).abs() < 1e-9);
    }

    #[test]
    fn an_old_curl_says_its_exit_codes_on_standard_error_only() {
        let mut stdout = printed(b"a", "200||51514|0.1|1");
        stdout.extend(printed(b"", "000||0|0.1|0"));
        stdout.extend(printed(b"", "000||0|0.1|0"));
        let stderr = "curl: unknown --write-out variable: 'exitcode'\ncurl: (28) Connection timed out\ncurl: (7) Failed\n";
        let exits: Vec<_> = parse(&stdout, stderr, MARK)
            .iter()
            .map(|a| a.curl_exit)
            .collect();
        assert_eq!(exits, [0, 28, 7]);
    }

    #[test]
    fn what_curl_kept_back_when_it_was_ended_is_taken_from_standard_error() {
        let lines = ["200|0|1|0.1|1", "200|0|2|0.1|1", "000|28|0|1.0|1"];
        let mut stdout = printed(b"first", lines[0]);
        stdout.extend(b"second");
        let stderr: String = lines
            .iter()
            .map(|line| format!("{MARK}|{line}\ncurl: (0) whatever\n"))
            .collect();
        let cut = format!("{stderr}{MARK}|200|0|");
        let short: Vec<_> = parse(&stdout, &cut, MARK)
            .iter()
            .map(|a| (a.body.clone(), a.curl_exit))
            .collect();
        let expected = [("first", 0), ("second", 0), ("", 28)];
        assert_eq!(short, expected.map(|(body, exit)| (body.to_owned(), exit)));
    }

    #[test]
    fn a_request_has_ended_when_its_numbers_are_whole_not_when_curl_complains() {
        let complaint = "curl: (28) Connection timed out\n";
        let numbers = format!("{MARK}|000|28|0|2.0|1\n");
        let said = format!("{MARK}|200|0|7|0.1|1\n{complaint}{numbers}");
        let until = |at: usize| ended(&said[..at], MARK);
        for at in 0..said.len() {
            assert!(until(at).len() < 2, "{:?}", &said[..at]);
        }
        assert_eq!(until(said.len()), [0, 28]);
        assert!(!cannot_say_at_once(&said));
    }

    #[test]
    fn an_old_curl_repeats_the_numbers_on_standard_output() {
        let mut stdout = Vec::new();
        for body in ["a", "b"] {
            stdout.extend(printed(body.as_bytes(), "200||7|0.1|1"));
            stdout.extend(format!("{MARK}|200||7|0.1|1\n").bytes());
        }
        let bodies: Vec<_> = parse(
            &stdout,
            "curl: unknown --write-out variable: 'stderr'\n",
            MARK,
        )
        .into_iter()
        .map(|a| a.body)
        .collect();
        assert_eq!(bodies, ["a", "b"]);
    }

    #[test]
    fn a_long_body_is_cut() {
        let stdout = printed(&[b'x'; 10_000], "200|0|1|0.1|1");
        assert_eq!(parse(&stdout, "", MARK)[0].body.len(), BODY_BYTES);
    }

    proptest! {
        #[test]
        fn whatever_the_bodies_hold_the_answers_come_back(
            bodies in prop::collection::vec((any::<Vec<u8>>(), 0_u16..600, 0_u16..100, any::<u16>()), 0..6),
            cut in prop::option::of(0_usize..40),
        ) {
            let mut stdout = Vec::new();
            let mut ends = vec![];
            for (body, status, exit, port) in &bodies {
                stdout.extend(printed(body, &format!("{status:03}|{exit}|{port}|0.5|1")));
                ends.push(stdout.len());
            }
            stdout.truncate(stdout.len() - cut.unwrap_or(0).min(stdout.len()));
            let whole = ends.iter().filter(|&&end| end <= stdout.len()).count();
            let answers = parse(&stdout, "", MARK);
            prop_assert_eq!(answers.len(), whole);
            for (answer, (body, status, exit, port)) in answers.iter().zip(&bodies) {
                prop_assert_eq!(answer.status, *status);
                prop_assert_eq!(answer.curl_exit, i32::from(*exit));
                prop_assert_eq!(answer.local_port, *port);
                let text = String::from_utf8_lossy(body);
                prop_assert_eq!(answer.body.as_str(), text.trim_end());
            }
        }

        #[test]
        fn any_output_is_read_without_panic(stdout in any::<Vec<u8>>(), stderr in ".*", line in "[0-9|.a-z-]{0,60}") {
            parse(&stdout, &stderr, MARK);
            parse(&printed(&stdout, &line), &stderr, MARK);
        }
    }
}
