//! A machine with what openraft wants to know of it.
//!
//! Invariants
//! - The machine's mark says which entries its state holds: applying goes on from there, each entry once.
//! - A "snapshot" is built by flushing the machine; its bytes are written only when a replica needs them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use openraft::storage::{RaftStateMachine, Snapshot};
use openraft::{
    AnyError, EntryPayload, ErrorSubject, ErrorVerb, Membership, OptionalSend, RaftSnapshotBuilder,
    StorageIOError,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use crate::host::blocking;
use crate::host::kept_snapshot::KeptSnapshots;
use crate::host::log::{DecodeError, GroupLog, decode, encode};
use crate::host::machine::{Command, DurableMachine};
use crate::host::poison::Poison;
use crate::host::snapshot_file::SnapshotFile;
use crate::host::types::{
    Answers, Entry, GroupId, LeaderId, LogId, SnapshotMeta, StorageError, StoredMembership, Types,
};
use crate::types::Voter;

/// What a machine's state covers; the machine keeps it as bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) last: Option<LogId>,
    pub(crate) membership: StoredMembership,
}

impl Mark {
    /// The mark of a state that a group begins with: as if it were what the entry that forms the group came to.
    pub(crate) fn of_birth(voters: &[Voter]) -> Mark {
        let first = LogId::new(LeaderId::default(), 0);
        let ids: BTreeSet<_> = voters.iter().map(Voter::id).collect();
        let nodes: BTreeMap<_, _> = voters.iter().map(|v| (v.id(), v.clone())).collect();
        Mark {
            last: Some(first),
            membership: StoredMembership::new(Some(first), Membership::new(vec![ids], nodes)),
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        encode(self)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Mark, DecodeError> {
        decode(bytes)
    }

    pub(crate) fn meta(&self) -> SnapshotMeta {
        SnapshotMeta {
            last_log_id: self.last,
            last_membership: self.membership.clone(),
            snapshot_id: self.last.map(|id| id.to_string()).unwrap_or_default(),
        }
    }
}

/// The voters of the group at a mark that was given to its machine.
///
/// # Errors
/// When the bytes are no mark.
pub fn voters_at(mark: &[u8]) -> io::Result<Vec<Voter>> {
    let mark = Mark::from_bytes(mark).map_err(io::Error::other)?;
    let membership = mark.membership.membership();
    let voters = membership
        .voter_ids()
        .filter_map(|id| membership.get_node(&id));
    Ok(voters.cloned().collect())
}

/// When a machine is to be flushed, and the bell for it.
pub(crate) struct FlushPace {
    pub(crate) every_entries: u64,
    pub(crate) every_bytes: u64,
    entries: AtomicU64,
    bytes: AtomicU64,
    wanted: AtomicBool,
    bell: Arc<Notify>,
}

impl FlushPace {
    pub(crate) fn new(every_entries: u64, every_bytes: u64, bell: Arc<Notify>) -> FlushPace {
        FlushPace {
            every_entries,
            every_bytes,
            entries: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            wanted: AtomicBool::new(false),
            bell,
        }
    }

    fn note(&self, entries: u64, bytes: u64) {
        let entries = entries + self.entries.fetch_add(entries, Ordering::Relaxed);
        let bytes = bytes + self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if entries >= self.every_entries || bytes >= self.every_bytes {
            self.entries.store(0, Ordering::Relaxed);
            self.bytes.store(0, Ordering::Relaxed);
            self.wanted.store(true, Ordering::Release);
            self.bell.notify_one();
        }
    }

    /// Whether a flush is wanted; asking takes the wish.
    pub(crate) fn take(&self) -> bool {
        self.wanted.swap(false, Ordering::AcqRel)
    }
}

/// One group's machine at this replica.
pub(crate) struct Applied {
    pub(crate) group: GroupId,
    pub(crate) kept: KeptSnapshots,
    pub(crate) machine: Arc<dyn DurableMachine>,
    pub(crate) log: GroupLog,
    pub(crate) mark: Mark,
    pub(crate) told: Arc<watch::Sender<Option<LogId>>>,
    pub(crate) poison: Arc<Poison>,
    pub(crate) pace: Arc<FlushPace>,
}

fn failed(verb: ErrorVerb, e: &(dyn std::error::Error + 'static)) -> StorageError {
    StorageIOError::new(
        ErrorSubject::StateMachine,
        verb,
        AnyError::from_dyn(e, None),
    )
    .into()
}

impl Applied {
    /// An error of the machine stops the host.
    fn machine_failed(&self, e: &io::Error) -> StorageError {
        self.poison.set(&format!("a group's machine failed: {e}"));
        failed(ErrorVerb::Write, e)
    }

    /// Applies the entries, those up to a change of the voters apart from those behind it: so a mark says who the voters
    /// were when the machine applied a command.
    fn apply_now(&mut self, entries: &[Entry]) -> io::Result<Vec<Answers>> {
        let changes = |entry: &Entry| matches!(entry.payload, EntryPayload::Membership(_));
        let mut answers = Vec::with_capacity(entries.len());
        for same_voters in entries.chunk_by(|_, next| !changes(next)) {
            answers.extend(self.apply_chunk(same_voters)?);
        }
        Ok(answers)
    }

    fn apply_chunk(&mut self, entries: &[Entry]) -> io::Result<Vec<Answers>> {
        let damaged = || io::Error::other("an entry's commands are damaged");
        let mut commands = Vec::new();
        let mut counts = Vec::with_capacity(entries.len());
        let mut bytes = 0;
        for entry in entries {
            let before = commands.len();
            match &entry.payload {
                EntryPayload::Normal(payload) => {
                    let term = entry.log_id.leader_id.term;
                    let of_entry = payload.commands().ok_or_else(damaged)?;
                    commands.extend(of_entry.into_iter().map(|bytes| Command { term, bytes }));
                    bytes += payload.len() as u64;
                }
                EntryPayload::Membership(membership) => {
                    self.mark.membership =
                        StoredMembership::new(Some(entry.log_id), membership.clone());
                }
                EntryPayload::Blank => {}
            }
            self.mark.last = Some(entry.log_id);
            counts.push(commands.len() - before);
        }
        let answers = self.machine.apply(&commands, &self.mark.to_bytes())?;
        if answers.len() != commands.len() {
            return Err(io::Error::other("not one answer for each command"));
        }
        self.pace.note(entries.len() as u64, bytes);
        let mut answers = answers.into_iter();
        let share = |count| Answers(answers.by_ref().take(count).collect());
        Ok(counts.into_iter().map(share).collect())
    }
}

impl RaftStateMachine<Types> for Applied {
    type SnapshotBuilder = Flusher;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), StorageError> {
        Ok((self.mark.last, self.mark.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Answers>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let answers = self
            .poison
            .check()
            .and_then(|()| self.apply_now(&entries))
            .map_err(|e| self.machine_failed(&e))?;
        self.told.send_replace(self.mark.last);
        Ok(answers)
    }

    async fn get_snapshot_builder(&mut self) -> Flusher {
        Flusher {
            machine: self.machine.clone(),
            log: self.log.clone(),
            meta: self.mark.meta(),
            poison: self.poison.clone(),
        }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<SnapshotFile>, StorageError> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Box<SnapshotFile>,
    ) -> Result<(), StorageError> {
        let mark = Mark {
            last: meta.last_log_id,
            membership: meta.last_membership.clone(),
        };
        let (machine, bytes) = (self.machine.clone(), mark.to_bytes());
        let (kept, group) = (self.kept.clone(), self.group);
        let load = move || {
            kept.keep(group, *snapshot, &bytes)?;
            kept.load(group, &*machine)
        };
        let loaded = blocking::run(load).await;
        loaded
            .and_then(|loaded| loaded)
            .and_then(|()| self.log.note_flushed(meta))
            .map_err(|e| self.machine_failed(&e))?;
        let (kept, group) = (self.kept.clone(), self.group);
        let dropped = blocking::run(move || kept.drop_kept(group)).await;
        dropped
            .and_then(|dropped| dropped)
            .map_err(|e| self.machine_failed(&e))?;
        self.mark = mark;
        self.told.send_replace(self.mark.last);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError> {
        Ok(self.log.flushed().map(|meta| Snapshot {
            meta,
            snapshot: Box::default(),
        }))
    }
}

/// Builds a "snapshot": all that was applied when it was made is durable when it is done.
pub(crate) struct Flusher {
    machine: Arc<dyn DurableMachine>,
    log: GroupLog,
    meta: SnapshotMeta,
    poison: Arc<Poison>,
}

impl RaftSnapshotBuilder<Types> for Flusher {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, StorageError> {
        let machine = self.machine.clone();
        let flushed = blocking::run(move || machine.flush()).await;
        flushed
            .and_then(|flushed| flushed)
            .and_then(|()| self.log.note_flushed(&self.meta))
            .map_err(|e| {
                self.poison.set(&format!("a group's machine failed: {e}"));
                failed(ErrorVerb::Write, &e)
            })?;
        Ok(Snapshot {
            meta: self.meta.clone(),
            snapshot: Box::default(),
        })
    }
}
