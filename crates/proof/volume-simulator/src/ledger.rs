//! What has happened, as an observer sees it who misses nothing: every record made, every recovery, every acknowledgement.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use quorate_volume::protocol::{GroupIndex, History, Lsn, PageId, Record, VolumeEpoch};

use crate::live::PAGE_BYTES;

/// A record and the group that it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) group: GroupIndex,
    pub(crate) record: Record,
}

/// One acknowledgement: everything up to `lsn` is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) epoch: VolumeEpoch,
    pub(crate) lsn: Lsn,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Every record, by its LSN. No LSN is given out twice.
    pub(crate) made: BTreeMap<Lsn, Made>,
    by_page: BTreeMap<PageId, Vec<Lsn>>,
    /// The history that each recovery decided on.
    pub(crate) decided: BTreeMap<VolumeEpoch, History>,
    /// Those that were finished: these writers wrote.
    pub(crate) finished: BTreeMap<VolumeEpoch, History>,
    /// Each writer's last acknowledgement.
    pub(crate) acknowledged: BTreeMap<VolumeEpoch, Lsn>,
}

impl Ledger {
    /// Notes a record. False when its LSN was given out before.
    pub(crate) fn make(&mut self, group: GroupIndex, record: Record) -> bool {
        let lsn = record.header.lsn;
        let on_page = self.by_page.entry(record.page).or_default();
        let at = on_page.partition_point(|other| *other < lsn);
        on_page.insert(at, lsn);
        self.made.insert(lsn, Made { group, record }).is_none()
    }

    /// The highest LSN that any writer has acknowledged.
    pub(crate) fn acknowledged_max(&self) -> Lsn {
        self.acknowledged
            .values()
            .max()
            .copied()
            .unwrap_or_default()
    }

    /// A page by this history, as of `at`.
    pub(crate) fn page(&self, page: PageId, history: &History, at: Lsn) -> Bytes {
        let mut bytes = BytesMut::zeroed(PAGE_BYTES);
        let lsns = self.by_page.get(&page).into_iter().flatten();
        for made in lsns
            .take_while(|lsn| **lsn <= at)
            .filter_map(|lsn| self.made.get(lsn))
        {
            let header = &made.record.header;
            if header.epoch <= history.epoch() && !history.is_void(header) {
                assert!(made.record.change.apply(&mut bytes), "changes lie within");
            }
        }
        bytes.freeze()
    }
}
