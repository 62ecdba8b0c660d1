//! Addresses that are right one by one and wrong together.

use super::*;

#[test]
fn a_rip_that_is_the_vip() {
    insta::assert_snapshot!(with(DR, "192.168.4.200", "192.168.4.15"), @"
    error: the RIP of web2, `192.168.4.15`, is also the VIP
      ┌ lab.yaml:8:16
    8 │   web2: { rip: 192.168.4.15/24, weight: 1 }
      │                ^^^^^^^^^^^^^^^ the VIP is on line 3
      = CIP, VIP, DIP and every RIP are addresses of their own
    ");
}

#[test]
fn a_rip_that_is_the_dip() {
    insta::assert_snapshot!(with(DR, "192.168.4.200", "192.168.4.5"), @"
    error: the RIP of web2, `192.168.4.5`, is also the DIP
      ┌ lab.yaml:8:16
    8 │   web2: { rip: 192.168.4.5/24, weight: 1 }
      │                ^^^^^^^^^^^^^^ the DIP is on line 5
      = CIP, VIP, DIP and every RIP are addresses of their own
    ");
}

#[test]
fn a_rip_that_is_the_cip() {
    insta::assert_snapshot!(with(DR, "192.168.4.200", "192.168.4.10"), @"
    error: the RIP of web2, `192.168.4.10`, is also the CIP
      ┌ lab.yaml:8:16
    8 │   web2: { rip: 192.168.4.10/24, weight: 1 }
      │                ^^^^^^^^^^^^^^^ the CIP is on line 4
      = CIP, VIP, DIP and every RIP are addresses of their own
    ");
}

#[test]
fn a_rip_given_twice() {
    insta::assert_snapshot!(with(DR, "192.168.4.200", "192.168.4.100"), @"
    error: the RIP of web2, `192.168.4.100`, is also the RIP of web1
      ┌ lab.yaml:8:16
    8 │   web2: { rip: 192.168.4.100/24, weight: 1 }
      │                ^^^^^^^^^^^^^^^^ the RIP of web1 is on line 7
      = CIP, VIP, DIP and every RIP are addresses of their own
    ");
}

#[test]
fn a_dip_that_is_the_vip() {
    insta::assert_snapshot!(with(DR, "dip: 192.168.4.5/24", "dip: 192.168.4.15/24"), @"
    error: the DIP, `192.168.4.15`, is also the VIP
      ┌ lab.yaml:5:18
    5 │ director: { dip: 192.168.4.15/24 }
      │                  ^^^^^^^^^^^^^^^ the VIP is on line 3
      = CIP, VIP, DIP and every RIP are addresses of their own
    ");
}

#[test]
fn a_cip_that_is_the_vip_in_nat() {
    insta::assert_snapshot!(with(NAT, "192.168.4.10/24", "192.168.4.5/24"), @"
    error: the CIP, `192.168.4.5`, is also the VIP
      ┌ lab.yaml:4:16
    4 │ client: { cip: 192.168.4.5/24 }
      │                ^^^^^^^^^^^^^^ the VIP is on line 3
      = CIP, VIP, DIP and every RIP are addresses of their own
    ");
}

#[test]
fn dr_with_a_rip_outside_the_vips_network() {
    insta::assert_snapshot!(with(DR, "192.168.4.200", "192.168.2.200"), @"
    error: the RIP of web2, `192.168.2.200/24`, is outside the VIP's network 192.168.4.0/24
      ┌ lab.yaml:8:16
    8 │   web2: { rip: 192.168.2.200/24, weight: 1 }
      │                ^^^^^^^^^^^^^^^^
      = in direct routing the director changes only the MAC of a request, so real servers are on its own segment
    ");
}

#[test]
fn dr_with_the_client_outside_the_vips_network() {
    insta::assert_snapshot!(with(DR, "192.168.4.10/24", "192.168.9.10/24"), @"
    error: the CIP, `192.168.9.10/24`, is not in the network of the VIP, 192.168.4.0/24
      ┌ lab.yaml:4:16
    4 │ client: { cip: 192.168.9.10/24 }
      │                ^^^^^^^^^^^^^^^
      = hosts on one segment agree on its network and prefix length
    ");
}

#[test]
fn dr_with_the_director_outside_the_vips_network() {
    insta::assert_snapshot!(with(DR, "192.168.4.5/24", "192.168.2.5/24"), @"
    error: the DIP, `192.168.2.5/24`, is not in the network of the VIP, 192.168.4.0/24
      ┌ lab.yaml:5:18
    5 │ director: { dip: 192.168.2.5/24 }
      │                  ^^^^^^^^^^^^^^
      = hosts on one segment agree on its network and prefix length
    ");
}

#[test]
fn dr_with_different_prefixes() {
    insta::assert_snapshot!(with(DR, "192.168.4.200/24", "192.168.4.200/16"), @"
    error: the RIP of web2, `192.168.4.200/16`, has the prefix length /16; the VIP in the same network has /24
      ┌ lab.yaml:8:16
    8 │   web2: { rip: 192.168.4.200/16, weight: 1 }
      │                ^^^^^^^^^^^^^^^^ did you mean `192.168.4.200/24`?
      = hosts on one segment agree on its network and prefix length
    ");
}

#[test]
fn dr_with_a_narrower_prefix() {
    insta::assert_snapshot!(with(DR, "192.168.4.200/24", "192.168.4.200/25"), @"
    error: the RIP of web2, `192.168.4.200/25`, has the prefix length /25; the VIP in the same network has /24
      ┌ lab.yaml:8:16
    8 │   web2: { rip: 192.168.4.200/25, weight: 1 }
      │                ^^^^^^^^^^^^^^^^ did you mean `192.168.4.200/24`?
      = hosts on one segment agree on its network and prefix length
    ");
}

#[test]
fn dr_with_a_vip_interface() {
    insta::assert_snapshot!(with(DR, "dip: 192.168.4.5/24", "dip: 192.168.4.5/24, vip_interface: eth0"), @"
    error: `vip_interface` is for `mode: nat`
      ┌ lab.yaml:5:49
    5 │ director: { dip: 192.168.4.5/24, vip_interface: eth0 }
      │                                                 ^^^^
      = in direct routing the VIP is an alias on the interface that has the DIP; name that one with `interface`
    ");
}

#[test]
fn nat_with_the_client_in_the_real_servers_network() {
    insta::assert_snapshot!(with(NAT, "192.168.4.10/24", "192.168.2.10/24"), @"
    error: the client, `192.168.2.10/24`, is in the real servers' network 192.168.2.0/24
      ┌ lab.yaml:4:16
    4 │ client: { cip: 192.168.2.10/24 }
      │                ^^^^^^^^^^^^^^^
      = real servers would answer it directly, past the director, and the client drops such answers
      = the client belongs in the VIP's network 192.168.4.0/24
    ");
}

#[test]
fn nat_with_the_client_in_a_network_of_its_own() {
    insta::assert_snapshot!(with(NAT, "192.168.4.10/24", "192.168.9.10/24"), @"
    error: the CIP, `192.168.9.10/24`, is not in the network of the VIP, 192.168.4.0/24
      ┌ lab.yaml:4:16
    4 │ client: { cip: 192.168.9.10/24 }
      │                ^^^^^^^^^^^^^^^
      = hosts on one segment agree on its network and prefix length
    ");
}

#[test]
fn nat_with_a_rip_in_the_clients_network() {
    insta::assert_snapshot!(with(NAT, "192.168.2.200", "192.168.4.200"), @"
    error: the RIP of web2, `192.168.4.200/24`, is in the clients' network 192.168.4.0/24
      ┌ lab.yaml:8:16
    8 │   web2: { rip: 192.168.4.200/24 }
      │                ^^^^^^^^^^^^^^^^
      = its answers would reach the client directly, past the director, and the client drops such answers
      = real servers belong in the DIP's network 192.168.2.0/24
    ");
}

#[test]
fn nat_with_a_rip_outside_every_network_of_the_director() {
    insta::assert_snapshot!(with(NAT, "192.168.2.200", "192.168.3.200"), @"
    error: the RIP of web2, `192.168.3.200/24`, is outside every network the director is in
      ┌ lab.yaml:8:16
    8 │   web2: { rip: 192.168.3.200/24 }
      │                ^^^^^^^^^^^^^^^^
      = the director is in 192.168.4.0/24 (VIP) and 192.168.2.0/24 (DIP); real servers belong in 192.168.2.0/24
    ");
}

#[test]
fn nat_with_different_prefixes() {
    insta::assert_snapshot!(with(NAT, "192.168.2.200/24", "192.168.2.200/23"), @"
    error: the RIP of web2, `192.168.2.200/23`, has the prefix length /23; the DIP in the same network has /24
      ┌ lab.yaml:8:16
    8 │   web2: { rip: 192.168.2.200/23 }
      │                ^^^^^^^^^^^^^^^^ did you mean `192.168.2.200/24`?
      = hosts on one segment agree on its network and prefix length
    ");
}

#[test]
fn nat_with_vip_and_dip_in_one_network() {
    insta::assert_snapshot!(with(NAT, "dip: 192.168.2.5/24", "dip: 192.168.4.6/24"), @"
    error: the DIP, `192.168.4.6/24`, is in the VIP's network 192.168.4.0/24
      ┌ lab.yaml:5:18
    5 │ director: { dip: 192.168.4.6/24 }
      │                  ^^^^^^^^^^^^^^
      = LVS-NAT has two networks: the clients' with the VIP (192.168.4.0/24), and the real servers' with the DIP
      = for one network, use `mode: dr`
    ");
}

#[test]
fn nat_with_one_interface_for_both() {
    insta::assert_snapshot!(with(NAT, "dip: 192.168.2.5/24", "dip: 192.168.2.5/24, interface: eth0, vip_interface: eth0"), @"
    error: `eth0` is the VIP's interface already
      ┌ lab.yaml:5:45
    5 │ director: { dip: 192.168.2.5/24, interface: eth0, vip_interface: eth0 }
      │                                             ^^^^ `vip_interface` is on line 5
      = a NAT director has one interface in the clients' network and another in the real servers'
    ");
}

#[test]
fn the_sandboxs_own_network() {
    insta::assert_snapshot!(message(&NAT.replace("192.168.2.", "10.0.2.")), @"
    error: the DIP, `10.0.2.5/24`, is in 10.0.2.0/24, the sandbox's own network
      ┌ lab.yaml:5:18
    5 │ director: { dip: 10.0.2.5/24 }
      │                  ^^^^^^^^^^^
      = a lab in the sandbox can use any other network
    ");
}
