//! Text that is no YAML, or YAML that is no topology.

use super::*;

/// Nine levels of nine: a gigabyte of "lol" when it is expanded.
fn bomb() -> String {
    let mut text = "a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol]\n".to_owned();
    for level in 1..10 {
        let list = vec![format!("*a{}", level - 1); 9].join(",");
        text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
    }
    text
}

#[test]
fn an_alias_bomb_ends_at_the_first_alias() {
    insta::assert_snapshot!(message(&bomb()), @"
    error: YAML aliases are not allowed
      ┌ lab.yaml:2:10
    2 │ a1: &a1 [*a0,*a0,*a0,*a0,*a0,*a0,*a0,*a0,*a0]
      │          ^^^
      = write the value out instead of `*name`
    ");
}

#[test]
fn an_alias_bomb_of_merge_keys_ends_at_the_first_alias() {
    insta::assert_snapshot!(message("a: &a { x: 1 }\nb: &b { <<: *a }\n"), @"
    error: YAML aliases are not allowed
      ┌ lab.yaml:2:13
    2 │ b: &b { <<: *a }
      │             ^^
      = write the value out instead of `*name`
    ");
}

#[test]
fn an_empty_file() {
    insta::assert_snapshot!(message(""), @"
    error: the file is empty
      ┌ lab.yaml
      = a topology begins with `lab: NAME` and `mode: nat` or `mode: dr`; see topologies/dr.yaml
    ");
}

#[test]
fn only_comments() {
    insta::assert_snapshot!(message("# nothing yet\n---\n"), @"
    error: the file is empty
      ┌ lab.yaml
      = a topology begins with `lab: NAME` and `mode: nat` or `mode: dr`; see topologies/dr.yaml
    ");
}

#[test]
fn a_list() {
    insta::assert_snapshot!(message("- lab: dr\n"), @"
    error: the file is a mapping of keys to values
      ┌ lab.yaml:1:1
    1 │ - lab: dr
      │ ^
      = keys: lab mode service client director real_servers firewall selinux
    ");
}

#[test]
fn a_word() {
    insta::assert_snapshot!(message("hello"), @"
    error: the file is a mapping of keys to values
      ┌ lab.yaml:1:1
    1 │ hello
      │ ^^^^^
      = keys: lab mode service client director real_servers firewall selinux
    ");
}

#[test]
fn a_tab_for_indentation() {
    insta::assert_snapshot!(with(DR, "  web1:", "\tweb1:"), @"
    error: a tab cannot indent YAML
      ┌ lab.yaml:7:1
    7 │  web1: { rip: 192.168.4.100/24, weight: 1 }
      │ ^ use spaces
    ");
}

#[test]
fn an_unclosed_brace() {
    insta::assert_snapshot!(with(DR, "tcp, scheduler: wrr }", "tcp, scheduler: wrr"), @"
    error: this is not YAML: while parsing a flow mapping, did not find expected ',' or '}'
      ┌ lab.yaml:4:7
    4 │ client: { cip: 192.168.4.10/24 }
      │       ^
    ");
}

#[test]
fn an_unclosed_quote() {
    insta::assert_snapshot!(with(DR, "lab: dr", "lab: \"dr"), @r#"
    error: this is not YAML: invalid indentation in quoted scalar
      ┌ lab.yaml:1:6
    1 │ lab: "dr
      │      ^
    "#);
}

#[test]
fn a_control_character() {
    insta::assert_snapshot!(with(DR, "lab: dr", "lab: d\u{7}r"), @r#"
    error: control character `\u{7}` in the file
      ┌ lab.yaml:1:7
    1 │ lab: d�r
      │       ^
      = topology and inventory files are plain text
    "#);
}

#[test]
fn an_alias() {
    insta::assert_snapshot!(with(DR, "web2: { rip: 192.168.4.200/24, weight: 1 }", "web2: *web1"), @"
    error: YAML aliases are not allowed
      ┌ lab.yaml:8:9
    8 │   web2: *web1
      │         ^
      = write the value out instead of `*name`
    ");
}

#[test]
fn a_defined_alias() {
    insta::assert_snapshot!(with(DR, "web1: { rip: 192.168.4.100/24, weight: 1 }\n  web2: { rip: 192.168.4.200/24, weight: 1 }", "web1: &web { rip: 192.168.4.100/24, weight: 1 }\n  web2: *web"), @"
    error: YAML aliases are not allowed
      ┌ lab.yaml:8:9
    8 │   web2: *web
      │         ^^^^
      = write the value out instead of `*name`
    ");
}

#[test]
fn a_tag() {
    insta::assert_snapshot!(with(DR, "lab: dr", "lab: !name dr"), @"
    error: unexpected YAML tag `!name`
      ┌ lab.yaml:1:6
    1 │ lab: !name dr
      │      ^^^^^^^^
      = values are plain words and numbers; leave the tag out
    ");
}

#[test]
fn two_documents() {
    insta::assert_snapshot!(with(DR, "mode: dr", "---\nmode: dr"), @"
    error: a second document in the file
      ┌ lab.yaml:2:1
    2 │ ---
      │ ^^^
      = one file, one document
    ");
}

#[test]
fn deep_nesting() {
    insta::assert_snapshot!(message("lab: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["), @"
    error: nested too deeply
      ┌ lab.yaml:1:14
    1 │ lab: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
      │              ^
      = a topology has three levels of mappings
    ");
}

#[test]
fn a_key_that_is_a_list() {
    insta::assert_snapshot!(message("lab: dr\n? [mode, dr]\n: x\n"), @"
    error: a key that is no plain word
      ┌ lab.yaml:2:3
    2 │ ? [mode, dr]
      │   ^
      = a mapping is written `key: value`
    ");
}
