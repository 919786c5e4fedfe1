//! Where the shared log is kept: a fjall database, or a simulated disk.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};

use crate::host::types::GroupId;

/// Memory that entries take before fjall writes them out as a table.
const MEMTABLE_BYTES: u64 = 32 << 20;

/// A part of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Space {
    /// Entries, under the group's number and the index.
    Entries,
    /// What else is kept of a group, under its number and a kind.
    Meta,
}

/// One row that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub space: Space,
    /// Its key.
    pub key: Vec<u8>,
    /// What it is; none when it goes.
    pub value: Option<Vec<u8>>,
}

/// Rows in the order of their keys.
pub type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// A simulated disk: what was written is read at once, and may be gone after a crash until it was synced.
pub trait LogDisk: Send + Sync {
    /// The row of a key.
    fn get(&self, space: Space, key: &[u8]) -> Option<Vec<u8>>;
    /// The rows from one key to before another.
    fn range(&self, space: Space, from: &[u8], to: &[u8]) -> Rows;
    /// Writes changes together: after a crash all of them are there or none.
    fn write(&self, changes: Vec<Change>);
    /// How long the next sync takes.
    fn sync_time(&self) -> Duration;
    /// Makes all that was written durable.
    ///
    /// # Errors
    /// When the disk is made to fail.
    fn sync(&self) -> io::Result<()>;
}

/// Where the log is kept.
#[derive(Clone)]
pub(crate) enum Disk {
    Fjall {
        db: Database,
        entries: Keyspace,
        meta: Keyspace,
    },
    Simulated(Arc<dyn LogDisk>),
}

/// Changes that are written together.
pub(crate) enum Batch {
    Fjall(OwnedWriteBatch),
    Simulated(Vec<Change>),
}

