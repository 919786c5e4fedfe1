//! Records become pages in the background, and pages are looked over for damage.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::host::cell::Cell;
use crate::host::segment_host::SegmentHost;
use crate::protocol::{PageId, SegmentId, Stored};
use crate::store::{Keep, StoreError};

/// Time between two looks at what may be coalesced.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Bytes of a segment's records from which they become pages.
const COALESCE_BYTES: u64 = 32 << 20;
/// Looks after which a segment's records become pages however few they are.
const LOOKS_UNTIL_ALL: u64 = 60;
/// Looks between the turns of two copies of a group.
const TURNS_APART: u64 = 10;
/// Pages that are looked over for damage with each look.
const SCRUBBED_PAGES: usize = 64;
/// Pages that a segment takes back with each look: some MiB a second.
const FOLDED_PAGES: usize = 1_024;

/// By how many looks a segment's turn comes before another one's: the nodes of a region may have been started together.
fn turn_of(segment: &SegmentId) -> u64 {
    (u64::from(segment.copy) * TURNS_APART + u64::from(segment.group.0)) % LOOKS_UNTIL_ALL
}

impl SegmentHost {
    /// Turns records into pages and looks pages over, for ever.
    pub async fn run_upkeep(self: Arc<Self>) {
        let mut looks = 0_u64;
        let mut scrubbed: Option<(usize, PageId)> = None;
        let mut folded = BTreeMap::new();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            looks += 1;
            for cell in self.cells() {
                let usage = self.store.usage(&cell.id);
                let waiting = usage.map_or(0, |usage| usage.waiting_bytes);
                let is_turn = (looks + turn_of(&cell.id)).is_multiple_of(LOOKS_UNTIL_ALL);
                let is_due = waiting >= COALESCE_BYTES || is_turn;
                if is_due && waiting > 0 {
                    self.coalesce(&cell).await;
                }
            }
            scrubbed = self.scrub(scrubbed).await;
            folded = self.fold(folded).await;
        }
    }

    /// Turns every record into pages that may be, at once.
    pub async fn coalesce_now(&self) {
        for cell in self.cells() {
            self.coalesce(&cell).await;
        }
    }

    pub(super) async fn coalesce(&self, cell: &Arc<Cell>) {
        let (up_to, points, handed) = {
            let mut state = cell.lock();
            if state.is_pinned() || state.filling.is_some() || state.trouble.is_some() {
                return;
            }
            let vdl = state.core.complete().vdl;
            let records_from = self.holds.records_from(&cell.id.volume);
            let up_to = state.core.coalescible(records_from.unwrap_or(vdl).min(vdl));
            if up_to <= state.core.base() {
                return;
            }
            // A base must not come back without the VDL that is at or above it.
            let stored = Stored {
                state: true,
                ..Stored::default()
            };
            if let Err(e) = cell.hand_over(&mut state, &self.store, &stored, &[]) {
                return tracing::error!(segment = %cell.id, error = %e, "records could not become pages");
            }
            let points = self.holds.points(&cell.id.volume);
            (up_to, points, state.handed)
        };
        if let Err(e) = self.store.synced(handed).await {
            return tracing::error!(segment = %cell.id, error = %e, "records could not become pages");
        }
        let (store, segment) = (self.store.clone(), cell.id.clone());
        let keep = Keep {
            from: up_to,
            points,
        };
        let done = tokio::task::spawn_blocking(move || store.coalesce(&segment, up_to, &keep));
        match done.await.expect("coalescing does not panic") {
            Ok(base) => cell.lock().core.rebase(base),
            Err(StoreError::BadPage { page, version, .. }) => {
                if let Err(e) = self.mend(cell, page, version).await {
                    tracing::error!(segment = %cell.id, error = %e, "a page cannot be mended");
                }
            }
            Err(e) => {
                tracing::error!(segment = %cell.id, error = %e, "records could not become pages")
            }
        }
    }

    /// Takes back some of the pages that segments shared with others that are gone; where to go on in which segment.
    async fn fold(&self, from: BTreeMap<SegmentId, PageId>) -> BTreeMap<SegmentId, PageId> {
        let mut next = BTreeMap::new();
        for cell in self.cells() {
            let page = from.get(&cell.id).copied().unwrap_or_default();
            let (store, segment) = (self.store.clone(), cell.id.clone());
            let folding =
                tokio::task::spawn_blocking(move || store.fold(&segment, page, FOLDED_PAGES));
            match folding.await.expect("folding does not panic") {
                Ok(Some(page)) => drop(next.insert(cell.id.clone(), page)),
                Ok(None) => {}
                Err(StoreError::BadPage { page, version, .. }) => {
                    if let Err(e) = self.mend(&cell, page, version).await {
                        tracing::error!(segment = %cell.id, error = %e, "a page cannot be mended");
                    }
                }
                Err(e) => {
                    tracing::error!(segment = %cell.id, error = %e, "shared pages cannot be taken back");
                }
            }
        }
        next
    }

    /// Looks some pages over, and mends what is damaged; where to go on.
    async fn scrub(&self, from: Option<(usize, PageId)>) -> Option<(usize, PageId)> {
        let cells = self.cells();
        let (index, page) = from.unwrap_or((0, PageId(0)));
        let cell = cells.get(index)?;
        let (store, segment) = (self.store.clone(), cell.id.clone());
        let looked =
            tokio::task::spawn_blocking(move || store.scrub(&segment, page, SCRUBBED_PAGES));
        match looked.await.expect("scrubbing does not panic") {
            Ok((bad, next)) => {
                for (page, version) in bad {
                    if let Err(e) = self.mend(cell, page, version).await {
                        tracing::error!(segment = %cell.id, error = %e, "a page cannot be mended");
                    }
                }
                Some(next.map_or((index + 1, PageId(0)), |next| (index, next)))
            }
            Err(e) => {
                tracing::error!(segment = %cell.id, error = %e, "pages cannot be looked over");
                Some((index + 1, PageId(0)))
            }
        }
    }
}
