//! One group's part of the shared log, as openraft wants it.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{
    AnyError, EntryPayload, ErrorSubject, ErrorVerb, LogState, OptionalSend, RaftLogId,
    RaftLogReader, StorageIOError,
};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::cache::{Cache, size};
use super::codec::{DecodeError, Kind, decode, encode, entry_key, meta_key};
use super::writer::{SharedLog, Write};
use crate::host::blocking;
use crate::host::clock::Moment;
use crate::host::config::{APPEND_BYTES_MAX, APPEND_ENTRIES_MAX};
use crate::host::guard::Guard;
use crate::host::types::{Entry, GroupId, LogId, SnapshotMeta, StorageError, Types, Vote};
use crate::types::VoterId;

/// A group's entries, vote and promises. Cheap to clone.
#[derive(Clone)]
pub(crate) struct GroupLog {
    group: GroupId,
    own: VoterId,
    shared: Arc<SharedLog>,
    state: Arc<Mutex<State>>,
    guard: Arc<Mutex<Guard>>,
    flushed: Arc<watch::Sender<Option<SnapshotMeta>>>,
}

struct State {
    cache: Cache,
    vote: Option<Vote>,
    purged: Option<LogId>,
    last: Option<LogId>,
    appended_at: Moment,
}

/// Why an entry cannot be read.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Disk(#[from] fjall::Error),
    #[error(transparent)]
    Value(#[from] DecodeError),
}

