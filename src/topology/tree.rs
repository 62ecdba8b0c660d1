//! YAML as a small tree of mappings and words, each with its place in the file.
//!
//! `serde_yaml` does not say where a value was, so this tree is read first, from `saphyr-parser`'s events. It refuses what
//! a topology has no use for before anything is built from it: aliases (a short file can grow without end through
//! them), tags, several documents, deep nesting.

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use super::error::{Mistake, quoted};
use super::problem::{Place, Problem, SourceText};

/// Levels of mappings allowed; a topology has three.
const MAX_DEPTH: usize = 8;

/// A value or a key.
#[derive(Debug)]
pub(super) struct Node {
    pub place: Place,
    pub kind: Kind,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Kind {
    /// A word; `null` is what YAML reads as no value: nothing, `~`, `null`, all unquoted.
    Scalar { text: String, null: bool },
    /// Keys and values in file order, doubles included.
    Mapping(Vec<(Node, Node)>),
    /// A list, without its items: no key of a topology takes a list.
    Sequence,
}

impl Node {
    /// The text of a word, nothing for the rest.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Entries of a mapping, nothing for the rest.
    pub fn entries(&self) -> &[(Node, Node)] {
        match &self.kind {
            Kind::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The entry of a mapping under `key`.
    pub fn entry(&self, key: &str) -> Option<&(Node, Node)> {
        self.entries().iter().find(|(k, _)| k.text() == Some(key))
    }

    /// The value of a mapping under `key`.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }
}

/// The document in `source`; `None` when there is none, or nothing in it.
pub(super) fn read(source: &SourceText<'_>) -> Result<Option<Node>, Box<Mistake>> {
    refuse_control_characters(source)?;
    let mut reader = Reader {
        source,
        parser: Parser::new_from_str(source.text),
    };
    let mut document = None;
    let mut documents = 0;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(document),
            Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
            Event::DocumentStart(_) if documents > 0 => {
                return Err(reader.refuse(
                    span,
                    Problem::new("a second document in the file").note("one file, one document"),
                ));
            }
            Event::DocumentStart(_) => {}
            event => {
                let node = reader.node(event, span, 0)?;
                document = (!matches!(node.kind, Kind::Scalar { null: true, .. })).then_some(node);
                documents += 1;
            }
        }
    }
}

/// Refuses control characters. YAML allows only tab and line end outside quotes, and no later message can contain one
/// this way.
fn refuse_control_characters(source: &SourceText<'_>) -> Result<(), Box<Mistake>> {
    for (number, line) in source.text.split('\n').enumerate() {
        if let Some((column, c)) = line
            .chars()
            .enumerate()
            .find(|&(_, c)| c.is_control() && c != '\t')
        {
            let place = Place {
                line: number + 1,
                column,
                length: 1,
            };
            let problem = Problem::new(format!(
                "control character {} in the file",
                quoted(&c.to_string())
            ))
            .note("topology and inventory files are plain text");
            return Err(Box::new(source.mistake(place, problem)));
        }
    }
    Ok(())
}

fn alias() -> Problem {
    Problem::new("YAML aliases are not allowed").note("write the value out instead of `*name`")
}

fn place(span: Span) -> Place {
    Place {
        line: span.start.line(),
        column: span.start.col(),
        length: span.len(),
    }
}

struct Reader<'s, 'a> {
    source: &'s SourceText<'a>,
    parser: Parser<'a, StrInput<'a>>,
}

impl<'a> Reader<'_, 'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Box<Mistake>> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            None => Ok((Event::StreamEnd, Span::default())),
            Some(Err(error)) => Err(self.syntax_error(&error)),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Box<Mistake>> {
        if depth > MAX_DEPTH {
            return Err(self.refuse(
                span,
                Problem::new("nested too deeply").note("a topology has three levels of mappings"),
            ));
        }
        let place = place(span);
        let kind = match event {
            Event::Scalar(_, _, _, Some(tag))
            | Event::MappingStart(_, Some(tag))
            | Event::SequenceStart(_, Some(tag)) => {
                return Err(self.refuse(
                    span,
                    Problem::new(format!("unexpected YAML tag {}", quoted(&tag.to_string())))
                        .note("values are plain words and numbers; leave the tag out"),
                ));
            }
            Event::Scalar(text, style, _, None) => Kind::Scalar {
                null: style == ScalarStyle::Plain
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL"),
                text: text.into_owned(),
            },
            Event::MappingStart(..) => {
                let mut entries = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::MappingEnd {
                        break;
                    }
                    let key = self.node(event, span, depth + 1)?;
                    if key.text().is_none() {
                        return Err(Box::new(
                            self.source.mistake(
                                key.place,
                                Problem::new("a key that is no plain word")
                                    .note("a mapping is written `key: value`"),
                            ),
                        ));
                    }
                    let (event, span) = self.next()?;
                    let value = self.node(event, span, depth + 1)?;
                    entries.push((key, value));
                }
                Kind::Mapping(entries)
            }
            Event::SequenceStart(..) => {
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::SequenceEnd {
                        break;
                    }
                    self.node(event, span, depth + 1)?;
                }
                Kind::Sequence
            }
            Event::Alias(_) => return Err(self.refuse(span, alias())),
            other => {
                return Err(self.refuse(
                    span,
                    Problem::new(format!("unexpected YAML event {other:?}")),
                ));
            }
        };
        Ok(Node { place, kind })
    }

    fn refuse(&self, span: Span, problem: Problem) -> Box<Mistake> {
        Box::new(self.source.mistake(place(span), problem))
    }

    fn syntax_error(&self, error: &saphyr_parser::ScanError) -> Box<Mistake> {
        let (line, column) = (error.marker().line(), error.marker().col());
        if let Some(place) = self.tab_near(line) {
            return Box::new(self.source.mistake(
                place,
                Problem::new("a tab cannot indent YAML").label("use spaces"),
            ));
        }
        let place = Place {
            line,
            column,
            length: 1,
        };
        // An alias of nothing stops the parser before it says that it is an alias.
        let alias_of_nothing = self.source.line(line).chars().nth(column) == Some('*')
            && error.info().contains("unknown anchor");
        let problem = if alias_of_nothing {
            alias()
        } else {
            Problem::new(format!("this is not YAML: {}", error.info()))
        };
        Box::new(self.source.mistake(place, problem))
    }

    /// The tab that indents the line at which the parser stopped, or a line just before it.
    fn tab_near(&self, line: usize) -> Option<Place> {
        (line.saturating_sub(1)..=line).find_map(|number| {
            let text = self.source.line(number);
            let indent = text.len() - text.trim_start_matches([' ', '\t']).len();
            // Indentation is ASCII, so bytes are characters here.
            text[..indent].find('\t').map(|column| Place {
                line: number,
                column,
                length: indent - column,
            })
        })
    }
}
