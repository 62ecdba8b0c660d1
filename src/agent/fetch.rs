//! Real requests with the system's `curl`: one process for all of them, a fresh connection for each. The first
//! few can come from ports that are known beforehand, for those who capture them.

use std::process::Command;
use std::time::{Duration, Instant};

use super::command::{self, Limits, cannot_run, run_watched};
use super::curl_output::{Answer, parse, write_out};
use super::error::{because, host};
use super::protocol::{AgentError, Fetch, Ports, Response};

/// More would be a load test, which this is not.
const MOST_REQUESTS: u32 = 100_000;

/// Larger answers are no page of a lab; curl ends the transfer.
const LARGEST_ANSWER_BYTES: u32 = 1 << 20;

/// `CURLE_OPERATION_TIMEDOUT`, curl(1).
const TIMED_OUT: i32 = 28;

/// `CURLE_INTERFACE_FAILED`: no local port of those asked for could be had.
const NO_LOCAL_PORT: i32 = 45;

/// What all answers together may take.
const OUTPUT_BYTES: u64 = 64 << 20;

/// The answers in order; fewer than requests when the total time ran out, or enough of them timed out.
pub(super) fn fetch(request: &Fetch) -> Result<Vec<Response>, AgentError> {
    if request.requests == 0 {
        return Ok(Vec::new());
    }
    if request.requests > MOST_REQUESTS {
        return Err(because(format!(
            "{} requests are more than the {MOST_REQUESTS} that are sent in one go",
            request.requests
        ))
        .into());
    }
    check_url(&request.url)?;
    if command::find("curl").is_none() {
        return Err(AgentError::Host {
            cause: "there is no curl on this host".to_owned(),
            hint: Some("install it: `apt-get install curl`, or `yum install curl`".to_owned()),
        });
    }
    let mut session = Session {
        request,
        mark: random_mark()?,
        end: Instant::now() + Duration::from_secs(request.total_seconds.into()),
        answers: Vec::new(),
        timeouts: 0,
    };
    session.marked()?;
    session.rest()?;
    session.answers_on_fresh_connections()
}

/// One request for requests being served.
struct Session<'a> {
    request: &'a Fetch,
    mark: String,
    end: Instant,
    answers: Vec<Answer>,
    timeouts: u32,
}

impl Session<'_> {
    /// The first requests, one process each: an old curl cannot change its options between two addresses.
    fn marked(&mut self) -> Result<(), AgentError> {
        let Some(ports) = self.request.ports else {
            return Ok(());
        };
        let marked = self.request.marked.min(self.request.requests);
        // Each has a part of the ports to itself, so that one that is taken does not matter.
        let share = (ports.last.saturating_sub(ports.first).saturating_add(1))
            .checked_div(u16::try_from(marked).unwrap_or(u16::MAX))
            .unwrap_or(0)
            .max(1);
        let mut first = ports.first;
        for _ in 0..marked {
            if self.is_enough() || first > ports.last {
                break;
            }
            let last = first.saturating_add(share - 1).min(ports.last);
            self.send(1, Some(Ports { first, last }))?;
            // All its ports are taken: it was not sent, and goes with the others.
            self.answers
                .pop_if(|answer| answer.response.curl_exit == NO_LOCAL_PORT);
            first = last.saturating_add(1);
        }
        Ok(())
    }

    /// All others, by one process.
    fn rest(&mut self) -> Result<(), AgentError> {
        let sent = u32::try_from(self.answers.len()).unwrap_or(u32::MAX);
        let left = self.request.requests.saturating_sub(sent);
        if left == 0 || self.is_enough() {
            return Ok(());
        }
        self.send(left, None)
    }

    /// Whether nothing more is to be learned, or there is no time to learn it.
    fn is_enough(&self) -> bool {
        let most = self.request.most_timeouts;
        (most > 0 && self.timeouts >= most) || Instant::now() >= self.end
    }

    fn send(&mut self, requests: u32, ports: Option<Ports>) -> Result<(), AgentError> {
        let mut curl = curl(self.request, &self.mark, self.timeouts > 0);
        if let Some(Ports { first, last }) = ports {
            curl.args(["--local-port", &format!("{first}-{last}")]);
        }
        let urls = format!("url = \"{}\"\n", self.request.url).repeat(requests as usize);
        let limits = Limits {
            time: self.end.saturating_duration_since(Instant::now()),
            output_bytes: OUTPUT_BYTES,
        };
        let most = match self.request.most_timeouts {
            0 => usize::MAX,
            most => most.saturating_sub(self.timeouts) as usize,
        };
        let output = run_watched(&mut curl, urls.as_bytes(), limits, |stderr| {
            timeouts(stderr) >= most
        })
        .map_err(|error| cannot_run("curl", &error))?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        let answers = parse(&output.stdout, &stderr, &self.mark);
        if answers.is_empty() && output.status.is_some() {
            // It did not come as far as a first request.
            return Err(host("curl failed", stderr.trim()));
        }
        let late = answers
            .iter()
            .filter(|answer| answer.response.curl_exit == TIMED_OUT)
            .count();
        self.timeouts += u32::try_from(late).unwrap_or(u32::MAX);
        self.answers.extend(answers);
        Ok(())
    }

    fn answers_on_fresh_connections(self) -> Result<Vec<Response>, AgentError> {
        for (number, answer) in self.answers.iter().enumerate() {
            // 0 with an answer: an earlier connection was used again, which IPVS does not balance.
            if answer.response.curl_exit == 0 && answer.connections != 1 {
                return Err(AgentError::Host {
                    cause: format!(
                        "request {} did not get a connection of its own ({} were made for it)",
                        number + 1,
                        answer.connections
                    ),
                    hint: Some(
                        "the server keeps connections open although `Connection: close` was sent"
                            .to_owned(),
                    ),
                });
            }
        }
        let answers = self.answers.into_iter();
        Ok(answers.map(|answer| answer.response).collect())
    }
}

