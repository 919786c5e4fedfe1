//! When VDLs were told: what a restore to a time is cut by.
//!
//! In memory alone: after a restart of the node its peers know. The newest VDL is always there with its own time, older
//! ones at some distance.

use std::collections::VecDeque;

use quorate_base::UnixMillis;

use crate::calls::Moment;
use crate::protocol::Lsn;

/// Shortest time between two moments that are kept.
const APART_MS: u64 = 250;
/// Moments that are kept: a quarter of an hour of a busy volume.
const MOMENTS_MAX: usize = 4_096;

/// The moments of one segment, ascending.
#[derive(Debug, Default)]
pub(super) struct Times(VecDeque<Moment>);

impl Times {
    /// A writer has just told this VDL.
    pub(super) fn told(&mut self, vdl: Lsn, now: UnixMillis) {
        let last = self.0.back().copied();
        if last.is_some_and(|last| vdl <= last.lsn) || vdl == Lsn(0) {
            return;
        }
        // A clock that was set back does not change the order.
        let at = last.map_or(now, |last| now.max(last.at));
        let mut newest = self.0.iter().rev();
        let apart = match (newest.next(), newest.next()) {
            (Some(last), Some(before)) => last.at.millis_since(before.at),
            _ => APART_MS,
        };
        if apart < APART_MS {
            self.0.pop_back();
        }
        self.0.push_back(Moment { lsn: vdl, at });
        if self.0.len() > MOMENTS_MAX {
            self.0.pop_front();
        }
    }

    /// The moments of VDLs above this one.
    pub(super) fn above(&self, lsn: Lsn) -> Vec<Moment> {
        let from = self.0.partition_point(|moment| moment.lsn <= lsn);
        self.0.range(from..).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(told: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let mut times = Times::default();
        for (vdl, at) in told {
            times.told(Lsn(*vdl), UnixMillis(*at));
        }
        let moments = times.above(Lsn(0)).into_iter();
        moments.map(|moment| (moment.lsn.0, moment.at.0)).collect()
    }

    #[test]
    fn moments_are_kept_at_a_distance_and_the_newest_one_always() {
        let found = told(&[
            (1, 0),
            (2, 10),
            (3, 20),
            (4, 249),
            (5, 250),
            (6, 260),
            (7, 270),
        ]);
        assert_eq!(found, [(1, 0), (5, 250), (7, 270)]);
    }

    #[test]
    fn a_vdl_that_is_told_again_and_a_clock_that_goes_back_change_nothing() {
        assert_eq!(told(&[(4, 500), (4, 900), (3, 900)]), [(4, 500)]);
        assert_eq!(told(&[(4, 500), (5, 100)]), [(4, 500), (5, 500)]);
    }

    #[test]
    fn what_is_asked_for_is_what_follows() {
        let mut times = Times::default();
        for vdl in 1..=5 {
            times.told(Lsn(vdl), UnixMillis(vdl * 1_000));
        }
        assert_eq!(times.above(Lsn(3)).len(), 2);
        assert_eq!(times.above(Lsn(5)), []);
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let mut times = Times::default();
        for vdl in 1..=10_000 {
            times.told(Lsn(vdl), UnixMillis(vdl * 1_000));
        }
        assert_eq!(times.above(Lsn(0)).len(), MOMENTS_MAX);
    }
}
