//! Which interface is chosen.

use super::*;

fn chosen(text: &str, name: &str, facts: Facts) -> Vec<String> {
    let lab = machines(text);
    let plan = planned_ok(&lab, name, facts);
    plan.interfaces.values().map(ToString::to_string).collect()
}

/// The NAT lab without interface names.
fn nat() -> String {
    NAT.replace("  vip_interface: eth0\n", "")
        .replace("  interface: eth1\n", "")
}

fn managed(mut facts: Facts, interface: &str) -> Facts {
    facts.management = Some(interface.parse().expect("an interface name"));
    facts
}

#[test]
fn the_interface_in_the_network_is_found_whatever_its_name() {
    let facts = machine(
        OsFamily::Rhel,
        &[
            ("ens3", &["10.20.0.12/24"]),
            ("ens9", &[]),
            ("enp7s0", &["192.168.4.77/24"]),
        ],
    );
    assert_eq!(chosen(DR, "web1", facts), ["enp7s0"]);
}

#[test]
fn the_interface_with_the_address_itself_wins_over_others_in_the_network() {
    let facts = machine(
        OsFamily::Rhel,
        &[
            ("ens3", &["192.168.4.77/24"]),
            ("ens4", &["192.168.4.100/24"]),
        ],
    );
    assert_eq!(chosen(DR, "web1", facts), ["ens4"]);
}

#[test]
fn the_only_unconfigured_ethernet_interface_is_taken() {
    let facts = machine(
        OsFamily::Debian,
        &[
            ("ens3", &["10.20.0.12/24"]),
            ("docker0", &[]),
            ("ens4", &[]),
        ],
    );
    assert_eq!(chosen(DR, "web1", managed(facts, "ens3")), ["ens4"]);
}

#[test]
fn the_vip_on_lo_does_not_make_lo_a_lab_interface() {
    let mut facts = machine(
        OsFamily::Debian,
        &[("ens3", &[]), ("mgmt0", &["10.20.0.12/24"])],
    );
    facts.links[0].addresses.push(AddressState {
        interface: "lo".parse().expect("a name"),
        address: "192.168.4.15/32".parse().expect("an address"),
        label: "lo:0".to_owned(),
        broadcast: None,
    });
    assert_eq!(chosen(DR, "web1", facts), ["ens3"]);
}

#[test]
fn what_is_named_and_what_is_found_leave_the_rest_for_the_last_resort() {
    let text = nat().replace("dip: 192.168.2.5/24", "dip: 192.168.2.5/24\n  interface: b");
    let facts = machine(OsFamily::Debian, &[("a", &[]), ("b", &[])]);
    assert_eq!(chosen(&text, "director", facts), ["a", "b"]);
    let facts = machine(OsFamily::Debian, &[("a", &["192.168.2.5/24"]), ("b", &[])]);
    assert_eq!(chosen(&nat(), "director", facts), ["b", "a"]);
}

#[test]
fn the_management_interface_is_a_lab_interface_when_it_has_the_lab_address() {
    let facts = machine(
        OsFamily::Rhel,
        &[("eth0", &["192.168.4.100/24"]), ("eth1", &[])],
    );
    assert_eq!(chosen(DR, "web1", managed(facts, "eth0")), ["eth0"]);
}

#[test]
fn the_sandbox_knows_which_interface_is_on_which_segment() {
    let lab = lab(&nat());
    let plan = planned_ok(&lab, "director", assumed(&lab, "director"));
    let names: Vec<&str> = plan.interfaces.values().map(|name| name.as_str()).collect();
    assert_eq!(names, ["eth0", "eth1"]);
}

#[test]
fn addresses_that_were_swapped_do_not_swap_the_plan() {
    let lab = lab(&nat());
    let mut facts = assumed(&lab, "director");
    for (interface, address) in [("eth0", "192.168.2.5/24"), ("eth1", "192.168.4.5/24")] {
        let link = facts
            .links
            .iter_mut()
            .find(|link| link.name.as_str() == interface);
        link.expect("the interface").addresses.push(AddressState {
            interface: interface.parse().expect("a name"),
            address: address.parse().expect("an address"),
            label: interface.to_owned(),
            broadcast: None,
        });
    }
    let plan = planned_ok(&lab, "director", facts);
    let names: Vec<&str> = plan.interfaces.values().map(|name| name.as_str()).collect();
    assert_eq!(names, ["eth0", "eth1"]);
}

#[test]
fn a_name_that_the_topology_gives_one_interface_is_not_the_other_s() {
    let text = nat().replace(
        "dip: 192.168.2.5/24",
        "dip: 192.168.2.5/24\n  interface: eth0",
    );
    let lab = lab(&text);
    let plan = planned_ok(&lab, "director", assumed(&lab, "director"));
    let names: Vec<&str> = plan.interfaces.values().map(|name| name.as_str()).collect();
    assert_eq!(names, ["eth1", "eth0"]);
}