/// Requests that have timed out so far, by what curl says of each on standard error.
fn timeouts(stderr: &[u8]) -> usize {
    let complaint = b"curl: (28)";
    stderr
        .split(|byte| *byte == b'\n')
        .filter(|line| line.starts_with(complaint))
        .count()
}

/// Nobody's configuration or proxy, HTTP/1.1, and a connection that both sides close after each answer.
///
/// After a request that got no answer in its time the others get half of it: whether there is one more that
/// hangs shows as well, only sooner.
fn curl(request: &Fetch, mark: &str, hasty: bool) -> Command {
    let seconds = request.timeout_seconds / if hasty { 2 } else { 1 };
    let seconds = seconds.max(1).to_string();
    let mut curl = command::command("curl");
    curl.args([
        "--disable",
        "--silent",
        "--show-error",
        "--globoff",
        "--no-buffer",
    ])
    .args(["--noproxy", "*", "--http1.1"])
    .args(["--header", "Connection: close"])
    .args(["--max-time", &seconds, "--connect-timeout", &seconds])
    .args(["--max-filesize", &LARGEST_ANSWER_BYTES.to_string()])
    .args(["--write-out", &write_out(mark)])
    .args(["--config", "-"]);
    curl
}

/// It goes into curl's configuration in quotes.
fn check_url(url: &str) -> Result<(), AgentError> {
    let sound = url
        .strip_prefix("http://")
        .is_some_and(|rest| !rest.is_empty())
        && url
            .chars()
            .all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\'));
    if sound {
        Ok(())
    } else {
        Err(because(format!("{url:?} is no address of a page (http://…)")).into())
    }
}

