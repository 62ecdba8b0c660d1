//! Circles in a graph of modules.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

/// Which module uses which, each with a file in which it does.
#[derive(Default)]
pub struct Arrows {
    from: BTreeMap<String, BTreeMap<String, String>>,
}

impl Arrows {
    pub fn add(&mut self, from: &str, to: &str, file: &str) {
        if from != to {
            let arrows = self.from.entry(from.to_owned()).or_default();
            arrows.entry(to.to_owned()).or_insert(file.to_owned());
        }
    }

    /// Each arrow as from, to, file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.from.iter().flat_map(|(from, to)| {
            to.iter()
                .map(move |(to, file)| (from.as_str(), to.as_str(), file.as_str()))
        })
    }

    /// For each arrow on a circle, the shortest circle it is on; each circle once.
    pub fn circles(&self) -> BTreeSet<Circle> {
        self.iter()
            .filter_map(|(from, to, _)| self.shortest(to, from))
            .map(|modules| self.circle(&modules))
            .collect()
    }

    /// The shortest way from `start` to `end`, both included.
    fn shortest<'a>(&'a self, start: &'a str, end: &str) -> Option<Vec<&'a str>> {
        let mut ways = VecDeque::from([vec![start]]);
        let mut seen = BTreeSet::from([start]);
        while let Some(way) = ways.pop_front() {
            let last = *way.last()?;
            if last == end {
                return Some(way);
            }
            for next in self.from.get(last).into_iter().flat_map(BTreeMap::keys) {
                if seen.insert(next) {
                    ways.push_back([&way[..], &[next]].concat());
                }
            }
        }
        None
    }

    /// The circle in one form, whichever of its modules comes first in `modules`.
    fn circle(&self, modules: &[&str]) -> Circle {
        let first = (0..modules.len())
            .min_by_key(|at| modules[*at])
            .unwrap_or(0);
        let mut modules = modules.to_vec();
        modules.rotate_left(first);
        modules.push(modules[0]);
        let files = modules
            .windows(2)
            .map(|pair| self.from[pair[0]][pair[1]].clone())
            .collect();
        let modules = modules.into_iter().map(str::to_owned).collect();
        Circle { modules, files }
    }
}

/// Modules that use each other all the way round.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Circle {
    /// The modules in order; the first one comes again at the end.
    pub modules: Vec<String>,
    /// For each step, a file that takes it.
    files: Vec<String>,
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({})",
            self.modules.join(" → "),
            self.files.join(", ")
        )
    }
}

#[test]
fn each_circle_is_found_once_and_a_diamond_is_none() {
    let mut arrows = Arrows::default();
    for (from, to) in [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", "d")] {
        arrows.add(from, to, "file");
    }
    assert!(arrows.circles().is_empty());
    arrows.add("d", "b", "other");
    arrows.add("d", "e", "file");
    arrows.add("e", "c", "file");
    let found: Vec<String> = arrows.circles().iter().map(Circle::to_string).collect();
    assert_eq!(
        found,
        [
            "b → d → b (file, other)",
            "c → d → e → c (file, file, file)"
        ]
    );
}
