//! Which keys a file must and may have. They are checked on the tree, so that every misspelt, repeated or missing key is
//! reported at once and with its place. `entries` has the same keys as types; a test holds them equal.

use std::collections::HashMap;

use super::error::quoted;
use super::problem::{Mistakes, Place, Problem};
use super::suggest::{did_you_mean, nearest};
use super::tree::{Kind, Node};

/// What a value looks like.
#[derive(Debug)]
pub(super) enum Shape {
    /// A word, number or quoted text.
    Text,
    /// A mapping with known keys.
    Section(&'static [Key]),
    /// A mapping from names to values of one shape, at least one; the text says what is named.
    Named(&'static Shape, &'static str),
}

/// A key of a [`Shape::Section`].
#[derive(Debug)]
pub(super) struct Key {
    pub name: &'static str,
    pub required: bool,
    pub shape: Shape,
}

const fn required(name: &'static str, shape: Shape) -> Key {
    Key {
        name,
        required: true,
        shape,
    }
}

const fn optional(name: &'static str, shape: Shape) -> Key {
    Key {
        name,
        required: false,
        shape,
    }
}

use Shape::{Named, Section, Text};

/// A topology file.
pub(super) const TOPOLOGY: Shape = Section(&[
    required("lab", Text),
    required("mode", Text),
    required(
        "service",
        Section(&[
            required("vip", Text),
            optional("port", Text),
            optional("protocol", Text),
            optional("scheduler", Text),
            optional("persistence", Text),
        ]),
    ),
    required(
        "client",
        Section(&[
            required("cip", Text),
            optional("name", Text),
            optional("interface", Text),
            optional("ssh", Text),
        ]),
    ),
    required(
        "director",
        Section(&[
            required("dip", Text),
            optional("name", Text),
            optional("interface", Text),
            optional("vip_interface", Text),
            optional("ssh", Text),
        ]),
    ),
    required(
        "real_servers",
        Named(
            &Section(&[
                required("rip", Text),
                optional("weight", Text),
                optional("page", Text),
                optional("interface", Text),
                optional("ssh", Text),
            ]),
            "real server",
        ),
    ),
    optional("firewall", Text),
    optional("selinux", Text),
]);

/// An inventory file.
pub(super) const INVENTORY: Shape = Section(&[required(
    "hosts",
    Named(
        &Section(&[
            required("ssh", Text),
            optional("identity", Text),
            optional("known_hosts", Text),
        ]),
        "host",
    ),
)]);

/// Adds every difference between `node` and `shape`. `name` is the key the value stands under, `key_place`
/// where that key is.
pub(super) fn check(
    node: &Node,
    shape: &Shape,
    name: &str,
    key_place: Place,
    mistakes: &mut Mistakes<'_, '_>,
) {
    match (shape, &node.kind) {
        (_, Kind::Scalar { null: true, .. }) => mistakes.add(
            key_place,
            Problem::new(format!("{} has no value", subject(name))).note(match shape {
                Text => "give it one, or leave the key out where it is optional".to_owned(),
                Section(keys) => keys_of(name, keys),
                Named(_, what) => format!("at least one {what} is needed"),
            }),
        ),
        (Text, Kind::Scalar { .. }) => {}
        (Text, _) => mistakes.add(
            node.place,
            Problem::new(format!("{} is one value, not several", quoted(name))),
        ),
        (Section(keys), Kind::Mapping(entries)) => {
            section(entries, keys, name, key_place, mistakes);
        }
        (Named(each, what), Kind::Mapping(entries)) => {
            if entries.is_empty() {
                mistakes.add(
                    node.place,
                    Problem::new(format!("no {what}s"))
                        .note(format!("at least one {what} is needed")),
                );
            }
            doubles(entries, &format!("{what} "), mistakes);
            for (key, value) in entries {
                if mistakes.is_full() {
                    return;
                }
                let name = key.text().unwrap_or_default();
                check(value, each, name, key.place, mistakes);
            }
        }
        (Section(keys), _) => mistakes.add(
            node.place,
            Problem::new(format!("{} is a mapping of keys to values", subject(name)))
                .note(keys_of(name, keys)),
        ),
        (Named(_, what), _) => mistakes.add(
            node.place,
            Problem::new(format!(
                "{} is a mapping from names to values",
                quoted(name)
            ))
            .note(format!("each {what} is written `name: {{ … }}`")),
        ),
    }
}

fn section(
    entries: &[(Node, Node)],
    keys: &'static [Key],
    name: &str,
    key_place: Place,
    mistakes: &mut Mistakes<'_, '_>,
) {
    doubles(entries, "key ", mistakes);
    let names = || keys.iter().map(|key| key.name);
    for (key, value) in entries {
        if mistakes.is_full() {
            return;
        }
        let text = key.text().unwrap_or_default();
        match keys.iter().find(|known| known.name == text) {
            Some(known) => check(value, &known.shape, known.name, key.place, mistakes),
            None => mistakes.add(
                key.place,
                Problem::new(format!("unknown key {}", quoted(text)))
                    .maybe_label(did_you_mean(text, names()))
                    .note(keys_of(name, keys)),
            ),
        }
    }
    let has = |name| entries.iter().any(|(key, _)| key.text() == Some(name));
    // A misspelt key is reported as such, not as missing, too.
    let misspelt: Vec<&str> = entries
        .iter()
        .take(MOST_COMPARED)
        .filter_map(|(key, _)| key.text().filter(|text| !names().any(|name| name == *text)))
        .filter_map(|text| nearest(text, names()))
        .collect();
    for missing in keys
        .iter()
        .filter(|key| key.required && !has(key.name) && !misspelt.contains(&key.name))
    {
        let problem = Problem::new(format!("{} has no `{}`", subject(name), missing.name))
            .note(keys_of(name, keys));
        if name.is_empty() {
            mistakes.add_to_file(problem);
        } else {
            mistakes.add(key_place, problem);
        }
    }
}

/// Most keys of one mapping that are compared with the known ones. More would cost time and help nobody.
const MOST_COMPARED: usize = 100;

/// The section `name` in a sentence; the whole file has no name.
fn subject(name: &str) -> String {
    if name.is_empty() {
        "the file".to_owned()
    } else {
        quoted(name)
    }
}

/// Reports keys that one mapping has twice.
fn doubles(entries: &[(Node, Node)], what: &str, mistakes: &mut Mistakes<'_, '_>) {
    let mut first: HashMap<&str, Place> = HashMap::new();
    for (key, _) in entries {
        if mistakes.is_full() {
            return;
        }
        let text = key.text().unwrap_or_default();
        match first.get(text) {
            Some(place) => mistakes.add(
                key.place,
                Problem::new(format!("{what}{} is given twice", quoted(text))).label(
                    if place.line == key.place.line {
                        format!("first in column {}", place.column + 1)
                    } else {
                        format!("first on line {}", place.line)
                    },
                ),
            ),
            None => {
                first.insert(text, key.place);
            }
        }
    }
}

fn keys_of(name: &str, keys: &[Key]) -> String {
    let list: Vec<&str> = keys.iter().map(|key| key.name).collect();
    if name.is_empty() {
        format!("keys: {}", list.join(" "))
    } else {
        format!("keys of {}: {}", quoted(name), list.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::entries::{self, InventoryEntries, TopologyEntries};
    use crate::topology::problem::SourceText;

    /// YAML with every key of `shape`, and one more, `extra`, in the section numbered `in_section`.
    fn example(shape: &Shape, in_section: usize, seen: &mut Vec<Vec<&'static str>>) -> String {
        match shape {
            Text => "x".to_owned(),
            Named(each, _) => format!("{{ some: {} }}", example(each, in_section, seen)),
            Section(keys) => {
                let number = seen.len();
                seen.push(keys.iter().map(|key| key.name).collect());
                let mut entries: Vec<String> = keys
                    .iter()
                    .map(|key| format!("{}: {}", key.name, example(&key.shape, in_section, seen)))
                    .collect();
                if number == in_section {
                    entries.push("extra: x".to_owned());
                }
                format!("{{ {} }}", entries.join(", "))
            }
        }
    }

    fn same_keys<T: serde::de::DeserializeOwned>(shape: &Shape) {
        let mut sections = Vec::new();
        let all = example(shape, usize::MAX, &mut sections);
        if let Err(mistake) = entries::read::<T>(&SourceText::new("x", &all)) {
            panic!("a key is known to `shape` only: {mistake}");
        }
        for (number, keys) in sections.iter().enumerate() {
            let text = example(shape, number, &mut Vec::new());
            let Err(mistake) = entries::read::<T>(&SourceText::new("x", &text)) else {
                panic!("an unknown key was taken: {text}");
            };
            let known: Vec<&str> = mistake.title.split('`').skip(3).step_by(2).collect();
            assert_eq!(known, *keys, "{}", mistake.title);
        }
    }

    #[test]
    fn shapes_and_entries_have_the_same_keys() {
        same_keys::<TopologyEntries>(&TOPOLOGY);
        same_keys::<InventoryEntries>(&INVENTORY);
    }
}
