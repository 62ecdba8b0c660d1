//! Real requests with the system's `curl`: one process for all of them, a fresh connection asked for each. The first
//! few can come from ports that are known beforehand, for those who capture them.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::curl_output::{cannot_say_at_once, ended, parse, write_out};
use crate::agent::protocol::error::{because, host};
use crate::agent::protocol::{AgentError, Fetch, Ports, Response};
use crate::agent::system::command::{self, Limits, cannot_run, run_watched};

/// More would be a load test, which this is not.
const MOST_REQUESTS: u32 = 100_000;

/// Larger answers are no page of a lab; curl ends the transfer.
const LARGEST_ANSWER_BYTES: u32 = 1 << 20;

/// `CURLE_OPERATION_TIMEDOUT`, curl(1).
const TIMED_OUT: i32 = 28;

/// What it says of one at once.
const COMPLAINT: &str = "curl: (28)";

/// `CURLE_INTERFACE_FAILED`: no local port of those asked for could be had.
const NO_LOCAL_PORT: i32 = 45;

/// What all answers together may take.
const OUTPUT_BYTES: u64 = 64 << 20;

/// The answers in order; fewer than requests when the total time ran out, or enough of them timed out.
///
/// Sends nothing more when `unwanted` says that nobody waits for them.
pub(in crate::agent) fn fetch(
    request: &Fetch,
    unwanted: &dyn Fn() -> bool,
) -> Result<Vec<Response>, AgentError> {
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
    let curl = command::find("curl").ok_or_else(|| AgentError::Host {
        cause: "there is no curl on this host".to_owned(),
        hint: Some("install it: `apt-get install curl`, or `yum install curl`".to_owned()),
    })?;
    Session::new(request, curl, random_mark()?).run(unwanted)
}

/// The local port that a request is sent from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Source {
    /// The first free one of these, so that a single port that is taken does not matter.
    Marked(Ports),
    /// This one, unless it is taken.
    Port(u16),
    Any,
}

impl Source {
    fn ports(self) -> Option<Ports> {
        match self {
            Self::Marked(ports) => Some(ports),
            Self::Port(port) => Some(Ports {
                first: port,
                last: port,
            }),
            Self::Any => None,
        }
    }
}

/// Where the requests are sent from, in order.
fn waiting(request: &Fetch) -> VecDeque<Source> {
    let mut waiting = VecDeque::new();
    if let Some(ports) = request.ports {
        let marked = request.marked.min(request.requests);
        let share = (ports.last.saturating_sub(ports.first).saturating_add(1))
            .checked_div(u16::try_from(marked).unwrap_or(u16::MAX))
            .unwrap_or(0)
            .max(1);
        let mut first = ports.first;
        while waiting.len() < marked as usize && first <= ports.last {
            let last = first.saturating_add(share - 1).min(ports.last);
            waiting.push_back(Source::Marked(Ports { first, last }));
            first = last.saturating_add(1);
        }
    }
    let others = request.other_ports.iter();
    let others = others.flat_map(|ports| ports.first..=ports.last);
    waiting.extend(others.map(Source::Port));
    waiting.resize(request.requests as usize, Source::Any);
    waiting
}

/// One request for requests being served.
struct Session<'a> {
    request: &'a Fetch,
    curl: PathBuf,
    mark: String,
    end: Instant,
    /// Requests that are still to be sent.
    waiting: VecDeque<Source>,
    /// Requests that get a process each.
    one_by_one: OneByOne,
    answers: Vec<Response>,
    timeouts: u32,
}

/// Requests that get a process each, because this curl is too old for more.
#[derive(Clone, Copy, PartialEq)]
enum OneByOne {
    None,
    /// Before 7.36 its options cannot change between two addresses.
    Marked,
    /// Before 7.63 what it says of a request comes late, so that it cannot be ended between two.
    All,
}

impl<'a> Session<'a> {
    fn new(request: &'a Fetch, curl: PathBuf, mark: String) -> Self {
        Self {
            request,
            curl,
            mark,
            end: Instant::now() + Duration::from_secs(request.total_seconds.into()),
            waiting: waiting(request),
            one_by_one: OneByOne::None,
            answers: Vec::new(),
            timeouts: 0,
        }
    }

    fn run(mut self, unwanted: &dyn Fn() -> bool) -> Result<Vec<Response>, AgentError> {
        while !self.waiting.is_empty() && !self.is_enough() {
            self.send(unwanted)?;
        }
        Ok(self.answers)
    }

    /// Whether nothing more is to be learned, or there is no time to learn it.
    fn is_enough(&self) -> bool {
        let most = self.request.most_timeouts;
        (most > 0 && self.timeouts >= most) || Instant::now() >= self.end
    }

