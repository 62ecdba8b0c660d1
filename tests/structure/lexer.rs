//! Rust source as tokens, so that rules look at code and never at comments or strings.

/// A token, as far as the rules tell tokens apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// An identifier or a keyword.
    Word(String),
    /// One character of punctuation.
    Sign(char),
    /// A string, character or number, without its quotes.
    Literal(String),
    /// `///` or `/** … */`: about the item that follows.
    OuterDoc,
    /// `//!` or `/*! … */`: about the item it is in.
    InnerDoc,
}

impl Token {
    pub fn is_word(&self, expected: &str) -> bool {
        matches!(self, Self::Word(word) if word == expected)
    }

    pub fn is_sign(&self, expected: char) -> bool {
        *self == Self::Sign(expected)
    }
}

/// The tokens of a source file; ordinary comments and blanks are gone.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { rest: text };
    let mut found = Vec::new();
    while !lexer.rest.is_empty() {
        found.extend(lexer.next());
    }
    found
}

struct Lexer<'a> {
    rest: &'a str,
}

impl<'a> Lexer<'a> {
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }

    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    fn next(&mut self) -> Option<Token> {
        let rest = self.rest;
        if rest.starts_with("//") {
            return line_comment(self.take_while(|c| c != '\n'));
        }
        if rest.starts_with("/*") {
            return self.block_comment();
        }
        if let Some(prefix) = string_prefix(rest) {
            return Some(self.string(prefix));
        }
        if rest.starts_with('\'') || rest.starts_with("b'") {
            self.take_while(|c| c == 'b');
            return self.character();
        }
        let first = rest.chars().next()?;
        if first.is_whitespace() {
            self.take_while(char::is_whitespace);
            return None;
        }
        if first.is_numeric() {
            return Some(Token::Literal(self.take_while(is_word).to_owned()));
        }
        if is_word(first) {
            if rest.starts_with("r#") {
                self.take(2);
            }
            return Some(Token::Word(self.take_while(is_word).to_owned()));
        }
        self.take(first.len_utf8());
        Some(Token::Sign(first))
    }

    /// Block comments nest.
    fn block_comment(&mut self) -> Option<Token> {
        let token = match self.rest.as_bytes() {
            [b'/', b'*', b'*', third, ..] if *third != b'*' && *third != b'/' => {
                Some(Token::OuterDoc)
            }
            [b'/', b'*', b'!', ..] => Some(Token::InnerDoc),
            _ => None,
        };
        let mut depth = 0;
        while !self.rest.is_empty() {
            if self.rest.starts_with("/*") {
                depth += 1;
                self.take(2);
            } else if self.rest.starts_with("*/") {
                depth -= 1;
                self.take(2);
                if depth == 0 {
                    break;
                }
            } else {
                let length = self.rest.chars().next().map_or(1, char::len_utf8);
                self.take(length);
            }
        }
        token
    }

    fn string(&mut self, prefix: Prefix) -> Token {
        self.take(prefix.length);
        let Some(hashes) = prefix.hashes else {
            return self.escaped('"');
        };
        let end = format!("\"{}", "#".repeat(hashes));
        let length = self.rest.find(&end).unwrap_or(self.rest.len());
        let text = self.take(length).to_owned();
        self.take(end.len().min(self.rest.len()));
        Token::Literal(text)
    }

    /// Up to the closing quote, with its escapes left as they are.
    fn escaped(&mut self, quote: char) -> Token {
        let mut escaped = false;
        let mut length = self.rest.len();
        for (at, c) in self.rest.char_indices() {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == quote {
                length = at;
                break;
            }
        }
        let text = self.take(length).to_owned();
        self.take(1.min(self.rest.len()));
        Token::Literal(text)
    }

    /// A character, or a lifetime, which no rule looks at.
    fn character(&mut self) -> Option<Token> {
        self.take(1);
        let mut ahead = self.rest.chars();
        let (first, second) = (ahead.next(), ahead.next());
        if first == Some('\\') || second == Some('\'') {
            return Some(self.escaped('\''));
        }
        self.take_while(is_word);
        None
    }
}

fn line_comment(text: &str) -> Option<Token> {
    if text.starts_with("//!") {
        Some(Token::InnerDoc)
    } else if text.starts_with("///") && !text.starts_with("////") {
        Some(Token::OuterDoc)
    } else {
        None
    }
}

/// How a string begins.
struct Prefix {
    /// Bytes up to and with the opening quote.
    length: usize,
    /// `#` signs of a raw string.
    hashes: Option<usize>,
}

fn string_prefix(text: &str) -> Option<Prefix> {
    let letters = text.find(|c| !matches!(c, 'b' | 'c' | 'r'))?;
    let raw = text[..letters].ends_with('r');
    let hashes = text[letters..].len() - text[letters..].trim_start_matches('#').len();
    let quoted = text[letters + hashes..].starts_with('"');
    (letters <= 2 && quoted && (raw || hashes == 0)).then_some(Prefix {
        length: letters + hashes + 1,
        hashes: raw.then_some(hashes),
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn comments_and_text_are_told_from_code() {
    let text = r##"
        // crate::a
        /* crate::b /* nested */ crate::c */
        /// crate::d
        fn f<'a>(x: &'a str) -> char { g("crate::e \" //", r#"" crate::h"#, b'\'', 'x'); 'y' }
    "##;
    let words: Vec<Token> = tokens(text)
        .into_iter()
        .filter(|token| !matches!(token, Token::Sign(_)))
        .collect();
    let word = |text: &str| Token::Word(text.to_owned());
    let literal = |text: &str| Token::Literal(text.to_owned());
    assert_eq!(
        words,
        [
            Token::OuterDoc,
            word("fn"),
            word("f"),
            word("x"),
            word("str"),
            word("char"),
            word("g"),
            literal("crate::e \\\" //"),
            literal("\" crate::h"),
            literal("\\'"),
            literal("x"),
            literal("y"),
        ]
    );
}
