//! The crate's modules as they are on disk, and which module each path in their code leads to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::lexer::{Token, tokens};

/// A module's place: `["agent", "journal"]`; the crate's root has none.
pub type Place = Vec<String>;

/// A source file.
pub struct Source {
    pub place: Place,
    /// Relative to `src`.
    pub file: PathBuf,
    /// The whole file, including tests.
    pub text: String,
    /// Its tokens, without what is compiled for tests only.
    pub code: Vec<Token>,
}

impl Source {
    /// `file`, as if it said `text`.
    #[cfg(test)]
    pub fn shipped(file: &str, text: &str) -> Self {
        Self {
            place: place_of(Path::new(file)),
            file: file.into(),
            text: text.to_owned(),
            code: without_tests(tokens(text)).code,
        }
    }
}

/// All modules, and what each of them can name.
pub struct Crate {
    pub sources: Vec<Source>,
    /// What each module imports with `use`: the name there, and the path it stands for.
    imports: BTreeMap<Place, Imports>,
}

type Imports = BTreeMap<String, Place>;

impl Crate {
    /// Reads the files below `src`, except those that are compiled for tests only.
    pub fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut sources = Vec::new();
        let mut for_tests = BTreeSet::new();
        for file in rust_files(&root) {
            let text = fs::read_to_string(root.join(&file)).expect("UTF-8 source");
            let shipped = without_tests(tokens(&text));
            for module in shipped.test_modules {
                for_tests.extend(module.files(&file));
            }
            sources.push(Source {
                place: place_of(&file),
                file,
                text,
                code: shipped.code,
            });
        }
        sources.retain(|source| !for_tests.iter().any(|test| source.file.starts_with(test)));
        Self::of(sources)
    }

    pub fn of(sources: Vec<Source>) -> Self {
        let mut imports = BTreeMap::new();
        for source in &sources {
            let known = imports_of(source);
            imports.insert(source.place.clone(), known);
        }
        Self { sources, imports }
    }

    /// The other modules whose items `source` names.
    pub fn named_by(&self, source: &Source) -> BTreeSet<Place> {
        let mut found: BTreeSet<Place> = paths(&source.code, is_rooted)
            .into_iter()
            .filter_map(|path| absolute(&path, &source.place))
            .map(|path| self.module_of(&path))
            .collect();
        found.remove(&source.place);
        found
    }

    /// The folders right below `module`, as `module/folder`.
    pub fn folders_of(&self, module: &str) -> BTreeSet<String> {
        let inside = |source: &&Source| source.file.starts_with(module);
        self.sources
            .iter()
            .filter(inside)
            .filter_map(|source| source.file.parent()?.iter().nth(1))
            .map(|folder| format!("{module}/{}", folder.to_string_lossy()))
            .collect()
    }

    /// The module that defines the item at `path`; re-exports are followed.
    fn module_of(&self, path: &[String]) -> Place {
        let mut path = path.to_vec();
        // As many re-exports of re-exports as a crate could have.
        for _ in 0..16 {
            let mut place = Place::new();
            let mut followed = None;
            for (at, name) in path.iter().enumerate() {
                let below = [place.as_slice(), std::slice::from_ref(name)].concat();
                if self.imports.contains_key(&below) {
                    place = below;
                    continue;
                }
                let target = self.imports.get(&place).and_then(|known| known.get(name));
                followed = target.map(|target| [target.as_slice(), &path[at + 1..]].concat());
                break;
            }
            match followed {
                Some(next) if next != path => path = next,
                _ => return place,
            }
        }
        panic!("{} is re-exported in a circle", path.join("::"));
    }
}

/// Relative paths of all Rust files, sorted.
fn rust_files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be read") {
            let path = entry.expect("src can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(root).expect("below src").to_owned());
            }
        }
    }
    found.sort();
    found
}

fn place_of(file: &Path) -> Place {
    let mut place: Place = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let last = place.last().map(String::as_str);
    if last == Some("mod") || (place.len() == 1 && matches!(last, Some("lib" | "main"))) {
        place.pop();
    }
    place
}

/// A file's code, and the modules it declares for tests alone.
struct Shipped {
    code: Vec<Token>,
    test_modules: Vec<TestModule>,
}

/// `#[cfg(test)] mod NAME;`
struct TestModule {
    name: String,
    /// From `#[path = "…"]`.
    path: Option<String>,
}

