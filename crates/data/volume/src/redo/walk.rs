//! Joins the logs of protection groups into the one order that they were written in. Pure.
//!
//! Invariant: what is given out is the record that follows the one before by the history of cuts, up to a VDL; a record that
//! is missing stops the walk.

use std::collections::{BTreeMap, VecDeque};

use crate::protocol::{GroupIndex, History, Lsn, Record};

/// A walk along a volume's log.
#[derive(Debug)]
pub(super) struct Walk {
    at: Lsn,
    to: Lsn,
    history: History,
    /// Records that were offered and are ahead, by group, ascending.
    ahead: BTreeMap<GroupIndex, VecDeque<Record>>,
}

/// What a walk comes to next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Record(Record),
    /// The next record was not offered.
    Missing,
    /// Everything is there.
    End,
}

impl Walk {
    /// From what follows `after` up to `to`, a VDL at or above it.
    pub(super) fn new(after: Lsn, to: Lsn) -> Walk {
        assert!(after <= to, "a VDL does not fall");
        Walk {
            at: after,
            to,
            history: History::default(),
            ahead: BTreeMap::new(),
        }
    }

    /// How far it has come.
    pub(super) fn at(&self) -> Lsn {
        self.at
    }

    /// Goes by this history, unless it is older than the one that is known.
    pub(super) fn learn(&mut self, history: &History) {
        if history.epoch() > self.history.epoch() {
            self.history = history.clone();
            for records in self.ahead.values_mut() {
                records.retain(|record| !history.is_void(&record.header));
            }
        }
    }

    /// Takes the next records of a group in. Those that are void, behind, or beyond the end are dropped.
    pub(super) fn offer(&mut self, group: GroupIndex, records: Vec<Record>) {
        let ahead = self.ahead.entry(group).or_default();
        for record in records {
            let lsn = record.header.lsn;
            let is_next = ahead.back().is_none_or(|last| last.header.lsn < lsn);
            let is_wanted = lsn > self.at && lsn <= self.to;
            if is_next && is_wanted && !self.history.is_void(&record.header) {
                ahead.push_back(record);
            }
        }
    }

    /// Whether records of a group are ahead.
    pub(super) fn is_offered(&self, group: GroupIndex) -> bool {
        self.ahead
            .get(&group)
            .is_some_and(|ahead| !ahead.is_empty())
    }

    /// Forgets what was offered of every group: it turned out to lack something.
    pub(super) fn forget(&mut self) {
        self.ahead.clear();
    }

    /// The next record.
    pub(super) fn step(&mut self) -> Step {
        if self.at >= self.to {
            return Step::End;
        }
        let next = self.history.following(self.at);
        for ahead in self.ahead.values_mut() {
            let is_next = ahead.front().is_some_and(|r| r.header.lsn == next);
            if let Some(record) = is_next.then(|| ahead.pop_front()).flatten() {
                self.at = next;
                return Step::Record(record);
            }
        }
        Step::Missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Change, Cut, PageId, RecordHeader, VolumeEpoch};

    fn records(lsns: &[(u64, u64)]) -> Vec<Record> {
        let record = |(lsn, epoch): &(u64, u64)| Record {
            header: RecordHeader {
                lsn: Lsn(*lsn),
                previous: Lsn(0),
                epoch: VolumeEpoch(*epoch),
                consistency_point: true,
            },
            page: PageId(0),
            change: Change::Mark,
        };
        lsns.iter().map(record).collect()
    }

    fn history(cuts: &[(u64, u64, u64)]) -> History {
        cuts.iter()
            .fold(History::default(), |history, (epoch, at, start)| {
                history.with(Cut {
                    epoch: VolumeEpoch(*epoch),
                    at: Lsn(*at),
                    start: Lsn(*start),
                })
            })
    }

    fn walked(walk: &mut Walk) -> (Vec<u64>, Step) {
        let mut lsns = Vec::new();
        loop {
            match walk.step() {
                Step::Record(record) => lsns.push(record.header.lsn.0),
                end => return (lsns, end),
            }
        }
    }

    #[test]
    fn groups_are_joined_into_one_order() {
        let mut walk = Walk::new(Lsn(4), Lsn(9));
        walk.learn(&history(&[(1, 0, 1)]));
        walk.offer(
            GroupIndex(0),
            records(&[(3, 1), (5, 1), (6, 1), (9, 1), (11, 1)]),
        );
        assert_eq!(walked(&mut walk), (vec![5, 6], Step::Missing));
        assert!(walk.is_offered(GroupIndex(0)) && !walk.is_offered(GroupIndex(1)));
        walk.offer(GroupIndex(1), records(&[(7, 1), (8, 1), (10, 1)]));
        assert_eq!(walked(&mut walk), (vec![7, 8, 9], Step::End));
    }

    #[test]
    fn void_records_are_left_out_and_cuts_are_stepped_over() {
        let mut walk = Walk::new(Lsn(48), Lsn(152));
        // From a segment that has not heard of the recovery, then from one that has.
        walk.offer(GroupIndex(0), records(&[(49, 1), (51, 1), (52, 1)]));
        walk.learn(&history(&[(1, 0, 1), (3, 50, 151)]));
        assert_eq!(walked(&mut walk).0, [49]);
        walk.offer(
            GroupIndex(1),
            records(&[(50, 1), (53, 1), (151, 3), (152, 3)]),
        );
        assert_eq!(walked(&mut walk), (vec![50, 151, 152], Step::End));
    }

    #[test]
    fn an_older_history_does_not_take_the_place_of_a_newer_one() {
        let mut walk = Walk::new(Lsn(50), Lsn(151));
        walk.learn(&history(&[(1, 0, 1), (3, 50, 151)]));
        walk.learn(&history(&[(1, 0, 1)]));
        walk.offer(GroupIndex(0), records(&[(51, 1), (151, 3)]));
        assert_eq!(walked(&mut walk), (vec![151], Step::End));
    }

    #[test]
    fn a_record_that_is_missing_stops_the_walk_until_another_segment_has_it() {
        let mut walk = Walk::new(Lsn(0), Lsn(3));
        walk.learn(&history(&[(1, 0, 1)]));
        walk.offer(GroupIndex(0), records(&[(1, 1), (3, 1)]));
        assert_eq!(walked(&mut walk), (vec![1], Step::Missing));
        walk.forget();
        walk.offer(GroupIndex(0), records(&[(1, 1), (2, 1), (3, 1)]));
        assert_eq!(walked(&mut walk), (vec![2, 3], Step::End));
        assert_eq!(walk.at(), Lsn(3));
    }
}
