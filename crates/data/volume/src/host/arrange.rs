//! Making and removing segments as a layout places them on this node.

use std::collections::{BTreeMap, BTreeSet};

use crate::host::cell::Cell;
use crate::host::fork::Fork;
use crate::host::segment_host::{HostError, SegmentHost};
use crate::layout::{GroupLayout, Layout};
use crate::protocol::{GroupIndex, SegmentId};
use crate::store::{Entry, Position};

/// What is known of a copy that a layout places here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Birth {
    /// The catalog knows that it was made.
    Made,
    /// It begins with nothing.
    Empty,
    /// It begins as another volume's segment that lies here.
    Fork(Fork),
}

impl SegmentHost {
    /// Makes segments as a layout places them here, and removes those that it has replaced. An older layout of a group than
    /// one seen before changes nothing of that group.
    ///
    /// `birth` says what is known of a copy. One that is made and not here is lost with all that it promised: an empty one in
    /// its place would let a writer that was replaced go on, so it is only reported, and a copy with another number takes its
    /// place. One that is not made is put on disk and returned; it serves once the catalog knows of it and this is called
    /// again. One that cannot be forked yet is neither.
    ///
    /// # Errors
    /// When log or pages cannot be written.
    pub async fn arrange(
        &self,
        layout: &Layout,
        birth: impl Fn(GroupIndex, u32) -> Birth,
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
                let position = match birth(*index, copy) {
                    Birth::Made => {
                        self.serve(&segment)?;
                        None
                    }
                    Birth::Empty => Some(self.make(&segment, layout)?),
                    Birth::Fork(fork) => self.make_fork(&segment, &fork, layout).await?,
                };
                if let Some(position) = position {
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

    /// Has a segment serve that was made.
    fn serve(&self, segment: &SegmentId) -> Result<(), HostError> {
        let mut cells = self.cells.write().expect("no holder panics");
        if cells.contains_key(segment) {
            return Ok(());
        }
        if self.store.segments().contains(segment) {
            let cell = Cell::found(&self.store.found(segment)?);
            cells.insert(segment.clone(), cell);
        } else {
            let mut lost = self.lost.lock().expect("no holder panics");
            if lost.insert(segment.clone()) {
                tracing::error!(%segment, "a segment was made here and is not here any more");
            }
        }
        Ok(())
    }

    /// Puts an empty segment on disk, unless it is there; up to where the log has to be synced.
    pub(super) fn make(&self, segment: &SegmentId, layout: &Layout) -> Result<Position, HostError> {
        if self.store.segments().contains(segment) {
            return Ok(Position::default());
        }
        let create = Entry::Create {
            segment: segment.clone(),
            page_bytes: layout.page_bytes,
        };
        Ok(self.store.append(vec![create])?)
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
}