impl Batch {
    pub(crate) fn len(&self) -> usize {
        match self {
            Batch::Fjall(batch) => batch.len(),
            Batch::Simulated(changes) => changes.len(),
        }
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The key behind all of a group's.
fn end_of(group: GroupId) -> Vec<u8> {
    match group.0.checked_add(1) {
        Some(next) => next.to_be_bytes().to_vec(),
        None => vec![0xFF; 17],
    }
}

impl Disk {
    /// Opens the database in `folder`, or makes it there.
    pub(crate) fn open(folder: &Path) -> fjall::Result<Disk> {
        let db = Database::builder(folder).open()?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let entries = db.keyspace("entries", options)?;
        let meta = db.keyspace("meta", KeyspaceCreateOptions::default)?;
        Ok(Disk::Fjall { db, entries, meta })
    }

    pub(crate) fn batch(&self) -> Batch {
        match self {
            Disk::Fjall { db, .. } => Batch::Fjall(db.batch()),
            Disk::Simulated(_) => Batch::Simulated(Vec::new()),
        }
    }

    pub(crate) fn insert(&self, batch: &mut Batch, space: Space, key: &[u8], value: Vec<u8>) {
        match batch {
            Batch::Fjall(batch) => {
                if let Some(keyspace) = self.keyspace(space) {
                    batch.insert(keyspace, key, value);
                }
            }
            Batch::Simulated(changes) => changes.push(Change {
                space,
                key: key.to_vec(),
                value: Some(value),
            }),
        }
    }

    pub(crate) fn remove(&self, batch: &mut Batch, space: Space, key: &[u8]) {
        match batch {
            Batch::Fjall(batch) => {
                if let Some(keyspace) = self.keyspace(space) {
                    batch.remove(keyspace, key);
                }
            }
            Batch::Simulated(changes) => changes.push(Change {
                space,
                key: key.to_vec(),
                value: None,
            }),
        }
    }

    /// Of a database only.
    fn keyspace(&self, space: Space) -> Option<&Keyspace> {
        match (self, space) {
            (Disk::Fjall { entries, .. }, Space::Entries) => Some(entries),
            (Disk::Fjall { meta, .. }, Space::Meta) => Some(meta),
            (Disk::Simulated(_), _) => None,
        }
    }

    /// Writes a batch; with `durable` it and all before it are synced.
    pub(crate) fn commit(&self, batch: Batch, durable: bool) -> Result<(), String> {
        match (self, batch) {
            (Disk::Fjall { db, .. }, batch) if batch.is_empty() => {
                if durable {
                    return db.persist(PersistMode::SyncData).map_err(|e| e.to_string());
                }
                Ok(())
            }
            (_, Batch::Fjall(batch)) => {
                let durability = durable.then_some(PersistMode::SyncData);
                batch
                    .durability(durability)
                    .commit()
                    .map_err(|e| e.to_string())
            }
            (Disk::Simulated(disk), Batch::Simulated(changes)) => {
                if !changes.is_empty() {
                    disk.write(changes);
                }
                if durable {
                    return disk.sync().map_err(|e| e.to_string());
                }
                Ok(())
            }
            (Disk::Fjall { .. }, Batch::Simulated(_)) => {
                Err(String::from("a batch of another disk"))
            }
        }
    }

    /// The row of a key in `meta`.
    pub(crate) fn meta(&self, key: &[u8]) -> fjall::Result<Option<Vec<u8>>> {
        match self {
            Disk::Fjall { meta, .. } => Ok(meta.get(key)?.map(|value| value.to_vec())),
            Disk::Simulated(disk) => Ok(disk.get(Space::Meta, key)),
        }
    }

    /// The last entry of a group.
    pub(crate) fn last_entry(&self, group: GroupId) -> fjall::Result<Option<Vec<u8>>> {
        let prefix = group.0.to_be_bytes();
        match self {
            Disk::Fjall { entries, .. } => {
                let last = entries.prefix(prefix).next_back();
                last.map(|item| Ok(item.value()?.to_vec())).transpose()
            }
            Disk::Simulated(disk) => {
                let mut rows = disk.range(Space::Entries, &prefix, &end_of(group));
                Ok(rows.pop().map(|(_, value)| value))
            }
        }
    }

    /// Looks at entries from one key to before another, until `take` has enough.
    pub(crate) fn entries<E: From<fjall::Error>>(
        &self,
        from: [u8; 16],
        to: [u8; 16],
        mut take: impl FnMut(&[u8]) -> Result<bool, E>,
    ) -> Result<(), E> {
        match self {
            Disk::Fjall { entries, .. } => {
                for item in entries.range(from..to) {
                    if !take(&item.value()?)? {
                        break;
                    }
                }
            }
            Disk::Simulated(disk) => {
                for (_, value) in disk.range(Space::Entries, &from, &to) {
                    if !take(&value)? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// The keys of all rows of a group.
    pub(crate) fn keys_of(&self, group: GroupId, space: Space) -> fjall::Result<Vec<Vec<u8>>> {
        let prefix = group.0.to_be_bytes();
        match (self, self.keyspace(space)) {
            (_, Some(keyspace)) => keyspace
                .prefix(prefix)
                .map(|item| Ok(item.key()?.to_vec()))
                .collect(),
            (Disk::Simulated(disk), None) => {
                let rows = disk.range(space, &prefix, &end_of(group));
                Ok(rows.into_iter().map(|(key, _)| key).collect())
            }
            (Disk::Fjall { .. }, None) => Ok(Vec::new()),
        }
    }

    /// The keys of all of `meta`.
    pub(crate) fn meta_keys(&self) -> fjall::Result<Vec<Vec<u8>>> {
        match self {
            Disk::Fjall { meta, .. } => meta.iter().map(|row| Ok(row.key()?.to_vec())).collect(),
            Disk::Simulated(disk) => {
                let rows = disk.range(Space::Meta, &[], &[0xFF; 17]);
                Ok(rows.into_iter().map(|(key, _)| key).collect())
            }
        }
    }
}
