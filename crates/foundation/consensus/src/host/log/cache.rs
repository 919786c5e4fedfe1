//! The newest entries of one group, in memory.
//!
//! Invariants
//! - The entries are consecutive and the last one is the log's last.
//! - An entry that is not durable stays.

use std::collections::VecDeque;

use openraft::{EntryPayload, RaftLogId};

use crate::host::config::{CACHED_BYTES_MAX, CACHED_ENTRIES_MAX};
use crate::host::types::Entry;

/// Newest entries, each with the number of the write that stores it.
#[derive(Default)]
pub(crate) struct Cache {
    entries: VecDeque<(u64, Entry)>,
    bytes: usize,
}

/// How much memory an entry takes, roughly.
pub(crate) fn size(entry: &Entry) -> usize {
    const OVERHEAD: usize = 128;
    match &entry.payload {
        EntryPayload::Normal(payload) => OVERHEAD + payload.len(),
        EntryPayload::Blank | EntryPayload::Membership(_) => OVERHEAD,
    }
}

/// How much memory entries take, roughly.
pub(crate) fn entries_size(entries: &[Entry]) -> usize {
    entries.iter().map(size).sum()
}

impl Cache {
    /// The index of the oldest entry here.
    pub(crate) fn first(&self) -> Option<u64> {
        self.entries.front().map(|(_, e)| e.get_log_id().index)
    }

    pub(crate) fn push(&mut self, write: u64, entry: Entry) {
        self.bytes += size(&entry);
        self.entries.push_back((write, entry));
    }

    /// The entries from `start` to before `end` that are here.
    pub(crate) fn range(&self, start: u64, end: u64) -> impl Iterator<Item = &Entry> {
        let first = self.first().unwrap_or(0);
        let skip = usize::try_from(start.saturating_sub(first)).unwrap_or(usize::MAX);
        self.entries
            .iter()
            .skip(skip)
            .map(|(_, entry)| entry)
            .take_while(move |entry| entry.get_log_id().index < end)
    }

    pub(crate) fn truncate(&mut self, since: u64) {
        while let Some((_, last)) = self.entries.back()
            && last.get_log_id().index >= since
        {
            self.bytes -= size(last);
            self.entries.pop_back();
        }
    }

    pub(crate) fn purge(&mut self, upto: u64) {
        while self.first().is_some_and(|first| first <= upto) {
            self.pop();
        }
    }

    /// Gives up entries of writes up to `durable`, as long as there are more than the bounds.
    pub(crate) fn trim(&mut self, durable: u64) {
        while self.entries.len() > CACHED_ENTRIES_MAX || self.bytes > CACHED_BYTES_MAX {
            if self
                .entries
                .front()
                .is_none_or(|(write, _)| *write > durable)
            {
                return;
            }
            self.pop();
        }
    }

    /// Gives up all entries of writes up to `durable`.
    pub(crate) fn clear(&mut self, durable: u64) {
        while self
            .entries
            .front()
            .is_some_and(|(write, _)| *write <= durable)
        {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some((_, entry)) = self.entries.pop_front() {
            self.bytes -= size(&entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::types::{LeaderId, LogId, Payload};

    fn entry(index: u64) -> Entry {
        Entry {
            log_id: LogId::new(LeaderId::new(1, 1), index),
            payload: EntryPayload::Normal(Payload::of(&[b"x"])),
        }
    }

    fn filled(entries: u64) -> Cache {
        let mut cache = Cache::default();
        for index in 0..entries {
            cache.push(index, entry(index));
        }
        cache
    }

    fn indexes(cache: &Cache, start: u64, end: u64) -> Vec<u64> {
        cache.range(start, end).map(|e| e.log_id.index).collect()
    }

    #[test]
    fn entries_that_are_not_durable_stay() {
        let many = CACHED_ENTRIES_MAX as u64 + 50;
        let mut cache = filled(many);
        cache.trim(9);
        assert_eq!(cache.first(), Some(10));
        cache.trim(many);
        assert_eq!(cache.first(), Some(50));
        cache.clear(many - 2);
        assert_eq!(cache.first(), Some(many - 1));
    }

    #[test]
    fn ranges_are_cut_to_what_is_here() {
        let mut cache = filled(10);
        cache.purge(2);
        cache.truncate(8);
        assert_eq!(indexes(&cache, 0, 100), [3, 4, 5, 6, 7]);
        assert_eq!(indexes(&cache, 5, 7), [5, 6]);
        assert!(indexes(&cache, 8, 9).is_empty());
    }
}
