//! Instants on the clock that leases are told in.
//!
//! `CLOCK_BOOTTIME` goes on while the machine is suspended, and is the same number in the node and
//! in the guard, which are two processes on one kernel.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// An instant of `CLOCK_BOOTTIME` after which something must no longer run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline {
    boottime_ns: u64,
}

impl Deadline {
    /// The deadline at an absolute `CLOCK_BOOTTIME`, in nanoseconds.
    #[must_use]
    pub fn at_boottime_ns(boottime_ns: u64) -> Deadline {
        Deadline { boottime_ns }
    }

    /// The deadline `span` from this moment.
    #[must_use]
    pub fn after(span: Duration) -> Deadline {
        let span_ns = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Deadline {
            boottime_ns: boottime_now_ns().saturating_add(span_ns),
        }
    }

    /// The deadline as an absolute `CLOCK_BOOTTIME`, in nanoseconds.
    #[must_use]
    pub fn boottime_ns(self) -> u64 {
        self.boottime_ns
    }

    /// Whether the deadline lies in the past.
    #[must_use]
    pub fn has_passed(self) -> bool {
        boottime_now_ns() >= self.boottime_ns
    }
}

/// Nanoseconds since boot, suspension included.
pub(crate) fn boottime_now_ns() -> u64 {
    let now =
        clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has CLOCK_BOOTTIME since 2.6.39");
    let seconds = u64::try_from(now.tv_sec()).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec()).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}
