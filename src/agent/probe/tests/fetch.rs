use super::*;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

mod altered_curls;

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

/// Answers the first of `requests` with a page and none of the others. It goes on listening, so that nothing but a
/// timeout can end a request.
fn one_page_of(requests: usize) -> (String, std::thread::JoinHandle<Vec<TcpStream>>) {
    server(requests, |number, stream| {
        if number == 0 {
            page(stream, "first");
        }
        number == 0
    })
}

/// Gives up after two requests of four seconds.
fn hasty(url: &str, requests: u32) -> Fetch {
    Fetch {
        timeout_seconds: 4,
        most_timeouts: 2,
        ..request(url, requests)
    }
}

/// `count` ports, the first of which is the listener's.
fn ports_from(listener: &TcpListener, count: u16) -> Ports {
    let first = listener.local_addr().unwrap().port().min(65_000);
    Ports {
        first,
        last: first + count - 1,
    }
}

/// Ports of which the first was free a moment ago.
fn free_ports(count: u16) -> Ports {
    ports_from(&TcpListener::bind("127.0.0.1:0").unwrap(), count)
}

fn request(url: &str, requests: u32) -> Fetch {
    crate::testing::programs::program("curl", "curl").unwrap();
    Fetch {
        url: url.to_owned(),
        requests,
        timeout_seconds: 20,
        total_seconds: 60,
        marked: 0,
        ports: None,
        other_ports: Vec::new(),
        most_timeouts: 0,
    }
}

#[test]
fn every_request_has_a_connection_of_its_own() {
    let (url, server) = server(6, |number, stream| {
        page(stream, &format!("192.168.4.{}\n", 100 * (number % 2 + 1)));
        true
    });
    let responses = fetch(&request(&url, 6), &|| false).unwrap();
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
    let responses = fetch(&request(&url, 2), &|| false).unwrap();
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
        timeout_seconds: 4,
        ..request(&url, 2)
    };
    let responses = fetch(&hasty, &|| false).unwrap();
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
    let (url, server) = one_page_of(2);
    let hasty = Fetch {
        total_seconds: 3,
        ..request(&url, 2)
    };
    let responses = fetch(&hasty, &|| false).unwrap();
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
    let ports = ports_from(&taken, 8);
    let marked = Fetch {
        marked: 2,
        ports: Some(ports),
        ..request(&url, 5)
    };
    let responses = fetch(&marked, &|| false).unwrap();
    server.join().unwrap();
    let bodies: Vec<_> = responses.iter().map(|r| r.body.as_str()).collect();
    assert_eq!(bodies, ["0", "1", "2", "3", "4"]);
    assert!(responses[..2].iter().all(|r| ports.contains(r.local_port)));
    assert_ne!(responses[0].local_port, responses[1].local_port);
}

#[test]
fn other_requests_have_ports_of_their_own_and_go_last_where_theirs_is_taken() {
    let (url, server) = server(3, |number, stream| {
        page(stream, &number.to_string());
        true
    });
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = free_ports(1);
    let others = Fetch {
        other_ports: vec![ports_from(&taken, 1), free],
        ..request(&url, 3)
    };
    let responses = fetch(&others, &|| false).unwrap();
    server.join().unwrap();
    let bodies: Vec<_> = responses.iter().map(|r| r.body.as_str()).collect();
    assert_eq!(bodies, ["0", "1", "2"]);
    assert_eq!(responses[0].local_port, free.first);
    let any = [responses[1].local_port, responses[2].local_port];
    assert!(!any.contains(&free.first), "{any:?}");
}

#[test]
fn when_nobody_waits_for_the_answers_nothing_more_is_sent() {
    let (sender, asked) = std::sync::mpsc::channel();
    let (url, _listening) = server(1000, move |_, _| {
        sender.send(()).unwrap();
        false
    });
    // The first request hangs, for longer than anybody would wait; meanwhile whoever asked goes away.
    let patient = Fetch {
        timeout_seconds: 3600,
        total_seconds: 3600,
        ..request(&url, 100)
    };
    let curl = command::find("curl").unwrap();
    let gone = std::cell::Cell::new(false);
    let unwanted = || {
        gone.set(gone.get() || asked.try_recv().is_ok());
        gone.get()
    };
    let session = Session::new(&patient, curl, "MARK".to_owned());
    let error = session.run(&unwanted).unwrap_err().to_string();
    assert_eq!(error, "whoever asked is gone");
    // The one curl was ended with its request.
    assert!(asked.try_recv().is_err());
}