    /// As many of those that wait as one process can send.
    fn send(&mut self, unwanted: &dyn Fn() -> bool) -> Result<(), AgentError> {
        let marked = self
            .waiting
            .iter()
            .take_while(|source| matches!(source, Source::Marked(_)))
            .count();
        let batch = match self.one_by_one {
            OneByOne::All => 1,
            OneByOne::Marked if marked > 0 => 1,
            _ => self.waiting.len(),
        };
        let operations = self.operations(batch);
        let (mut curl, config) = self.command_line(&operations);
        let limits = Limits {
            time: self.end.saturating_duration_since(Instant::now()),
            output_bytes: OUTPUT_BYTES,
        };
        let enough =
            |stderr: &[u8]| batch > 1 && self.is_enough_of_one_process(stderr, marked.min(batch));
        let output = run_watched(&mut curl, config.as_bytes(), limits, unwanted, enough)
            .map_err(|error| cannot_run("curl", &error))?;
        if unwanted() {
            return Err(because("whoever asked is gone").into());
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let answers = parse(&output.stdout, &stderr, &self.mark);
        let none = answers.is_empty();
        for answer in answers {
            self.take(answer);
        }
        if output.status.is_none() && cannot_say_at_once(&stderr) {
            self.one_by_one = OneByOne::All;
            return Ok(());
        }
        if none && output.status.is_some() {
            let unchanging = operations.len() > 1 && stderr.contains("--next");
            if unchanging && self.one_by_one == OneByOne::None {
                self.one_by_one = OneByOne::Marked;
                self.leave_ports_open();
                return Ok(());
            }
            // It did not come as far as a first request.
            return Err(host("curl failed", stderr.trim()));
        }
        if none && !self.is_enough() {
            // Trying again would go on for ever.
            return Err(host("curl was ended", stderr.trim()));
        }
        Ok(())
    }

    /// Whether a process for several requests, the first `marked` of which are marked, has told enough.
    fn is_enough_of_one_process(&self, stderr: &[u8], marked: usize) -> bool {
        let most = match self.request.most_timeouts {
            0 => return false,
            most => most.saturating_sub(self.timeouts) as usize,
        };
        let stderr = String::from_utf8_lossy(stderr);
        if !stderr.contains(COMPLAINT) {
            return false;
        }
        let ended = ended(&stderr, &self.mark);
        let late = ended.iter().filter(|exit| **exit == TIMED_OUT).count();
        // One has timed out: the next process is in more of a hurry. Not before the marked ones are through, of
        // which none must be lost.
        let hurry = self.timeouts == 0 && late > 0 && ended.len() >= marked;
        late >= most || hurry || cannot_say_at_once(&stderr)
    }

    fn take(&mut self, answer: Response) {
        let Some(source) = self.waiting.pop_front() else {
            return;
        };
        if source != Source::Any && answer.curl_exit == NO_LOCAL_PORT {
            // All its ports are taken: it was not sent, and goes last, from any port.
            self.waiting.push_back(Source::Any);
            return;
        }
        self.timeouts += u32::from(answer.curl_exit == TIMED_OUT);
        self.answers.push(answer);
    }

    /// A process for each request would cost more than the known ports of those that are not captured are worth.
    fn leave_ports_open(&mut self) {
        for source in &mut self.waiting {
            if matches!(source, Source::Port(_)) {
                *source = Source::Any;
            }
        }
    }

    /// The first `batch` of those that wait: each with ports by itself, the others together.
    fn operations(&self, batch: usize) -> Vec<Operation> {
        let options = options(self.request, &self.mark, self.timeouts > 0);
        let operation = |ports, requests| Operation {
            options: options.clone(),
            ports,
            url: self.request.url.clone(),
            requests,
        };
        let batch = || self.waiting.iter().take(batch);
        let with_ports = batch().filter_map(|source| source.ports());
        let mut operations: Vec<Operation> =
            with_ports.map(|ports| operation(Some(ports), 1)).collect();
        let others = batch().filter(|source| **source == Source::Any).count();
        if others > 0 {
            operations.push(operation(None, others));
        }
        operations
    }

    /// curl with the first operation's options in its arguments and everything else in its configuration.
    ///
    /// `--next` is an argument so that a curl which does not know it sends nothing at all; in a configuration it would
    /// only complain.
    fn command_line(&self, operations: &[Operation]) -> (Command, String) {
        let mut curl = command::command_at(&self.curl);
        curl.arg("--disable");
        let mut config = String::new();
        for (at, operation) in operations.iter().enumerate() {
            let ports = operation.ports;
            let ports =
                ports.map(|ports| ("local-port", format!("{}-{}", ports.first, ports.last)));
            let options = operation.options.iter().cloned().chain(ports);
            let several = operations.len() > 1;
            if at == 0 {
                for (name, value) in options {
                    curl.arg(format!("--{name}"));
                    if !value.is_empty() {
                        curl.arg(value);
                    }
                }
                if several {
                    curl.arg(&operation.url).arg("--next");
                    continue;
                }
            } else {
                if at > 1 {
                    config += "next\n";
                }
                for (name, value) in options {
                    config += &match value.as_str() {
                        "" => format!("{name}\n"),
                        value => format!("{name} = \"{}\"\n", value.replace('\\', "\\\\")),
                    };
                }
            }
            config += &format!("url = \"{}\"\n", operation.url).repeat(operation.requests);
        }
        curl.args(["--config", "-"]);
        (curl, config)
    }
}

/// Requests with the same options.
struct Operation {
    /// Long names with their values.
    options: Vec<(&'static str, String)>,
    ports: Option<Ports>,
    url: String,
    requests: usize,
}

/// Nobody's proxy, HTTP/1.1, and a connection that both sides close after each answer.
///
/// After a request that got no answer in its time the others get half of it: whether there is one more that
/// hangs shows as well, only sooner.
fn options(request: &Fetch, mark: &str, hasty: bool) -> Vec<(&'static str, String)> {
    let seconds = request.timeout_seconds / if hasty { 2 } else { 1 };
    let seconds = seconds.max(1).to_string();
    vec![
        ("silent", String::new()),
        ("show-error", String::new()),
        ("globoff", String::new()),
        ("no-buffer", String::new()),
        ("noproxy", "*".to_owned()),
        ("http1.1", String::new()),
        ("header", "Connection: close".to_owned()),
        ("max-time", seconds.clone()),
        ("connect-timeout", seconds),
        ("max-filesize", LARGEST_ANSWER_BYTES.to_string()),
        ("write-out", write_out(mark)),
    ]
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
#[path = "tests/fetch.rs"]
mod tests;
