//! Which records are in memory: the ones appended last, up to a bound.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError, Weak};

use crate::protocol::Lsn;

use super::segment::Segment;

/// Bytes that a record takes in memory besides its payload, about.
const RECORD_OVERHEAD_BYTES: u64 = 200;

struct Held {
    segment: Weak<Segment>,
    lsn: Lsn,
    position: u64,
    bytes: u64,
}

#[derive(Default)]
struct Line {
    held: VecDeque<Held>,
    bytes: u64,
}

pub(super) struct RecordCache {
    bytes_max: u64,
    line: Mutex<Line>,
}

impl RecordCache {
    pub(super) fn new(bytes_max: u64) -> RecordCache {
        RecordCache {
            bytes_max,
            line: Mutex::default(),
        }
    }

    /// Counts a record that its segment has in memory.
    pub(super) fn hold(&self, segment: Weak<Segment>, lsn: Lsn, position: u64, payload: usize) {
        let bytes = payload as u64 + RECORD_OVERHEAD_BYTES;
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.bytes += bytes;
        line.held.push_back(Held {
            segment,
            lsn,
            position,
            bytes,
        });
    }

    /// Lets go of the oldest records above the bound that stand before `written` in the log.
    pub(super) fn shrink(&self, written: u64) {
        loop {
            let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
            if line.bytes <= self.bytes_max {
                return;
            }
            if line
                .held
                .front()
                .is_none_or(|held| held.position >= written)
            {
                return;
            }
            let Some(held) = line.held.pop_front() else {
                return;
            };
            line.bytes -= held.bytes;
            drop(line);
            if let Some(segment) = held.segment.upgrade() {
                segment.index().let_go(held.lsn, held.position);
            }
        }
    }
}
