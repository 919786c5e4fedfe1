//! All segments of one node.
//!
//! Invariant: an answer that tells of something leaves only when the store has synced what it was handed before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};

use tokio::sync::Notify;

use quorate_base::NodeId;
use quorate_region::transport::{Caller, Requester, Router};

use crate::calls::{
    ADOPT, APPEND, AdoptBy, AppendTo, COPY, CopyFrom, HOLD, HoldAt, LIST, ListFrom, PULL, PullFrom,
    READ, ReadFrom, SEAL, STATUS, SURVEY, SealOf, SegmentError, SegmentStatus, SurveyOf, TAIL,
    TIMES, TailAt, TimesAbove,
};
use crate::host::cell::{Cell, disk};
use crate::host::holds::Holds;
use crate::layout::{Layout, Place};
use crate::protocol::{SegmentId, VolumeId};
use crate::store::{Entry, FoundSegment, Options, SegmentStore, StoreError};

/// Why a node cannot hold segments.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Log or pages cannot be opened.
    #[error("the segments of this node cannot be opened: {0}")]
    Store(#[from] StoreError),
}

/// The segments of one node.
pub struct SegmentHost {
    pub(super) store: SegmentStore,
    pub(super) caller: Arc<Caller>,
    pub(super) own: NodeId,
    pub(super) cells: RwLock<BTreeMap<SegmentId, Arc<Cell>>>,
    pub(super) layouts: RwLock<BTreeMap<VolumeId, Layout>>,
    pub(super) holds: Holds,
    /// Segments that were made here and are not here any more.
    pub(super) lost: Mutex<BTreeSet<SegmentId>>,
    /// Rings when a segment lacks records.
    pub(super) lacking: Notify,
}

