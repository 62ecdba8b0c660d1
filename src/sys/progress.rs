//! How long-running work reports what it is doing. [`crate::cli`] shows it on the terminal.

/// Receives what work is going on. Implementations must be quick and never fail.
pub trait Progress: Send + Sync {
    /// `subject` (a host's name, or `sandbox`) is now doing `what`.
    fn doing(&self, subject: &str, what: &str);

    /// `subject` has done `done` of `total` units of its current work.
    fn amount(&self, subject: &str, done: u64, total: u64) {
        let _ = (subject, done, total);
    }

    /// `subject` is finished; `summary` stays on the screen until all work is.
    fn finished(&self, subject: &str, summary: &str);

    /// A text about `subject` that stays on the screen afterwards.
    fn note(&self, subject: &str, text: &str) {
        self.finished(subject, text);
    }

    /// Hides all progress while `work` uses the terminal.
    fn pause(&self, work: &mut dyn FnMut()) {
        work();
    }
}

/// Says nothing.
pub struct Silent;

impl Progress for Silent {
    fn doing(&self, _: &str, _: &str) {}
    fn finished(&self, _: &str, _: &str) {}
}
