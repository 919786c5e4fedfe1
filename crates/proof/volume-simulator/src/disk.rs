//! What a node's disk holds of one copy: pages up to a base, and a log of what was handed to it since.

use std::collections::BTreeMap;

use quorate_volume::protocol::{Lsn, Record, SegmentState, VolumeEpoch};

use crate::chance::Chance;
use crate::live::Pages;

/// What is handed to a store; each is written whole or not at all.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    Record(Record),
    State {
        state: SegmentState,
        /// Records above the LSN of a lower epoch go, of those that came before.
        discard: Vec<(Lsn, VolumeEpoch)>,
    },
    /// Pages take the place of all records up to `base`. The state goes with them: `base` must not stand above what it
    /// says to be complete.
    Pages {
        state: SegmentState,
        base: Lsn,
        pages: Pages,
    },
}

/// What a store finds when it starts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pub(crate) state: SegmentState,
    pub(crate) base: Lsn,
    pub(crate) pages: Pages,
    pub(crate) records: BTreeMap<Lsn, Record>,
}

/// The synced part of one copy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    checkpoint: Content,
    log: Vec<Entry>,
}

impl Disk {
    pub(crate) fn synced(&mut self, entry: Entry) {
        let trims = matches!(entry, Entry::Pages { .. });
        self.log.push(entry);
        if trims {
            let mut content = self.content();
            let records = std::mem::take(&mut content.records);
            self.log = records.into_values().map(Entry::Record).collect();
            self.checkpoint = content;
        }
    }

    /// What the log makes of the pages.
    pub(crate) fn content(&self) -> Content {
        let mut content = self.checkpoint.clone();
        for entry in &self.log {
            content.apply(entry);
        }
        content
    }

    /// A bit flips: one record is gone, or the log from some entry on. What is found afterwards lacks it.
    pub(crate) fn flip(&mut self, chance: &mut Chance) -> bool {
        if self.log.is_empty() {
            return false;
        }
        // Rather what was written last: other copies may lack it.
        let from_end = if chance.percent(70) { 8 } else { usize::MAX };
        let hit = self.log.len() - 1 - chance.below(self.log.len().min(from_end));
        if matches!(self.log[hit], Entry::Record(_)) && chance.percent(50) {
            self.log.remove(hit);
        } else {
            self.log.truncate(hit);
        }
        true
    }
}

impl Content {
    fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Record(record) => {
                self.records.insert(record.header.lsn, record.clone());
            }
            Entry::State { state, discard } => {
                self.state = state.clone();
                for (at, epoch) in discard {
                    self.records
                        .retain(|lsn, record| *lsn <= *at || record.header.epoch >= *epoch);
                }
            }
            Entry::Pages { state, base, pages } => {
                self.state = state.clone();
                self.base = *base;
                self.pages = pages.clone();
                self.records = self.records.split_off(&base.next());
            }
        }
    }
}
