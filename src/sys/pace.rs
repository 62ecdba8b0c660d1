//! Waits that allow for a busy machine.
//!
//! On a busy machine a virtual machine is late by the time that its threads queue for a processor. A limit that suits a
//! quiet machine ends such a wait too early; a much longer limit makes people wait for a guest that hangs. So the clock
//! of a [`Wait`] stands still while the process it waits for is ready to run and has no processor.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// A wait ends after this many times its limit, however long the process queued.
const LONGEST: u32 = 20;

/// What makes the time of a wait pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// The clock on the wall.
    #[default]
    Wall,
    /// The same, except while the process with this pid queues for a processor.
    Process(i32),
}

/// A wait with a limit, under way.
#[derive(Debug, Clone)]
pub struct Wait {
    limit: Duration,
    began: Instant,
    pace: Pace,
    /// What each thread had queued when the wait began.
    before: Queued,
}

/// How long each thread has queued so far, by thread id.
type Queued = BTreeMap<u32, Duration>;

impl Wait {
    /// Begins to wait for at most `limit`.
    #[must_use]
    pub fn begin(limit: Duration, pace: Pace) -> Self {
        Self {
            limit,
            began: Instant::now(),
            pace,
            before: queued(pace),
        }
    }

    /// What is left of the limit: the wait cannot end sooner, but it may end later. Zero when it is over.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        let most_queued = most_queued(&self.before, &queued(self.pace));
        remaining(self.limit, self.began.elapsed(), most_queued)
    }

    /// Whether the limit is reached.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }
}

fn remaining(limit: Duration, elapsed: Duration, queued: Duration) -> Duration {
    let at_most = (limit * LONGEST).saturating_sub(elapsed);
    limit
        .saturating_sub(elapsed.saturating_sub(queued))
        .min(at_most)
}

/// The machine is as late as the thread that has queued longest: its threads do their work side by side.
fn most_queued(before: &Queued, now: &Queued) -> Duration {
    now.iter()
        .map(|(thread, queued)| {
            let before = before.get(thread).copied().unwrap_or_default();
            queued.saturating_sub(before)
        })
        .max()
        .unwrap_or_default()
}

/// Of all threads; none where the kernel does not tell or the process is gone.
fn queued(pace: Pace) -> Queued {
    let Pace::Process(pid) = pace else {
        return Queued::new();
    };
    std::fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|thread| {
            let id = thread.file_name().to_str()?.parse().ok()?;
            let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
            Some((id, queued_of(&text)?))
        })
        .collect()
}

/// `/proc/PID/task/TID/schedstat`: nanoseconds on a processor, nanoseconds queued, times on a processor
/// (`Documentation/scheduler/sched-stats.rst` of the kernel).
fn queued_of(schedstat: &str) -> Option<Duration> {
    let nanoseconds = schedstat.split_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn time_in_the_queue_does_not_count_and_has_an_end() {
        let limit = seconds(10);
        assert_eq!(remaining(limit, seconds(4), seconds(0)), seconds(6));
        assert_eq!(remaining(limit, seconds(11), seconds(0)), seconds(0));
        assert_eq!(remaining(limit, seconds(25), seconds(20)), seconds(5));
        assert_eq!(remaining(limit, seconds(30), seconds(20)), seconds(0));
        assert_eq!(remaining(limit, seconds(199), seconds(198)), seconds(1));
        assert_eq!(remaining(limit, seconds(200), seconds(199)), seconds(0));
    }

    #[test]
    fn the_latest_thread_counts_from_the_beginning_of_the_wait() {
        let before = Queued::from([(1, seconds(100)), (2, seconds(5))]);
        let now = Queued::from([(1, seconds(101)), (2, seconds(8)), (3, seconds(2))]);
        assert_eq!(most_queued(&before, &now), seconds(3));
        assert_eq!(most_queued(&before, &Queued::new()), seconds(0));
        assert_eq!(
            queued_of("11538620547 28407726157 15748\n"),
            Some(Duration::from_nanos(28_407_726_157))
        );
        assert_eq!(queued_of("0 \n"), None);
    }

    #[test]
    fn the_kernel_tells_how_long_a_process_queued() {
        let own = Pace::Process(std::process::id().cast_signed());
        assert!(!queued(own).is_empty());
        let wait = Wait::begin(Duration::ZERO, own);
        assert!(wait.is_over());
        assert!(!Wait::begin(seconds(60), Pace::Wall).is_over());
    }
}
