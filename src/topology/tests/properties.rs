//! What holds for any input.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;

use proptest::prelude::*;

use crate::model::{ForwardingMethod, Scheduler};
use crate::topology::{Inventory, MAX_FILE_BYTES, parse};

fn inventory(text: &str) -> Inventory<'_> {
    Inventory {
        text,
        file_name: "inventory.yaml",
        directory: Path::new("/labs"),
        home: Some(Path::new("/root")),
    }
}

/// Pieces that make YAML interesting to its readers.
fn yaml_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("lab: dr\n"),
        Just("mode: nat\n"),
        Just("service: "),
        Just("real_servers:\n"),
        Just("  web1: "),
        Just("{ rip: "),
        Just("192.168.4.1/24"),
        Just(" }"),
        Just("\n"),
        Just("\t"),
        Just("- "),
        Just("["),
        Just("]"),
        Just("{"),
        Just("}"),
        Just(": "),
        Just("? "),
        Just("&a "),
        Just("*a"),
        Just("!!str "),
        Just("|\n"),
        Just(">-\n"),
        Just("\""),
        Just("'"),
        Just("#"),
        Just("---\n"),
        Just("...\n"),
        Just("%TAG ! x:\n"),
        Just(","),
        Just("\\"),
        Just("~"),
        Just("<<: "),
        Just("漢"),
        Just("\u{feff}"),
        Just("\r"),
        Just("\u{85}"),
        Just("\u{2028}"),
        Just("  "),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_a_lab_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let text = String::from_utf8_lossy(&bytes);
        if let Err(error) = parse(&text, "x.yaml", Some(inventory(&text))) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn pieces_of_yaml_are_a_lab_or_an_error(text in yaml_like()) {
        if let Err(error) = parse(&text, "x.yaml", Some(inventory(&text))) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn a_damaged_topology_is_a_lab_or_an_error_in_its_lines(at in 0usize..1000, piece in "\\PC{0,4}", cut in 0usize..6) {
        let whole = include_str!("nat.yaml");
        let at = at % whole.len();
        let text = format!("{}{piece}{}", &whole[..at], &whole[(at + cut).min(whole.len())..]);
        if let Err(error) = parse(&text, "x.yaml", None) {
            for mistake in error.mistakes() {
                prop_assert!(mistake.line <= text.lines().count() + 1, "{error}");
            }
        }
    }
}

/// Texts of the largest size allowed that ask for much work or much stack.
#[test]
fn the_largest_files_end_in_an_answer() {
    let size = usize::try_from(MAX_FILE_BYTES).expect("fits");
    for unit in [
        "[", "{", "{a: ", "- ", "? ", "a: ", "&a ", "*a ", "!t ", "\"", "'", "|\n ", "#", "\n",
        " ", "\t", "a", "a,", "a: b\n", "- a\n", "[]", "{}", "%", "---\n", "...\n", ": ", "\u{e9}",
        "a:\n", "\"a\": ",
    ] {
        for lead in ["", "lab: ", "real_servers: {", "real_servers:\n"] {
            let text = format!("{lead}{}", unit.repeat((size - lead.len()) / unit.len()));
            assert!(parse(&text, "x.yaml", None).is_err(), "{lead}{unit}…");
        }
    }
}

#[derive(Debug, Clone)]
struct Written {
    nat: bool,
    prefix: u8,
    port: u16,
    scheduler: Scheduler,
    persistence: Option<u32>,
    outer: Vec<Ipv4Addr>,
    inner: Vec<Ipv4Addr>,
    names: Vec<String>,
    weights: Vec<u16>,
}

/// `count` different host addresses of the /`prefix` that `base` is in.
fn hosts_of(base: u32, prefix: u8, offsets: &BTreeSet<u32>) -> Vec<Ipv4Addr> {
    let host_bits = 32 - u32::from(prefix);
    let network = base >> host_bits << host_bits;
    let most = (1u32 << host_bits) - 2;
    let mut picked: Vec<u32> = offsets.iter().map(|offset| offset % most).collect();
    picked.dedup();
    let unique: BTreeSet<u32> = picked.into_iter().collect();
    unique
        .into_iter()
        .map(|offset| Ipv4Addr::from(network + 1 + offset))
        .collect()
}

