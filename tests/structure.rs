//! Holds the shape of the crate: which module may use which, without circles; which module may use which library; short
//! files; and documentation on every public item.

#[path = "structure/circle.rs"]
mod circle;
#[path = "structure/crate_tree.rs"]
mod crate_tree;
#[path = "structure/documented.rs"]
mod documented;
#[path = "structure/lexer.rs"]
mod lexer;

use std::collections::{BTreeMap, BTreeSet};

use circle::{Arrows, Circle};
use crate_tree::{Crate, Source};
use lexer::Token;

/// What each top-level module may use. A row names only rows above it.
const LAYERS: &[(&str, &[&str])] = &[
    ("netlink", &[]),
    ("packet", &[]),
    ("ipvs", &["netlink"]),
    ("ipvsadm", &["ipvs"]),
    ("model", &["ipvs"]),
    ("sys", &["model"]),
    ("resource", &["model", "ipvs"]),
    ("topology", &["model"]),
    ("requirement", &["model", "ipvs", "resource"]),
    (
        "keeper",
        &["model", "ipvs", "ipvsadm", "resource", "requirement", "sys"],
    ),
    ("plan", &["keeper", "model", "resource", "requirement"]),
    (
        "agent",
        &[
            "model", "ipvs", "ipvsadm", "keeper", "netlink", "packet", "resource", "sys",
        ],
    ),
    ("sandbox", &["agent", "model", "netlink", "sys"]),
    ("orchestrate", &["agent", "model", "resource", "sys"]),
    (
        "verify",
        &[
            "agent",
            "ipvs",
            "keeper",
            "model",
            "packet",
            "requirement",
            "resource",
            "sys",
        ],
    ),
    (
        "fault",
        &["keeper", "model", "plan", "resource", "sys", "verify"],
    ),
    (
        "report",
        &[
            "agent", "keeper", "model", "packet", "plan", "resource", "sys", "verify",
        ],
    ),
    ("exit", &[]),
    ("context", &["report", "sys"]),
    ("labs", &["exit", "model", "sys", "topology"]),
    (
        "deployment",
        &[
            "agent",
            "context",
            "exit",
            "labs",
            "model",
            "orchestrate",
            "plan",
            "report",
            "resource",
            "sandbox",
            "sys",
            "verify",
        ],
    ),
    (
        "exercise",
        &["agent", "deployment", "exit", "fault", "model", "sys"],
    ),
    (
        "commands",
        &[
            "agent",
            "context",
            "deployment",
            "exercise",
            "exit",
            "fault",
            "ipvs",
            "ipvsadm",
            "labs",
            "model",
            "orchestrate",
            "plan",
            "report",
            "resource",
            "sandbox",
            "sys",
            "verify",
        ],
    ),
    (
        "cli",
        &[
            "agent", "commands", "context", "exit", "ipvsadm", "model", "report", "sys",
        ],
    ),
];

/// Libraries that stay behind one module, so that replacing them touches one place.
const CONFINED: &[(&str, &str)] = &[
    ("serde_yaml", "topology"),
    ("minijinja", "keeper"),
    ("openssh", "orchestrate"),
    ("indicatif", "cli"),
];

/// What a module must stay free of.
const FORBIDDEN: &[(&str, &[&str])] = &[
    // The agent runs on other people's machines: synchronous and small.
    (
        "agent",
        &[
            "tokio",
            "openssh",
            "serde_yaml",
            "minijinja",
            "indicatif",
            "clap",
        ],
    ),
    // Both are pure: what a lab needs, and what files make of a host.
    ("requirement", IMPURE),
    ("keeper", IMPURE),
];

/// What reads or changes the machine it runs on.
const IMPURE: &[&str] = &[
    "netlink_sys",
    "std::fs",
    "std::process",
    "std::env",
    "std::net::TcpStream",
    "nix",
];

#[test]
fn modules_use_only_what_the_table_of_layers_allows() {
    let allowed: BTreeMap<_, _> = LAYERS.iter().copied().collect();
    let all = Crate::read();
    let mut wrong = BTreeSet::new();
    for (from, to, file) in between_modules(&all).iter() {
        match allowed.get(from) {
            None => wrong.insert(format!("{file}: `{from}` is not in the table of layers")),
            Some(permitted) if !permitted.contains(&to) => {
                wrong.insert(format!("{file}: `{from}` may not use `crate::{to}`"))
            }
            Some(_) => false,
        };
    }
    assert_none(wrong);
}

#[test]
fn the_table_of_layers_allows_nothing_that_is_not_used() {
    let arrows = between_modules(&Crate::read());
    let used: BTreeSet<_> = arrows.iter().map(|(from, to, _)| (from, to)).collect();
    let allowed = LAYERS
        .iter()
        .flat_map(|(from, uses)| uses.iter().map(move |to| (*from, *to)));
    let unused = allowed.filter(|arrow| !used.contains(arrow));
    assert_none(unused.map(|(from, to)| format!("`{from}` does not use `{to}`")));
}

