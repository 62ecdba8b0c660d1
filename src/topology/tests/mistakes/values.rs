//! Single values that are wrong.

use super::*;

#[test]
fn an_address_without_prefix() {
    insta::assert_snapshot!(with(DR, "192.168.4.15/24", "192.168.4.15"), @"
    error: `192.168.4.15` has no prefix length
      ┌ lab.yaml:3:17
    3 │ service: { vip: 192.168.4.15, port: 80, protocol: tcp, scheduler: wrr }
      │                 ^^^^^^^^^^^^ for example `192.168.4.15/24`
      = an address is written with the prefix length of its network, like 192.168.4.100/24
    ");
}

#[test]
fn a_prefix_of_33() {
    insta::assert_snapshot!(with(DR, "192.168.4.15/24", "192.168.4.15/33"), @"
    error: `/33` is not a prefix length for a lab network
      ┌ lab.yaml:3:17
    3 │ service: { vip: 192.168.4.15/33, port: 80, protocol: tcp, scheduler: wrr }
      │                 ^^^^^^^^^^^^^^^
      = prefix lengths: /8 to /30
    ");
}

#[test]
fn a_prefix_of_32() {
    insta::assert_snapshot!(with(DR, "192.168.4.100/24", "192.168.4.100/32"), @"
    error: `/32` is not a prefix length for a lab network
      ┌ lab.yaml:7:16
    7 │   web1: { rip: 192.168.4.100/32, weight: 1 }
      │                ^^^^^^^^^^^^^^^^
      = prefix lengths: /8 to /30
    ");
}

#[test]
fn a_prefix_that_is_a_mask() {
    insta::assert_snapshot!(with(DR, "192.168.4.15/24", "192.168.4.15/255.255.255.0"), @"
    error: `/255.255.255.0` is not a prefix length for a lab network
      ┌ lab.yaml:3:17
    3 │ service: { vip: 192.168.4.15/255.255.255.0, port: 80, protocol: tcp, scheduler: wrr }
      │                 ^^^^^^^^^^^^^^^^^^^^^^^^^^
      = prefix lengths: /8 to /30
    ");
}

#[test]
fn the_network_address() {
    insta::assert_snapshot!(with(DR, "192.168.4.10/24", "192.168.4.0/24"), @"
    error: `192.168.4.0/24` is the network's own address in 192.168.4.0/24
      ┌ lab.yaml:4:16
    4 │ client: { cip: 192.168.4.0/24 }
      │                ^^^^^^^^^^^^^^
      = a host needs an address of its own, unicast and inside its network
    ");
}

#[test]
fn the_broadcast_address() {
    insta::assert_snapshot!(with(DR, "192.168.4.10/24", "192.168.4.255/24"), @"
    error: `192.168.4.255/24` is the broadcast address of 192.168.4.0/24
      ┌ lab.yaml:4:16
    4 │ client: { cip: 192.168.4.255/24 }
      │                ^^^^^^^^^^^^^^^^
      = a host needs an address of its own, unicast and inside its network
    ");
}

#[test]
fn an_octet_too_large() {
    insta::assert_snapshot!(with(DR, "192.168.4.10/24", "192.168.4.300/24"), @"
    error: `192.168.4.300` is not an IPv4 address
      ┌ lab.yaml:4:16
    4 │ client: { cip: 192.168.4.300/24 }
      │                ^^^^^^^^^^^^^^^^
      = an address is written with the prefix length of its network, like 192.168.4.100/24
    ");
}

#[test]
fn a_host_name_for_an_address() {
    insta::assert_snapshot!(with(DR, "192.168.4.10/24", "client.example.org"), @"
    error: `client.example.org` is not an IPv4 address
      ┌ lab.yaml:4:16
    4 │ client: { cip: client.example.org }
      │                ^^^^^^^^^^^^^^^^^^
      = an address is written with the prefix length of its network, like 192.168.4.100/24
    ");
}

#[test]
fn an_ipv6_address() {
    insta::assert_snapshot!(with(DR, "192.168.4.10/24", "2001:db8::10/64"), @"
    error: `2001:db8::10` is an IPv6 address
      ┌ lab.yaml:4:16
    4 │ client: { cip: 2001:db8::10/64 }
      │                ^^^^^^^^^^^^^^^
      = labs are IPv4 so far
    ");
}

#[test]
fn a_loopback_address() {
    insta::assert_snapshot!(with(DR, "192.168.4.10/24", "127.0.0.1/8"), @"
    error: `127.0.0.1/8` is a loopback address
      ┌ lab.yaml:4:16
    4 │ client: { cip: 127.0.0.1/8 }
      │                ^^^^^^^^^^^
      = a host needs an address of its own, unicast and inside its network
    ");
}

#[test]
fn a_multicast_address() {
    insta::assert_snapshot!(with(DR, "192.168.4.10/24", "224.0.0.5/24"), @"
    error: `224.0.0.5/24` is a multicast address
      ┌ lab.yaml:4:16
    4 │ client: { cip: 224.0.0.5/24 }
      │                ^^^^^^^^^^^^
      = a host needs an address of its own, unicast and inside its network
    ");
}

#[test]
fn a_reserved_address() {
    insta::assert_snapshot!(with(DR, "192.168.4.10/24", "0.1.2.3/24"), @"
    error: `0.1.2.3/24` is a reserved address
      ┌ lab.yaml:4:16
    4 │ client: { cip: 0.1.2.3/24 }
      │                ^^^^^^^^^^
      = a host needs an address of its own, unicast and inside its network
    ");
}

#[test]
fn an_unknown_scheduler() {
    insta::assert_snapshot!(with(DR, "scheduler: wrr", "scheduler: wwr"), @"
    error: unknown scheduler `wwr`
      ┌ lab.yaml:3:70
    3 │ service: { vip: 192.168.4.15/24, port: 80, protocol: tcp, scheduler: wwr }
      │                                                                      ^^^ did you mean `wrr`?
      = schedulers: rr wrr lc wlc lblc lblcr dh sh sed nq fo ovf mh twos
    ");
}

#[test]
fn a_scheduler_unlike_any() {
    insta::assert_snapshot!(with(DR, "scheduler: wrr", "scheduler: \"round robin; reboot\""), @r#"
    error: unknown scheduler `round robin; reboot`
      ┌ lab.yaml:3:70
    3 │ service: { vip: 192.168.4.15/24, port: 80, protocol: tcp, scheduler: "round robin; reboot" }
      │                                                                      ^^^^^^^^^^^^^^^^^^^^^
      = schedulers: rr wrr lc wlc lblc lblcr dh sh sed nq fo ovf mh twos
    "#);
}

#[test]
fn an_unknown_mode() {
    insta::assert_snapshot!(with(DR, "mode: dr", "mode: rd"), @"
    error: unknown mode `rd`
      ┌ lab.yaml:2:7
    2 │ mode: rd
      │       ^^ did you mean `dr`?
      = modes: nat dr
    ");
}

#[test]
fn the_mode_that_is_not_there_yet() {
    insta::assert_snapshot!(with(DR, "mode: dr", "mode: tun"), @"
    error: mode `tun` (IP-in-IP tunnels) is not there yet
      ┌ lab.yaml:2:7
    2 │ mode: tun
      │       ^^^
      = modes: nat dr
    ");
}

#[test]
fn an_unknown_protocol() {
    insta::assert_snapshot!(with(DR, "protocol: tcp", "protocol: udp"), @"
    error: unknown protocol `udp`
      ┌ lab.yaml:3:54
    3 │ service: { vip: 192.168.4.15/24, port: 80, protocol: udp, scheduler: wrr }
      │                                                      ^^^
      = protocols: tcp
    ");
}

#[test]
fn a_weight_too_large() {
    insta::assert_snapshot!(with(DR, "192.168.4.100/24, weight: 1", "192.168.4.100/24, weight: 65536"), @"
    error: `65536` is not a weight
      ┌ lab.yaml:7:42
    7 │   web1: { rip: 192.168.4.100/24, weight: 65536 }
      │                                          ^^^^^
      = a weight is a whole number from 0 to 65535
    ");
}

#[test]
fn a_negative_weight() {
    insta::assert_snapshot!(with(DR, "192.168.4.100/24, weight: 1", "192.168.4.100/24, weight: -1"), @"
    error: `-1` is not a weight
      ┌ lab.yaml:7:42
    7 │   web1: { rip: 192.168.4.100/24, weight: -1 }
      │                                          ^^
      = a weight is a whole number from 0 to 65535
    ");
}

#[test]
fn a_weight_in_words() {
    insta::assert_snapshot!(with(DR, "192.168.4.100/24, weight: 1", "192.168.4.100/24, weight: heavy"), @"
    error: `heavy` is not a weight
      ┌ lab.yaml:7:42
    7 │   web1: { rip: 192.168.4.100/24, weight: heavy }
      │                                          ^^^^^
      = a weight is a whole number from 0 to 65535
    ");
}

#[test]
fn a_fractional_weight() {
    insta::assert_snapshot!(with(DR, "192.168.4.100/24, weight: 1", "192.168.4.100/24, weight: 1.5"), @"
    error: `1.5` is not a weight
      ┌ lab.yaml:7:42
    7 │   web1: { rip: 192.168.4.100/24, weight: 1.5 }
      │                                          ^^^
      = a weight is a whole number from 0 to 65535
    ");
}

#[test]
fn port_0() {
    insta::assert_snapshot!(with(DR, "port: 80", "port: 0"), @"
    error: `0` is not a port
      ┌ lab.yaml:3:40
    3 │ service: { vip: 192.168.4.15/24, port: 0, protocol: tcp, scheduler: wrr }
      │                                        ^
      = a port is a whole number from 1 to 65535
    ");
}

#[test]
fn port_70000() {
    insta::assert_snapshot!(with(DR, "port: 80", "port: 70000"), @"
    error: `70000` is not a port
      ┌ lab.yaml:3:40
    3 │ service: { vip: 192.168.4.15/24, port: 70000, protocol: tcp, scheduler: wrr }
      │                                        ^^^^^
      = a port is a whole number from 1 to 65535
    ");
}

#[test]
fn a_port_by_name() {
    insta::assert_snapshot!(with(DR, "port: 80", "port: http"), @"
    error: `http` is not a port
      ┌ lab.yaml:3:40
    3 │ service: { vip: 192.168.4.15/24, port: http, protocol: tcp, scheduler: wrr }
      │                                        ^^^^
      = a port is a whole number from 1 to 65535
    ");
}

#[test]
fn a_persistence_of_0() {
    insta::assert_snapshot!(with(DR, "port: 80", "port: 80, persistence: 0"), @"
    error: `0` is not a persistence time in seconds
      ┌ lab.yaml:3:57
    3 │ service: { vip: 192.168.4.15/24, port: 80, persistence: 0, protocol: tcp, scheduler: wrr }
      │                                                         ^
      = a persistence time in seconds is a whole number from 1 to 2678400
    ");
}

#[test]
fn a_persistence_with_a_unit() {
    insta::assert_snapshot!(with(DR, "port: 80", "port: 80, persistence: 5m"), @"
    error: `5m` is not a persistence time in seconds
      ┌ lab.yaml:3:57
    3 │ service: { vip: 192.168.4.15/24, port: 80, persistence: 5m, protocol: tcp, scheduler: wrr }
      │                                                         ^^
      = a persistence time in seconds is a whole number from 1 to 2678400
    ");
}

#[test]
fn an_unknown_firewall_setting() {
    insta::assert_snapshot!(with(DR, "mode: dr", "mode: dr\nfirewall: off"), @"
    error: unknown firewall setting `off`
      ┌ lab.yaml:3:11
    3 │ firewall: off
      │           ^^^
      = firewall settings: trusted leave
    ");
}

#[test]
fn an_unknown_selinux_setting() {
    insta::assert_snapshot!(with(DR, "mode: dr", "mode: dr\nselinux: permisive"), @"
    error: unknown selinux setting `permisive`
      ┌ lab.yaml:3:10
    3 │ selinux: permisive
      │          ^^^^^^^^^ did you mean `permissive`?
      = selinux settings: permissive leave
    ");
}

#[test]
fn an_empty_page() {
    insta::assert_snapshot!(with(DR, "192.168.4.100/24, weight: 1", "192.168.4.100/24, page: \"\""), @r#"
    error: the page is empty
      ┌ lab.yaml:7:40
    7 │   web1: { rip: 192.168.4.100/24, page: "" }
      │                                        ^^
      = a page is one line of text, by which the real server is told from the others
    "#);
}

#[test]
fn a_page_of_two_lines() {
    insta::assert_snapshot!(with(DR, "192.168.4.100/24, weight: 1", "192.168.4.100/24, page: \"a\\nb\""), @r#"
    error: the page has a control character or more than one line
      ┌ lab.yaml:7:40
    7 │   web1: { rip: 192.168.4.100/24, page: "a\nb" }
      │                                        ^^^^^^
      = a page is one line of text, by which the real server is told from the others
    "#);
}

#[test]
fn a_page_with_an_escape_sequence() {
    insta::assert_snapshot!(with(DR, "192.168.4.100/24, weight: 1", "192.168.4.100/24, page: \"\\e[31mred\""), @r#"
    error: the page has a control character or more than one line
      ┌ lab.yaml:7:40
    7 │   web1: { rip: 192.168.4.100/24, page: "\e[31mred" }
      │                                        ^^^^^^^^^^^
      = a page is one line of text, by which the real server is told from the others
    "#);
}

#[test]
fn a_page_that_ends_with_a_space() {
    insta::assert_snapshot!(with(DR, "192.168.4.100/24, weight: 1", "192.168.4.100/24, page: \"web1 \""), @r#"
    error: the page begins or ends with a space
      ┌ lab.yaml:7:40
    7 │   web1: { rip: 192.168.4.100/24, page: "web1 " }
      │                                        ^^^^^^^
      = a page is one line of text, by which the real server is told from the others
    "#);
}

#[test]
fn two_servers_with_one_page() {
    insta::assert_snapshot!(with(DR, "192.168.4.200/24, weight: 1", "192.168.4.200/24, page: 192.168.4.100"), @"
    error: web2 has the page of web1, `192.168.4.100`
      ┌ lab.yaml:8:40
    8 │   web2: { rip: 192.168.4.200/24, page: 192.168.4.100 }
      │                                        ^^^^^^^^^^^^^
      = real servers are told apart by their pages
    ");
}

#[test]
fn a_very_long_value() {
    insta::assert_snapshot!(message(&DR.replace("wrr", &"w".repeat(5000))), @"
    error: unknown scheduler `wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww…`
      ┌ lab.yaml:3:70
    3 │ …{ vip: 192.168.4.15/24, port: 80, protocol: tcp, scheduler: wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww…
      │                                                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = schedulers: rr wrr lc wlc lblc lblcr dh sh sed nq fo ovf mh twos
    ");
}

#[test]
fn several_values_at_once() {
    insta::assert_snapshot!(message(&DR.replace("port: 80", "port: 0").replace("wrr", "rrr").replace("192.168.4.5/24", "192.168.4.5").replace("weight: 1", "weight: -3")), @"
    error: `0` is not a port
      ┌ lab.yaml:3:40
    3 │ service: { vip: 192.168.4.15/24, port: 0, protocol: tcp, scheduler: rrr }
      │                                        ^
      = a port is a whole number from 1 to 65535

    error: unknown scheduler `rrr`
      ┌ lab.yaml:3:69
    3 │ service: { vip: 192.168.4.15/24, port: 0, protocol: tcp, scheduler: rrr }
      │                                                                     ^^^ did you mean `rr`?
      = schedulers: rr wrr lc wlc lblc lblcr dh sh sed nq fo ovf mh twos

    error: `192.168.4.5` has no prefix length
      ┌ lab.yaml:5:18
    5 │ director: { dip: 192.168.4.5 }
      │                  ^^^^^^^^^^^ for example `192.168.4.5/24`
      = an address is written with the prefix length of its network, like 192.168.4.100/24

    error: `-3` is not a weight
      ┌ lab.yaml:7:42
    7 │   web1: { rip: 192.168.4.100/24, weight: -3 }
      │                                          ^^
      = a weight is a whole number from 0 to 65535

    error: `-3` is not a weight
      ┌ lab.yaml:8:42
    8 │   web2: { rip: 192.168.4.200/24, weight: -3 }
      │                                          ^^
      = a weight is a whole number from 0 to 65535
    ");
}