#[test]
fn after_enough_timeouts_the_rest_is_not_sent() {
    let (url, _listening) = one_page_of(1000);
    let responses = fetch(&hasty(&url, 1000), &|| false).unwrap();
    let exits: Vec<_> = responses.iter().map(|r| r.curl_exit).collect();
    assert_eq!(exits[..3], [0, TIMED_OUT, TIMED_OUT]);
    // One more may have been begun before curl was ended.
    assert!(exits.len() <= 4, "{exits:?}");
}

#[test]
fn a_connection_that_is_kept_alive_is_told_of() {
    let (url, server) = server(1, |_, stream| {
        // Content-Length and no `Connection: close`: curl asks for more on the same connection.
        page(stream, "one");
        let _ = stream.read(&mut [0; 4096]).unwrap();
        page(stream, "two");
        true
    });
    let responses = fetch(&request(&url, 2), &|| false).unwrap();
    server.join().unwrap();
    let short: Vec<_> = responses
        .iter()
        .map(|r| (r.body.as_str(), r.connections))
        .collect();
    assert_eq!(short, [("one", Some(1)), ("two", Some(0))]);
    assert_eq!(responses[0].local_port, responses[1].local_port);
}

#[test]
fn marked_requests_and_the_others_are_one_process() {
    let marked = Fetch {
        url: "http://192.168.4.15/".to_owned(),
        requests: 4,
        timeout_seconds: 4,
        total_seconds: 60,
        marked: 2,
        ports: Some(Ports {
            first: 20_000,
            last: 20_007,
        }),
        other_ports: Vec::new(),
        most_timeouts: 2,
    };
    let session = Session::new(&marked, PathBuf::from("curl"), "MARK".to_owned());
    let (curl, config) = session.command_line(&session.operations(4));
    let arguments: Vec<_> = curl
        .get_args()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let line = arguments.join(" ");
    assert!(line.starts_with("--disable --silent "), "{line}");
    let end = "--local-port 20000-20003 http://192.168.4.15/ --next --config -";
    assert!(line.ends_with(end), "{line}");
    assert!(!config.contains("20000"));
    assert!(
        config.contains("local-port = \"20004-20007\"\nurl = \"http://192.168.4.15/\"\nnext\n")
    );
    assert!(config.ends_with("url = \"http://192.168.4.15/\"\nurl = \"http://192.168.4.15/\"\n"));
    assert_eq!(config.matches("max-time = \"4\"").count(), 2);
}

#[test]
fn the_marked_ones_are_never_lost_to_one_that_hangs() {
    let (url, _listening) = server(1000, |number, stream| {
        if number > 0 {
            page(stream, &number.to_string());
        }
        number > 0
    });
    let marked = Fetch {
        marked: 3,
        ports: Some(free_ports(9)),
        ..hasty(&url, 12)
    };
    let responses = fetch(&marked, &|| false).unwrap();
    let bodies: Vec<_> = responses.iter().map(|r| r.body.as_str()).collect();
    assert_eq!(bodies[..3], ["", "1", "2"]);
    assert_eq!(responses.len(), 12);
    assert_eq!(responses[0].curl_exit, TIMED_OUT);
}

#[test]
fn an_address_cannot_smuggle_options_into_curls_configuration() {
    for url in [
        "http://x/\"\noutput = \"/etc/passwd",
        "file:///etc/passwd",
        "http://x/ y",
        "http://",
    ] {
        let error = fetch(&request(url, 1), &|| false).unwrap_err().to_string();
        assert!(
            error.ends_with("is no address of a page (http://…)"),
            "{error}"
        );
    }
}
