//! Whole plans, as people would read them: the order, the reasons, the commands.

use super::*;

/// Each host's steps: identity, reason and commands.
fn text(lab: &Lab, facts: &BTreeMap<HostName, Facts>) -> String {
    let mut out = String::new();
    let plans = plan(lab, facts);
    for host in lab.hosts() {
        let plan = plans[&host.name]
            .as_ref()
            .unwrap_or_else(|error| panic!("{}: {error}", host.name));
        let interfaces: Vec<String> = plan
            .interfaces
            .iter()
            .map(|(segment, interface)| format!("segment {segment} {interface}"))
            .collect();
        out += &format!("== {} ({})\n", host.name, interfaces.join(", "));
        for step in &plan.steps {
            out += &format!("{}\n    # {}\n", step.resource.id(), step.why);
            for line in &step.by_hand {
                out += &format!("    {line}\n");
            }
        }
    }
    out
}

/// CentOS 7 machines as in the course, interfaces named by nobody.
fn course(lab: &Lab) -> BTreeMap<HostName, Facts> {
    type Links = &'static [(&'static str, &'static [&'static str])];
    let links: [(&str, Links); 4] = match lab.networks().len() {
        1 => [
            ("client", &[("eth0", &["192.168.4.10/24"])]),
            ("director", &[("eth0", &["192.168.4.5/24"])]),
            ("web1", &[("eth0", &[])]),
            ("web2", &[("eth0", &[])]),
        ],
        _ => [
            ("client", &[("eth0", &[])]),
            ("director", &[("eth0", &[]), ("eth1", &[])]),
            ("web1", &[("eth1", &[])]),
            ("web2", &[("eth1", &[])]),
        ],
    };
    links
        .into_iter()
        .map(|(name, links)| (host(name), machine(OsFamily::Rhel, links)))
        .collect()
}

#[test]
fn the_dr_lab_in_the_sandbox() {
    let lab = lab(DR);
    insta::assert_snapshot!(text(&lab, &assumed_facts(&lab)));
}

#[test]
fn the_nat_lab_in_the_sandbox() {
    let lab = lab(NAT);
    insta::assert_snapshot!(text(&lab, &assumed_facts(&lab)));
}

#[test]
fn the_dr_lab_on_rhel() {
    let lab = machines(DR);
    insta::assert_snapshot!(text(&lab, &course(&lab)));
}

#[test]
fn the_nat_lab_on_rhel() {
    let lab = machines(NAT);
    insta::assert_snapshot!(text(&lab, &course(&lab)));
}

#[test]
fn the_dr_lab_on_debian_with_systemd() {
    let lab = machines(DR);
    let facts = |name: &str| (host(name), machine(OsFamily::Debian, &[("ens3", &[])]));
    let facts = ["client", "director", "web1", "web2"].map(facts).into();
    insta::assert_snapshot!(text(&lab, &facts));
}

#[test]
fn machines_that_nobody_asked_are_assumed_to_be_as_in_the_course() {
    let lab = machines(NAT);
    let facts = assumed_facts(&lab);
    assert!(
        facts
            .values()
            .all(|facts| facts.family == OsFamily::Rhel && facts.os.contains("assumed"))
    );
    assert!(plan(&lab, &facts).values().all(Result::is_ok));
}

#[test]
fn the_virtual_service_has_every_real_server() {
    let text = DR
        .replace(
            "192.168.4.200/24, weight: 1",
            "192.168.4.200/24, weight: 65535",
        )
        .replace("scheduler: wrr", "scheduler: mh\n  persistence: 60");
    let lab = lab(&text);
    let plan = planned_ok(&lab, "director", assumed(&lab, "director"));
    let ipvs = plan
        .steps
        .iter()
        .find_map(|step| match &step.resource {
            Resource::Ipvs(ipvs) => Some(ipvs),
            _ => None,
        })
        .expect("a virtual service");
    insta::assert_snapshot!(serde_json::to_string(ipvs).expect("JSON"), @r#"{"service":{"key":{"address":{"transport":"tcp","address":"192.168.4.15","port":80}},"scheduler":"mh","flags":0,"persistence":60,"granularity":null,"engine":null},"destinations":[{"address":"192.168.4.100","port":80,"forwarding":"route","weight":1,"upper_threshold":0,"lower_threshold":0,"tunnel":"ipip","tunnel_flags":0},{"address":"192.168.4.200","port":80,"forwarding":"route","weight":65535,"upper_threshold":0,"lower_threshold":0,"tunnel":"ipip","tunnel_flags":0}]}"#);
}
