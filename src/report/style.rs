//! Colour and width of a text, decided once by the caller.

/// Whether a text carries colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Characters only.
    Plain,
    /// ANSI escape sequences (ECMA-48 SGR).
    Ansi,
}

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    ink: Ink,
    columns: usize,
}

/// What a piece of text means; colour is only ever used for one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Muted,
    Strong,
}

impl Style {
    /// Narrowest text that is laid out, columns.
    const NARROWEST: usize = 40;
    /// Widest: longer lines are hard to read.
    const WIDEST: usize = 120;

    /// No colour, 80 columns.
    #[must_use]
    pub fn plain() -> Self {
        Self::new(Ink::Plain, 80)
    }

    /// This ink, laid out for a terminal of so many columns.
    #[must_use]
    pub fn new(ink: Ink, columns: usize) -> Self {
        Self {
            ink,
            columns: columns.clamp(Self::NARROWEST, Self::WIDEST),
        }
    }

    /// Columns a line may take.
    #[must_use]
    pub fn columns(self) -> usize {
        self.columns
    }

    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Muted => "2",
            Tone::Strong => "1",
        };
        match self.ink {
            Ink::Plain => text.to_owned(),
            Ink::Ansi if text.is_empty() => String::new(),
            Ink::Ansi => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}
