//! Real requests with the system's `curl`: one process for all of them, a fresh connection for each.

use std::process::Command;
use std::time::Duration;

use super::command::{self, Limits, cannot_run, run};
use super::curl_output::{parse, write_out};
use super::error::{because, host};
use super::protocol::{AgentError, Fetch, Response};

/// More would be a load test, which this is not.
const MOST_REQUESTS: u32 = 100_000;

/// Larger answers are no page of a lab; curl ends the transfer.
const LARGEST_ANSWER_BYTES: u32 = 1 << 20;

/// What all answers together may take.
const OUTPUT_BYTES: u64 = 64 << 20;

/// The answers in order; fewer than requests when the total time ran out.
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
    let mark = random_mark()?;
    let mut curl = curl(request, &mark);
    let urls = format!("url = \"{}\"\n", request.url).repeat(request.requests as usize);
    let limits = Limits {
        time: Duration::from_secs(request.total_seconds.into()),
        output_bytes: OUTPUT_BYTES,
    };
    let output =
        run(&mut curl, urls.as_bytes(), limits).map_err(|error| cannot_run("curl", &error))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let answers = parse(&output.stdout, &stderr, &mark);
    if answers.is_empty() && output.status.is_some() {
        // It did not come as far as a first request.
        return Err(host("curl failed", stderr.trim()));
    }
    for (number, answer) in answers.iter().enumerate() {
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
    Ok(answers.into_iter().map(|answer| answer.response).collect())
}

/// Nobody's configuration or proxy, HTTP/1.1, and a connection that both sides close after each answer.
fn curl(request: &Fetch, mark: &str) -> Command {
    let seconds = request.timeout_seconds.max(1).to_string();
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
        Fetch {
            url: url.to_owned(),
            requests,
            timeout_seconds: 20,
            total_seconds: 60,
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
