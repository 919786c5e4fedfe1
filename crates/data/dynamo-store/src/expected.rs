//! What writes that are on their way will have made of items, so that the next write of an item need not wait for them.
//!
//! A write that follows on an expected image is right only if the one before it comes first in the log and is not lost
//! alone. The caller sees to it: it proposes in the order of evaluation, within one term of the leader, in which a lost
//! command takes all later ones with it. The *epoch* names that term; what another term expected is of no account.
//!
//! Invariant: an image is expected until its command is applied or its term is known to be over.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bytes::Bytes;
use crate::spec::ItemKey;

/// The newest image of an item.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    serial: u64,
    pub(crate) epoch: u64,
    /// The index definitions that it was evaluated with.
    pub(crate) revision: u32,
    /// The stored item; none when it will be gone.
    pub(crate) stored: Option<Bytes>,
}

/// The expected images of one partition.
#[derive(Debug, Default)]
pub(crate) struct Images {
    by_key: Mutex<HashMap<Vec<u8>, Image>>,
    serial: AtomicU64,
}

impl Images {
    fn held(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Image>> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn of(&self, key: &ItemKey) -> Option<Image> {
        self.held().get(&key.0).cloned()
    }

    pub(crate) fn expect(
        self: &Arc<Self>,
        key: &ItemKey,
        epoch: u64,
        revision: u32,
        stored: Option<Bytes>,
    ) -> Expected {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let image = Image {
            serial,
            epoch,
            revision,
            stored,
        };
        self.held().insert(key.0.clone(), image);
        Expected {
            images: self.clone(),
            key: key.0.clone(),
            serial,
        }
    }
}

/// An image that is expected for as long as this is held.
#[derive(Debug)]
pub struct Expected {
    images: Arc<Images>,
    key: Vec<u8>,
    serial: u64,
}

impl Drop for Expected {
    fn drop(&mut self) {
        let mut held = self.images.held();
        if held.get(&self.key).is_some_and(|i| i.serial == self.serial) {
            held.remove(&self.key);
        }
    }
}
