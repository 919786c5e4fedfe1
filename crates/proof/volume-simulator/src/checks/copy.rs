//! A copy's invariants: its chain is unbroken, nothing that it holds is void, what it promised stays promised.

use std::collections::BTreeMap;

use quorate_volume::protocol::{Lsn, Record, SegmentState, VolumeEpoch};

use super::Breach;

/// Where the chain of previous LSNs ends that begins at `base`.
fn chain_end(base: Lsn, records: &BTreeMap<Lsn, Record>) -> Lsn {
    let above = records.range(base.next()..);
    let mut end = base;
    for (lsn, record) in above {
        if record.header.previous != end {
            break;
        }
        end = *lsn;
    }
    end
}

/// `promised` is the highest promise that has left the node.
pub(crate) fn copy_is_sound(
    state: &SegmentState,
    base: Lsn,
    scl: Lsn,
    records: &BTreeMap<Lsn, Record>,
    promised: VolumeEpoch,
) -> Result<(), Breach> {
    let fail = |why: String| Err(Breach::Copy(why));
    let end = chain_end(base, records);
    if end != scl {
        return fail(format!("SCL is {scl}, the chain ends at {end}"));
    }
    let void = records
        .values()
        .find(|record| state.history.is_void(&record.header));
    if let Some(void) = void {
        return fail(format!("{:?} is void by {:?}", void.header, state.history));
    }
    let ahead = records
        .values()
        .find(|record| record.header.epoch > state.history.epoch());
    if let Some(ahead) = ahead {
        return fail(format!("{:?}: its history is not adopted", ahead.header));
    }
    if base > state.complete.vdl {
        return fail(format!("{base} is coalesced above {:?}", state.complete));
    }
    if state.promised < promised || state.promised < state.history.epoch() {
        return fail(format!("promised {promised}, holds to {}", state.promised));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use quorate_volume::protocol::{
        Change, Complete, Cut, History, MembershipEpoch, PageId, RecordHeader,
    };

    use super::*;

    fn records(of: &[(u64, u64, u64)]) -> BTreeMap<Lsn, Record> {
        let record = |(lsn, previous, epoch): &(u64, u64, u64)| {
            let header = RecordHeader {
                lsn: Lsn(*lsn),
                previous: Lsn(*previous),
                epoch: VolumeEpoch(*epoch),
                consistency_point: true,
            };
            let record = Record {
                header,
                page: PageId(0),
                change: Change::Mark,
            };
            (Lsn(*lsn), record)
        };
        of.iter().map(record).collect()
    }

    fn state() -> SegmentState {
        let cut = |epoch, at, start| Cut {
            epoch: VolumeEpoch(epoch),
            at: Lsn(at),
            start: Lsn(start),
        };
        SegmentState {
            promised: VolumeEpoch(2),
            history: History::default().with(cut(1, 0, 1)).with(cut(2, 5, 100)),
            membership: MembershipEpoch(1),
            complete: Complete {
                vdl: Lsn(5),
                tail: Lsn(5),
            },
        }
    }

    #[test]
    fn each_broken_invariant_is_seen() {
        let check = |base, scl, of: &[(u64, u64, u64)], promised| {
            let promised = VolumeEpoch(promised);
            copy_is_sound(&state(), Lsn(base), Lsn(scl), &records(of), promised).is_ok()
        };
        assert!(check(3, 100, &[(5, 3, 1), (100, 5, 2)], 2));
        assert!(!check(3, 5, &[(5, 3, 1), (100, 5, 2)], 2), "SCL too low");
        assert!(!check(3, 100, &[(5, 4, 1), (100, 5, 2)], 2), "a gap");
        assert!(!check(3, 6, &[(5, 3, 1), (6, 5, 1)], 2), "void");
        assert!(!check(3, 100, &[(5, 3, 1), (100, 5, 3)], 2), "not adopted");
        assert!(!check(6, 6, &[], 2), "coalesced too far");
        assert!(!check(3, 5, &[(5, 3, 1)], 3), "forgot its promise");
    }
}
