//! Names that would do harm in files, shells and kernel calls.

use super::*;

#[test]
fn a_control_character_in_a_host_name() {
    insta::assert_snapshot!(with(DR, "  web2:", "  \"web\\a2\":"), @r#"
    error: host name `web\u{7}2`: '\u{7}' is not allowed here; use lower-case letters, digits and inner hyphens
      ┌ lab.yaml:8:3
    8 │   "web\a2": { rip: 192.168.4.200/24, weight: 1 }
      │   ^^^^^^^^
    "#);
}

#[test]
fn a_newline_in_a_host_name() {
    insta::assert_snapshot!(with(DR, "  web2:", "  \"web2\\nroot\":"), @r#"
    error: host name `web2\nroot`: '\n' is not allowed here; use lower-case letters, digits and inner hyphens
      ┌ lab.yaml:8:3
    8 │   "web2\nroot": { rip: 192.168.4.200/24, weight: 1 }
      │   ^^^^^^^^^^^^
    "#);
}

#[test]
fn a_command_substitution_in_a_host_name() {
    insta::assert_snapshot!(with(DR, "  web2:", "  $(reboot):"), @"
    error: host name `$(reboot)`: '$' is not allowed here; use lower-case letters, digits and inner hyphens
      ┌ lab.yaml:8:3
    8 │   $(reboot): { rip: 192.168.4.200/24, weight: 1 }
      │   ^^^^^^^^^
    ");
}

#[test]
fn a_semicolon_in_a_host_name() {
    insta::assert_snapshot!(with(DR, "  web2:", "  \"web2;id\":"), @r#"
    error: host name `web2;id`: ';' is not allowed here; use lower-case letters, digits and inner hyphens
      ┌ lab.yaml:8:3
    8 │   "web2;id": { rip: 192.168.4.200/24, weight: 1 }
      │   ^^^^^^^^^
    "#);
}

#[test]
fn a_host_name_in_capitals() {
    insta::assert_snapshot!(with(DR, "  web2:", "  Web2:"), @"
    error: host name `Web2`: 'W' is not allowed here; use lower-case letters, digits and inner hyphens
      ┌ lab.yaml:8:3
    8 │   Web2: { rip: 192.168.4.200/24, weight: 1 }
      │   ^^^^
    ");
}

#[test]
fn a_host_name_with_an_underscore() {
    insta::assert_snapshot!(with(DR, "  web2:", "  web_2:"), @"
    error: host name `web_2`: '_' is not allowed here; use lower-case letters, digits and inner hyphens
      ┌ lab.yaml:8:3
    8 │   web_2: { rip: 192.168.4.200/24, weight: 1 }
      │   ^^^^^
    ");
}

#[test]
fn a_host_name_that_begins_with_a_hyphen() {
    insta::assert_snapshot!(with(DR, "  web2:", "  -web2:"), @"
    error: host name `-web2`: '-' is not allowed here; use lower-case letters, digits and inner hyphens
      ┌ lab.yaml:8:3
    8 │   -web2: { rip: 192.168.4.200/24, weight: 1 }
      │   ^^^^^
    ");
}

#[test]
fn an_empty_host_name() {
    insta::assert_snapshot!(with(DR, "  web2:", "  \"\":"), @r#"
    error: host name ``: a name cannot be empty
      ┌ lab.yaml:8:3
    8 │   "": { rip: 192.168.4.200/24, weight: 1 }
      │   ^^
    "#);
}

#[test]
fn a_host_name_too_long() {
    insta::assert_snapshot!(with(DR, "  web2:", "  wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww:"), @"
    error: host name `wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww`: a name has at most 32 characters
      ┌ lab.yaml:8:3
    8 │   wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww: { rip: 192.168.4.200/24, weight: 1 }
      │   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    ");
}

#[test]
fn localhost() {
    insta::assert_snapshot!(with(DR, "  web2:", "  localhost:"), @"
    error: host name `localhost` means every machine itself
      ┌ lab.yaml:8:3
    8 │   localhost: { rip: 192.168.4.200/24, weight: 1 }
      │   ^^^^^^^^^
      = give it a name of its own
    ");
}

#[test]
fn a_path_as_lab_name() {
    insta::assert_snapshot!(with(DR, "lab: dr", "lab: ../../etc"), @"
    error: lab name `../../etc`: '.' is not allowed here; use lower-case letters, digits and inner hyphens
      ┌ lab.yaml:1:6
    1 │ lab: ../../etc
      │      ^^^^^^^^^
    ");
}

#[test]
fn a_shell_word_as_lab_name() {
    insta::assert_snapshot!(with(DR, "lab: dr", "lab: \"dr && reboot\""), @r#"
    error: lab name `dr && reboot`: ' ' is not allowed here; use lower-case letters, digits and inner hyphens
      ┌ lab.yaml:1:6
    1 │ lab: "dr && reboot"
      │      ^^^^^^^^^^^^^^
    "#);
}

#[test]
fn a_real_server_called_like_the_director() {
    insta::assert_snapshot!(with(DR, "  web2:", "  director:"), @"
    error: two hosts are called `director`
      ┌ lab.yaml:8:3
    8 │   director: { rip: 192.168.4.200/24, weight: 1 }
      │   ^^^^^^^^ the other is on line 5
      = every host of a lab has a name of its own
    ");
}

#[test]
fn a_director_called_like_the_client() {
    insta::assert_snapshot!(with(DR, "dip: 192.168.4.5/24", "dip: 192.168.4.5/24, name: client"), @"
    error: two hosts are called `client`
      ┌ lab.yaml:5:40
    5 │ director: { dip: 192.168.4.5/24, name: client }
      │                                        ^^^^^^ the other is on line 4
      = every host of a lab has a name of its own
    ");
}

#[test]
fn a_director_called_like_a_real_server() {
    insta::assert_snapshot!(with(DR, "dip: 192.168.4.5/24", "dip: 192.168.4.5/24, name: web1"), @"
    error: two hosts are called `web1`
      ┌ lab.yaml:7:3
    7 │   web1: { rip: 192.168.4.100/24, weight: 1 }
      │   ^^^^ the other is on line 5
      = every host of a lab has a name of its own
    ");
}

#[test]
fn the_sandboxs_own_interface() {
    insta::assert_snapshot!(with(DR, "cip: 192.168.4.10/24", "cip: 192.168.4.10/24, interface: mgmt0"), @"
    error: `mgmt0` is how the sandbox's machines are logged in to, no interface for a lab network
      ┌ lab.yaml:4:44
    4 │ client: { cip: 192.168.4.10/24, interface: mgmt0 }
      │                                            ^^^^^
      = leave the name out, or take another, like eth0
    ");
}

#[test]
fn loopback_as_interface() {
    insta::assert_snapshot!(with(DR, "cip: 192.168.4.10/24", "cip: 192.168.4.10/24, interface: lo"), @"
    error: `lo` is no interface for a lab network
      ┌ lab.yaml:4:44
    4 │ client: { cip: 192.168.4.10/24, interface: lo }
      │                                            ^^
      = name the Ethernet interface that is in the network, like eth0 or ens33
    ");
}

#[test]
fn an_alias_as_interface() {
    insta::assert_snapshot!(with(DR, "dip: 192.168.4.5/24", "dip: 192.168.4.5/24, interface: \"eth0:0\""), @r#"
    error: interface name `eth0:0`: ':' is not allowed here; use letters, digits, `.`, `_` and `-`
      ┌ lab.yaml:5:45
    5 │ director: { dip: 192.168.4.5/24, interface: "eth0:0" }
      │                                             ^^^^^^^^
    "#);
}

#[test]
fn an_interface_name_too_long() {
    insta::assert_snapshot!(with(DR, "cip: 192.168.4.10/24", "cip: 192.168.4.10/24, interface: enp0s31f6enp0s31"), @"
    error: interface name `enp0s31f6enp0s31`: a name has at most 15 characters
      ┌ lab.yaml:4:44
    4 │ client: { cip: 192.168.4.10/24, interface: enp0s31f6enp0s31 }
      │                                            ^^^^^^^^^^^^^^^^
    ");
}
