//! The director's IPVS table.

use std::num::NonZeroU16;

use super::scene::Scene;
use super::{Damage, Effect, Kind, Layer};
use crate::model::{Destination, ForwardingMethod, RealServer, Scheduler};
use crate::resource::Resource;

/// The drop-in, where the agent that applied last put it: the host may have no ipvsadm of its own.
const IPVSADM: &str = "/var/lib/lvslab/agent ipvsadm";

pub(super) const KINDS: &[&Kind] = &[
    &Kind {
        name: "service-missing",
        layer: Layer::VirtualService,
        effect: Effect::Broken,
        what: "deletes the virtual service",
        symptom: "Every request is refused at once.",
        damage: service_missing,
    },
    &Kind {
        name: "server-missing",
        layer: Layer::VirtualService,
        effect: Effect::QuietlyWrong,
        what: "deletes a real server from the virtual service",
        symptom: "Every request is answered, and one real server never gets any.",
        damage: server_missing,
    },
    &Kind {
        name: "wrong-server",
        layer: Layer::VirtualService,
        effect: Effect::Broken,
        what: "replaces a real server's address in the virtual service by one that nobody has",
        symptom: "A part of the requests fails, and one real server never gets any.",
        damage: wrong_server,
    },
    &Kind {
        name: "wrong-port",
        layer: Layer::VirtualService,
        effect: Effect::Broken,
        what: "sends a NAT real server's requests to another port",
        symptom: "A part of the requests is refused, and one real server never gets any.",
        damage: wrong_port,
    },
    &Kind {
        name: "wrong-forwarding",
        layer: Layer::VirtualService,
        effect: Effect::Broken,
        what: "gives a real server the other mode's forwarding method",
        symptom: "Requests handed to one real server hang, although it can be reached.",
        damage: wrong_forwarding,
    },
    &Kind {
        name: "wrong-scheduler",
        layer: Layer::VirtualService,
        effect: Effect::QuietlyWrong,
        what: "changes the scheduler",
        symptom: "Every request is answered, and the shares of the real servers are not those of the plan.",
        damage: wrong_scheduler,
    },
    &Kind {
        name: "weight-zero",
        layer: Layer::VirtualService,
        effect: Effect::QuietlyWrong,
        what: "gives a real server the weight 0",
        symptom: "Every request is answered, and one real server never gets any.",
        damage: weight_zero,
    },
    &Kind {
        name: "wrong-weight",
        layer: Layer::VirtualService,
        effect: Effect::QuietlyWrong,
        what: "gives a real server three times its weight and one more",
        symptom: "Every request is answered, and the shares of the real servers are not those of the plan.",
        damage: wrong_weight,
    },
    &Kind {
        name: "wrong-persistence",
        layer: Layer::VirtualService,
        effect: Effect::QuietlyWrong,
        what: "makes the service persistent, or takes its persistence away",
        symptom: "Every request is answered; whether a client stays with one real server is not as planned.",
        damage: wrong_persistence,
    },
];

/// `SERVICE` stands for the service, `SERVER` for the real server that is meddled with.
fn table(scene: &Scene<'_>, setting: &str, commands: &[String]) -> Option<Damage> {
    scene.only(scene.is_director())?;
    Some(Damage {
        setting: format!("the IPVS table: {setting}"),
        cause: scene.check_of(|resource| matches!(resource, Resource::Ipvs(_)))?,
        inflict: commands
            .iter()
            .map(|command| format!("{IPVSADM} {command}"))
            .collect(),
        undo: Vec::new(),
        keeps: Vec::new(),
        cuts: None,
    })
}

fn service(scene: &Scene<'_>) -> String {
    let lab = scene.ground.lab;
    format!("-t {}:{}", lab.vip(), lab.service().port)
}

fn server(scene: &Scene<'_>, server: &RealServer) -> String {
    format!(
        "-r {}:{}",
        server.address(),
        scene.ground.lab.service().port
    )
}

