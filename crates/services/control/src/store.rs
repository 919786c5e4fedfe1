//! The catalog's state machine: a pure, ordered map that transactions change.
//!
//! Invariants
//! - Applying the same transactions in the same order gives the same map on every replica.
//! - A transaction whose conditions do not all hold changes nothing.
//! - An entry's revision is the index of the change that last wrote it, and only grows.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use quorate_base::Revision;

use crate::error::CatalogError;
use crate::record::{Record, Stored};
use crate::txn::{Condition, Txn, Write};

/// An entry's bytes and the change that wrote them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The change that last wrote this entry.
    pub revision: Revision,
    /// The enveloped record.
    pub value: Arc<[u8]>,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Made, at this revision.
    Committed(Revision),
    /// Not made: the condition on this key did not hold.
    Conflict(String),
}

/// One changed key, as watches carry it; `None` is a removal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// `table/id`.
    pub key: String,
    /// The entry after the change.
    pub entry: Option<Entry>,
}

/// The whole catalog at a revision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store {
    revision: Revision,
    entries: BTreeMap<String, Entry>,
}

impl Store {
    /// The newest change that is in this map.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The entry under a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Reads one record.
    ///
    /// # Errors
    /// `Unreadable` when this build cannot read the entry.
    pub fn read<R: Record>(&self, id: &str) -> Result<Option<Stored<R>>, CatalogError> {
        crate::catalog::read_from(self, id)
    }

    /// All entries whose key starts with `prefix`, in key order.
    pub fn scan<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Entry)> {
        self.entries
            .range::<str, _>((
                std::ops::Bound::Included(prefix),
                std::ops::Bound::Unbounded,
            ))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, entry)| (key.as_str(), entry))
    }

    /// Applies the transaction that the log holds at `revision`. Returns what became of it and the
    /// keys that it changed.
    pub fn apply(&mut self, revision: Revision, txn: &Txn) -> (Outcome, Vec<Change>) {
        assert!(
            revision > self.revision,
            "changes are applied in the order of the log"
        );
        self.revision = revision;
        if let Some(key) = txn
            .conditions
            .iter()
            .find_map(|condition| self.violated(condition))
        {
            return (Outcome::Conflict(key), Vec::new());
        }
        let changes = txn
            .writes
            .iter()
            .map(|write| self.write(revision, write))
            .collect();
        (Outcome::Committed(revision), changes)
    }

    /// Notes that the log has moved on without a transaction (membership changes, a leader's blank entry).
    pub fn advance(&mut self, revision: Revision) {
        self.revision = self.revision.max(revision);
    }

    /// Applies changes that another replica made, as a watch carries them.
    pub fn follow(&mut self, revision: Revision, changes: &[Change]) {
        for change in changes {
            match &change.entry {
                Some(entry) => {
                    self.entries.insert(change.key.clone(), entry.clone());
                }
                None => {
                    self.entries.remove(&change.key);
                }
            }
        }
        self.advance(revision);
    }

    fn violated(&self, condition: &Condition) -> Option<String> {
        match condition {
            Condition::Absent(key) => self.entries.contains_key(key).then(|| key.clone()),
            Condition::At(key, revision) => {
                let holds = self
                    .entries
                    .get(key)
                    .is_some_and(|e| e.revision == *revision);
                (!holds).then(|| key.clone())
            }
        }
    }

    fn write(&mut self, revision: Revision, write: &Write) -> Change {
        match write {
            Write::Put(key, value) => {
                let entry = Entry {
                    revision,
                    value: value.as_slice().into(),
                };
                self.entries.insert(key.clone(), entry.clone());
                Change {
                    key: key.clone(),
                    entry: Some(entry),
                }
            }
            Write::Remove(key) => {
                self.entries.remove(key);
                Change {
                    key: key.clone(),
                    entry: None,
                }
            }
        }
    }
}
