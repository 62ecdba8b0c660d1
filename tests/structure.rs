//! Holds the direction of dependencies between the crate's modules, and who may use which library.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which top-level modules each one may name with `crate::`. Lower ones come first.
const ALLOWED: &[(&str, &[&str])] = &[
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
        "plan",
        &["model", "ipvs", "ipvsadm", "resource", "requirement"],
    ),
    (
        "agent",
        &[
            "model", "ipvs", "ipvsadm", "netlink", "packet", "resource", "sys",
        ],
    ),
    ("sandbox", &["agent", "model", "netlink", "sys"]),
    ("orchestrate", &["agent", "model", "resource", "sys"]),
    (
        "verify",
        &["agent", "ipvs", "model", "packet", "plan", "resource"],
    ),
    ("fault", &["model", "plan", "resource", "verify"]),
    (
        "report",
        &[
            "agent", "ipvs", "model", "packet", "plan", "resource", "verify",
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
    ("minijinja", "plan"),
    ("openssh", "orchestrate"),
    ("indicatif", "cli"),
];

/// The agent runs on other people's machines: synchronous and small.
const NOT_IN_AGENT: &[&str] = &[
    "tokio",
    "openssh",
    "serde_yaml",
    "minijinja",
    "indicatif",
    "clap",
];

#[test]
fn modules_depend_only_on_the_ones_below_them() {
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    let sources = sources();
    for (module, path, text) in &sources {
        let Some(permitted) = allowed.get(module.as_str()) else {
            wrong.push(format!(
                "{}: module `{module}` is not in the table of layers",
                path.display()
            ));
            continue;
        };
        for target in edges(text) {
            if target != *module && !permitted.contains(&target.as_str()) {
                wrong.push(format!(
                    "{}: `{module}` may not use `crate::{target}`",
                    path.display()
                ));
            }
        }
    }
    assert!(
        sources.len() > ALLOWED.len(),
        "only {} source files were read",
        sources.len()
    );
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn libraries_stay_behind_the_module_that_owns_them() {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for (module, path, text) in sources() {
        for (library, owner) in CONFINED {
            if names_crate(&text, library) {
                used.insert(*library);
                if module != *owner {
                    wrong.push(format!(
                        "{}: `{library}` belongs to `{owner}`",
                        path.display()
                    ));
                }
            }
        }
        for library in NOT_IN_AGENT {
            if module == "agent" && names_crate(&text, library) {
                wrong.push(format!(
                    "{}: the agent may not use `{library}`",
                    path.display()
                ));
            }
        }
    }
    assert_eq!(
        used.len(),
        CONFINED.len(),
        "a confined library is no longer used: {used:?}"
    );
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn source_files_hold_one_idea() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter_map(|(_, path, text)| {
            let lines = text
                .split("\n#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or_default()
                .lines()
                .count();
            (lines > 440).then(|| format!("{}: {lines} lines before its tests", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

#[test]
fn edges_are_found_in_every_form_of_use() {
    let text = "use crate::model::Lab;\nuse crate::{plan::plan, resource::{File, Link}, sys};\nfn f() { crate::ipvs::x() }";
    assert_eq!(
        edges(text).into_iter().collect::<Vec<_>>(),
        ["ipvs", "model", "plan", "resource", "sys"]
    );
    assert!(edges("/// see [`crate::plan`]\n// crate::plan\n").is_empty());
}

/// Every source file in a module's folder, tests left out: module, path, text.
fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be read") {
            let path = entry.expect("src can be read").path();
            let name = entry_name(&path);
            if name == "tests" || name == "tests.rs" || name.ends_with("_tests.rs") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let inside = path.strip_prefix(&root).expect("below src").to_owned();
                let mut parts = inside.components();
                let first = parts
                    .next()
                    .expect("a name")
                    .as_os_str()
                    .to_string_lossy()
                    .into_owned();
                if parts.next().is_some() {
                    let text = fs::read_to_string(&path).expect("UTF-8 source");
                    found.push((first, inside, text));
                }
            }
        }
    }
    found.sort();
    found
}

fn entry_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Top-level modules named with `crate::` outside comments.
fn edges(text: &str) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at]
            .chars()
            .next_back()
            .is_some_and(|c| c == '$' || c.is_alphanumeric())
        {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            found.extend(group_heads(group));
        } else {
            found.extend(identifier(rest));
        }
    }
    found
}

/// The first identifier of each top-level entry of a `{…}` group, the opening brace already gone.
fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let mut depth = 1;
    let mut fresh = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => fresh = true,
            c if fresh && depth == 1 && !c.is_whitespace() => {
                heads.extend(identifier(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    heads
}

fn identifier(text: &str) -> Option<String> {
    let name: String = text
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    // A capital letter is a type of the crate's root, not a module.
    name.chars()
        .next()
        .is_some_and(char::is_lowercase)
        .then_some(name)
}

fn names_crate(text: &str, library: &str) -> bool {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .any(|line| {
            line.match_indices(&format!("{library}::")).any(|(at, _)| {
                !line[..at]
                    .chars()
                    .next_back()
                    .is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
            }) || line.trim_start().starts_with(&format!("use {library};"))
        })
}
