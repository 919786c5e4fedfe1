//! The group's log, vote and newest snapshot on disk, in one fjall database.
//!
//! Keyspace `log` holds entries under their index (8 bytes, big-endian). Keyspace `meta` holds the vote, the
//! last purged log id, and the newest snapshot with its description. Each value starts with a format byte.
//!
//! Invariant: a vote, a snapshot or an append is synced before openraft is told that it is written. After a sync
//! that failed nothing is acknowledged any more.

use std::fmt::Debug;
use std::ops::{Bound, RangeBounds};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{AnyError, ErrorSubject, ErrorVerb, LogState, OptionalSend, RaftLogReader};
use openraft::{RaftLogId, StorageIOError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::types::{Entry, LogId, SnapshotMeta, StorageError, Types, Vote, VoterId};

/// Version of every value's encoding: postcard of openraft 0.9's types.
const FORMAT: u8 = 1;
const VOTE: &str = "vote";
const PURGED: &str = "purged";
const SNAPSHOT: &str = "snapshot";

/// The store of one voter. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LogStore {
    own: VoterId,
    db: Database,
    log: Keyspace,
    meta: Keyspace,
    syncs: Sender<LogFlushed<Types>>,
}

impl LogStore {
    /// Opens the log of the voter `own`.
    pub(crate) fn open(own: VoterId, folder: &Path) -> fjall::Result<LogStore> {
        let db = Database::builder(folder).open()?;
        let log = db.keyspace("log", KeyspaceCreateOptions::default)?;
        let meta = db.keyspace("meta", KeyspaceCreateOptions::default)?;
        let (syncs, waiting) = std::sync::mpsc::channel();
        let synced = db.clone();
        std::thread::Builder::new()
            .name(String::from("raft-log-sync"))
            .spawn(move || sync_appends(&synced, &waiting))
            .map_err(fjall::Error::Io)?;
        Ok(LogStore {
            own,
            db,
            log,
            meta,
            syncs,
        })
    }

    pub(crate) fn save_snapshot(
        &self,
        meta: &SnapshotMeta,
        data: &[u8],
    ) -> Result<(), StorageError> {
        self.put_meta(
            SNAPSHOT,
            &(meta, data),
            ErrorSubject::Snapshot(Some(meta.signature())),
        )
    }

    pub(crate) fn snapshot(&self) -> Result<Option<(SnapshotMeta, Vec<u8>)>, StorageError> {
        self.get_meta(SNAPSHOT)
    }