impl TestModule {
    /// The file or the folder that it can be in, declared in the file `declared_in`.
    fn files(self, declared_in: &Path) -> Vec<PathBuf> {
        let folder = declared_in.parent().unwrap_or(Path::new(""));
        if let Some(path) = self.path {
            return vec![folder.join(path)];
        }
        let stem = declared_in.file_stem().unwrap_or_default();
        let below = match stem.to_str() {
            Some("mod" | "lib" | "main") => folder.to_owned(),
            _ => folder.join(stem),
        };
        vec![
            below.join(format!("{}.rs", self.name)),
            below.join(self.name),
        ]
    }
}

/// Leaves out every item that is compiled for tests only.
fn without_tests(all: Vec<Token>) -> Shipped {
    let mut code = Vec::new();
    let mut test_modules = Vec::new();
    let mut at = 0;
    while at < all.len() {
        let Some(end) = attribute_end(&all, at).filter(|end| is_for_tests(&all[at..*end])) else {
            code.push(all[at].clone());
            at += 1;
            continue;
        };
        let mut path = None;
        at = end;
        while let Some(end) = attribute_end(&all, at) {
            if let [_, _, name, _, Token::Literal(text), _] = &all[at..end]
                && name.is_word("path")
            {
                path = Some(text.clone());
            }
            at = end;
        }
        let end = item_end(&all, at);
        let declared = all[at..end].windows(3).find_map(|window| match window {
            [keyword, Token::Word(name), Token::Sign(';')] if keyword.is_word("mod") => Some(name),
            _ => None,
        });
        test_modules.extend(declared.cloned().map(|name| TestModule { name, path }));
        at = end;
    }
    Shipped { code, test_modules }
}

/// Behind the attribute that begins at `at`, if one does.
pub fn attribute_end(code: &[Token], at: usize) -> Option<usize> {
    if !code.get(at)?.is_sign('#') || !code.get(at + 1)?.is_sign('[') {
        return None;
    }
    group_end(code, at + 1)
}

/// Behind the bracket that closes the one at `open`.
pub fn group_end(code: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, token) in code.iter().enumerate().skip(open) {
        match token {
            Token::Sign('(' | '[' | '{') => depth += 1,
            Token::Sign(')' | ']' | '}') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

fn is_for_tests(attribute: &[Token]) -> bool {
    let has = |word: &str| attribute.iter().any(|token| token.is_word(word));
    attribute.get(2).is_some_and(|token| token.is_word("cfg")) && has("test") && !has("not")
}

/// Behind the item that begins at `at`: its semicolon, or its block.
fn item_end(code: &[Token], mut at: usize) -> usize {
    let is_use = |token: &Token| token.is_word("use");
    let imports = code[at..].iter().take(5).any(is_use);
    while let Some(token) = code.get(at) {
        match token {
            Token::Sign(';') => return at + 1,
            Token::Sign('{') if !imports => return group_end(code, at).unwrap_or(code.len()),
            Token::Sign('(' | '[' | '{') => at = group_end(code, at).unwrap_or(code.len()),
            _ => at += 1,
        }
    }
    at
}

/// A path as it is written, and the name that `use` gives what it leads to.
struct Named {
    path: Vec<String>,
    name: String,
}

/// Every path whose first name `begins` one, and all that `use` names.
pub fn paths(code: &[Token], begins: impl Fn(&str) -> bool) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = uses(code).into_iter().map(|named| named.path).collect();
    let mut at = 0;
    while at < code.len() {
        let starts = matches!(&code[at], Token::Word(word) if begins(word));
        let inside = at > 0 && (code[at - 1].is_sign(':') || code[at - 1].is_sign('$'));
        if starts && !inside {
            let (path, end) = written_path(code, at);
            found.push(path);
            at = end;
        } else {
            at += 1;
        }
    }
    found
}

/// The names joined by `::` from `at` on, and where they end.
fn written_path(code: &[Token], mut at: usize) -> (Vec<String>, usize) {
    let mut path = Vec::new();
    while let Some(Token::Word(word)) = code.get(at) {
        path.push(word.clone());
        at += 1;
        match code.get(at..at + 2) {
            Some([Token::Sign(':'), Token::Sign(':')]) => at += 2,
            _ => break,
        }
    }
    (path, at)
}

/// What the `use` items of a file name.
fn uses(code: &[Token]) -> Vec<Named> {
    let mut found = Vec::new();
    for (at, token) in code.iter().enumerate() {
        // `impl Trait + use<'a>` is no import.
        if token.is_word("use") && !code.get(at + 1).is_some_and(|next| next.is_sign('<')) {
            use_tree(code, at + 1, &[], &mut found);
        }
    }
    found
}

/// One branch of a `use` tree, behind `prefix`; gives where it ends.
fn use_tree(code: &[Token], at: usize, prefix: &[String], found: &mut Vec<Named>) -> usize {
    let (own, mut at) = written_path(code, at);
    let mut path = [prefix, &own].concat();
    match code.get(at) {
        Some(Token::Sign('{')) => {
            at += 1;
            while code.get(at).is_some_and(|token| !token.is_sign('}')) {
                at = use_tree(code, at, &path, found);
                if code.get(at).is_some_and(|token| token.is_sign(',')) {
                    at += 1;
                }
            }
            at + 1
        }
        // Everything of a module: the module is named, its items are not.
        Some(Token::Sign('*')) => {
            found.push(Named {
                path,
                name: String::new(),
            });
            at + 1
        }
        next => {
            if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                path.pop();
            }
            let mut name = path.last().cloned().unwrap_or_default();
            if next.is_some_and(|token| token.is_word("as")) {
                if let Some(Token::Word(given)) = code.get(at + 1) {
                    name.clone_from(given);
                }
                at += 2;
            }
            found.push(Named { path, name });
            at
        }
    }
}

