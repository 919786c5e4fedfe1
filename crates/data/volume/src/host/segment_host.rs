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
    READ, ReadFrom, SEAL, STATUS, SealOf, SegmentError, SegmentStatus, TAIL, TIMES, TailAt,
    TimesAbove,
};
use crate::host::cell::{Cell, disk};
use crate::host::holds::Holds;
use crate::layout::{GroupLayout, Layout, Place};
use crate::protocol::{GroupIndex, SegmentId, VolumeId};
use crate::store::{Entry, FoundSegment, Options, Position, SegmentStore, StoreError};

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
    own: NodeId,
    cells: RwLock<BTreeMap<SegmentId, Arc<Cell>>>,
    layouts: RwLock<BTreeMap<VolumeId, Layout>>,
    pub(super) holds: Holds,
    /// Segments that were made here and are not here any more.
    lost: Mutex<BTreeSet<SegmentId>>,
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

    /// Makes segments as a layout places them here, and removes those that it has replaced. An older layout of a group than
    /// one seen before changes nothing of that group.
    ///
    /// `is_made` says of which copies the catalog knows that they were made. One that is made and not here is lost with all
    /// that it promised: an empty one in its place would let a writer that was replaced go on, so it is only reported, and a
    /// copy with another number takes its place. One that is not made is put on disk and returned; it serves once the
    /// catalog knows of it and this is called again.
    ///
    /// # Errors
    /// When log or pages cannot be written.
    pub async fn arrange(
        &self,
        layout: &Layout,
        is_made: impl Fn(GroupIndex, u32) -> bool,
    ) -> Result<Vec<SegmentId>, HostError> {
        let mut made = Vec::new();
        let mut last = None;
        for (index, group) in &layout.groups {
            if !self.take_layout(layout, *index, group) {
                continue;
            }
            let here = group.places.iter().filter(|(_, p)| p.node == self.own);
            let here: BTreeSet<u32> = here.map(|(copy, _)| *copy).collect();
            self.remove_replaced(layout, *index, &here)?;
            for copy in here {
                let segment = SegmentId {
                    volume: layout.volume.clone(),
                    group: *index,
                    copy,
                };
                if let Some(position) = self.make(&segment, layout, is_made(*index, copy))? {
                    last = last.max(Some(position));
                    made.push(segment);
                }
            }
        }
        if let Some(position) = last {
            self.store.synced(position).await?;
        }
        Ok(made)
    }

    /// Remembers where a group lies. False when a newer layout of it was seen.
    fn take_layout(&self, layout: &Layout, index: GroupIndex, group: &GroupLayout) -> bool {
        let mut layouts = self.layouts.write().expect("no holder panics");
        let known = layouts
            .entry(layout.volume.clone())
            .or_insert_with(|| Layout {
                groups: BTreeMap::new(),
                ..layout.clone()
            });
        let epoch = known.groups.get(&index).map(|known| known.membership.epoch);
        let is_older = epoch.is_some_and(|epoch| epoch > group.membership.epoch);
        if !is_older {
            known.groups.insert(index, group.clone());
        }
        !is_older
    }

    /// Puts a segment on disk that was never made, and has one serve that was.
    fn make(
        &self,
        segment: &SegmentId,
        layout: &Layout,
        is_made: bool,
    ) -> Result<Option<Position>, HostError> {
        let mut cells = self.cells.write().expect("no holder panics");
        if cells.contains_key(segment) {
            return Ok((!is_made).then(Position::default));
        }
        let is_on_disk = self.store.segments().contains(segment);
        match (is_made, is_on_disk) {
            (true, true) => {
                let cell = Cell::new(segment.clone(), Position::default());
                cells.insert(segment.clone(), cell);
                Ok(None)
            }
            (true, false) => {
                let mut lost = self.lost.lock().expect("no holder panics");
                if lost.insert(segment.clone()) {
                    tracing::error!(%segment, "a segment was made here and is not here any more");
                }
                Ok(None)
            }
            (false, true) => Ok(Some(Position::default())),
            (false, false) => {
                let create = Entry::Create {
                    segment: segment.clone(),
                    page_bytes: layout.page_bytes,
                };
                Ok(Some(self.store.append(vec![create])?))
            }
        }
    }

    fn remove_replaced(
        &self,
        layout: &Layout,
        group: GroupIndex,
        here: &BTreeSet<u32>,
    ) -> Result<(), HostError> {
        let is_gone = |segment: &SegmentId| {
            segment.volume == layout.volume
                && segment.group == group
                && !here.contains(&segment.copy)
        };
        let mut cells = self.cells.write().expect("no holder panics");
        self.lost
            .lock()
            .expect("no holder panics")
            .retain(|segment| !is_gone(segment));
        for segment in self.store.segments().into_iter().filter(is_gone) {
            tracing::info!(%segment, "a segment was replaced and is removed");
            cells.remove(&segment);
            self.store.append(vec![Entry::Drop { segment }])?;
        }
        Ok(())
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
