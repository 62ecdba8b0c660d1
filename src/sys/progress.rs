//! How long-running work tells people what it is doing; the terminal's form is [`crate::cli`]'s.

/// Receives what work is going on. Implementations must be quick and never fail.
pub trait Progress: Send + Sync {
    /// `subject` (a host's name, or `sandbox`) is now doing `what`.
    fn doing(&self, subject: &str, what: &str);

    /// `subject` has done `done` of `total` units of its current work.
    fn amount(&self, subject: &str, done: u64, total: u64) {
        let _ = (subject, done, total);
    }

    /// `subject` is finished; `summary` stands there until everything is.
    fn finished(&self, subject: &str, summary: &str);

    /// Something of `subject` that is to be read afterwards, too.
    fn note(&self, subject: &str, text: &str) {
        self.finished(subject, text);
    }

    /// Does `work` while nothing is shown: it has the terminal to itself.
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
