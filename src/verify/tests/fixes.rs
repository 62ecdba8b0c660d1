//! The commands that are printed for a cause: all that is needed, in an order in which they work.

use super::faults::{DROPS, neighbour};
use super::{
    address, evidence, found, found_after, healthy, hijack, lab, observe, plans, readdress,
    set_sysctl, silence,
};
use crate::agent::protocol::{Listener, RouteEvidence};
use crate::model::{ForwardingMethod, Scheduler};
use crate::resource::{FileState, Observed};
use crate::verify::check;
use crate::verify::evidence::Evidence;
use crate::verify::verdict::{Check, Status};

/// The one cause.
fn cause(evidence: &Evidence) -> Check {
    let verdict = check(evidence);
    let mut failed = verdict
        .checks
        .into_iter()
        .filter(|check| check.status == Status::Fail);
    let cause = failed.next().expect("a cause");
    assert_eq!(failed.next(), None);
    cause
}

fn fix(evidence: &Evidence) -> Vec<String> {
    cause(evidence).fix
}

#[test]
fn an_interface_or_address_takes_the_default_route_along() {
    let mut down = evidence(ForwardingMethod::Nat);
    found(&mut down, "web1").links[0].up = false;
    assert_eq!(
        fix(&down),
        [
            "ip link set eth1 up",
            "ip route replace default via 192.168.2.5 dev eth1"
        ]
    );
    let mut gone = evidence(ForwardingMethod::Nat);
    readdress(&mut gone, "web1", "192.168.2.100", None);
    assert_eq!(
        fix(&gone),
        [
            "ip address add 192.168.2.100/24 brd + dev eth1",
            "ip route replace default via 192.168.2.5 dev eth1"
        ]
    );
}

#[test]
fn the_first_address_of_a_network_takes_its_aliases_along() {
    let mut gone = evidence(ForwardingMethod::Dr);
    readdress(&mut gone, "director", "192.168.4.5", None);
    readdress(&mut gone, "director", "192.168.4.15", None);
    assert_eq!(
        fix(&gone),
        [
            "ip address add 192.168.4.5/24 brd + dev eth0",
            "ip address replace 192.168.4.15/24 brd + label eth0:0 dev eth0"
        ]
    );
}

#[test]
fn a_wrong_mask_is_taken_away_before_the_right_one_is_set() {
    let mut wide = evidence(ForwardingMethod::Nat);
    let state = address("eth1", "192.168.2.100/21");
    readdress(&mut wide, "web1", "192.168.2.100", Some(state));
    assert_eq!(
        fix(&wide),
        [
            "ip address del 192.168.2.100/21 dev eth1",
            "ip address add 192.168.2.100/24 brd + dev eth1",
            "ip route replace default via 192.168.2.5 dev eth1"
        ]
    );
}

#[test]
fn a_route_in_the_way_is_deleted_and_a_missing_one_set() {
    let with = |via: Option<&str>, interface: Option<&str>, entry: Option<&str>| {
        let mut evidence = evidence(ForwardingMethod::Dr);
        let route = &mut found(&mut evidence, "web1").routes[0];
        route.via = via.map(|via| via.parse().unwrap());
        route.interface = interface.map(|name| name.parse().unwrap());
        route.entry = entry.map(str::to_owned);
        fix(&evidence)
    };
    assert_eq!(
        with(None, None, Some("blackhole 192.168.4.0/24 metric 5")),
        ["ip route del blackhole 192.168.4.0/24 metric 5"]
    );
    let detour = "192.168.4.10 via 192.168.4.5 dev eth0";
    assert_eq!(
        with(Some("192.168.4.5"), Some("eth0"), Some(detour)),
        ["ip route del 192.168.4.10 via 192.168.4.5 dev eth0"]
    );
    let own =
        ["ip route replace 192.168.4.0/24 dev eth0 proto kernel scope link src 192.168.4.100"];
    assert_eq!(with(None, None, None), own);
    let other = "default via 10.0.2.2 dev mgmt0";
    assert_eq!(with(Some("10.0.2.2"), Some("mgmt0"), Some(other)), own);
}

