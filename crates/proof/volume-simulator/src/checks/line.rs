//! Each finished recovery goes on from the finished one before it, and ends at a consistency point of a whole log.

use std::collections::BTreeMap;

use quorate_volume::protocol::{Cut, GroupIndex, History, Lsn};

use super::Breach;
use crate::ledger::Made;

/// The cuts of `after` are those of `before` and one more, less what the last one covers; VDL does not fall.
pub(crate) fn line_is_kept(before: &History, after: &History) -> Result<(), Breach> {
    let Some(own) = after.last() else {
        return Err(Breach::Line("a recovery without a cut".into()));
    };
    let fell = before.last().is_some_and(|cut| own.at < cut.at);
    if fell || own.epoch <= before.epoch() || *after != before.with(own) {
        return Err(Breach::Line(format!("{after:?} after {before:?}")));
    }
    Ok(())
}

/// Every LSN of this history up to its last cut was made, by the writer that the history names, after the record before it in
/// its group; and recovery may end there.
pub(crate) fn log_is_whole(history: &History, made: &BTreeMap<Lsn, Made>) -> Result<(), Breach> {
    let fail = |why: String| Err(Breach::NotAPrefix(format!("{why} by {history:?}")));
    let cuts = history.cuts();
    let mut last_of: BTreeMap<GroupIndex, Lsn> = BTreeMap::new();
    for pair in cuts.windows(2) {
        let (Cut { epoch, start, .. }, end) = (pair[0], pair[1].at);
        for lsn in start.0..=end.0 {
            match made.get(&Lsn(lsn)) {
                None => return fail(format!("{lsn} was never made")),
                Some(made) if made.record.header.epoch != epoch => {
                    return fail(format!("{lsn} is of another epoch than {epoch}"));
                }
                Some(made) => {
                    let last = last_of.insert(made.group, Lsn(lsn)).unwrap_or_default();
                    if made.record.header.previous != last {
                        return fail(format!("{lsn} does not follow {last}"));
                    }
                }
            }
        }
    }
    let end = history.last().map_or(Lsn(0), |cut| cut.at);
    let is_point = made
        .get(&end)
        .is_some_and(|made| made.record.header.consistency_point);
    if end > Lsn(0) && !is_point {
        return fail(format!("{end} is no consistency point"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use quorate_volume::protocol::{Change, PageId, Record, RecordHeader, VolumeEpoch};

    use super::*;

    fn cut(epoch: u64, at: u64, start: u64) -> Cut {
        Cut {
            epoch: VolumeEpoch(epoch),
            at: Lsn(at),
            start: Lsn(start),
        }
    }

    fn made(lsn: u64, epoch: u64, consistency_point: bool) -> (Lsn, Made) {
        let header = RecordHeader {
            lsn: Lsn(lsn),
            previous: Lsn(lsn - 1),
            epoch: VolumeEpoch(epoch),
            consistency_point,
        };
        let record = Record {
            header,
            page: PageId(0),
            change: Change::Mark,
        };
        let group = GroupIndex(0);
        (Lsn(lsn), Made { group, record })
    }

    #[test]
    fn a_recovery_that_leaves_a_writer_out_or_cuts_lower_is_seen() {
        let first = History::default().with(cut(1, 0, 1));
        let second = first.with(cut(2, 5, 100));
        assert!(line_is_kept(&first, &second).is_ok());
        assert!(line_is_kept(&second, &second.with(cut(4, 5, 200))).is_ok());
        assert!(line_is_kept(&second, &second.with(cut(4, 4, 200))).is_err());
        assert!(line_is_kept(&second, &first.with(cut(4, 7, 200))).is_err());
        assert!(line_is_kept(&second, &second).is_err());
    }

    #[test]
    fn a_hole_a_stranger_and_an_end_inside_a_unit_are_seen() {
        let history = History::default().with(cut(1, 0, 1)).with(cut(3, 2, 100));
        let whole = BTreeMap::from([made(1, 1, false), made(2, 1, true)]);
        assert!(log_is_whole(&history, &whole).is_ok());
        let hole = BTreeMap::from([made(2, 1, true)]);
        assert!(log_is_whole(&history, &hole).is_err());
        let stranger = BTreeMap::from([made(1, 2, false), made(2, 1, true)]);
        assert!(log_is_whole(&history, &stranger).is_err());
        let unlinked = BTreeMap::from([made(1, 1, true), made(2, 1, true)]);
        let unlinked = unlinked.into_iter().map(|(lsn, made)| {
            let group = GroupIndex(lsn.0 as u32);
            (lsn, Made { group, ..made })
        });
        assert!(log_is_whole(&history, &unlinked.collect()).is_err());
        let inside = BTreeMap::from([made(1, 1, true), made(2, 1, false)]);
        assert!(log_is_whole(&history, &inside).is_err());
    }
}
