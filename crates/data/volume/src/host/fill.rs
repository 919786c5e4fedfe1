//! A segment takes a peer's pages: the records that it lacks have become pages there.

use std::sync::Arc;
use std::time::Duration;

use crate::calls::{COPY, Copied, CopiedPages, CopyFrom, SegmentError};
use crate::host::cell::{Cell, disk};
use crate::host::segment_host::SegmentHost;
use crate::layout::Place;
use crate::protocol::{PageId, SegmentId, Stored};

/// Longest wait for a peer's answer.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of pages in one answer.
const COPIED_BYTES_MAX: usize = 4 << 20;

impl SegmentHost {
    /// Copies all pages of a peer, which coalesces no further meanwhile.
    pub(super) async fn fill(
        &self,
        cell: &Arc<Cell>,
        peer: &SegmentId,
        place: &Place,
    ) -> Result<(), SegmentError> {
        tracing::info!(segment = %cell.id, from = %place.node, "pages are copied from a peer");
        cell.lock().filling = Some(0);
        let filled = self.copy_all(cell, peer, place).await;
        cell.lock().filling = None;
        filled
    }

    async fn copy_all(
        &self,
        cell: &Arc<Cell>,
        peer: &SegmentId,
        place: &Place,
    ) -> Result<(), SegmentError> {
        let mut from = PageId(0);
        let mut base = None;
        loop {
            let question = CopyFrom {
                segment: peer.clone(),
                from,
            };
            let call = self
                .caller
                .call(&place.node, place.address, COPY, &question, CALL_TIMEOUT);
            let answer: Copied = call.await.map_err(|e| SegmentError::Disk(e.to_string()))?;
            let copied = answer?;
            let first = base.is_none();
            if *base.get_or_insert(copied.base) != copied.base {
                let why = String::from("the peer has coalesced while its pages were copied");
                return Err(SegmentError::Disk(why));
            }
            let count = copied.pages.len() as u64;
            let (next, base) = (copied.next, copied.base);
            self.learn(cell, &copied).await?;
            let (store, segment) = (self.store.clone(), cell.id.clone());
            let put = tokio::task::spawn_blocking(move || {
                if first {
                    store.clear_pages(&segment)?;
                }
                for (page, lsn, bytes) in copied.pages {
                    store.put_page(&segment, page, lsn, &bytes)?;
                }
                if next.is_none() {
                    store.set_base(&segment, base)?;
                }
                Ok(())
            });
            put.await
                .expect("putting pages does not panic")
                .map_err(|e| disk(&e))?;
            let mut state = cell.lock();
            state.filling = state.filling.map(|done| done + count);
            match next {
                Some(next) => from = next,
                None => {
                    state.core.rebase(base);
                    return Ok(());
                }
            }
        }
    }

    /// Stores what the peer knows to be complete: a base must not come back without the VDL that is at or above it.
    async fn learn(&self, cell: &Arc<Cell>, copied: &CopiedPages) -> Result<(), SegmentError> {
        let handed = {
            let mut state = cell.lock();
            let core = state.sound()?;
            core.pulled(None, [], copied.complete);
            let stored = Stored {
                state: true,
                ..Stored::default()
            };
            cell.hand_over(&mut state, &self.store, &stored, &[])?;
            state.handed
        };
        self.store.synced(handed).await.map_err(|e| disk(&e))
    }

    /// Gives a peer some pages.
    pub(super) async fn give_pages(self: Arc<Self>, from: CopyFrom) -> Result<Copied, String> {
        Ok(self.pages_for(from).await)
    }

    async fn pages_for(&self, from: CopyFrom) -> Copied {
        let cell = self.cell(&from.segment)?;
        let (base, complete) = {
            let mut state = cell.lock();
            let core = state.sound()?;
            let told = (core.base(), core.complete());
            state.pin();
            told
        };
        let (store, segment) = (self.store.clone(), cell.id.clone());
        let pages =
            tokio::task::spawn_blocking(move || store.pages(&segment, from.from, COPIED_BYTES_MAX));
        let pages = pages.await.expect("reading pages does not panic");
        let (pages, next) = pages.map_err(|e| disk(&e))?;
        Ok(CopiedPages {
            pages,
            next,
            base,
            complete,
        })
    }
}