#[test]
fn the_interface_that_was_given_the_address_is_where_it_belongs() {
    let moved = [("ens3", &[][..]), ("ens4", &["192.168.4.100/24"])];
    let mut facts = machine(OsFamily::Rhel, &moved);
    assert_eq!(chosen(DR, "web1", facts.clone()), ["ens4"]);
    let ours = "address ens3 192.168.4.100/24".to_owned();
    facts.owned.push(crate::resource::ResourceId(ours));
    assert_eq!(chosen(DR, "web1", facts), ["ens3"]);
}

#[test]
fn an_address_of_the_machines_own_is_required_but_its_file_is_left_alone() {
    let lab = machines(DR);
    let facts = machine(OsFamily::Rhel, &[("eth0", &["192.168.4.5/24"])]);
    let own = "/etc/sysconfig/network-scripts/ifcfg-eth0";
    let plan = planned_ok(&lab, "director", facts.clone());
    assert_eq!(file(&plan, own), None);
    assert!(
        file(&plan, &format!("{own}:0")).is_some(),
        "the alias is ours"
    );
    let id = "address eth0 192.168.4.5/24";
    assert!(plan.steps.iter().any(|step| step.resource.id().0 == id));

    for owned in [id, "file /etc/sysconfig/network-scripts/ifcfg-eth0"] {
        let mut facts = facts.clone();
        facts
            .owned
            .push(crate::resource::ResourceId(owned.to_owned()));
        let plan = planned_ok(&lab, "director", facts);
        assert!(
            file(&plan, own).is_some(),
            "an address made by us keeps its file ({owned})"
        );
    }
}

#[test]
fn a_nat_real_server_that_configures_itself_is_told_to_keep_the_gateway() {
    let lab = machines(NAT);
    let facts = machine(OsFamily::Rhel, &[("eth1", &["192.168.2.100/24"])]);
    let plan = planned_ok(&lab, "web1", facts);
    let route = plan
        .steps
        .iter()
        .find(|step| matches!(step.resource, Resource::DefaultRoute(_)))
        .expect("a default route");
    assert!(
        route
            .why
            .ends_with("(web1 configures eth1 itself: make the gateway permanent there, too.)"),
        "{}",
        route.why
    );
}

#[test]
fn an_address_typed_on_a_host_of_the_sandbox_needs_its_file() {
    let lab = lab(DR);
    let facts = machine(OsFamily::Debian, &[("eth0", &["192.168.4.100/24"])]);
    let plan = planned_ok(&lab, "web1", facts);
    assert!(file(&plan, "/etc/sysconfig/network-scripts/ifcfg-eth0").is_some());
}

#[test]
fn where_our_agent_reads_ifcfg_files_one_keeps_the_gateway_of_a_machine_that_configures_itself() {
    let lab = machines(NAT);
    let own = "/etc/sysconfig/network-scripts/ifcfg-eth1";
    let gateway = |mut facts: Facts, owned: Option<&str>| {
        facts
            .owned
            .extend(owned.map(|id| crate::resource::ResourceId(id.to_owned())));
        let plan = planned_ok(&lab, "web1", facts);
        file(&plan, own).map(|file| file.content.contains("\nGATEWAY=192.168.2.5\n"))
    };
    let debian = machine(OsFamily::Debian, &[("eth1", &["192.168.2.100/24"])]);
    assert_eq!(gateway(debian.clone(), None), Some(true));
    assert_eq!(
        gateway(debian, Some(&format!("file {own}"))),
        Some(true),
        "the next run plans the same"
    );
    let rhel = machine(OsFamily::Rhel, &[("eth1", &["192.168.2.100/24"])]);
    assert_eq!(gateway(rhel, None), None);
}

#[test]
fn curl_is_installed_where_it_is_missing_and_stays_in_the_plan() {
    let lab = machines(DR);
    let curl = |plan: &HostPlan| {
        plan.steps
            .iter()
            .any(|step| step.resource.id().0 == "package curl")
    };
    let mut facts = machine(OsFamily::Debian, &[("ens3", &[])]);
    assert!(!curl(&planned_ok(&lab, "client", facts.clone())));
    facts.curl = false;
    assert!(curl(&planned_ok(&lab, "client", facts.clone())));
    facts.curl = true;
    facts
        .owned
        .push(crate::resource::ResourceId("package curl".to_owned()));
    assert!(curl(&planned_ok(&lab, "client", facts)));
}

#[test]
fn protection_is_left_alone_where_the_policy_says_so_or_there_is_none() {
    let count = |text: &str, facts: Facts| {
        planned_ok(&machines(text), "web1", facts)
            .steps
            .iter()
            .filter(|step| matches!(step.resource, Resource::Firewall(_) | Resource::Selinux(_)))
            .count()
    };
    let rhel = || machine(OsFamily::Rhel, &[("eth0", &[])]);
    let leave = DR.replace("mode: dr", "mode: dr\nfirewall: leave\nselinux: leave");
    assert_eq!(count(DR, rhel()), 2);
    assert_eq!(count(&leave, rhel()), 0);
    assert_eq!(count(DR, machine(OsFamily::Debian, &[("eth0", &[])])), 0);
    let disabled = Facts {
        selinux: Some(SelinuxMode::Disabled),
        ..rhel()
    };
    assert_eq!(count(DR, disabled), 1);
}
