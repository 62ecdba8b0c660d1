//! The real servers' web server and its page.

use super::scene::Scene;
use super::{Damage, Effect, Kind, Layer};
use crate::resource::{File, Resource};
use crate::verify::Subject;

pub(super) const KINDS: &[&Kind] = &[
    &Kind {
        name: "httpd-stopped",
        layer: Layer::WebServer,
        effect: Effect::Broken,
        what: "stops a real server's web server",
        symptom: "A part of the requests is refused at once.",
        damage: httpd_stopped,
    },
    &Kind {
        name: "httpd-loopback",
        layer: Layer::WebServer,
        effect: Effect::Broken,
        what: "makes a real server's web server listen on loopback only",
        symptom: "A part of the requests is refused, although the web server runs and answers itself.",
        damage: httpd_loopback,
    },
    &Kind {
        name: "httpd-other-port",
        layer: Layer::WebServer,
        effect: Effect::Broken,
        what: "makes a real server's web server listen on another port",
        symptom: "A part of the requests is refused, although the web server runs.",
        damage: httpd_other_port,
    },
    &Kind {
        name: "wrong-page",
        layer: Layer::WebServer,
        effect: Effect::QuietlyWrong,
        what: "gives a real server another one's page",
        symptom: "Every request is answered, and one real server seems never to get any.",
        damage: wrong_page,
    },
    &Kind {
        name: "page-unreadable",
        layer: Layer::WebServer,
        effect: Effect::Broken,
        what: "takes the permission to read a real server's page away",
        symptom: "A part of the requests is answered with 403 Forbidden.",
        damage: page_unreadable,
    },
    &Kind {
        name: "page-forbidden",
        layer: Layer::WebServer,
        effect: Effect::Broken,
        what: "closes the directory of a real server's page to its web server",
        symptom: "A part of the requests is answered with 403 Forbidden.",
        damage: page_forbidden,
    },
];

fn httpd_stopped(scene: &Scene<'_>) -> Option<Damage> {
    let service = scene.httpd()?;
    let check = scene
        .check_of(|resource| matches!(resource, Resource::Service(one) if one.name == service))?;
    Some(Damage::new(
        format!("{service} does not run"),
        check,
        vec![scene.service_command(service, "stop")],
    ))
}

fn httpd_loopback(scene: &Scene<'_>) -> Option<Damage> {
    listens(scene, &format!("127.0.0.1:{}", port(scene)))
}

fn httpd_other_port(scene: &Scene<'_>) -> Option<Damage> {
    listens(scene, if port(scene) == 8080 { "8081" } else { "8080" })
}

fn port(scene: &Scene<'_>) -> u16 {
    scene.ground.lab.service().port.get()
}

fn listens(scene: &Scene<'_>, wrong: &str) -> Option<Damage> {
    let port = port(scene);
    let service = scene.httpd()?;
    let restart = scene.service_command(service, "restart");
    // Another port than 80 has a file of the plan, which is judged by itself and put back by the plan.
    let line = format!("Listen {port}");
    let planned = |file: &&File| file.content.lines().any(|other| other == line);
    if let Some(file) = scene.files().find(planned) {
        return Some(Damage::new(
            format!("where {service} listens ({})", file.path),
            scene.check_of_file(file)?,
            vec![
                format!("sed -i 's/^{line}$/Listen {wrong}/' {}", file.path),
                restart,
            ],
        ));
    }
    let file = scene.httpd_ports_file();
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
            scene.check(Subject::Listens(port)),
            vec![
                format!("grep -q '^Listen 80$' {file}"),
                format!("sed -i 's/^Listen 80$/Listen {wrong}/' {file}"),
                restart,
            ],
        )
    })
}

fn wrong_page(scene: &Scene<'_>) -> Option<Damage> {
    let page = scene.file("/index.html")?;
    let own = scene.ground.lab.real_server(scene.host.name.as_str())?;
    let wrong = match scene.other_server() {
        Some(other) if other.page != own.page => other.address().to_string(),
        _ => "It works!".to_owned(),
    };
    scene.only(page.content.trim_end() != wrong)?;
    Some(Damage::new(
        page.path.clone(),
        scene.check_of_file(page)?,
        vec![format!("echo '{wrong}' > {}", page.path)],
    ))
}

fn page_unreadable(scene: &Scene<'_>) -> Option<Damage> {
    let page = scene.file("/index.html")?;
    Some(Damage::new(
        format!("the mode of {}", page.path),
        scene.check_of_file(page)?,
        vec![format!("chmod 600 {}", page.path)],
    ))
}

fn page_forbidden(scene: &Scene<'_>) -> Option<Damage> {
    let page = scene.file("/index.html")?;
    let (directory, _) = page.path.rsplit_once('/')?;
    Some(Damage {
        undo: vec![format!("chmod 755 {directory}")],
        ..Damage::new(
            format!("the mode of {directory}"),
            scene.check(Subject::Answers),
            vec![format!("chmod 700 {directory}")],
        )
    })
}
