//! Time for promises and leases: it goes on while the machine is suspended.

use std::cell::Cell;
use std::ops::{Add, Sub};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

thread_local! {
    /// What moments of this thread count from, when it simulates hosts.
    static SIMULATED_FROM: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// What is added to simulated moments, so that none is the beginning of time.
const SIMULATED_BOOT: Duration = Duration::from_secs(3_600);

/// A moment of this machine's boot clock, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    /// This moment. A leader that was suspended must find its lease run out, so the clock is not `CLOCK_MONOTONIC`.
    pub(crate) fn now() -> Moment {
        if let Some(from) = SIMULATED_FROM.get() {
            return Moment((SIMULATED_BOOT + from.elapsed()).as_nanos() as u64);
        }
        let time = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has a boot clock");
        Moment(Duration::from(time).as_nanos() as u64)
    }

    /// How long after `earlier` this is; nothing when it is before it.
    pub(crate) fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// From here on the boot clock of this thread is the clock of the tokio runtime that it is in, counted from that
/// instant; and what would block a thread of its own is done in place.
pub fn simulate_clock(from: Instant) {
    SIMULATED_FROM.set(Some(from));
}

/// Whether this thread simulates hosts.
pub(crate) fn is_simulated() -> bool {
    SIMULATED_FROM.get().is_some()
}

impl Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, time: Duration) -> Moment {
        Moment(self.0 + time.as_nanos() as u64)
    }
}

impl Sub<Duration> for Moment {
    type Output = Moment;

    fn sub(self, time: Duration) -> Moment {
        Moment(self.0.saturating_sub(time.as_nanos() as u64))
    }
}
