//! Latches: one writer for each key between its evaluation and the end of its proposal.
//!
//! Owns who holds which key on this node. Nothing of it is on disk: a latch says nothing to other replicas.
//!
//! Invariant: a key's mutex is in the table while anyone holds it or waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use xxhash_rust::xxh3::xxh3_64;

use crate::spec::ItemKey;

/// The longest wait for all of a request's keys.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Others held the keys for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the keys were held by other writers for too long")]
pub struct LatchTimeout;

type Held = Mutex<HashMap<u64, Arc<AsyncMutex<()>>>>;

/// The latches of one partition.
#[derive(Debug, Default)]
pub(crate) struct LatchTable {
    held: Arc<Held>,
}

/// The right to evaluate writes of some keys. Held until their proposals are applied, or known to have failed.
#[derive(Debug)]
pub struct Latch {
    // Before the entries: a guard keeps its mutex counted.
    guards: Vec<OwnedMutexGuard<()>>,
    entries: Vec<Entry>,
}

/// Interest in a key's mutex.
#[derive(Debug)]
struct Entry {
    hash: u64,
    mutex: Arc<AsyncMutex<()>>,
    held: Arc<Held>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        // The table's and this one: nobody else waits, and nobody can come while the table is locked.
        if Arc::strong_count(&self.mutex) == 2 {
            held.remove(&self.hash);
        }
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        self.guards.clear();
    }
}

impl LatchTable {
    pub(crate) async fn lock(&self, keys: &[ItemKey]) -> Result<Latch, LatchTimeout> {
        let mut hashes: Vec<u64> = keys.iter().map(|key| xxh3_64(&key.0)).collect();
        // In one order, so that two requests never wait for each other.
        hashes.sort_unstable();
        hashes.dedup();
        tokio::time::timeout(WAIT_MAX, self.lock_all(&hashes))
            .await
            .map_err(|_| LatchTimeout)
    }

    async fn lock_all(&self, hashes: &[u64]) -> Latch {
        let mut latch = Latch {
            guards: Vec::with_capacity(hashes.len()),
            entries: Vec::with_capacity(hashes.len()),
        };
        for hash in hashes {
            let entry = self.entry(*hash);
            let mutex = Arc::clone(&entry.mutex);
            latch.entries.push(entry);
            latch.guards.push(mutex.lock_owned().await);
        }
        latch
    }

    fn entry(&self, hash: u64) -> Entry {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        Entry {
            hash,
            mutex: Arc::clone(held.entry(hash).or_default()),
            held: Arc::clone(&self.held),
        }
    }
}

impl Latch {
    /// Whether the key may be written under this latch.
    pub(crate) fn covers(&self, key: &ItemKey) -> bool {
        let hash = xxh3_64(&key.0);
        self.entries.iter().any(|entry| entry.hash == hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> ItemKey {
        ItemKey(vec![n])
    }

    #[tokio::test]
    async fn a_key_has_one_holder_and_leaves_nothing_behind() {
        let table = Arc::new(LatchTable::default());
        let first = table.lock(&[key(2), key(1), key(1)]).await.unwrap();
        assert!(first.covers(&key(1)) && !first.covers(&key(3)));
        let other = table.lock(&[key(3)]).await.unwrap();
        let waits = {
            let table = Arc::clone(&table);
            tokio::spawn(async move { table.lock(&[key(1), key(2)]).await.unwrap() })
        };
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        drop(first);
        drop(waits.await.unwrap());
        drop(other);
        assert!(table.held.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_and_is_forgotten() {
        let table = LatchTable::default();
        let first = table.lock(&[key(1)]).await.unwrap();
        assert_eq!(table.lock(&[key(1)]).await.unwrap_err(), LatchTimeout);
        drop(first);
        assert!(table.held.lock().unwrap().is_empty());
    }
}