impl SegmentHost {
    /// Opens log and pages in `folder`. Blocks on disks.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn open(
        folder: &Path,
        own: NodeId,
        caller: Arc<Caller>,
        options: Options,
    ) -> Result<Arc<SegmentHost>, HostError> {
        let (store, found) = SegmentStore::open(folder, options)?;
        for segment in found.iter().filter(|found| found.damage.is_some()) {
            tracing::warn!(segment = %segment.segment, damage = ?segment.damage, "a segment's log is damaged");
        }
        let cell = |found: &FoundSegment| (found.segment.clone(), Cell::found(found));
        Ok(Arc::new(SegmentHost {
            cells: RwLock::new(found.iter().map(cell).collect()),
            store,
            caller,
            own,
            layouts: RwLock::default(),
            holds: Holds::default(),
            lost: Mutex::default(),
            lacking: Notify::new(),
        }))
    }

    /// Answers the calls of writers, readers and peers.
    pub fn route(self: &Arc<Self>, router: &mut Router) {
        let host = self.clone();
        router.on(APPEND, move |_: Requester, to: AppendTo| {
            host.clone().append(to)
        });
        let host = self.clone();
        router.on(SEAL, move |_: Requester, of: SealOf| host.clone().seal(of));
        let host = self.clone();
        router.on(SURVEY, move |_: Requester, of: SurveyOf| {
            host.clone().survey(of)
        });
        let host = self.clone();
        router.on(ADOPT, move |_: Requester, by: AdoptBy| {
            host.clone().adopt(by)
        });
        let host = self.clone();
        router.on(READ, move |_: Requester, from: ReadFrom| {
            host.clone().read(from)
        });
        let host = self.clone();
        router.on(LIST, move |_: Requester, from: ListFrom| {
            host.clone().list(from)
        });
        let host = self.clone();
        router.on(PULL, move |_: Requester, from: PullFrom| {
            host.clone().give_records(from)
        });
        let host = self.clone();
        router.on(COPY, move |_: Requester, from: CopyFrom| {
            host.clone().give_pages(from)
        });
        let host = self.clone();
        router.on(HOLD, move |_: Requester, hold: HoldAt| {
            host.holds.take(hold);
            async { Ok(()) }
        });
        let host = self.clone();
        router.on(STATUS, move |_: Requester, segment: SegmentId| {
            let status = host.status(&segment);
            async move { Ok(status) }
        });
        let host = self.clone();
        router.on(TAIL, move |_: Requester, at: TailAt| {
            let tail = host.cell(&at.segment).ok();
            let tail = tail.and_then(|cell| cell.lock().core.tail_at(at.lsn));
            async move { Ok(tail) }
        });
        let host = self.clone();
        router.on(TIMES, move |_: Requester, times: TimesAbove| {
            let cell = host.cell(&times.segment).ok();
            let moments = cell.map(|cell| cell.lock().times.above(times.above));
            async move { Ok(moments.unwrap_or_default()) }
        });
    }

    pub(super) fn cell(&self, segment: &SegmentId) -> Result<Arc<Cell>, SegmentError> {
        let cells = self.cells.read().expect("no holder panics");
        cells.get(segment).cloned().ok_or(SegmentError::Elsewhere)
    }

    pub(super) fn cells(&self) -> Vec<Arc<Cell>> {
        let cells = self.cells.read().expect("no holder panics");
        cells.values().cloned().collect()
    }

    /// The volumes of which segments lie here.
    #[must_use]
    pub fn volumes(&self) -> BTreeSet<VolumeId> {
        let segments = self.store.segments().into_iter();
        segments.map(|segment| segment.volume).collect()
    }

    /// The segments of a volume that lie here.
    #[must_use]
    pub fn segments(&self, volume: &VolumeId) -> Vec<SegmentId> {
        let cells = self.cells.read().expect("no holder panics");
        let of_volume = cells.keys().filter(|segment| segment.volume == *volume);
        of_volume.cloned().collect()
    }

    /// The other copies of a segment's group, and where they lie.
    pub(super) fn peers(&self, segment: &SegmentId) -> Vec<(SegmentId, Place)> {
        let layouts = self.layouts.read().expect("no holder panics");
        let layout = layouts.get(&segment.volume);
        let places = layout.and_then(|layout| layout.groups.get(&segment.group));
        let places = places.into_iter().flat_map(|group| &group.places);
        let others = places.filter(|(copy, _)| **copy != segment.copy);
        others
            .map(|(copy, place)| {
                let peer = SegmentId {
                    copy: *copy,
                    ..segment.clone()
                };
                (peer, place.clone())
            })
            .collect()
    }

    /// The segments of a volume that were made here and are lost.
    #[must_use]
    pub fn lost(&self, volume: &VolumeId) -> Vec<SegmentId> {
        let lost = self.lost.lock().expect("no holder panics");
        lost.iter()
            .filter(|segment| segment.volume == *volume)
            .cloned()
            .collect()
    }

    /// Removes every segment of a volume that is gone.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn forget(&self, volume: &VolumeId) -> Result<(), HostError> {
        let mut cells = self.cells.write().expect("no holder panics");
        self.lost
            .lock()
            .expect("no holder panics")
            .retain(|segment| segment.volume != *volume);
        let of_volume = |segment: &SegmentId| segment.volume == *volume;
        for segment in self.store.segments().into_iter().filter(of_volume) {
            cells.remove(&segment);
            self.store.append(vec![Entry::Drop { segment }])?;
        }
        self.layouts
            .write()
            .expect("no holder panics")
            .remove(volume);
        Ok(())
    }

    /// What a segment is like; none when it is not here.
    #[must_use]
    pub fn status(&self, segment: &SegmentId) -> Option<SegmentStatus> {
        let cell = self.cell(segment).ok()?;
        let usage = self.store.usage(segment).map_err(|e| disk(&e));
        let state = cell.lock();
        let bytes = usage
            .as_ref()
            .map(|usage| usage.waiting_bytes + usage.page_bytes);
        Some(SegmentStatus {
            scl: state.core.scl(),
            membership: state.core.state().membership,
            complete: state.core.complete(),
            coalesced: state.core.base(),
            lacks_records: state.core.lacks_records(),
            page_bytes: usage.as_ref().map_or(0, |usage| usage.page_bytes),
            bytes: bytes.unwrap_or_default(),
            pages_copied: state.filling,
            trouble: state.trouble.clone().or(usage.err().map(|e| e.to_string())),
        })
    }

    /// Waits until log or pages have failed; why. The node should end then.
    pub async fn stopped(&self) -> String {
        self.store.stopped().await.to_string()
    }
}
