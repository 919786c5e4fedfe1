//! Quorums of a protection group: who has to have written, who has to have been read.
//!
//! Invariants
//! - Every read quorum meets every write quorum, and two write quorums meet (`SIGMOD 2017`, section 2.1).
//! - While a segment is being replaced a group has two sets. A write needs the write quorum of both, so whichever set stays
//!   has everything. A read quorum is one of the first set: the second set's new segment may not be filled yet.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Lsn, MembershipEpoch};

/// Segments of a protection group.
pub const COPIES: usize = 6;
/// Segments that must have a record on disk before it counts as written.
pub const WRITE_QUORUM: usize = 4;
/// Segments of which at least one has every record that counts as written.
pub const READ_QUORUM: usize = 3;

const _: () = assert!(
    READ_QUORUM + WRITE_QUORUM > COPIES,
    "a read meets every write"
);
const _: () = assert!(WRITE_QUORUM * 2 > COPIES, "two writes meet");

/// The copies of a protection group that count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Raised by each change.
    pub epoch: MembershipEpoch,
    /// One set of six copies; two while a copy is being replaced, the established one first.
    pub sets: Vec<BTreeSet<u32>>,
}

impl Membership {
    /// The membership that a group begins with: copies 0 to 5.
    #[must_use]
    pub fn first() -> Membership {
        Membership {
            epoch: MembershipEpoch(1),
            sets: vec![(0..COPIES as u32).collect()],
        }
    }

    /// Every copy of any set.
    #[must_use]
    pub fn copies(&self) -> BTreeSet<u32> {
        self.sets.iter().flatten().copied().collect()
    }

    /// Whether these copies are a write quorum.
    #[must_use]
    pub fn is_write_quorum(&self, copies: &BTreeSet<u32>) -> bool {
        self.sets
            .iter()
            .all(|set| set.intersection(copies).count() >= WRITE_QUORUM)
    }

    /// Whether these copies are a read quorum.
    #[must_use]
    pub fn is_read_quorum(&self, copies: &BTreeSet<u32>) -> bool {
        self.sets
            .first()
            .is_some_and(|set| set.intersection(copies).count() >= READ_QUORUM)
    }

    /// The highest LSN that a write quorum has reached; copies that are not named have reached nothing.
    #[must_use]
    pub fn reached_by_write_quorum(&self, reached: &BTreeMap<u32, Lsn>) -> Lsn {
        let of_set = |set: &BTreeSet<u32>| {
            let mut lsns: Vec<Lsn> = set
                .iter()
                .map(|copy| reached.get(copy).copied().unwrap_or_default())
                .collect();
            lsns.sort_unstable_by(|a, b| b.cmp(a));
            lsns.get(WRITE_QUORUM - 1).copied().unwrap_or_default()
        };
        self.sets.iter().map(of_set).min().unwrap_or_default()
    }

    /// Puts a new copy beside one that is suspect. None when a change is under way already, or the copies do not fit.
    #[must_use]
    pub fn doubled(&self, suspect: u32, new: u32) -> Option<Membership> {
        let [set] = &self.sets[..] else { return None };
        if !set.contains(&suspect) || set.contains(&new) {
            return None;
        }
        let mut second = set.clone();
        second.remove(&suspect);
        second.insert(new);
        Some(Membership {
            epoch: self.epoch.next(),
            sets: vec![set.clone(), second],
        })
    }

    /// Ends a change: with `keep_new` the new copy stays, else the suspect one. None when no change is under way.
    #[must_use]
    pub fn settled(&self, keep_new: bool) -> Option<Membership> {
        let [old, new] = &self.sets[..] else {
            return None;
        };
        Some(Membership {
            epoch: self.epoch.next(),
            sets: vec![if keep_new { new.clone() } else { old.clone() }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subsets(of: &BTreeSet<u32>) -> Vec<BTreeSet<u32>> {
        let all: Vec<u32> = of.iter().copied().collect();
        (0u32..1 << all.len())
            .map(|mask| {
                let chosen = all.iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1);
                chosen.map(|(_, copy)| *copy).collect()
            })
            .collect()
    }

    #[test]
    fn each_read_quorum_meets_each_write_quorum_of_every_step_of_a_replacement() {
        let steps = {
            let first = Membership::first();
            let both = first.doubled(5, 6).unwrap();
            let (kept, back) = (both.settled(true).unwrap(), both.settled(false).unwrap());
            [first, both, kept, back]
        };
        for m in &steps {
            let all = subsets(&m.copies());
            let writes: Vec<_> = all.iter().filter(|s| m.is_write_quorum(s)).collect();
            let reads: Vec<_> = all.iter().filter(|s| m.is_read_quorum(s)).collect();
            for w in &writes {
                assert!(reads.iter().all(|r| !r.is_disjoint(w)), "{m:?} {w:?}");
                assert!(writes.iter().all(|o| !o.is_disjoint(w)), "{m:?} {w:?}");
            }
        }
        // Steps that follow one another: writers of either meet.
        for (a, b) in [(0, 1), (1, 2), (1, 3)] {
            let all = subsets(&steps[1].copies());
            for w in all.iter().filter(|s| steps[a].is_write_quorum(s)) {
                let mut others = all.iter().filter(|s| steps[b].is_write_quorum(s));
                assert!(others.all(|o| !o.is_disjoint(w)));
            }
        }
    }

    #[test]
    fn the_fourth_copy_counts() {
        let m = Membership::first();
        let reached = |lsns: &[u64]| {
            let by_copy = lsns.iter().enumerate();
            by_copy
                .map(|(i, l)| (i as u32, Lsn(*l)))
                .collect::<BTreeMap<_, _>>()
        };
        assert_eq!(m.reached_by_write_quorum(&reached(&[9, 9, 9])), Lsn(0));
        assert_eq!(
            m.reached_by_write_quorum(&reached(&[9, 8, 7, 6, 5])),
            Lsn(6)
        );
        let both = m.doubled(0, 6).unwrap();
        // The new copy has nothing: without the old one only three have reached 6.
        assert_eq!(
            both.reached_by_write_quorum(&reached(&[9, 8, 7, 6])),
            Lsn(0)
        );
        assert_eq!(
            both.reached_by_write_quorum(&reached(&[9, 8, 7, 6, 5])),
            Lsn(5)
        );
        assert!(both.doubled(1, 7).is_none());
    }
}