#[test]
fn every_arrow_of_the_table_points_down() {
    let mut above = BTreeSet::new();
    let mut wrong = Vec::new();
    for (module, uses) in LAYERS {
        let upward = uses.iter().filter(|used| !above.contains(*used));
        wrong.extend(upward.map(|used| format!("`{used}` is not above `{module}`")));
        assert!(above.insert(module), "`{module}` has two rows");
    }
    assert_none(wrong);
    let modules: BTreeSet<_> = Crate::read()
        .sources
        .iter()
        .filter_map(|source| source.place.first().cloned())
        .collect();
    let listed: BTreeSet<_> = above.iter().map(|module| (**module).to_owned()).collect();
    assert_eq!(modules, listed, "the modules there are, and the table's");
}

#[test]
fn there_is_no_circle_between_modules() {
    let circles = between_modules(&Crate::read()).circles();
    assert_none(circles.iter().map(Circle::to_string));
}

/// A room is a folder of a module. The files beside the rooms may use each other in circles, but no circle may run
/// through a room.
#[test]
fn there_is_no_circle_through_a_room_of_a_module() {
    let all = Crate::read();
    let mut circles = BTreeSet::new();
    for (module, _) in LAYERS {
        let rooms = all.folders_of(module);
        let through_a_room = |circle: &Circle| circle.modules.iter().any(|at| rooms.contains(at));
        let found = inside_module(&all, module).circles();
        circles.extend(found.into_iter().filter(through_a_room));
    }
    assert_none(circles.iter().map(Circle::to_string));
}

#[test]
fn libraries_stay_behind_the_module_that_owns_them() {
    let all = Crate::read();
    let mut wrong = Vec::new();
    for (library, owner) in CONFINED {
        let users: Vec<&Source> = all
            .sources
            .iter()
            .filter(|source| names_path(&source.code, &[library]))
            .collect();
        assert!(!users.is_empty(), "`{library}` is no longer used");
        let strangers = users.iter().filter(|source| module(source) != Some(owner));
        wrong.extend(strangers.map(|source| {
            format!(
                "{}: `{library}` belongs to `{owner}`",
                source.file.display()
            )
        }));
    }
    assert_none(wrong);
}

#[test]
fn modules_stay_free_of_what_is_forbidden_there() {
    let all = Crate::read();
    let mut wrong = Vec::new();
    for (name, forbidden) in FORBIDDEN {
        let inside: Vec<&Source> = all
            .sources
            .iter()
            .filter(|source| module(source) == Some(name))
            .collect();
        assert!(!inside.is_empty(), "there is no module `{name}`");
        for path in *forbidden {
            let segments: Vec<&str> = path.split("::").collect();
            let users = inside
                .iter()
                .filter(|source| names_path(&source.code, &segments));
            wrong.extend(
                users.map(|source| {
                    format!("{}: `{name}` may not use `{path}`", source.file.display())
                }),
            );
        }
    }
    assert_none(wrong);
}

#[test]
fn source_files_hold_one_idea() {
    assert_none(Crate::read().sources.iter().filter_map(|source| {
        let shipped = source.text.split("\n#[cfg(test)]\nmod tests {").next();
        let lines = shipped.unwrap_or_default().lines().count();
        (lines > 440).then(|| format!("{}: {lines} lines before its tests", source.file.display()))
    }));
}

#[test]
fn public_items_say_what_they_are() {
    assert_none(documented::undocumented(&Crate::read()));
}

/// Fails with one finding a line.
fn assert_none(found: impl IntoIterator<Item = String>) {
    let found: Vec<String> = found.into_iter().collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The top-level module a file is in.
fn module(source: &Source) -> Option<&str> {
    source.place.first().map(String::as_str)
}

/// Which module uses which, read from the code.
fn between_modules(all: &Crate) -> Arrows {
    let mut arrows = Arrows::default();
    for source in &all.sources {
        for target in all.named_by(source) {
            if let (Some(from), Some(to)) = (module(source), target.first()) {
                arrows.add(from, to, &source.file.to_string_lossy());
            }
        }
    }
    arrows
}

/// The same between the files and folders of one module. Its `mod.rs`, which names them all, does not count.
fn inside_module(all: &Crate, of: &str) -> Arrows {
    let room = |place: &[String]| -> Option<String> {
        let [module, room, ..] = place else {
            return None;
        };
        (module == of).then(|| format!("{of}/{room}"))
    };
    let mut arrows = Arrows::default();
    for source in &all.sources {
        for target in all.named_by(source) {
            if let (Some(from), Some(to)) = (room(&source.place), room(&target)) {
                arrows.add(&from, &to, &source.file.to_string_lossy());
            }
        }
    }
    arrows
}

/// Whether the code names `path`, a library or something in it, in full or in a `use`.
fn names_path(code: &[Token], path: &[&str]) -> bool {
    crate_tree::paths(code, |_| true)
        .iter()
        .any(|named| named.len() >= path.len() && named.iter().zip(path).all(|(a, b)| a == b))
}
