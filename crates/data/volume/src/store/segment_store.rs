//! The store, and who waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::protocol::SegmentId;

use super::entry::{FoundSegment, Position};
use super::error::StoreError;
use super::log::{Log, RunningLog};
use super::page_store::PageStore;
use super::segment::Segment;

pub(super) type Registry = BTreeMap<SegmentId, Arc<Segment>>;

/// The segments of one node. Cheap to clone; when the last clone goes, what waits is written and the log's writer ends.
#[derive(Clone)]
pub struct SegmentStore {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) running: RunningLog,
    pub(super) pages: PageStore,
    /// Changed with the queue held, so that the log and the registry have one order.
    pub(super) registry: RwLock<Registry>,
    /// Numbers of segments that were dropped and may have rows in the page store.
    pub(super) dropped: Mutex<Vec<Arc<Segment>>>,
    /// Held while layers change.
    pub(super) layering: Mutex<()>,
    /// Held while the log is truncated.
    pub(super) truncating: Mutex<()>,
}

impl std::fmt::Debug for SegmentStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SegmentStore")
            .field(&self.segments())
            .finish()
    }
}

impl SegmentStore {
    pub(super) fn log(&self) -> &Log {
        &self.inner.running.log
    }

    pub(super) fn segment(&self, id: &SegmentId) -> Result<Arc<Segment>, StoreError> {
        self.log().progress.check()?;
        let registry = self.inner.registry.read();
        let registry = registry.unwrap_or_else(PoisonError::into_inner);
        let found = registry.get(id).cloned();
        found.ok_or_else(|| StoreError::UnknownSegment(id.clone()))
    }

    pub(super) fn all_segments(&self) -> Vec<Arc<Segment>> {
        let registry = self.inner.registry.read();
        let registry = registry.unwrap_or_else(PoisonError::into_inner);
        registry.values().cloned().collect()
    }

    pub(super) fn dropped(&self) -> MutexGuard<'_, Vec<Arc<Segment>>> {
        let dropped = self.inner.dropped.lock();
        dropped.unwrap_or_else(PoisonError::into_inner)
    }

    /// The segments that lie here.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentId> {
        let all = self.all_segments();
        all.iter().map(|segment| segment.id.clone()).collect()
    }

    /// A segment as [`SegmentStore::open`] tells of it.
    ///
    /// # Errors
    /// When the segment is unknown or the store has stopped.
    pub fn found(&self, id: &SegmentId) -> Result<FoundSegment, StoreError> {
        Ok(self.segment(id)?.tells())
    }

    /// Waits until all up to `position` is on disk.
    ///
    /// # Errors
    /// When the store has stopped.
    pub async fn synced(&self, position: Position) -> Result<(), StoreError> {
        self.log().progress.wait(position).await
    }

    /// As [`SegmentStore::synced`], for a thread that may block.
    ///
    /// # Errors
    /// When the store has stopped.
    pub fn synced_blocking(&self, position: Position) -> Result<(), StoreError> {
        self.log().progress.wait_blocking(position)
    }

    /// Waits until the store has stopped, which may never happen; why it did. Its process should end then.
    pub async fn stopped(&self) -> Arc<str> {
        self.log().progress.wait_failed().await
    }
}