    fn put_meta<T: Serialize>(
        &self,
        key: &str,
        value: &T,
        subject: ErrorSubject<VoterId>,
    ) -> Result<(), StorageError> {
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncAll));
        batch.insert(&self.meta, key, encode(value));
        batch
            .commit()
            .map_err(|e| failed(subject, ErrorVerb::Write, &e))
    }

    fn get_meta<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StorageError> {
        let failed =
            |e: &(dyn std::error::Error + 'static)| failed(ErrorSubject::Store, ErrorVerb::Read, e);
        let Some(bytes) = self.meta.get(key).map_err(|e| failed(&e))? else {
            return Ok(None);
        };
        decode(&bytes).map(Some).map_err(|e| failed(&e))
    }

    fn remove_range(&self, range: impl RangeBounds<[u8; 8]>) -> fjall::Result<()> {
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncAll));
        for item in self.log.range(range) {
            batch.remove(&self.log, item.key()?);
        }
        batch.commit()
    }

    fn last(&self) -> Result<Option<LogId>, StorageError> {
        let read =
            |e: &(dyn std::error::Error + 'static)| failed(ErrorSubject::Logs, ErrorVerb::Read, e);
        let Some(item) = self.log.last_key_value() else {
            return Ok(None);
        };
        let bytes = item.value().map_err(|e| read(&e))?;
        let entry: Entry = decode(&bytes).map_err(|e| read(&e))?;
        Ok(Some(*entry.get_log_id()))
    }
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, StorageError> {
        let bound = |bound: Bound<&u64>| match bound {
            Bound::Included(i) => Bound::Included(i.to_be_bytes()),
            Bound::Excluded(i) => Bound::Excluded(i.to_be_bytes()),
            Bound::Unbounded => Bound::Unbounded,
        };
        let read =
            |e: &(dyn std::error::Error + 'static)| failed(ErrorSubject::Logs, ErrorVerb::Read, e);
        self.log
            .range((bound(range.start_bound()), bound(range.end_bound())))
            .map(|item| {
                let bytes = item.value().map_err(|e| read(&e))?;
                decode(&bytes).map_err(|e| read(&e))
            })
            .collect()
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = LogStore;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError> {
        let last_purged_log_id: Option<LogId> = self.get_meta(PURGED)?;
        let last_log_id = self.last()?.or(last_purged_log_id);
        Ok(LogState {
            last_purged_log_id,
            last_log_id,
        })
    }

    async fn get_log_reader(&mut self) -> LogStore {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        let (store, vote) = (self.clone(), *vote);
        blocking(move || store.put_meta(VOTE, &vote, ErrorSubject::Vote)).await
    }

    /// A voter that led when it ended does not lead after a start: it has forgotten how far the group had got, and would
    /// confirm reads of a state that is long gone. It stands as a candidate that nobody answered, and has to ask again.
    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        let vote: Option<Vote> = self.get_meta(VOTE)?;
        Ok(vote.map(|mut vote| {
            vote.committed &= vote.leader_id.node_id != self.own;
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
        let write =
            |e: &(dyn std::error::Error + 'static)| failed(ErrorSubject::Logs, ErrorVerb::Write, e);
        let mut batch = self.db.batch();
        for entry in entries {
            batch.insert(&self.log, entry.log_id.index.to_be_bytes(), encode(&entry));
        }
        // Readable when this returns, as openraft asks; durable when the callback is called.
        batch.commit().map_err(|e| write(&e))?;
        self.syncs
            .send(callback)
            .map_err(|_| write(&std::io::Error::other("the log's sync thread ended")))
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let store = self.clone();
        blocking(move || store.remove_range(log_id.index.to_be_bytes()..))
            .await
            .map_err(|e| failed(ErrorSubject::Log(log_id), ErrorVerb::Delete, &e))
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let store = self.clone();
        blocking(move || {
            // First the mark, then the entries: a log that starts above what is marked as purged has a hole.
            store.put_meta(PURGED, &log_id, ErrorSubject::Log(log_id))?;
            store
                .remove_range(..=log_id.index.to_be_bytes())
                .map_err(|e| failed(ErrorSubject::Log(log_id), ErrorVerb::Delete, &e))
        })
        .await
    }
}

/// Syncs appends and calls them back, in their order: all that wait share one sync.
fn sync_appends(db: &Database, waiting: &Receiver<LogFlushed<Types>>) {
    while let Ok(first) = waiting.recv() {
        let batch: Vec<_> = std::iter::once(first).chain(waiting.try_iter()).collect();
        let result = db.persist(PersistMode::SyncAll);
        let failure = result.as_ref().err().map(ToString::to_string);
        for callback in batch {
            callback.log_io_completed(match &failure {
                None => Ok(()),
                Some(why) => Err(std::io::Error::other(why.clone())),
            });
        }
        if let Some(why) = failure {
            tracing::error!(error = %why, "the Raft log could not be synced: this voter stops");
            return;
        }
    }
}

/// Runs disk work off the async threads, so that a slow sync does not hold up heartbeats.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .expect("disk work does not panic and is not cancelled")
}

pub(crate) fn failed(
    subject: ErrorSubject<VoterId>,
    verb: ErrorVerb,
    e: &(dyn std::error::Error + 'static),
) -> StorageError {
    StorageIOError::new(subject, verb, AnyError::from_dyn(e, None)).into()
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_extend(value, vec![FORMAT]).expect("Raft's types are plain data")
}

#[derive(Debug, thiserror::Error)]
enum DecodeError {
    #[error("format {0:?} is not one that this build reads")]
    Format(Option<u8>),
    #[error("damaged value: {0}")]
    Damaged(#[from] postcard::Error),
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    match bytes.split_first() {
        Some((&FORMAT, rest)) => Ok(postcard::from_bytes(rest)?),
        other => Err(DecodeError::Format(other.map(|(first, _)| *first))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that goes when the test ends.
    struct Folder(std::path::PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn a_voter_that_led_does_not_lead_after_a_start() {
        let name = format!("quorate-log-{}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        let mut store = LogStore::open(7, &folder.0).unwrap();
        for (leader, still) in [(7, false), (8, true)] {
            store
                .save_vote(&Vote::new_committed(3, leader))
                .await
                .unwrap();
            let vote = store.read_vote().await.unwrap().unwrap();
            assert_eq!(vote.leader_id.node_id, leader);
            assert_eq!(vote.committed, still);
        }
    }
}
