//! A token bucket. Pure: the time is given.
//!
//! Invariants: the level is never above `rate * burst_s`; what was granted in any stretch of time is at most what the
//! bucket held at its beginning and `rate` units for each second of it.

use std::collections::BTreeMap;

use crate::model::IndexNumber;
use crate::throttle::{Draw, Drawn, Limit, Side, UNIT};

/// Longest time for which a gateway is told not to ask: a limit that is raised has effect after it.
const WAIT_MAX_MS: u64 = 250;

/// Units that were not used yet, or are owed.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    limit: Limit,
    /// Thousandths of units. Below zero when requests cost more than was there.
    level: i64,
    /// When the level was right.
    at_ms: u64,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn full(limit: Limit, now_ms: u64) -> Bucket {
        Bucket {
            limit,
            level: capacity(limit),
            at_ms: now_ms,
        }
    }

    /// Charges what is owed, then grants what is there, `want` at most.
    pub(crate) fn draw(&mut self, draw: Draw, now_ms: u64) -> Drawn {
        self.bring_forward(now_ms);
        // A changed limit fills the bucket at its own speed: what was saved up is kept as far as it fits.
        self.limit = draw.limit;
        self.level = self.level.min(capacity(self.limit));
        self.level = self.level.saturating_sub_unsigned(draw.owed);
        let granted = u64::try_from(self.level).unwrap_or(0).min(draw.want);
        self.level = self.level.saturating_sub_unsigned(granted);
        let wait_ms = if granted == 0 { self.wait_ms() } else { 0 };
        Drawn { granted, wait_ms }
    }

    /// Adds what the time since the last look gives. A unit a second is a thousandth a millisecond.
    fn bring_forward(&mut self, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.at_ms);
        let gained = passed.saturating_mul(self.limit.rate);
        self.level = self
            .level
            .saturating_add_unsigned(gained)
            .min(capacity(self.limit));
        self.at_ms = self.at_ms.max(now_ms);
    }

    /// How long it takes until something is there, bounded.
    fn wait_ms(&self) -> u64 {
        let missing = self.level.min(0).unsigned_abs() + 1;
        missing
            .div_ceil(self.limit.rate.max(1))
            .clamp(1, WAIT_MAX_MS)
    }
}

fn capacity(limit: Limit) -> i64 {
    let units = limit.rate.saturating_mul(limit.burst_s.max(1));
    i64::try_from(units.saturating_mul(UNIT)).unwrap_or(i64::MAX)
}

/// The buckets of one table, made when they are first drawn from.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    held: BTreeMap<(IndexNumber, Side), Bucket>,
}

impl Buckets {
    /// Draws from the bucket of the table (`IndexNumber::TABLE`) or of one of its global indexes.
    pub(crate) fn draw(
        &mut self,
        index: IndexNumber,
        side: Side,
        draw: Draw,
        now_ms: u64,
    ) -> Drawn {
        self.held
            .entry((index, side))
            .or_insert_with(|| Bucket::full(draw.limit, now_ms))
            .draw(draw, now_ms)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: Limit = Limit {
        rate: 1,
        burst_s: 300,
    };

    fn draw(limit: Limit, owed: u64, want: u64) -> Draw {
        Draw { limit, owed, want }
    }

    #[test]
    fn three_hundred_seconds_are_saved_and_no_more() {
        let mut bucket = Bucket::full(ONE, 0);
        let all = bucket.draw(draw(ONE, 0, 1_000 * UNIT), 0);
        assert_eq!(all.granted, 300 * UNIT);
        let none = bucket.draw(draw(ONE, 0, UNIT), 0);
        assert_eq!((none.granted, none.wait_ms), (0, 1));
        assert_eq!(bucket.draw(draw(ONE, 0, UNIT), 1_000).granted, UNIT);
        let later = bucket.draw(draw(ONE, 0, 1_000 * UNIT), 10_000_000);
        assert_eq!(later.granted, 300 * UNIT);
    }

    #[test]
    fn what_was_used_too_much_is_paid_first() {
        let mut bucket = Bucket::full(ONE, 0);
        bucket.draw(draw(ONE, 0, 300 * UNIT), 0);
        assert_eq!(bucket.draw(draw(ONE, 10 * UNIT, UNIT), 0).wait_ms, 250);
        assert_eq!(bucket.draw(draw(ONE, 0, UNIT), 10_000).granted, 0);
        assert_eq!(bucket.draw(draw(ONE, 0, UNIT), 11_000).granted, UNIT);
    }

    #[test]
    fn a_changed_limit_has_effect_at_once() {
        let more = Limit { rate: 100, ..ONE };
        let mut bucket = Bucket::full(ONE, 0);
        bucket.draw(draw(ONE, 0, 300 * UNIT), 0);
        assert_eq!(bucket.draw(draw(more, 0, UNIT), 0).granted, 0);
        let granted = bucket.draw(draw(more, 0, 1_000 * UNIT), 1_000).granted;
        assert_eq!(granted, 100 * UNIT);
        let mut bucket = Bucket::full(more, 0);
        let granted = bucket.draw(draw(ONE, 0, 1_000 * UNIT), 0).granted;
        assert_eq!(granted, 300 * UNIT);
    }

    #[test]
    fn table_and_indexes_have_buckets_of_their_own() {
        let mut buckets = Buckets::default();
        let all = draw(ONE, 0, 300 * UNIT);
        for (index, side) in [
            (IndexNumber::TABLE, Side::Read),
            (IndexNumber::TABLE, Side::Write),
            (IndexNumber(1), Side::Write),
        ] {
            assert_eq!(buckets.draw(index, side, all, 0).granted, 300 * UNIT);
            assert_eq!(buckets.draw(index, side, all, 0).granted, 0);
        }
    }

    proptest! {
        /// Whoever draws, and however much is owed: the rate holds over every run of draws.
        #[test]
        fn no_run_of_draws_gets_more_than_burst_and_rate(
            rate in 1_u64..5_000,
            burst_s in 1_u64..300,
            steps in proptest::collection::vec((0_u64..3_000, 0_u64..10_000_000, 0_u64..5_000), 1..100),
        ) {
            let limit = Limit { rate, burst_s };
            let mut bucket = Bucket::full(limit, 0);
            let (mut now, mut used) = (0, 0);
            for (passed, want, owed) in steps {
                now += passed;
                let drawn = bucket.draw(draw(limit, owed, want), now);
                prop_assert!(drawn.granted <= want);
                used += drawn.granted;
                prop_assert!(used <= rate * burst_s * UNIT + rate * now);
                prop_assert!(drawn.wait_ms <= WAIT_MAX_MS);
            }
        }
    }
}
