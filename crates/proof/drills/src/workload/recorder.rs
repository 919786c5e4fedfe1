//! The history as it grows.

use std::sync::Mutex;
use std::time::Duration;

use quorate_oracle::WriteId;
use quorate_oracle::ledger::{Attempt, History, Outcome};
use tokio::sync::watch;
use tokio::time::Instant;

/// Collects attempts on one monotonic clock.
#[derive(Debug)]
pub(crate) struct Recorder {
    start: Instant,
    attempts: Mutex<Vec<Attempt>>,
    /// The latest start of a write that was acknowledged.
    newest_acknowledged: watch::Sender<Option<u64>>,
}

impl Recorder {
    pub(crate) fn new() -> Recorder {
        Recorder {
            start: Instant::now(),
            attempts: Mutex::default(),
            newest_acknowledged: watch::Sender::new(None),
        }
    }

    /// Microseconds since the history's start.
    pub(crate) fn now_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    pub(crate) fn note(&self, id: WriteId, start_us: u64, outcome: Outcome) {
        let end_us = self.now_us();
        let attempt = Attempt {
            id,
            start_us,
            end_us,
            outcome,
        };
        self.attempts
            .lock()
            .expect("no holder of the lock panics")
            .push(attempt);
        if outcome == Outcome::Acknowledged {
            self.newest_acknowledged
                .send_modify(|newest| *newest = (*newest).max(Some(start_us)));
        }
    }

    /// Waits until a write that began at or after `at_us` is acknowledged; whether one was within the time.
    pub(crate) async fn acknowledged_since(&self, at_us: u64, within: Duration) -> bool {
        let mut newest = self.newest_acknowledged.subscribe();
        let wait = newest.wait_for(|newest| newest.is_some_and(|start| start >= at_us));
        matches!(tokio::time::timeout(within, wait).await, Ok(Ok(_)))
    }

    pub(crate) fn history(&self) -> History {
        let attempts = self
            .attempts
            .lock()
            .expect("no holder of the lock panics")
            .clone();
        History { attempts }
    }
}
