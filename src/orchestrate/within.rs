//! A limit for work whose other side may be a virtual machine on this very machine.

use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

use crate::sys::pace::{Pace, Wait};

/// Shortest time between two looks at how much of the limit is left.
const LOOK: Duration = Duration::from_millis(20);

/// Does `work` for at most `limit` at this pace; `None` when the limit came first.
pub async fn within<W: Future>(limit: Duration, pace: Pace, work: W) -> Option<W::Output> {
    let wait = Wait::begin(limit, pace);
    let mut work = pin!(work);
    loop {
        let remaining = wait.remaining();
        match timeout(remaining.max(LOOK), &mut work).await {
            Ok(done) => return Some(done),
            Err(_) if wait.is_over() => return None,
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_ends_by_itself_or_at_the_limit() {
        let limit = Duration::from_millis(30);
        let done = within(limit, Pace::Wall, async { 7 }).await;
        assert_eq!(done, Some(7));
        let never = std::future::pending::<()>();
        assert_eq!(within(limit, Pace::Wall, never).await, None);
    }
}
