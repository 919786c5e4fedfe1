//! The records of one protection group that some copy may still lack.
//!
//! Invariant: in the order of LSNs; a record goes when every copy that counts has it, or when there is no room and a write
//! quorum has it: a copy that lags behind that far asks its peers.

use std::collections::VecDeque;

use crate::protocol::{Lsn, Record};

/// Bytes of records that are kept for copies that lag.
const RETAINED_BYTES_MAX: usize = 32 << 20;
/// What a record costs beside its payload.
const RECORD_OVERHEAD_BYTES: usize = 64;

#[derive(Default)]
pub(super) struct GroupLog {
    records: VecDeque<Record>,
    bytes: usize,
}

fn cost(record: &Record) -> usize {
    record.change.payload_bytes() + RECORD_OVERHEAD_BYTES
}

impl GroupLog {
    pub(super) fn push(&mut self, record: Record) {
        self.bytes += cost(&record);
        self.records.push_back(record);
    }

    /// Bytes that are kept.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether anything follows this LSN.
    pub(super) fn has_after(&self, sent: Lsn) -> bool {
        self.records
            .back()
            .is_some_and(|record| record.header.lsn > sent)
    }

    /// Records that follow this LSN, in their order, until there are enough bytes.
    pub(super) fn after(&self, sent: Lsn, bytes_max: usize) -> Vec<Record> {
        let from = self.records.partition_point(|r| r.header.lsn <= sent);
        let mut bytes = 0;
        let mut taken = Vec::new();
        for record in self.records.range(from..) {
            bytes += cost(record);
            if bytes > bytes_max && !taken.is_empty() {
                break;
            }
            taken.push(record.clone());
        }
        taken
    }

    /// Lets records go that every copy has, and beyond the bound those that a write quorum has.
    pub(super) fn trim(&mut self, all_have: Lsn, quorum_has: Lsn) {
        while let Some(first) = self.records.front() {
            let lsn = first.header.lsn;
            let is_over = self.bytes > RETAINED_BYTES_MAX && lsn <= quorum_has;
            if lsn > all_have && !is_over {
                return;
            }
            self.bytes -= cost(first);
            self.records.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::protocol::{Change, PageId, RecordHeader, VolumeEpoch};

    fn record(lsn: u64, bytes: usize) -> Record {
        Record {
            header: RecordHeader {
                lsn: Lsn(lsn),
                previous: Lsn(lsn - 1),
                epoch: VolumeEpoch(1),
                consistency_point: true,
            },
            page: PageId(0),
            change: Change::Image(Bytes::from(vec![1; bytes])),
        }
    }

    #[test]
    fn records_stay_for_a_copy_that_lags_until_there_is_no_room() {
        let mut log = GroupLog::default();
        for lsn in 1..=40 {
            log.push(record(lsn, 1 << 20));
        }
        log.trim(Lsn(2), Lsn(40));
        let first = log.after(Lsn(0), 1)[0].header.lsn;
        assert!(first > Lsn(3) && first < Lsn(20), "{first}");
        assert!(log.bytes() <= RETAINED_BYTES_MAX);
        log.push(record(41, 1));
        log.trim(Lsn(2), Lsn(5));
        assert!(log.has_after(Lsn(40)));
        assert_eq!(log.after(Lsn(38), usize::MAX).len(), 3);
    }
}
