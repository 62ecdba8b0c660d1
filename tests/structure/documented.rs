//! Public items without documentation.
//!
//! Fields, variants and associated constants need no documentation where the name says it all, which the
//! compiler's own `missing_docs` does not allow.

use std::collections::BTreeSet;

use super::crate_tree::{Crate, Source, attribute_end, group_end};
use super::lexer::Token;

/// What a public item begins with, behind `pub` and qualifiers.
const ITEMS: &[&str] = &[
    "fn", "struct", "enum", "union", "trait", "const", "static", "type", "mod",
];

const QUALIFIERS: &[&str] = &["unsafe", "async", "extern", "const"];

/// Public items without documentation, each as `file: kind name`. What is inside a type or a module that is not
/// public itself does not count.
pub fn undocumented(all: &Crate) -> Vec<String> {
    let types = public_types(all);
    let mut found = Vec::new();
    for source in &all.sources {
        let file = source.file.display();
        let mut blocks = Vec::new();
        for (at, token) in source.code.iter().enumerate() {
            match token {
                Token::Sign('{') => blocks.push(Block::opened_at(&source.code, at)),
                Token::Sign('}') => drop(blocks.pop()),
                _ => {}
            }
            let Some((kind, name)) = public_item(&source.code, at) else {
                continue;
            };
            let counts = blocks.iter().all(|block| match block {
                Block::Impl(of) => types.contains(of) && kind != "const",
                Block::Module { public } => *public,
                Block::Other => true,
            });
            let documented = has_docs(&source.code, at)
                || (kind == "mod" && documents_itself(all, source, name));
            if counts && !documented {
                found.push(format!("{file}: {kind} {name}"));
            }
            if kind == "trait" {
                let missing = undocumented_in_trait(&source.code, at);
                found.extend(missing.map(|item| format!("{file}: {name}::{item}")));
            }
        }
    }
    found
}

/// Names of all types that are public where they are written.
fn public_types(all: &Crate) -> BTreeSet<&str> {
    let types = ["struct", "enum", "union", "trait", "type"];
    all.sources
        .iter()
        .flat_map(|source| (0..source.code.len()).map(|at| (&source.code, at)))
        .filter_map(|(code, at)| public_item(code, at))
        .filter(|(kind, _)| types.contains(kind))
        .map(|(_, name)| name)
        .collect()
}

/// What a pair of braces belongs to.
enum Block<'a> {
    /// `impl` of this type.
    Impl(&'a str),
    /// `mod NAME { … }`
    Module {
        public: bool,
    },
    Other,
}

impl<'a> Block<'a> {
    /// The one whose opening brace is at `open`.
    fn opened_at(code: &'a [Token], open: usize) -> Self {
        if let [.., before, keyword, Token::Word(_)] = &code[..open]
            && keyword.is_word("mod")
        {
            return Self::Module {
                public: before.is_word("pub"),
            };
        }
        let ends =
            |token: &Token| matches!(token, Token::Sign(';' | '{' | '}' | ']') | Token::OuterDoc);
        let start = code[..open].iter().rposition(ends).map_or(0, |at| at + 1);
        let head = &code[start..open];
        let begins = |token: &&Token| !token.is_word("unsafe") && !token.is_word("const");
        if !head
            .iter()
            .find(begins)
            .is_some_and(|token| token.is_word("impl"))
        {
            return Self::Other;
        }
        implemented_type(head).map_or(Self::Other, Self::Impl)
    }
}

/// The type of `impl<…> path::Type<…> where …`, or of `impl Trait for Type`.
fn implemented_type(head: &[Token]) -> Option<&str> {
    let mut depth = 0;
    let mut name = None;
    for (at, token) in head.iter().enumerate() {
        match token {
            Token::Sign('<') => depth += 1,
            Token::Sign('>') if !head[at - 1].is_sign('-') => depth -= 1,
            Token::Word(word) if depth == 0 => match word.as_str() {
                "where" => break,
                "impl" | "for" | "dyn" | "mut" | "unsafe" => {}
                word => name = Some(word),
            },
            _ => {}
        }
    }
    name
}