#[test]
fn a_network_s_own_route_is_never_deleted() {
    let with = |entry: &str, alter: fn(&mut RouteEvidence)| {
        let mut evidence = evidence(ForwardingMethod::Dr);
        let web1 = found(&mut evidence, "web1");
        web1.addresses.push(address("lo", "192.168.4.51/24"));
        web1.routes[0].entry = Some(entry.to_owned());
        web1.routes[0].interface = Some("lo".parse().unwrap());
        alter(&mut web1.routes[0]);
        cause(&evidence)
    };
    for entry in [
        "192.168.4.0/24 dev eth0",
        "192.168.4.0/24 dev eth0 metric 100",
    ] {
        let covered = with(entry, |route| route.local = true);
        assert_eq!(covered.fix, ["ip address del 192.168.4.51/24 dev lo"]);
        assert_eq!(
            covered.observed,
            "stays on the host, because of 192.168.4.51/24 on lo"
        );
        let ruled = with(entry, |route| route.table = Some(100));
        assert_eq!(ruled.fix, ["ip rule del lookup 100"]);
        // An older document does not say which of them it was.
        assert_eq!(with(entry, |route| route.table = None).fix, [""; 0]);
    }
    assert_eq!(
        with("192.168.4.0/24 dev eth1", |route| route.interface =
            Some("eth1".parse().unwrap()))
        .fix,
        ["ip route del 192.168.4.0/24 dev eth1"]
    );
}

#[test]
fn another_host_s_address_explains_that_nothing_is_sent_there() {
    for (mode, vip) in [
        (ForwardingMethod::Nat, "192.168.4.5/32"),
        (ForwardingMethod::Dr, "192.168.4.15/32"),
    ] {
        let mut evidence = evidence(mode);
        let client = found(&mut evidence, "client");
        client.addresses.push(address("lo", vip));
        client.routes[0].local = true;
        client.routes[0].interface = Some("lo".parse().unwrap());
        client.routes[0].entry = Some("192.168.4.0/24 dev eth0".to_owned());
        let cause = cause(&evidence);
        assert_eq!(cause.id.to_string(), "client/addresses of its own");
        assert_eq!(cause.fix, [format!("ip address del {vip} dev lo")]);
    }
}

#[test]
fn a_wrong_gateway_is_not_deleted_as_a_route_in_the_way() {
    let mut evidence = evidence(ForwardingMethod::Nat);
    let route = &mut found(&mut evidence, "web1").routes[0];
    route.via = Some("192.168.2.77".parse().unwrap());
    route.entry = Some("default via 192.168.2.77 dev eth1".to_owned());
    let routes = vec![crate::resource::RouteState {
        via: Some("192.168.2.77".parse().unwrap()),
        interface: "eth1".parse().unwrap(),
        metric: 0,
        protocol: 3,
    }];
    observe(
        &mut evidence,
        "web1",
        "default route",
        Observed::DefaultRoute { routes },
    );
    assert_eq!(
        fix(&evidence),
        ["ip route replace default via 192.168.2.5 dev eth1"]
    );
}

#[test]
fn the_line_that_tells_the_web_server_where_to_listen_is_corrected() {
    let listening = |address: &str, port: u16, lines: &[&str]| {
        let mut evidence = evidence(ForwardingMethod::Dr);
        let web2 = found(&mut evidence, "web2");
        let address = address.parse().unwrap();
        web2.listeners = vec![Listener { address, port }];
        let files = web2.boot_files.as_mut().unwrap();
        let path = "/etc/apache2/ports.conf";
        healthy::write(files, path, &format!("{}\n", lines.join("\n")));
        fix(&evidence)
    };
    assert_eq!(
        listening("127.0.0.1", 80, &["Listen 127.0.0.1:80", "Listen 443"]),
        [
            "sed -i 's|^[[:space:]]*Listen 127[.]0[.]0[.]1:80[[:space:]]*$|Listen 80|' /etc/apache2/ports.conf",
            "service apache2 restart"
        ]
    );
    assert_eq!(
        listening("::", 8080, &["Listen 443", "Listen 8080"])[0],
        "sed -i 's|^[[:space:]]*Listen 8080[[:space:]]*$|Listen 80|' /etc/apache2/ports.conf"
    );
    // A bracket would begin a set of characters.
    assert_eq!(
        listening("::1", 80, &["Listen [::1]:80"])[0],
        "sed -i 's|^[[:space:]]*Listen [[]::1]:80[[:space:]]*$|Listen 80|' /etc/apache2/ports.conf"
    );
    assert_eq!(listening("::", 8080, &["Listen 443"]), [""; 0]);
}

