//! Keys that are unknown, doubled or missing, and values of the wrong shape.

use super::*;

#[test]
fn an_unknown_key() {
    insta::assert_snapshot!(with(DR, "scheduler: wrr", "sheduler: wrr"), @"
    error: unknown key `sheduler`
      ┌ lab.yaml:3:59
    3 │ service: { vip: 192.168.4.15/24, port: 80, protocol: tcp, sheduler: wrr }
      │                                                           ^^^^^^^^ did you mean `scheduler`?
      = keys of `service`: vip port protocol scheduler persistence
    ");
}

#[test]
fn an_unknown_key_unlike_any() {
    insta::assert_snapshot!(with(DR, "mode: dr", "mode: dr\ncolour: red"), @"
    error: unknown key `colour`
      ┌ lab.yaml:3:1
    3 │ colour: red
      │ ^^^^^^
      = keys: lab mode service client director real_servers firewall selinux
    ");
}

#[test]
fn a_key_of_another_section() {
    insta::assert_snapshot!(with(DR, "cip: 192.168.4.10/24", "cip: 192.168.4.10/24, weight: 1"), @"
    error: unknown key `weight`
      ┌ lab.yaml:4:33
    4 │ client: { cip: 192.168.4.10/24, weight: 1 }
      │                                 ^^^^^^
      = keys of `client`: cip name interface ssh
    ");
}

#[test]
fn a_doubled_key() {
    insta::assert_snapshot!(with(DR, "mode: dr", "mode: dr\nmode: nat"), @"
    error: key `mode` is given twice
      ┌ lab.yaml:3:1
    3 │ mode: nat
      │ ^^^^ first on line 2
    ");
}

#[test]
fn a_doubled_key_on_one_line() {
    insta::assert_snapshot!(with(DR, "port: 80", "port: 80, port: 81"), @"
    error: key `port` is given twice
      ┌ lab.yaml:3:44
    3 │ service: { vip: 192.168.4.15/24, port: 80, port: 81, protocol: tcp, scheduler: wrr }
      │                                            ^^^^ first in column 34
    ");
}

#[test]
fn a_real_server_given_twice() {
    insta::assert_snapshot!(with(DR, "  web2: { rip", "  web1: { rip"), @"
    error: real server `web1` is given twice
      ┌ lab.yaml:8:3
    8 │   web1: { rip: 192.168.4.200/24, weight: 1 }
      │   ^^^^ first on line 7
    ");
}

#[test]
fn a_missing_section() {
    insta::assert_snapshot!(with(DR, "client: { cip: 192.168.4.10/24 }\n", ""), @"
    error: the file has no `client`
      ┌ lab.yaml
      = keys: lab mode service client director real_servers firewall selinux
    ");
}

#[test]
fn a_missing_key() {
    insta::assert_snapshot!(with(DR, "vip: 192.168.4.15/24, ", ""), @"
    error: `service` has no `vip`
      ┌ lab.yaml:3:1
    3 │ service: { port: 80, protocol: tcp, scheduler: wrr }
      │ ^^^^^^^
      = keys of `service`: vip port protocol scheduler persistence
    ");
}

#[test]
fn a_real_server_without_rip() {
    insta::assert_snapshot!(with(DR, "rip: 192.168.4.200/24, ", ""), @"
    error: `web2` has no `rip`
      ┌ lab.yaml:8:3
    8 │   web2: { weight: 1 }
      │   ^^^^
      = keys of `web2`: rip weight page interface ssh
    ");
}

#[test]
fn a_key_without_value() {
    insta::assert_snapshot!(with(DR, "vip: 192.168.4.15/24", "vip: "), @"
    error: `vip` has no value
      ┌ lab.yaml:3:12
    3 │ service: { vip: , port: 80, protocol: tcp, scheduler: wrr }
      │            ^^^
      = give it one, or leave the key out where it is optional
    ");
}

#[test]
fn no_real_servers() {
    insta::assert_snapshot!(with(DR, "  web1: { rip: 192.168.4.100/24, weight: 1 }\n  web2: { rip: 192.168.4.200/24, weight: 1 }\n", ""), @"
    error: `real_servers` has no value
      ┌ lab.yaml:6:1
    6 │ real_servers:
      │ ^^^^^^^^^^^^
      = at least one real server is needed
    ");
}

#[test]
fn empty_real_servers() {
    insta::assert_snapshot!(with(DR, "\n  web1: { rip: 192.168.4.100/24, weight: 1 }\n  web2: { rip: 192.168.4.200/24, weight: 1 }\n", " {}\n"), @"
    error: no real servers
      ┌ lab.yaml:6:15
    6 │ real_servers: {}
      │               ^
      = at least one real server is needed
    ");
}

#[test]
fn real_servers_as_a_list() {
    insta::assert_snapshot!(with(DR, "\n  web1: { rip: 192.168.4.100/24, weight: 1 }\n  web2: { rip: 192.168.4.200/24, weight: 1 }\n", " [192.168.4.100/24]\n"), @"
    error: `real_servers` is a mapping from names to values
      ┌ lab.yaml:6:15
    6 │ real_servers: [192.168.4.100/24]
      │               ^
      = each real server is written `name: { … }`
    ");
}

#[test]
fn a_real_server_that_is_only_an_address() {
    insta::assert_snapshot!(with(DR, "{ rip: 192.168.4.200/24, weight: 1 }", "192.168.4.200/24"), @"
    error: `web2` is a mapping of keys to values
      ┌ lab.yaml:8:9
    8 │   web2: 192.168.4.200/24
      │         ^^^^^^^^^^^^^^^^
      = keys of `web2`: rip weight page interface ssh
    ");
}

#[test]
fn a_section_where_a_value_belongs() {
    insta::assert_snapshot!(with(DR, "lab: dr", "lab: { name: dr }"), @"
    error: `lab` is one value, not several
      ┌ lab.yaml:1:6
    1 │ lab: { name: dr }
      │      ^
    ");
}

#[test]
fn all_of_them_at_once() {
    insta::assert_snapshot!(message("lab: dr\nmod: dr\nservice: { vip: 1, vip: 2 }\nclient: {}\ndirector: x\n"), @"
    error: the file has no `real_servers`
      ┌ lab.yaml
      = keys: lab mode service client director real_servers firewall selinux

    error: unknown key `mod`
      ┌ lab.yaml:2:1
    2 │ mod: dr
      │ ^^^ did you mean `mode`?
      = keys: lab mode service client director real_servers firewall selinux

    error: key `vip` is given twice
      ┌ lab.yaml:3:20
    3 │ service: { vip: 1, vip: 2 }
      │                    ^^^ first in column 12

    error: `client` has no `cip`
      ┌ lab.yaml:4:1
    4 │ client: {}
      │ ^^^^^^
      = keys of `client`: cip name interface ssh

    error: `director` is a mapping of keys to values
      ┌ lab.yaml:5:11
    5 │ director: x
      │           ^
      = keys of `director`: dip name interface vip_interface ssh
    ");
}
