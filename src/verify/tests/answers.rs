//! Answers that are not as they should be are laid at the real server that gave them.

use super::{causes, evidence, found, with_status};
use crate::agent::protocol::DirectoryEvidence;
use crate::model::ForwardingMethod;
use crate::verify::check;
use crate::verify::evidence::Evidence;
use crate::verify::verdict::{Check, Status};

/// Evidence in which web1 answers with this status and body.
fn answering(mode: ForwardingMethod, (status, body): (u16, &str)) -> Evidence {
    let mut evidence = evidence(mode);
    let page = evidence.lab().real_servers()[0].page.clone();
    for response in evidence.fetched_mut().as_mut().unwrap() {
        if response.body == page {
            response.status = status;
            response.body = body.to_owned();
        }
    }
    evidence
}

fn directory(path: &str, (mode, gid): (u32, u32)) -> DirectoryEvidence {
    DirectoryEvidence {
        path: path.to_owned(),
        mode,
        uid: 0,
        gid,
    }
}

fn named(evidence: &Evidence) -> Check {
    let checks = check(evidence).checks;
    let mut failed = checks.into_iter().filter(|c| c.status == Status::Fail);
    let named = failed.next().expect("a cause");
    assert_eq!(failed.next(), None);
    named
}

#[test]
fn another_status_or_page_is_named_on_the_real_server_that_gave_it() {
    for (mode, answer, seen) in [
        (
            ForwardingMethod::Nat,
            (403, "<h1>Forbidden</h1>"),
            "status 403",
        ),
        (ForwardingMethod::Dr, (301, ""), "status 301"),
        (ForwardingMethod::Dr, (200, "It works!"), "`It works!`"),
    ] {
        let evidence = answering(mode, answer);
        let page = &evidence.lab().real_servers()[0].page;
        let verdict = check(&evidence);
        assert_eq!(
            causes(&verdict),
            [format!(
                "web1/answers: status 200 and `{page}` → 50 of 50 answers with {seen}"
            )]
        );
        let blocked = with_status(&verdict, Status::Blocked);
        assert!(
            blocked.contains(&"client/page of web1".to_owned()),
            "{blocked:?}"
        );
    }
}

#[test]
fn answers_of_which_nobody_knows_who_gave_them_stay_the_client_s() {
    let mut evidence = answering(ForwardingMethod::Dr, (403, ""));
    let director = super::found_after(&mut evidence, "director");
    director.ipvs_connections = None;
    let verdict = check(&evidence);
    assert_eq!(
        causes(&verdict),
        [
            "client/requests answered: 100 of 100 answered with status 200 → \
             50 of 100 answered with status 200; 50 answered with status 403"
        ]
    );
    assert_eq!(
        with_status(&verdict, Status::Skipped),
        ["web1/answers", "web2/answers"]
    );
}

#[test]
fn a_directory_that_keeps_the_web_server_out_is_opened() {
    let with = |status: u16, html: (u32, u32)| {
        let mut evidence = answering(ForwardingMethod::Dr, (status, ""));
        found(&mut evidence, "web1").directories = vec![
            directory("/var/www", (0o755, 0)),
            directory("/var/www/html", html),
        ];
        named(&evidence)
    };
    let closed = with(403, (0o700, 0));
    assert_eq!(
        closed.observed,
        "50 of 50 answers with status 403, /var/www/html has mode 0700, which lets only root in"
    );
    assert_eq!(closed.fix, ["chmod 755 /var/www/html"]);
    // The web server may be in that group, and a redirect has nothing to do with it.
    assert_eq!(with(403, (0o750, 33)).fix, [""; 0]);
    assert_eq!(with(301, (0o700, 0)).fix, [""; 0]);
}

#[test]
fn a_closed_directory_is_named_where_no_request_came_by() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    super::found_after(&mut evidence, "director").ipvs_connections = None;
    found(&mut evidence, "web2").directories = vec![directory("/var/www", (0o700, 0))];
    let named = named(&evidence);
    assert_eq!(named.id.to_string(), "web2/answers");
    assert_eq!(
        named.observed,
        "/var/www has mode 0700, which lets only root in"
    );
}
