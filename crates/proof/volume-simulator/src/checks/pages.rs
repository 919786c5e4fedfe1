//! A page that was read is what the records of its volume make of it.

use bytes::Bytes;
use quorate_volume::protocol::{History, Lsn, PageId};

use super::Breach;
use crate::ledger::Ledger;

/// `history` and `at` say which volume is meant.
pub(crate) fn page_is_right(
    ledger: &Ledger,
    page: PageId,
    history: &History,
    at: Lsn,
    read: &Bytes,
) -> Result<(), Breach> {
    let expected = ledger.page(page, history, at);
    if expected == *read {
        return Ok(());
    }
    Err(Breach::WrongPage(format!(
        "page {page} at {at} by {history:?}: {expected:?} expected, {read:?} read"
    )))
}

#[cfg(test)]
mod tests {
    use quorate_volume::protocol::{
        Change, Cut, GroupIndex, Record, RecordHeader, Span, VolumeEpoch,
    };

    use super::*;

    #[test]
    fn a_lost_a_void_and_a_later_change_are_seen() {
        let mut ledger = Ledger::default();
        for (lsn, epoch, offset) in [(1, 1, 0), (2, 1, 1), (100, 2, 2)] {
            let header = RecordHeader {
                lsn: Lsn(lsn),
                previous: Lsn(0),
                epoch: VolumeEpoch(epoch),
                consistency_point: true,
            };
            let bytes = Bytes::from_static(b"x");
            let record = Record {
                header,
                page: PageId(0),
                change: Change::Spans(vec![Span { offset, bytes }]),
            };
            assert!(ledger.make(GroupIndex(0), record.clone()));
        }
        let cut = |epoch, at, start| Cut {
            epoch: VolumeEpoch(epoch),
            at: Lsn(at),
            start: Lsn(start),
        };
        let history = History::default().with(cut(1, 0, 1)).with(cut(2, 1, 100));
        let check = |at, head: &[u8]| {
            let mut bytes = head.to_vec();
            bytes.resize(crate::live::PAGE_BYTES, 0);
            page_is_right(&ledger, PageId(0), &history, Lsn(at), &bytes.into()).is_ok()
        };
        assert!(check(1, b"x"));
        assert!(check(100, b"x\0x"));
        assert!(!check(100, b"xxx"), "void");
        assert!(!check(100, b"x"), "lost");
        assert!(!check(1, b"x\0x"), "later");
    }
}
