//! The catalog as services use it: typed records over whatever carries them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use quorate_base::Revision;

use crate::error::CatalogError;
use crate::memory::MemoryBackend;
use crate::record::{Record, Stored, decode, key_of};
use crate::store::{Outcome, Store};
use crate::txn::Txn;
use crate::view::View;

/// How often `Catalog::update` tries again after another writer came first.
const UPDATE_ATTEMPTS_MAX: usize = 16;

/// A boxed future, as backends return them.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What carries a catalog: memory for tests, a Raft replica in a voter, calls to the leader elsewhere.
pub trait Backend: Send + Sync {
    /// Commits a transaction.
    fn commit(&self, txn: Txn) -> Boxed<'_, Result<Outcome, CatalogError>>;
    /// Waits until the local view holds all that was committed before this call.
    fn read_barrier(&self) -> Boxed<'_, Result<(), CatalogError>>;
    /// The local view: possibly behind, never wrong.
    fn view(&self) -> &View;
}

/// A handle on one region's catalog. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    backend: Arc<dyn Backend>,
}

impl Catalog {
    /// A catalog over a backend.
    #[must_use]
    pub fn new(backend: Arc<dyn Backend>) -> Catalog {
        Catalog { backend }
    }

    /// A catalog in memory, for tests: every commit is seen at once.
    #[must_use]
    pub fn in_memory() -> Catalog {
        Catalog::new(Arc::new(MemoryBackend::default()))
    }

    /// The local view, for watching and for reads that may be a moment old.
    #[must_use]
    pub fn view(&self) -> &View {
        self.backend.view()
    }

    /// Reads the newest committed version of one record.
    ///
    /// # Errors
    /// `Unavailable` without a quorum, `Unreadable` when this build cannot read the entry.
    pub async fn read<R: Record>(&self, id: &str) -> Result<Option<Stored<R>>, CatalogError> {
        self.backend.read_barrier().await?;
        self.view().read(id)
    }

    /// Reads the newest committed version of all records of a table, in the order of their ids.
    ///
    /// # Errors
    /// As `read`.
    pub async fn list<R: Record>(&self) -> Result<Vec<Stored<R>>, CatalogError> {
        self.backend.read_barrier().await?;
        self.view().list()
    }

    /// Makes a transaction, whole or not at all; on success the local view holds it.
    ///
    /// # Errors
    /// `Conflict` when a condition did not hold. After `Unavailable` the transaction may or may not
    /// have been made: conditional writes can be tried again after a new read.
    pub async fn commit(&self, txn: Txn) -> Result<Revision, CatalogError> {
        match self.backend.commit(txn).await? {
            Outcome::Committed(revision) => Ok(revision),
            Outcome::Conflict(key) => Err(CatalogError::Conflict { key }),
        }
    }

    /// Reads a record, lets `change` alter it, and writes it back; again when another writer came
    /// first. `change` returning false means that nothing needs to be written.
    ///
    /// # Errors
    /// As `read` and `commit`; `Conflict` when the record is not there, or others came first too often.
    pub async fn update<R: Record>(
        &self,
        id: &str,
        mut change: impl FnMut(&mut R) -> bool,
    ) -> Result<Stored<R>, CatalogError> {
        let conflict = || CatalogError::Conflict {
            key: key_of::<R>(id),
        };
        for _ in 0..UPDATE_ATTEMPTS_MAX {
            let read = self.read::<R>(id).await?.ok_or_else(conflict)?;
            let mut record = read.record.clone();
            if !change(&mut record) {
                return Ok(read);
            }
            match self.commit(Txn::new().replace(&read, &record)).await {
                Ok(revision) => {
                    return Ok(Stored {
                        id: read.id,
                        revision,
                        record,
                    });
                }
                Err(CatalogError::Conflict { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Err(conflict())
    }
}

/// Reads one record out of a store.
pub(crate) fn read_from<R: Record>(
    store: &Store,
    id: &str,
) -> Result<Option<Stored<R>>, CatalogError> {
    let key = key_of::<R>(id);
    store
        .get(&key)
        .map(|entry| {
            let record = decode(&key, &entry.value)?;
            Ok(Stored {
                id: id.to_owned(),
                revision: entry.revision,
                record,
            })
        })
        .transpose()
}

/// Reads all records of a table out of a store.
pub(crate) fn list_from<R: Record>(store: &Store) -> Result<Vec<Stored<R>>, CatalogError> {
    let prefix = key_of::<R>("");
    store
        .scan(&prefix)
        .map(|(key, entry)| {
            let record = decode(key, &entry.value)?;
            let id = key[prefix.len()..].to_owned();
            Ok(Stored {
                id,
                revision: entry.revision,
                record,
            })
        })
        .collect()
}