#[test]
fn a_file_that_only_has_the_wrong_mode_gets_the_right_one() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    let state = FileState {
        content_base64: FileState::encode(b"192.168.4.100\n"),
        mode: 0o600,
        uid: 0,
        gid: 33,
        context: None,
        read_instead: None,
    };
    let id = "file /var/www/html/index.html";
    observe(
        &mut evidence,
        "web1",
        id,
        Observed::File { state: Some(state) },
    );
    assert_eq!(
        cause(&evidence).observed,
        "`192.168.4.100`, mode 0600, which lets only root read it"
    );
    assert_eq!(fix(&evidence), ["chmod 644 /var/www/html/index.html"]);
}

#[test]
fn a_flag_of_the_scheduler_is_part_of_the_service() {
    let lab = lab(ForwardingMethod::Nat, Scheduler::Sh, &[1, 3, 0]);
    let mut plain = healthy::evidence(&lab, &plans(&lab));
    let table = found(&mut plain, "director").ipvs.as_mut().unwrap();
    table.as_mut().unwrap()[0].service.flags = 0;
    let cause = cause(&plain);
    assert_eq!(cause.observed, "sh instead of sh with sh-fallback");
    assert_eq!(
        cause.why.as_deref(),
        Some(
            "Without sh-fallback the director refuses clients whose place belongs to a real server of weight 0."
        )
    );
    assert_eq!(
        cause.fix,
        ["ipvsadm -E -t 192.168.4.5:80 -s sh -b sh-fallback"]
    );
}

#[test]
fn rules_are_lifted_by_their_handles_and_settings_where_they_are_too_large() {
    let mut filtered = evidence(ForwardingMethod::Dr);
    found(&mut filtered, "web1").firewall.nft = Some(DROPS.to_owned());
    assert_eq!(
        fix(&filtered),
        ["nft delete rule inet guard input handle 2"]
    );
    let mut silent = evidence(ForwardingMethod::Nat);
    set_sysctl(&mut silent, "web1", "net.ipv4.conf.all.arp_ignore", "8");
    assert_eq!(fix(&silent), ["sysctl -w net.ipv4.conf.all.arp_ignore=0"]);
}

#[test]
fn what_a_cause_has_left_on_another_host_is_cleared_there() {
    let mut hijacked = evidence(ForwardingMethod::Dr);
    set_sysctl(&mut hijacked, "web2", "net.ipv4.conf.all.arp_ignore", "0");
    set_sysctl(&mut hijacked, "web2", "net.ipv4.conf.eth0.arp_ignore", "0");
    assert_eq!(cause(&hijacked).then, []);
    hijack(&mut hijacked, "192.168.4.110", "52:54:00:00:00:03");
    let cause_of_it = cause(&hijacked);
    assert_eq!(cause_of_it.host.as_str(), "web2");
    let [then] = &cause_of_it.then[..] else {
        panic!("{:?}", cause_of_it.then);
    };
    assert_eq!(then.host.as_str(), "client");
    assert_eq!(then.commands, ["ip neighbour del 192.168.4.15 dev eth0"]);

    let mut twice = evidence(ForwardingMethod::Nat);
    let web1 = found(&mut twice, "web1");
    web1.addresses.push(address("eth1", "192.168.2.110/32"));
    found_after(&mut twice, "director")
        .neighbours
        .push(neighbour("192.168.2.110", "eth1", "52:54:00:00:01:02"));
    silence(&mut twice, "192.168.2.110");
    let cause_of_it = cause(&twice);
    assert_eq!(cause_of_it.id.to_string(), "web1/addresses of its own");
    assert_eq!(cause_of_it.then[0].host.as_str(), "director");
    assert_eq!(
        cause_of_it.then[0].commands,
        ["ip neighbour del 192.168.2.110 dev eth1"]
    );
}