fn failed(verb: ErrorVerb, e: &(dyn std::error::Error + 'static)) -> StorageError {
    StorageIOError::new(ErrorSubject::Logs, verb, AnyError::from_dyn(e, None)).into()
}

fn unreadable(e: &(dyn std::error::Error + 'static)) -> StorageError {
    failed(ErrorVerb::Read, e)
}

fn unwritable(e: &io::Error) -> StorageError {
    failed(ErrorVerb::Write, e)
}

impl GroupLog {
    /// Reads what the shared log has of the group. Blocks.
    pub(crate) fn open(
        group: GroupId,
        own: VoterId,
        shared: Arc<SharedLog>,
    ) -> Result<GroupLog, StorageError> {
        let vote: Option<Vote> = read_meta(&shared, group, Kind::Vote)?;
        let purged = read_meta(&shared, group, Kind::Purged)?;
        let flushed = read_meta(&shared, group, Kind::Flushed)?;
        let last = match shared.disk.last_entry(group).map_err(|e| unreadable(&e))? {
            Some(bytes) => {
                let entry: Entry = decode(&bytes).map_err(|e| unreadable(&e))?;
                Some(entry.log_id)
            }
            None => purged,
        };
        let now = Moment::now();
        Ok(GroupLog {
            group,
            own,
            shared,
            guard: Arc::new(Mutex::new(Guard::opened(vote.as_ref(), now))),
            state: Arc::new(Mutex::new(State {
                cache: Cache::default(),
                vote,
                purged,
                last,
                appended_at: now,
            })),
            flushed: Arc::new(watch::Sender::new(flushed)),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    /// The promises and the lease.
    pub(crate) fn guard(&self) -> MutexGuard<'_, Guard> {
        self.guard.lock().expect("no holder panics")
    }

    /// The highest vote that is saved.
    pub(crate) fn vote(&self) -> Vote {
        self.state().vote.unwrap_or_default()
    }

    /// Whether a vote was ever saved: before the first one the group has no leader.
    pub(crate) fn has_voted(&self) -> bool {
        self.state().vote.is_some()
    }

    /// Whether nothing was ever voted for or written.
    pub(crate) fn is_fresh(&self) -> bool {
        let state = self.state();
        state.vote.is_none() && state.last.is_none()
    }

    /// Whether the log holds the entry, or began behind it.
    pub(crate) fn reaches(&self, entry: Option<LogId>) -> Result<bool, StorageError> {
        let Some(entry) = entry else {
            return Ok(true);
        };
        if self
            .state()
            .purged
            .is_some_and(|purged| purged.index >= entry.index)
        {
            return Ok(true);
        }
        let found = self.read_disk(entry.index, entry.index + 1, usize::MAX)?;
        Ok(found.first().is_some_and(|found| found.log_id == entry))
    }

    /// Gives up all entries: the machine's state at `entry`, which is durable, stands for what was agreed on up to there,
    /// and what else is here is older, or was never agreed on. Nothing may use the log yet.
    pub(crate) fn begin_behind(&self, entry: Option<LogId>) -> io::Result<()> {
        let Some(entry) = entry else {
            return Ok(());
        };
        let (first, last) = {
            let mut state = self.state();
            let first = state.purged.map_or(0, |id| id.index + 1);
            let last = state.last.map(|id| id.index);
            state.cache.purge(u64::MAX);
            state.purged = Some(entry);
            state.last = Some(entry);
            (first, last)
        };
        let encoded = encode(&entry);
        self.shared
            .write(self.group, Write::Meta(Kind::Purged, encoded))?;
        match last {
            Some(last) => self.shared.write(self.group, Write::Remove(first, last)),
            None => Ok(()),
        }
    }

    /// The last entry that the log does not hold any more.
    pub(crate) fn purged(&self) -> Option<LogId> {
        self.state().purged
    }

    /// Whether the log has neither entries nor a beginning behind some.
    pub(crate) fn is_empty(&self) -> bool {
        self.state().last.is_none()
    }

    /// What the machine was last flushed at.
    pub(crate) fn flushed(&self) -> Option<SnapshotMeta> {
        self.flushed.borrow().clone()
    }

    /// Notes that the machine's state up to here is durable: the log below may go.
    pub(crate) fn note_flushed(&self, meta: &SnapshotMeta) -> io::Result<()> {
        // One at a time: a flush may end after a snapshot that was loaded meanwhile, and is older then.
        let _one = self.state();
        let known = self.flushed.borrow().as_ref().map(|m| m.last_log_id);
        if known >= Some(meta.last_log_id) {
            return Ok(());
        }
        // Queued before anybody is told: a purge that waits for it is written after it.
        self.shared
            .write(self.group, Write::Meta(Kind::Flushed, encode(meta)))?;
        self.flushed.send_replace(Some(meta.clone()));
        Ok(())
    }

    /// Gives up cached entries of a group that has been idle since `since`.
    pub(crate) fn cool(&self, since: Moment) {
        let mut state = self.state();
        if state.appended_at < since {
            state.cache.clear(self.shared.durable());
        }
    }

    /// Removes all of the group that is on disk. Nothing may use the log any more.
    pub(crate) async fn forget(&self) -> io::Result<()> {
        self.shared.barrier(self.group).await?;
        self.shared.write(self.group, Write::Forget)?;
        self.shared.barrier(self.group).await
    }

    fn read_disk(
        &self,
        start: u64,
        end: u64,
        bytes_max: usize,
    ) -> Result<Vec<Entry>, StorageError> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        let (from, to) = (entry_key(self.group, start), entry_key(self.group, end));
        let take = |value: &[u8]| -> Result<bool, ReadError> {
            bytes += value.len();
            if bytes > bytes_max && !entries.is_empty() {
                return Ok(false);
            }
            entries.push(decode(value)?);
            Ok(true)
        };
        let read = self.shared.disk.entries(from, to, take);
        read.map_err(|e| unreadable(&e))?;
        Ok(entries)
    }

    /// Entries from `start` to before `end`: all of them, or as many as `bytes_max` lets through, but one.
    async fn read(
        &self,
        start: u64,
        end: u64,
        bytes_max: usize,
    ) -> Result<Vec<Entry>, StorageError> {
        let (start, end, cached_from) = {
            let state = self.state();
            // The writer may not have removed yet what is purged or truncated.
            let start = start.max(state.purged.map_or(0, |id| id.index + 1));
            let end = end.min(state.last.map_or(0, |id| id.index + 1));
            let cached_from = state.cache.first().unwrap_or(u64::MAX);
            if start >= cached_from || start >= end {
                return Ok(bounded(state.cache.range(start, end), bytes_max));
            }
            (start, end, cached_from)
        };
        let log = self.clone();
        let disk_end = end.min(cached_from);
        let read = move || log.read_disk(start, disk_end, bytes_max);
        let mut entries = blocking::run(read).await.map_err(|e| unreadable(&e))??;
        // Below the log's first entry the disk has none.
        let next = entries.last().map_or(disk_end, |e| e.log_id.index + 1);
        if next == disk_end && disk_end < end {
            let used = entries.iter().map(size).sum();
            let room = bytes_max.saturating_sub(used);
            // The cache may have moved on meanwhile; a short answer is asked again.
            let state = self.state();
            if room > 0 && state.cache.first().is_some_and(|first| first <= disk_end) {
                entries.extend(bounded(state.cache.range(disk_end, end), room));
            }
        }
        Ok(entries)
    }
}

fn bounded<'a>(entries: impl Iterator<Item = &'a Entry>, bytes_max: usize) -> Vec<Entry> {
    let mut bytes = 0_usize;
    let mut taken = Vec::new();
    for entry in entries {
        bytes = bytes.saturating_add(size(entry));
        if bytes > bytes_max && !taken.is_empty() {
            break;
        }
        taken.push(entry.clone());
    }
    taken
}

fn read_meta<T: DeserializeOwned>(
    shared: &SharedLog,
    group: GroupId,
    kind: Kind,
) -> Result<Option<T>, StorageError> {
    let found = shared.disk.meta(&meta_key(group, kind));
    let Some(bytes) = found.map_err(|e| unreadable(&e))? else {
        return Ok(None);
    };
    decode(&bytes).map(Some).map_err(|e| unreadable(&e))
}

impl RaftLogReader<Types> for GroupLog {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, StorageError> {
        let start = match range.start_bound() {
            Bound::Included(index) => *index,
            Bound::Excluded(index) => index + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(index) => index + 1,
            Bound::Excluded(index) => *index,
            Bound::Unbounded => self.state().last.map_or(0, |last| last.index + 1),
        };
        let mut entries = Vec::new();
        let mut next = start;
        while next < end {
            let more = self.read(next, end, usize::MAX).await?;
            let Some(last) = more.last() else { break };
            next = last.log_id.index + 1;
            entries.extend(more);
        }
        Ok(entries)
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, StorageError> {
        let end = end.min(start + APPEND_ENTRIES_MAX);
        self.read(start, end, APPEND_BYTES_MAX).await
    }
}

impl RaftLogStorage<Types> for GroupLog {
    type LogReader = GroupLog;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError> {
        let state = self.state();
        Ok(LogState {
            last_purged_log_id: state.purged,
            last_log_id: state.last,
        })
    }

    async fn get_log_reader(&mut self) -> GroupLog {
        self.clone()
    }

    /// Waits for promises to run out first, then for the disk: this is where a promise is kept.
    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        loop {
            let wait = self.guard().begin_vote(vote, Moment::now());
            if wait.is_zero() {
                break;
            }
            tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
        }
        self.shared
            .write(self.group, Write::Meta(Kind::Vote, encode(vote)))
            .map_err(|e| unwritable(&e))?;
        self.shared
            .barrier(self.group)
            .await
            .map_err(|e| unwritable(&e))?;
        self.state().vote = Some(*vote);
        Ok(())
    }

    /// A replica that led when it ended does not lead after a start: it has forgotten how far the group had got, and
    /// its lease. It stands as a candidate that nobody answered, and has to ask again.
    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        let own = self.own;
        Ok(self.state().vote.map(|mut vote| {
            vote.committed &= vote.leader_id.node_id != own;
            vote
        }))
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<Types>,
    ) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        for entry in &entries {
            if let EntryPayload::Normal(payload) = &entry.payload {
                payload.note_logged();
            }
        }
        let cached = entries.clone();
        let state = &self.state;
        let durable = self.shared.durable();
        let numbered = |number| {
            let mut state = state.lock().expect("no holder panics");
            for entry in cached {
                state.last = Some(*entry.get_log_id());
                state.cache.push(number, entry);
            }
            state.cache.trim(durable);
            state.appended_at = Moment::now();
        };
        self.shared
            .append(self.group, entries, callback, numbered)
            .map_err(|e| unwritable(&e))
    }

    async fn truncate(&mut self, since: LogId) -> Result<(), StorageError> {
        let last = {
            let mut state = self.state();
            state.cache.truncate(since.index);
            state.last.map_or(0, |last| last.index)
        };
        let before = since.index.checked_sub(1);
        let last_kept = match before {
            Some(index) => self.read(index, since.index, 0).await?.pop(),
            None => None,
        };
        {
            let mut state = self.state();
            state.last = last_kept.map(|e| e.log_id).or(state.purged);
        }
        self.shared
            .write(self.group, Write::Remove(since.index, last))
            .map_err(|e| unwritable(&e))
    }

    /// Waits until the machine has flushed that far: until then the log is the only safe copy.
    async fn purge(&mut self, upto: LogId) -> Result<(), StorageError> {
        let mut flushed = self.flushed.subscribe();
        let far_enough =
            |meta: &Option<SnapshotMeta>| meta.as_ref().and_then(|m| m.last_log_id) >= Some(upto);
        tokio::select! {
            _ = flushed.wait_for(far_enough) => {}
            why = self.shared.poison().wait() => return Err(unwritable(&io::Error::other(why))),
        }
        let (from, to) = {
            let mut state = self.state();
            let from = state.purged.map_or(0, |id| id.index + 1);
            let to = state
                .last
                .map_or(upto.index, |last| upto.index.min(last.index));
            state.cache.purge(upto.index);
            state.purged = state.purged.max(Some(upto));
            state.last = state.last.max(Some(upto));
            (from, to)
        };
        let log = &self.shared;
        log.write(self.group, Write::Meta(Kind::Purged, encode(&upto)))
            .and_then(|()| log.write(self.group, Write::Remove(from, to)))
            .map_err(|e| unwritable(&e))
    }
}

#[cfg(test)]
mod tests;