/// Functions and types of the trait at `at` without documentation.
fn undocumented_in_trait(code: &[Token], at: usize) -> impl Iterator<Item = &str> {
    let open = (at..code.len()).find(|at| code[*at].is_sign('{'));
    let end = open.and_then(|open| group_end(code, open)).unwrap_or(at);
    let mut depth = 0;
    (open.unwrap_or(end)..end).filter_map(move |at| {
        match &code[at] {
            Token::Sign('(' | '[' | '{') => depth += 1,
            Token::Sign(')' | ']' | '}') => depth -= 1,
            Token::Word(word) if depth == 1 && matches!(word.as_str(), "fn" | "type") => {
                if let Some(Token::Word(name)) = code.get(at + 1) {
                    return (!has_docs(code, at)).then_some(name.as_str());
                }
            }
            _ => {}
        }
        None
    })
}

/// Kind and name of the public item whose `pub` is at `at`.
fn public_item(code: &[Token], at: usize) -> Option<(&str, &str)> {
    if !code[at].is_word("pub") {
        return None;
    }
    let mut next = at + 1;
    loop {
        let Token::Word(word) = code.get(next)? else {
            return None;
        };
        let Some(Token::Word(name)) = code.get(next + 1) else {
            // `extern "C"`.
            if QUALIFIERS.contains(&word.as_str()) {
                next += 2;
                continue;
            }
            return None;
        };
        let qualifies = QUALIFIERS.contains(&word.as_str())
            && (ITEMS.contains(&name.as_str()) || QUALIFIERS.contains(&name.as_str()));
        if qualifies {
            next += 1;
        } else if ITEMS.contains(&word.as_str()) {
            return Some((word, name));
        } else {
            return None;
        }
    }
}

/// Whether a doc comment stands before the item at `at`, with nothing but attributes between.
fn has_docs(code: &[Token], mut at: usize) -> bool {
    while at > 0 {
        match &code[at - 1] {
            Token::OuterDoc => return true,
            Token::Sign(']') => match attribute_start(code, at) {
                Some(start) => at = start,
                None => return false,
            },
            _ => return false,
        }
    }
    false
}

/// Where the attribute begins that ends before `end`.
fn attribute_start(code: &[Token], end: usize) -> Option<usize> {
    (0..end)
        .rev()
        .find(|start| code[*start].is_sign('#'))
        .filter(|start| attribute_end(code, *start) == Some(end))
}

/// Whether the child module `name` begins with `//!`.
fn documents_itself(all: &Crate, parent: &Source, name: &str) -> bool {
    let place = [parent.place.as_slice(), &[name.to_owned()]].concat();
    let child = all.sources.iter().find(|source| source.place == place);
    child.is_some_and(|child| child.code.first() == Some(&Token::InnerDoc))
}

#[test]
fn documentation_is_found_before_attributes_and_missed_where_there_is_none() {
    let text = "/// A.\n#[derive(Debug)]\n#[must_use]\npub struct A<T> { pub field: u8 }\n\
                #[derive(Debug)] pub enum B { C }\n\
                // no doc\npub(crate) fn d() {}\npub const unsafe fn e() {}\n\
                /// T.\npub trait T { /// F.\n fn f(); fn g() { fn h() {} } }\n\
                struct P; impl P { pub fn private() {} } mod m { pub fn n() {} }\n\
                impl<T: Fn() -> u8> A<T> where T: Copy { pub fn i(&self) {} pub const J: u8 = 1; }";
    let made = Crate::of(vec![Source::shipped("a.rs", text)]);
    assert_eq!(
        undocumented(&made),
        ["a.rs: enum B", "a.rs: fn e", "a.rs: T::g", "a.rs: fn i"]
    );
}
