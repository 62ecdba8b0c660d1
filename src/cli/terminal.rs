//! Progress for people: one line per host on a terminal, plain lines elsewhere; always on standard error.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::sys::progress::Progress;

/// How often a line is drawn anew.
const TICK: Duration = Duration::from_millis(120);

/// Lines that redraw themselves.
pub struct Bars {
    all: MultiProgress,
    lines: Mutex<BTreeMap<String, ProgressBar>>,
    hidden: AtomicBool,
}

impl Bars {
    /// On standard error, which is a terminal.
    #[must_use]
    pub fn new() -> Self {
        Self {
            all: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            lines: Mutex::default(),
            hidden: AtomicBool::new(false),
        }
    }

    /// Takes every line off the screen.
    pub fn clear(&self) {
        for line in std::mem::take(&mut *locked(&self.lines)).into_values() {
            line.finish_and_clear();
        }
        let _ = self.all.clear();
        if self.hidden.load(Ordering::Relaxed) {
            // The cursor is behind the question.
            let _ = writeln!(std::io::stderr());
        }
    }

    /// Takes the lines off the screen and keeps them off until [`Bars::show`].
    fn hide(&self) {
        self.hidden.store(true, Ordering::Relaxed);
        // A line that is redrawn between the two steps would stay.
        for line in locked(&self.lines).values() {
            line.disable_steady_tick();
        }
        let _ = self.all.clear();
        self.all.set_draw_target(ProgressDrawTarget::hidden());
    }

    fn show(&self) {
        self.hidden.store(false, Ordering::Relaxed);
        self.all.set_draw_target(ProgressDrawTarget::stderr());
        for line in locked(&self.lines).values() {
            line.enable_steady_tick(TICK);
        }
    }

    fn line(&self, subject: &str) -> ProgressBar {
        locked(&self.lines)
            .entry(subject.to_owned())
            .or_insert_with(|| {
                let line = self.all.add(ProgressBar::new_spinner());
                line.set_style(spinner());
                line.set_prefix(subject.to_owned());
                line.enable_steady_tick(TICK);
                line
            })
            .clone()
    }
}

impl Default for Bars {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress for Bars {
    fn doing(&self, subject: &str, what: &str) {
        let line = self.line(subject);
        if line.length().is_some() {
            line.unset_length();
            line.set_style(spinner());
        }
        line.set_message(what.to_owned());
    }

    fn amount(&self, subject: &str, done: u64, total: u64) {
        let line = self.line(subject);
        if line.length() != Some(total) {
            line.set_length(total);
            line.set_style(bar());
        }
        line.set_position(done);
    }

    fn finished(&self, subject: &str, summary: &str) {
        let line = self.line(subject);
        line.unset_length();
        line.set_style(spinner());
        line.finish_with_message(summary.to_owned());
    }

    fn note(&self, subject: &str, text: &str) {
        // Above the lines that come and go, and whole: the terminal breaks it.
        let _ = self.all.println(format!("{subject}: {text}"));
    }

    fn pause(&self, work: &mut dyn FnMut()) {
        // MultiProgress::suspend would hold a lock meanwhile, and an interruption needs that lock to clear the screen.
        self.hide();
        work();
        self.show();
    }
}

fn spinner() -> ProgressStyle {
    style("  {prefix:<12} {wide_msg}")
}

fn bar() -> ProgressStyle {
    style("  {prefix:<12} {msg} {bar:24} {percent:>3} %")
}

fn style(template: &str) -> ProgressStyle {
    // Only the two templates above come here; a wrong one would show as the default bar.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A line per event, for logs and pipes.
pub struct Lines<W> {
    to: Mutex<Sink<W>>,
}

struct Sink<W> {
    writer: W,
    last: BTreeMap<String, String>,
}

impl<W: Write + Send> Lines<W> {
    /// To `writer`.
    pub fn new(writer: W) -> Self {
        Self {
            to: Mutex::new(Sink {
                writer,
                last: BTreeMap::new(),
            }),
        }
    }

    fn say(&self, subject: &str, text: &str) {
        let mut sink = locked(&self.to);
        if sink.last.get(subject).map(String::as_str) == Some(text) {
            return;
        }
        sink.last.insert(subject.to_owned(), text.to_owned());
        // Progress that cannot be shown is no reason to stop.
        let _ = writeln!(sink.writer, "{subject}: {text}");
    }
}

impl<W: Write + Send> Progress for Lines<W> {
    fn doing(&self, subject: &str, what: &str) {
        self.say(subject, what);
    }

    fn finished(&self, subject: &str, summary: &str) {
        self.say(subject, summary);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;

    use super::*;

    #[test]
    fn plain_lines_say_each_thing_once_and_no_amounts() {
        let lines = Lines::new(Vec::new());
        lines.doing("web1", "connecting");
        lines.doing("web1", "connecting");
        lines.amount("web1", 1, 2);
        lines.doing("web2", "connecting");
        lines.finished("web1", "11 changed");
        let sink = lines.to.into_inner().unwrap();
        assert_eq!(
            String::from_utf8(sink.writer).unwrap(),
            "web1: connecting\nweb2: connecting\nweb1: 11 changed\n"
        );
    }

    #[test]
    fn the_screen_can_be_cleared_while_a_person_is_asked() {
        let bars = Arc::new(Bars::new());
        bars.doing("this machine", "looking");
        let (asked, questions) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        let asking = Arc::clone(&bars);
        let person = thread::spawn(move || {
            asking.pause(&mut || {
                asked.send(()).unwrap();
                answers.recv().unwrap();
            });
        });
        questions.recv().unwrap();
        let (cleared, done) = mpsc::channel();
        thread::spawn(move || {
            bars.clear();
            cleared.send(()).unwrap();
        });
        done.recv_timeout(Duration::from_secs(20)).unwrap();
        answer.send(()).unwrap();
        person.join().unwrap();
    }

    #[test]
    fn the_templates_are_valid() {
        for template in [
            "  {prefix:<12} {wide_msg}",
            "  {prefix:<12} {msg} {bar:24} {percent:>3} %",
        ] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
