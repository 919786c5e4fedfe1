//! Transactions: conditions and writes that happen whole or not at all.

use serde::{Deserialize, Serialize};

use quorate_base::Revision;

use crate::record::{Record, Stored, encode, key_of};

/// What must hold for a transaction to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Condition {
    /// The key is not there.
    Absent(String),
    /// The key was last written by this change.
    At(String, Revision),
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Write {
    /// Sets the key.
    Put(String, Vec<u8>),
    /// Removes the key; no error when it is not there.
    Remove(String),
}

/// A catalog transaction under construction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[must_use]
pub struct Txn {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) writes: Vec<Write>,
}

impl Txn {
    /// A transaction that does nothing yet.
    pub fn new() -> Txn {
        Txn::default()
    }

    /// Writes a record that must not be there yet.
    pub fn insert<R: Record>(mut self, id: &str, record: &R) -> Txn {
        let key = key_of::<R>(id);
        self.conditions.push(Condition::Absent(key.clone()));
        self.writes.push(Write::Put(key, encode(record)));
        self
    }

    /// Replaces a record that must still be at the revision at which it was read.
    pub fn replace<R: Record>(mut self, read: &Stored<R>, record: &R) -> Txn {
        let key = key_of::<R>(&read.id);
        self.conditions
            .push(Condition::At(key.clone(), read.revision));
        self.writes.push(Write::Put(key, encode(record)));
        self
    }

    /// Writes a record whatever was there.
    pub fn put<R: Record>(mut self, id: &str, record: &R) -> Txn {
        self.writes
            .push(Write::Put(key_of::<R>(id), encode(record)));
        self
    }

    /// Removes a record that must still be at the revision at which it was read.
    pub fn remove<R: Record>(mut self, read: &Stored<R>) -> Txn {
        let key = key_of::<R>(&read.id);
        self.conditions
            .push(Condition::At(key.clone(), read.revision));
        self.writes.push(Write::Remove(key));
        self
    }

    /// Removes a record whatever it is; no error when it is not there.
    pub fn discard<R: Record>(mut self, id: &str) -> Txn {
        self.writes.push(Write::Remove(key_of::<R>(id)));
        self
    }

    /// Requires that a record, not written here, is still at the revision at which it was read.
    pub fn require<R: Record>(mut self, read: &Stored<R>) -> Txn {
        self.conditions
            .push(Condition::At(key_of::<R>(&read.id), read.revision));
        self
    }

    /// Requires that a record is not there.
    pub fn require_absent<R: Record>(mut self, id: &str) -> Txn {
        self.conditions.push(Condition::Absent(key_of::<R>(id)));
        self
    }
}