fn right_method(scene: &Scene<'_>) -> &'static str {
    scene.profile().kernel.option()
}

fn service_missing(scene: &Scene<'_>) -> Option<Damage> {
    table(scene, "the service", &[format!("-D {}", service(scene))])
}

fn server_missing(scene: &Scene<'_>) -> Option<Damage> {
    let gone = scene.served()?;
    // Alone it would be missed as a whole service.
    scene.only(others_are_served(scene, gone))?;
    let delete = format!("-d {} {}", service(scene), server(scene, gone));
    table(scene, gone.host.as_str(), &[delete])
}

fn others_are_served(scene: &Scene<'_>, but: &RealServer) -> bool {
    let servers = scene.ground.lab.real_servers().iter();
    servers
        .filter(|server| server.host != but.host)
        .any(|server| server.weight > 0)
}

fn wrong_server(scene: &Scene<'_>) -> Option<Damage> {
    let meant = scene.served()?;
    let nobody = scene.free_address(meant.rip)?;
    let (service, port) = (service(scene), scene.ground.lab.service().port);
    table(
        scene,
        &format!("{nobody}"),
        &[
            format!("-d {service} {}", server(scene, meant)),
            format!(
                "-a {service} -r {nobody}:{port} {} -w {}",
                right_method(scene),
                meant.weight
            ),
        ],
    )
}

fn wrong_port(scene: &Scene<'_>) -> Option<Damage> {
    // Under direct routing the packet's port stays what the client asked for, whatever the table says.
    scene.only(scene.profile().destination == Destination::RealServer)?;
    let meant = scene.served()?;
    let right = scene.ground.lab.service().port;
    let wrong = right
        .checked_add(8000)
        .or_else(|| NonZeroU16::new(right.get() - 8000))?;
    let service = service(scene);
    table(
        scene,
        &format!("the port of {}", meant.host),
        &[
            format!("-d {service} {}", server(scene, meant)),
            format!(
                "-a {service} -r {}:{wrong} {} -w {}",
                meant.address(),
                right_method(scene),
                meant.weight
            ),
        ],
    )
}

fn edited(scene: &Scene<'_>, what: &str, method: &str, weight: u16) -> Option<Damage> {
    let meant = scene.served()?;
    let edit = format!(
        "-e {} {} {method} -w {weight}",
        service(scene),
        server(scene, meant)
    );
    table(scene, &format!("{what} of {}", meant.host), &[edit])
}

fn wrong_forwarding(scene: &Scene<'_>) -> Option<Damage> {
    let method = scene.ground.lab.method();
    let other = ForwardingMethod::ALL
        .iter()
        .find(|other| **other != method)?;
    let weight = scene.served()?.weight;
    edited(
        scene,
        "the forwarding method",
        other.profile().kernel.option(),
        weight,
    )
}

fn weight_zero(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(others_are_served(scene, scene.served()?))?;
    edited(scene, "the weight", right_method(scene), 0)
}

fn wrong_weight(scene: &Scene<'_>) -> Option<Damage> {
    let weight = scene.served()?.weight;
    let wrong = weight.checked_mul(3)?.checked_add(1)?;
    edited(scene, "the weight", right_method(scene), wrong)
}

fn wrong_scheduler(scene: &Scene<'_>) -> Option<Damage> {
    let wrong = match scene.ground.lab.service().scheduler {
        Scheduler::Sh => Scheduler::Rr,
        _ => Scheduler::Sh,
    };
    let edit = format!("-E {} -s {wrong}{}", service(scene), persistence(scene));
    table(scene, "the scheduler", &[edit])
}

fn persistence(scene: &Scene<'_>) -> String {
    match scene.ground.lab.service().persistence {
        Some(time) => format!(" -p {}", time.as_secs()),
        None => String::new(),
    }
}

fn wrong_persistence(scene: &Scene<'_>) -> Option<Damage> {
    let virtual_service = scene.ground.lab.service();
    let wrong = match virtual_service.persistence {
        Some(_) => "",
        None => " -p 300",
    };
    let fallback = match scene.ground.lab.service().fallback() {
        Some(flag) => format!(" -b {flag}"),
        None => String::new(),
    };
    let edit = format!(
        "-E {} -s {}{wrong}{fallback}",
        service(scene),
        virtual_service.scheduler
    );
    table(scene, "the persistence", &[edit])
}