fn random_mark() -> Result<String, AgentError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| host("no random numbers", error))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    /// Answers `answers` connections one after the other with what `answer` makes of the number, on
    /// loopback; keeps them open where it returns false.
    fn server(
        answers: usize,
        answer: impl Fn(usize, &mut TcpStream) -> bool + Send + 'static,
    ) -> (String, std::thread::JoinHandle<Vec<TcpStream>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let mut open = Vec::new();
            for number in 0..answers {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]).unwrap();
                if !answer(number, &mut stream) {
                    open.push(stream);
                }
            }
            // Whatever is open stays so until the caller asks for it.
            open
        });
        (url, thread)
    }

    fn page(stream: &mut TcpStream, text: &str) {
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        );
        stream.write_all(answer.as_bytes()).unwrap();
    }

    fn request(url: &str, requests: u32) -> Fetch {
        crate::sys::test_programs::program("curl", "curl").unwrap();
        Fetch {
            url: url.to_owned(),
            requests,
            timeout_seconds: 20,
            total_seconds: 60,
            marked: 0,
            ports: None,
            most_timeouts: 0,
        }
    }

    #[test]
    fn every_request_has_a_connection_of_its_own() {
        let (url, server) = server(6, |number, stream| {
            page(stream, &format!("192.168.4.{}\n", 100 * (number % 2 + 1)));
            true
        });
        let responses = fetch(&request(&url, 6)).unwrap();
        server.join().unwrap();
        let bodies: Vec<_> = responses.iter().map(|r| r.body.as_str()).collect();
        assert_eq!(bodies, ["192.168.4.100", "192.168.4.200"].repeat(3));
        assert!(
            responses
                .iter()
                .all(|r| (r.status, r.curl_exit) == (200, 0))
        );
        let ports: std::collections::BTreeSet<_> = responses.iter().map(|r| r.local_port).collect();
        assert_eq!(ports.len(), 6);
    }

    #[test]
    fn a_port_where_nobody_listens_is_an_answer_of_its_own_kind() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let responses = fetch(&request(&url, 2)).unwrap();
        let short: Vec<_> = responses.iter().map(|r| (r.status, r.curl_exit)).collect();
        // CURLE_COULDNT_CONNECT
        assert_eq!(short, [(0, 7), (0, 7)]);
    }

    #[test]
    fn a_server_that_hangs_costs_the_time_of_one_request_and_no_more() {
        let (url, server) = server(2, |number, stream| {
            if number == 1 {
                page(stream, "late but there");
            }
            number == 1
        });
        let hasty = Fetch {
            timeout_seconds: 1,
            ..request(&url, 2)
        };
        let responses = fetch(&hasty).unwrap();
        assert_eq!(server.join().unwrap().len(), 1);
        let short: Vec<_> = responses
            .iter()
            .map(|r| (r.status, r.curl_exit, r.body.as_str()))
            .collect();
        // CURLE_OPERATION_TIMEDOUT
        assert_eq!(short, [(0, 28, ""), (200, 0, "late but there")]);
    }

    #[test]
    fn when_the_total_time_runs_out_the_answers_so_far_remain() {
        let (url, server) = server(2, |number, stream| {
            if number == 0 {
                page(stream, "first");
            }
            number == 0
        });
        let hasty = Fetch {
            total_seconds: 3,
            ..request(&url, 2)
        };
        let responses = fetch(&hasty).unwrap();
        server.join().unwrap();
        let bodies: Vec<_> = responses.iter().map(|r| r.body.as_str()).collect();
        assert_eq!(bodies, ["first"]);
    }

    #[test]
    fn marked_requests_come_first_and_from_their_ports() {
        let (url, server) = server(5, |number, stream| {
            page(stream, &number.to_string());
            true
        });
        // Somebody else has the first of them.
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let first = taken.local_addr().unwrap().port().min(65_000);
        let ports = Ports {
            first,
            last: first + 7,
        };
        let marked = Fetch {
            marked: 2,
            ports: Some(ports),
            ..request(&url, 5)
        };
        let responses = fetch(&marked).unwrap();
        server.join().unwrap();
        let bodies: Vec<_> = responses.iter().map(|r| r.body.as_str()).collect();
        assert_eq!(bodies, ["0", "1", "2", "3", "4"]);
        assert!(responses[..2].iter().all(|r| ports.contains(r.local_port)));
        assert_ne!(responses[0].local_port, responses[1].local_port);
    }

    #[test]
    fn after_enough_timeouts_the_rest_is_not_sent() {
        // It goes on listening, so that nothing but a timeout can end a request.
        let (url, _listening) = server(1000, |number, stream| {
            if number == 0 {
                page(stream, "first");
            }
            number == 0
        });
        let hasty = Fetch {
            timeout_seconds: 2,
            most_timeouts: 2,
            ..request(&url, 1000)
        };
        let responses = fetch(&hasty).unwrap();
        let exits: Vec<_> = responses.iter().map(|r| r.curl_exit).collect();
        assert_eq!(exits[..3], [0, TIMED_OUT, TIMED_OUT]);
        // One more may have been begun before curl was ended.
        assert!(exits.len() <= 4, "{exits:?}");
    }

    #[test]
    fn an_address_cannot_smuggle_options_into_curls_configuration() {
        for url in [
            "http://x/\"\noutput = \"/etc/passwd",
            "file:///etc/passwd",
            "http://x/ y",
            "http://",
        ] {
            let error = fetch(&request(url, 1)).unwrap_err().to_string();
            assert!(
                error.ends_with("is no address of a page (http://…)"),
                "{error}"
            );
        }
    }
}
