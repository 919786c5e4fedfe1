//! What the log's commands are applied to, and how its state is kept in snapshots.

use std::io::Cursor;
use std::sync::Arc;

use openraft::storage::{RaftStateMachine, Snapshot};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};

use crate::log::{LogStore, blocking};
use crate::types::{Entry, LogId, SnapshotMeta, StorageError, StoredMembership, Types};

/// Applies commands. Total and deterministic: the same commands give the same state and answers everywhere.
pub trait StateMachine: Send + Sync + 'static {
    /// Applies the command at `index` of the log and answers it.
    fn apply(&self, index: u64, command: &[u8]) -> Vec<u8>;
    /// Notes that the log has passed `index` without a command.
    fn advance(&self, index: u64);
    /// The whole state as bytes.
    fn snapshot(&self) -> Vec<u8>;
    /// Replaces the state. An error says why the bytes are none.
    ///
    /// # Errors
    /// When the bytes are not a snapshot of this build's kind.
    fn restore(&self, snapshot: &[u8]) -> Result<(), String>;
}

/// The state machine with what openraft wants to know of it. The state itself is in memory; after a
/// start it is the newest snapshot and the log above it.
pub(crate) struct Applied {
    machine: Arc<dyn StateMachine>,
    store: LogStore,
    last: Option<LogId>,
    membership: StoredMembership,
}

impl Applied {
    pub(crate) fn open(
        machine: Arc<dyn StateMachine>,
        store: LogStore,
    ) -> Result<Applied, StorageError> {
        let mut applied = Applied {
            machine,
            store,
            last: None,
            membership: StoredMembership::default(),
        };
        if let Some((meta, data)) = applied.store.snapshot()? {
            applied.take_over(&meta, &data)?;
        }
        Ok(applied)
    }

    fn take_over(&mut self, meta: &SnapshotMeta, data: &[u8]) -> Result<(), StorageError> {
        self.machine.restore(data).map_err(|why| {
            let e = std::io::Error::other(why);
            let subject = openraft::ErrorSubject::Snapshot(Some(meta.signature()));
            crate::log::failed(subject, openraft::ErrorVerb::Read, &e)
        })?;
        self.last = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        Ok(())
    }
}

impl RaftStateMachine<Types> for Applied {
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), StorageError> {
        Ok((self.last, self.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Vec<u8>>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut answers = Vec::new();
        for entry in entries {
            let index = entry.log_id.index;
            self.last = Some(entry.log_id);
            answers.push(match entry.payload {
                EntryPayload::Normal(command) => self.machine.apply(index, &command),
                EntryPayload::Blank => {
                    self.machine.advance(index);
                    Vec::new()
                }
                EntryPayload::Membership(membership) => {
                    self.membership = StoredMembership::new(Some(entry.log_id), membership);
                    self.machine.advance(index);
                    Vec::new()
                }
            });
        }
        Ok(answers)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let index = self.last.map_or(0, |id| id.index);
        let meta = SnapshotMeta {
            last_log_id: self.last,
            last_membership: self.membership.clone(),
            snapshot_id: index.to_string(),
        };
        Builder {
            meta,
            data: self.machine.snapshot(),
            store: self.store.clone(),
        }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError> {
        let data = snapshot.into_inner();
        self.take_over(meta, &data)?;
        let (store, meta) = (self.store.clone(), meta.clone());
        blocking(move || store.save_snapshot(&meta, &data)).await
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError> {
        let found = self.store.snapshot()?;
        Ok(found.map(|(meta, data)| Snapshot {
            meta,
            snapshot: Box::new(Cursor::new(data)),
        }))
    }
}

/// A snapshot taken at one moment, to be written out.
pub(crate) struct Builder {
    meta: SnapshotMeta,
    data: Vec<u8>,
    store: LogStore,
}

impl RaftSnapshotBuilder<Types> for Builder {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, StorageError> {
        let (store, meta, data) = (
            self.store.clone(),
            self.meta.clone(),
            std::mem::take(&mut self.data),
        );
        let data = blocking(move || store.save_snapshot(&meta, &data).map(|()| data)).await?;
        Ok(Snapshot {
            meta: self.meta.clone(),
            snapshot: Box::new(Cursor::new(data)),
        })
    }
}
