//! Where the hosts are: `ssh` in the topology and in an inventory.

use super::*;

/// The message for a topology with this inventory.
fn inventory(topology: &str, text: &str) -> String {
    let inventory = crate::topology::Inventory {
        text,
        file_name: "inventory.yaml",
        directory: std::path::Path::new("/labs"),
        home: None,
    };
    match parse(topology, "lab.yaml", Some(inventory)) {
        Ok(lab) => panic!("no mistake found; the lab is {lab:#?}"),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn an_ssh_destination_that_begins_with_a_hyphen() {
    insta::assert_snapshot!(with(DR, "cip: 192.168.4.10/24", "cip: 192.168.4.10/24, ssh: -oProxyCommand=reboot"), @"
    error: ssh destination `-oProxyCommand=reboot`: it must not begin with `-`, ssh would take it for an option
      ┌ lab.yaml:4:38
    4 │ client: { cip: 192.168.4.10/24, ssh: -oProxyCommand=reboot }
      │                                      ^^^^^^^^^^^^^^^^^^^^^
      = a destination is `[user@]host[:port]`, like root@web1.example.org:2222 or root@[2001:db8::1]:22
    ");
}

#[test]
fn an_ssh_destination_with_a_shell_word() {
    insta::assert_snapshot!(with(DR, "cip: 192.168.4.10/24", "cip: 192.168.4.10/24, ssh: \"root@host;id\""), @r#"
    error: ssh destination `root@host;id`: the host is letters, digits, `.`, `_` and `-`, not beginning with `-`
      ┌ lab.yaml:4:38
    4 │ client: { cip: 192.168.4.10/24, ssh: "root@host;id" }
      │                                      ^^^^^^^^^^^^^^
      = a destination is `[user@]host[:port]`, like root@web1.example.org:2222 or root@[2001:db8::1]:22
    "#);
}

#[test]
fn an_ssh_destination_with_a_bad_port() {
    insta::assert_snapshot!(with(DR, "cip: 192.168.4.10/24", "cip: 192.168.4.10/24, ssh: \"root@host:99999\""), @r#"
    error: ssh destination `root@host:99999`: the port is a number from 1 to 65535
      ┌ lab.yaml:4:38
    4 │ client: { cip: 192.168.4.10/24, ssh: "root@host:99999" }
      │                                      ^^^^^^^^^^^^^^^^^
      = a destination is `[user@]host[:port]`, like root@web1.example.org:2222 or root@[2001:db8::1]:22
    "#);
}

#[test]
fn some_hosts_with_ssh_and_some_without() {
    insta::assert_snapshot!(with(DR, "cip: 192.168.4.10/24", "cip: 192.168.4.10/24, ssh: root@192.0.2.1"), @"
    error: some hosts have an ssh destination and some have none
      ┌ lab.yaml:5:1
    5 │ director: { dip: 192.168.4.5/24 }
      │ ^^^^^^^^
      = with: client
      = without: director web1 web2
      = give every host one, in the topology or the inventory, or none: then all run in the sandbox
    ");
}

#[test]
fn an_inventory_with_a_misspelt_host() {
    insta::assert_snapshot!(inventory(DR, "hosts:\n  client: { ssh: root@192.0.2.1 }\n  director: { ssh: root@192.0.2.2 }\n  web1: { ssh: root@192.0.2.3 }\n  wbe2: { ssh: root@192.0.2.4 }\n"), @"
    error: some hosts have an ssh destination and some have none
      ┌ lab.yaml:8:3
    8 │   web2: { rip: 192.168.4.200/24, weight: 1 }
      │   ^^^^
      = with: client director web1
      = without: web2
      = give every host one, in the topology or the inventory, or none: then all run in the sandbox
      = the inventory has `wbe2` (inventory.yaml:5); did you mean `web2`?
    ");
}

#[test]
fn an_inventory_of_another_lab() {
    insta::assert_snapshot!(inventory(DR, "hosts:\n  db1: { ssh: root@192.0.2.1 }\n"), @"
    error: the inventory has none of this lab's hosts, but `db1` (inventory.yaml:2)
      ┌ lab.yaml
      = hosts of the lab: client director web1 web2
    ");
}

#[test]
fn an_empty_inventory() {
    insta::assert_snapshot!(inventory(DR, ""), @"
    error: the file is empty
      ┌ inventory.yaml
      = an inventory is `hosts:` and a line `NAME: { ssh: root@ADDRESS }` for each host
    ");
}

#[test]
fn an_inventory_without_hosts() {
    insta::assert_snapshot!(inventory(DR, "hosts: {}\n"), @"
    error: no hosts
      ┌ inventory.yaml:1:8
    1 │ hosts: {}
      │        ^
      = at least one host is needed
    ");
}

#[test]
fn an_inventory_with_an_unknown_key() {
    insta::assert_snapshot!(inventory(DR, "hosts:\n  web1: { ssh: root@192.0.2.1, idenity: x }\n"), @"
    error: unknown key `idenity`
      ┌ inventory.yaml:2:32
    2 │   web1: { ssh: root@192.0.2.1, idenity: x }
      │                                ^^^^^^^ did you mean `identity`?
      = keys of `web1`: ssh identity known_hosts
    ");
}

#[test]
fn an_inventory_entry_without_ssh() {
    insta::assert_snapshot!(inventory(DR, "hosts:\n  web1: { identity: x }\n"), @"
    error: `web1` has no `ssh`
      ┌ inventory.yaml:2:3
    2 │   web1: { identity: x }
      │   ^^^^
      = keys of `web1`: ssh identity known_hosts
    ");
}

#[test]
fn an_inventory_destination_that_begins_with_a_hyphen() {
    insta::assert_snapshot!(inventory(DR, "hosts:\n  web1: { ssh: -F/tmp/x }\n"), @"
    error: ssh destination `-F/tmp/x`: it must not begin with `-`, ssh would take it for an option
      ┌ inventory.yaml:2:16
    2 │   web1: { ssh: -F/tmp/x }
      │                ^^^^^^^^
      = a destination is `[user@]host[:port]`, like root@web1.example.org:2222 or root@[2001:db8::1]:22
    ");
}

#[test]
fn an_inventory_with_a_bad_host_name() {
    insta::assert_snapshot!(inventory(DR, "hosts:\n  web*: { ssh: root@192.0.2.1 }\n"), @"
    error: host name `web*`: '*' is not allowed here; use lower-case letters, digits and inner hyphens
      ┌ inventory.yaml:2:3
    2 │   web*: { ssh: root@192.0.2.1 }
      │   ^^^^
    ");
}

#[test]
fn an_identity_ssh_would_expand() {
    insta::assert_snapshot!(inventory(DR, "hosts:\n  web1: { ssh: root@192.0.2.1, identity: keys/%h }\n"), @r#"
    error: path `keys/%h`: control characters, `"`, `%` and `$` have a meaning of their own in ssh_config(5)
      ┌ inventory.yaml:2:42
    2 │   web1: { ssh: root@192.0.2.1, identity: keys/%h }
      │                                          ^^^^^^^
    "#);
}

#[test]
fn an_identity_in_somebody_elses_home() {
    insta::assert_snapshot!(inventory(DR, "hosts:\n  web1: { ssh: root@192.0.2.1, identity: ~root/.ssh/id }\n"), @"
    error: path `~root/.ssh/id`: only `~/`, your own home directory, is known
      ┌ inventory.yaml:2:42
    2 │   web1: { ssh: root@192.0.2.1, identity: ~root/.ssh/id }
      │                                          ^^^^^^^^^^^^^
    ");
}

#[test]
fn two_hosts_at_one_destination() {
    insta::assert_snapshot!(inventory(DR, "hosts:\n  client: { ssh: root@192.0.2.1 }\n  director: { ssh: 192.0.2.1:22 }\n  web1: { ssh: root@192.0.2.3 }\n  web2: { ssh: root@192.0.2.4 }\n"), @"
    error: client and director are the same machine, `192.0.2.1`
      ┌ lab.yaml:5:1
    5 │ director: { dip: 192.168.4.5/24 }
      │ ^^^^^^^^
      = their ssh destinations: inventory.yaml:2 and inventory.yaml:3
    ");
}
