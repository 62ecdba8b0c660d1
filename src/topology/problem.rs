//! A mistake while it is being made up: first what is wrong with a value, then also where in the file it is.

use super::error::{MOST_SHOWN, Mistake, TopologyError, printable};

/// A stretch of one line of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// From 1.
    pub line: usize,
    /// From 0, in characters.
    pub column: usize,
    /// In characters; what reaches past the end of the line does not count.
    pub length: usize,
}

/// A value and where it was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<T> {
    pub value: T,
    pub place: Place,
}

/// What is wrong with a value, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    title: String,
    label: Option<String>,
    notes: Vec<String>,
}

impl Problem {
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            label: None,
            notes: Vec::new(),
        }
    }

    /// What stands right of the carets.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Like [`Self::label`], where there is one.
    pub fn maybe_label(mut self, label: Option<String>) -> Self {
        self.label = label.or(self.label);
        self
    }

    /// A line about what is allowed.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// A file's text with its name, split into lines once.
#[derive(Debug)]
pub(super) struct SourceText<'a> {
    pub name: &'a str,
    pub text: &'a str,
    lines: Vec<&'a str>,
}

impl<'a> SourceText<'a> {
    pub fn new(name: &'a str, text: &'a str) -> Self {
        Self {
            name,
            text,
            lines: text.split('\n').collect(),
        }
    }

    /// The line `number`, from 1; empty when there is none.
    pub fn line(&self, number: usize) -> &'a str {
        number
            .checked_sub(1)
            .and_then(|at| self.lines.get(at).copied())
            .unwrap_or_default()
    }

    /// Pins `problem` to its place, which ends with the line and leaves trailing blanks out.
    pub fn mistake(&self, place: Place, problem: Problem) -> Mistake {
        let source_line = self.line(place.line);
        let text: String = source_line
            .chars()
            .skip(place.column)
            .take(place.length)
            .collect();
        Mistake {
            title: problem.title,
            file: self.name.to_owned(),
            line: place.line,
            column: place.column + 1,
            length: text.trim_end().chars().count(),
            source_line: source_line.to_owned(),
            label: problem.label,
            notes: problem.notes,
        }
    }

    /// A mistake of the file as a whole.
    pub fn mistake_of_file(&self, problem: Problem) -> Mistake {
        Mistake {
            title: problem.title,
            file: self.name.to_owned(),
            line: 0,
            column: 0,
            length: 0,
            source_line: String::new(),
            label: problem.label,
            notes: problem.notes,
        }
    }

    /// `dr.yaml:4`, for messages about this line elsewhere.
    pub fn origin(&self, place: Place) -> String {
        format!("{}:{}", printable(self.name), place.line)
    }
}

/// Collects mistakes, so that a person gets all of them at once. It keeps no more than can be shown: a file may be wrong
/// on every line.
#[derive(Debug)]
pub(super) struct Mistakes<'s, 'a> {
    source: &'s SourceText<'a>,
    found: Vec<Mistake>,
}

impl<'s, 'a> Mistakes<'s, 'a> {
    pub fn new(source: &'s SourceText<'a>) -> Self {
        Self {
            source,
            found: Vec::new(),
        }
    }

    pub fn add(&mut self, place: Place, problem: Problem) {
        if !self.is_full() {
            self.found.push(self.source.mistake(place, problem));
        }
    }

    pub fn add_to_file(&mut self, problem: Problem) {
        self.found.push(self.source.mistake_of_file(problem));
    }

    /// The value, or a mistake at `place`.
    pub fn take<T>(&mut self, place: Place, result: Result<T, Problem>) -> Option<At<T>> {
        match result {
            Ok(value) => Some(At { value, place }),
            Err(problem) => {
                self.add(place, problem);
                None
            }
        }
    }

    /// Whether as many mistakes are known as can be shown.
    pub fn is_full(&self) -> bool {
        self.found.len() > MOST_SHOWN
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them in file order, as an error when there are any.
    pub fn into_result(self) -> Result<(), TopologyError> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(self.into_error()),
        }
    }

    /// All of them in file order.
    pub fn into_error(mut self) -> TopologyError {
        self.found.sort_by_key(|m| (m.line, m.column));
        TopologyError::Mistakes(self.found)
    }
}
