//! Time for promises and leases: it goes on while the machine is suspended.

use std::ops::{Add, Sub};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// A moment of this machine's boot clock, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    /// This moment. A leader that was suspended must find its lease run out, so the clock is not `CLOCK_MONOTONIC`.
    pub(crate) fn now() -> Moment {
        let time = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has a boot clock");
        Moment(Duration::from(time).as_nanos() as u64)
    }

    /// How long after `earlier` this is; nothing when it is before it.
    pub(crate) fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
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