fn written() -> impl Strategy<Value = Written> {
    let scheduler = prop::sample::select(Scheduler::ALL.to_vec());
    (
        any::<bool>(),
        20u8..=24,
        1u16..,
        scheduler,
        prop::option::of(1u32..=2_678_400),
        prop::collection::btree_set(any::<u32>(), 40),
        prop::collection::btree_set("[a-z][a-z0-9]{0,10}(-[a-z0-9]{1,8})?", 1..12),
        prop::collection::vec(1u16.., 12),
    )
        .prop_map(
            |(nat, prefix, port, scheduler, persistence, offsets, names, weights)| Written {
                nat,
                prefix,
                port,
                scheduler,
                persistence,
                outer: hosts_of(0xAC10_0000, prefix, &offsets),
                inner: hosts_of(0xC0A8_0000, prefix, &offsets),
                names: names
                    .into_iter()
                    .filter(|name| {
                        !["client", "director", "localhost", "null"].contains(&name.as_str())
                    })
                    .collect(),
                weights,
            },
        )
        .prop_filter("enough addresses and names", |w| {
            !w.names.is_empty()
                && w.outer.len() > w.names.len() + 3
                && w.inner.len() > w.names.len() + 1
        })
}

proptest! {
    #[test]
    fn a_valid_topology_becomes_a_lab_that_has_what_was_written(w in written()) {
        let prefix = w.prefix;
        let mode = if w.nat { "nat" } else { "dr" };
        let (dip, rips) = if w.nat {
            (w.inner[0], &w.inner[1..])
        } else {
            (w.outer[2], &w.outer[3..])
        };
        let mut text = format!(
            "mode: {mode}\nlab: x\nreal_servers:\n"
        );
        for (at, name) in w.names.iter().enumerate() {
            text += &format!("  {name}: {{ weight: {}, rip: {}/{prefix} }}\n", w.weights[at], rips[at]);
        }
        text += &format!("service:\n  vip: {}/{prefix}\n  port: {}\n  scheduler: {}\n", w.outer[0], w.port, w.scheduler);
        if let Some(seconds) = w.persistence {
            text += &format!("  persistence: {seconds}\n");
        }
        text += &format!("client: {{ cip: {}/{prefix} }}\ndirector: {{ dip: {dip}/{prefix} }}\n", w.outer[1]);
        let lab = parse(&text, "x.yaml", None).unwrap_or_else(|error| panic!("{text}\n{error}"));

        prop_assert_eq!(lab.method(), if w.nat { ForwardingMethod::Nat } else { ForwardingMethod::Dr });
        prop_assert_eq!(lab.networks().len(), if w.nat { 2 } else { 1 });
        prop_assert_eq!(lab.vip(), w.outer[0]);
        prop_assert_eq!(lab.cip().addr(), w.outer[1]);
        prop_assert_eq!(lab.dip().addr(), dip);
        prop_assert_eq!(lab.service().port.get(), w.port);
        prop_assert_eq!(lab.service().scheduler, w.scheduler);
        prop_assert_eq!(lab.service().persistence.map(|p| p.as_secs()), w.persistence.map(u64::from));
        prop_assert_eq!(lab.real_servers().len(), w.names.len());
        prop_assert_eq!(lab.hosts().len(), w.names.len() + 2);
        for (at, server) in lab.real_servers().iter().enumerate() {
            prop_assert_eq!(server.host.as_str(), &w.names[at]);
            prop_assert_eq!(server.rip.addr(), rips[at]);
            prop_assert_eq!(server.weight, w.weights[at]);
            prop_assert_eq!(&server.page, &rips[at].to_string());
        }
        let json = serde_json::to_string(&lab).expect("JSON");
        prop_assert_eq!(serde_json::from_str::<crate::model::Lab>(&json).expect("the same"), lab);
    }
}
