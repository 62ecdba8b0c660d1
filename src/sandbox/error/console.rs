//! What the machine's console ended with.

use std::path::Path;

/// The last lines of the machine's console, indented, for the end of a message; empty when there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsoleTail(Vec<String>);

impl ConsoleTail {
    const LINES: usize = 25;
    const LONGEST_LINE: usize = 200;

    /// Reads the end of `console`; a missing file is an empty console.
    #[must_use]
    pub fn read(console: &Path) -> Self {
        Self::of(&std::fs::read(console).unwrap_or_default())
    }

    /// The end of these bytes, with control characters (terminal escapes of the firmware) taken out.
    #[must_use]
    pub fn of(console: &[u8]) -> Self {
        let text = String::from_utf8_lossy(console);
        let lines: Vec<String> = text
            .lines()
            .map(|line| {
                line.chars()
                    .filter(|c| !c.is_control())
                    .take(Self::LONGEST_LINE)
                    .collect::<String>()
            })
            .filter(|line| !line.trim().is_empty())
            .collect();
        Self(lines[lines.len().saturating_sub(Self::LINES)..].to_vec())
    }
}

impl std::fmt::Display for ConsoleTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return write!(f, "; its console is empty");
        }
        write!(f, "; its console ended with")?;
        for line in &self.0 {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}
