//! What every verb is given: directories, the style of its text, and the ways to reach the person meanwhile.

use std::sync::{Arc, Mutex, PoisonError};

use crate::report::Style;
use crate::sys::dirs::Dirs;
use crate::sys::progress::Progress;

/// Puts a yes-or-no question to a person.
pub type Asker = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What every verb is given.
#[derive(Clone)]
pub struct Context {
    pub dirs: Dirs,
    /// Shows what is going on while a command runs.
    pub progress: Arc<dyn Progress>,
    /// Colour and width of the answer's text.
    pub style: Style,
    /// `None` when there is nobody to ask.
    pub ask: Option<Asker>,
    /// What a person should know when the command is interrupted now.
    pub situation: Situation,
}

/// The state that an interruption leaves behind, in words. Verbs keep it up to date while they work.
#[derive(Debug, Clone, Default)]
pub struct Situation(Arc<Mutex<String>>);

impl Situation {
    /// Replaces the words.
    pub fn set(&self, text: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text.into();
    }

    /// The words; empty when there is nothing to say.
    #[must_use]
    pub fn get(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