fn imports_of(source: &Source) -> Imports {
    uses(&source.code)
        .into_iter()
        .filter_map(|named| {
            let path = absolute(&named.path, &source.place).unwrap_or_else(|| {
                // A child of this module, or a library.
                [source.place.as_slice(), &named.path].concat()
            });
            Some((named.name, path)).filter(|(name, _)| !name.is_empty())
        })
        .collect()
}

/// Whether a path that begins like this is one of the crate.
fn is_rooted(first: &str) -> bool {
    matches!(first, "crate" | "super" | "self")
}

/// The path from the crate's root; `None` for a path that begins with a name.
fn absolute(path: &[String], place: &[String]) -> Option<Place> {
    let (mut from, mut rest) = match path.first()?.as_str() {
        "crate" => (Vec::new(), &path[1..]),
        "self" => (place.to_vec(), &path[1..]),
        "super" => (place.to_vec(), path),
        _ => return None,
    };
    while rest.first().is_some_and(|name| name == "super") {
        from.pop()?;
        rest = &rest[1..];
    }
    from.extend_from_slice(rest);
    Some(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(files: &[(&str, &str)]) -> Crate {
        let sources = files.iter().map(|(file, text)| Source::shipped(file, text));
        Crate::of(sources.collect())
    }

    fn named(files: &[(&str, &str)]) -> Vec<String> {
        let made = made(files);
        let found = made.named_by(&made.sources[0]);
        found.iter().map(|place| place.join("::")).collect()
    }

    #[test]
    fn paths_are_found_in_every_form() {
        let text = "use crate::b::{self, c::{Deep, Other as Renamed}};\n\
                    fn f() -> super::d::Type { crate::e::x::<u8>(self::y(), g!(super::h::Z)) }";
        let found = named(&[
            ("a/one.rs", text),
            ("b/mod.rs", ""),
            ("b/c.rs", ""),
            ("a/d.rs", ""),
            ("e/mod.rs", ""),
            ("a/h.rs", ""),
            ("a/mod.rs", ""),
        ]);
        assert_eq!(found, ["a::d", "a::h", "b", "b::c", "e"]);
    }

    #[test]
    fn a_name_that_is_passed_on_belongs_to_the_module_that_has_it() {
        let found = named(&[
            ("a/one.rs", "use super::Thing; use crate::Far;"),
            ("a/mod.rs", "mod two; pub use two::Thing;"),
            ("a/two.rs", "pub use crate::b::Thing;"),
            ("b.rs", ""),
            ("lib.rs", "pub use c::d::Far;"),
            ("c/mod.rs", ""),
            ("c/d.rs", ""),
        ]);
        assert_eq!(found, ["b", "c::d"]);
    }

    #[test]
    fn what_only_tests_use_does_not_count() {
        let text = "#[cfg(test)] use crate::b::X;\n\
                    #[cfg(test)]\n#[path = \"other.rs\"]\nmod tests;\n\
                    #[cfg(test)] fn f() -> [u8; 2] { crate::c::x() }\n\
                    #[cfg(not(test))] use crate::d::Y;";
        let found = named(&[("a/mod.rs", text), ("b.rs", ""), ("c.rs", ""), ("d.rs", "")]);
        assert_eq!(found, ["d"]);
        let declared = without_tests(tokens(text)).test_modules;
        let files: Vec<PathBuf> = declared
            .into_iter()
            .flat_map(|module| module.files(Path::new("a/mod.rs")))
            .collect();
        assert_eq!(files, [Path::new("a/other.rs")]);
    }
}
