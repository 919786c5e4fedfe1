//! A local copy of the catalog that watches keep up to date.

use std::sync::{Arc, RwLock};

use tokio::sync::watch;

use quorate_base::Revision;

use crate::catalog::{list_from, read_from};
use crate::error::CatalogError;
use crate::record::{Record, Stored};
use crate::store::{Change, Entry, Outcome, Store};
use crate::txn::Txn;

/// A shared copy of the catalog, and a bell that rings when it changes. Cheap to clone.
#[derive(Clone)]
pub struct View {
    store: Arc<RwLock<Store>>,
    bell: watch::Sender<Revision>,
}

impl Default for View {
    fn default() -> View {
        View {
            store: Arc::default(),
            bell: watch::Sender::new(Revision::default()),
        }
    }
}

impl View {
    /// Reads one record; possibly behind the newest commit.
    ///
    /// # Errors
    /// `Unreadable` when this build cannot read the entry.
    pub fn read<R: Record>(&self, id: &str) -> Result<Option<Stored<R>>, CatalogError> {
        self.with(|store| read_from(store, id))
    }

    /// Reads all records of a table in the order of their ids; possibly behind the newest commit.
    ///
    /// # Errors
    /// `Unreadable` when this build cannot read an entry.
    pub fn list<R: Record>(&self) -> Result<Vec<Stored<R>>, CatalogError> {
        self.with(list_from)
    }

    /// The entry under a key, undecoded.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<Entry> {
        self.with(|store| store.get(key).cloned())
    }

    /// The newest change that the view holds.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.with(Store::revision)
    }

    /// A receiver that changes with each change of the catalog. Mark it seen *before* reading.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Revision> {
        self.bell.subscribe()
    }

    /// Waits until the view holds the change at `revision`.
    pub async fn reach(&self, revision: Revision) {
        let mut bell = self.subscribe();
        // The sender lives in this view, so the channel cannot close while we wait.
        let _ = bell.wait_for(|seen| *seen >= revision).await;
    }

    /// A copy of the whole store.
    #[must_use]
    pub fn snapshot(&self) -> Store {
        self.with(Store::clone)
    }

    /// Applies a transaction; `note` is given its changes before anybody can see them.
    pub(crate) fn apply(
        &self,
        revision: Revision,
        txn: &Txn,
        note: impl FnOnce(Vec<Change>),
    ) -> Outcome {
        self.change(|store| {
            let (outcome, changes) = store.apply(revision, txn);
            note(changes);
            outcome
        })
    }

    pub(crate) fn advance(&self, revision: Revision) {
        self.change(|store| store.advance(revision));
    }

    /// Takes over changes that lead from `since` to `revision`; does nothing when the view does not
    /// lie between the two.
    pub(crate) fn follow(&self, since: Revision, revision: Revision, changes: &[Change]) {
        self.change(|store| {
            if since <= store.revision() && store.revision() < revision {
                store.follow(revision, changes);
            }
        });
    }

    /// Takes over a whole catalog, unless it is older than the view.
    pub(crate) fn replace(&self, with: Store) {
        self.change(|store| {
            if with.revision() > store.revision() {
                *store = with;
            }
        });
    }

    /// Reads the store in place.
    pub(crate) fn with<T>(&self, read: impl FnOnce(&Store) -> T) -> T {
        read(&self.store.read().expect("no holder of the lock panics"))
    }

    fn change<T>(&self, write: impl FnOnce(&mut Store) -> T) -> T {
        let (result, revision) = {
            let mut store = self.store.write().expect("no holder of the lock panics");
            (write(&mut store), store.revision())
        };
        self.bell.send_replace(revision);
        result
    }
}
