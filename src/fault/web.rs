//! The real servers' web server and its page.

use super::Damage;
use super::planned_host::PlannedHost;
use crate::keeper::Purpose;
use crate::verify::Subject;

pub(super) fn httpd_stopped(host: &PlannedHost<'_>) -> Option<Damage> {
    let service = host.httpd()?;
    let check = host.check_for(&Purpose::WebServer)?;
    Some(Damage::new(
        format!("{service} does not run"),
        check,
        vec![host.service_command(service, "stop")],
    ))
}

pub(super) fn httpd_loopback(host: &PlannedHost<'_>) -> Option<Damage> {
    listens(host, &format!("127.0.0.1:{}", port(host)))
}

pub(super) fn httpd_other_port(host: &PlannedHost<'_>) -> Option<Damage> {
    listens(host, if port(host) == 8080 { "8081" } else { "8080" })
}

fn port(host: &PlannedHost<'_>) -> u16 {
    host.lab().service().port.get()
}

fn listens(host: &PlannedHost<'_>, wrong: &str) -> Option<Damage> {
    let port = port(host);
    let service = host.httpd()?;
    let restart = host.service_command(service, "restart");
    // Any other port than 80 stands in a planned file, which the plan puts back.
    let line = format!("Listen {port}");
    if let Some(file) = host.file(|purpose| *purpose == Purpose::ListenFile) {
        return Some(Damage::new(
            format!("where {service} listens ({})", file.path),
            host.check_of_file(file)?,
            vec![
                format!("sed -i 's/^{line}$/Listen {wrong}/' {}", file.path),
                restart,
            ],
        ));
    }
    let file = host.httpd_ports_file();
    Some(Damage {
        undo: vec![
            format!("if grep -q '^Listen {wrong}$' {file}"),
            "then".to_owned(),
            format!("sed -i 's/^Listen {wrong}$/Listen 80/' {file}"),
            restart.clone(),
            "fi".to_owned(),
        ],
        ..Damage::new(
            format!("where {service} listens ({file})"),
            host.check(Subject::Listens(port)),
            vec![
                format!("grep -q '^Listen 80$' {file}"),
                format!("sed -i 's/^Listen 80$/Listen {wrong}/' {file}"),
                restart,
            ],
        )
    })
}

pub(super) fn wrong_page(host: &PlannedHost<'_>) -> Option<Damage> {
    let page = host.file(|purpose| *purpose == Purpose::Page)?;
    let own = host.lab().real_server(host.name().as_str())?;
    let wrong = match host.other_server() {
        Some(other) if other.page != own.page => other.address().to_string(),
        _ => "It works!".to_owned(),
    };
    host.only(page.content.trim_end() != wrong)?;
    Some(Damage::new(
        page.path.clone(),
        host.check_of_file(page)?,
        vec![format!("echo '{wrong}' > {}", page.path)],
    ))
}

pub(super) fn page_unreadable(host: &PlannedHost<'_>) -> Option<Damage> {
    let page = host.file(|purpose| *purpose == Purpose::Page)?;
    Some(Damage::new(
        format!("the mode of {}", page.path),
        host.check_of_file(page)?,
        vec![format!("chmod 600 {}", page.path)],
    ))
}

pub(super) fn page_forbidden(host: &PlannedHost<'_>) -> Option<Damage> {
    let page = host.file(|purpose| *purpose == Purpose::Page)?;
    let (directory, _) = page.path.rsplit_once('/')?;
    Some(Damage {
        undo: vec![format!("chmod 755 {directory}")],
        ..Damage::new(
            format!("the mode of {directory}"),
            host.check(Subject::Answers),
            vec![format!("chmod 700 {directory}")],
        )
    })
}
