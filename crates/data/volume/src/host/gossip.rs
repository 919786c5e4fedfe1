//! Segments fill their gaps from one another.

use std::sync::Arc;
use std::time::Duration;

use crate::calls::{PULL, PullFrom, Pulled, PulledRecords, SegmentError};
use crate::host::cell::{Cell, disk};
use crate::host::fill::CALL_TIMEOUT;
use crate::host::segment_host::SegmentHost;
use crate::store::Following;

/// Longest time between two looks at what segments lack.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Bytes of records in one answer.
const PULLED_BYTES_MAX: usize = 4 << 20;

impl SegmentHost {
    /// Has segments that lack records pull them from their peers, for ever.
    pub async fn run_gossip(self: Arc<Self>) {
        loop {
            for cell in self.cells() {
                let mut state = cell.lock();
                let lacks = state.trouble.is_none() && state.core.lacks_records();
                if lacks && !state.pulling {
                    state.pulling = true;
                    tokio::spawn(self.clone().pull(cell.clone()));
                }
            }
            tokio::select! {
                () = self.lacking.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Asks one peer after the other until nothing is lacking, or none had anything.
    async fn pull(self: Arc<Self>, cell: Arc<Cell>) {
        let _pulling = Pulling(&cell);
        let mut without_gain = 0;
        let peers = self.peers(&cell.id);
        while cell.lock().core.lacks_records() && without_gain < peers.len() {
            let (pull, turn) = {
                let mut state = cell.lock();
                state.next_peer = state.next_peer.wrapping_add(1);
                (state.core.pull(), state.next_peer)
            };
            let (segment, place) = peers[turn % peers.len()].clone();
            let question = PullFrom {
                segment: segment.clone(),
                pull,
            };
            let call = self
                .caller
                .call(&place.node, place.address, PULL, &question, CALL_TIMEOUT);
            let gained = match call.await {
                Ok(Pulled::Ok(pulled)) if pulled.coalesced => {
                    match self.fill(&cell, &segment, &place).await {
                        Ok(()) => true,
                        Err(e) => {
                            tracing::warn!(segment = %cell.id, error = %e, "pages could not be copied from a peer");
                            false
                        }
                    }
                }
                Ok(Pulled::Ok(pulled)) => self.take_pulled(&cell, pulled).unwrap_or(false),
                Ok(Pulled::Err(_)) | Err(_) => false,
            };
            without_gain = if gained { 0 } else { without_gain + 1 };
        }
    }

    /// True when the chain has become longer.
    fn take_pulled(&self, cell: &Cell, pulled: PulledRecords) -> Result<bool, SegmentError> {
        let mut state = cell.lock();
        let before = state.core.scl();
        let headers = pulled.records.iter().map(|record| &record.header);
        let history = pulled.history.as_ref();
        let stored = state.sound()?.pulled(history, headers, pulled.complete);
        cell.hand_over(&mut state, &self.store, &stored, &pulled.records)?;
        Ok(state.core.scl() > before)
    }

    /// Gives a peer what follows its chain.
    pub(super) async fn give_records(self: Arc<Self>, from: PullFrom) -> Result<Pulled, String> {
        Ok(self.records_for(from).await)
    }

    async fn records_for(&self, from: PullFrom) -> Pulled {
        let cell = self.cell(&from.segment)?;
        let (history, complete, handed) = {
            let mut state = cell.lock();
            let core = state.sound()?;
            let told = (core.history_for(from.pull), core.complete());
            (told.0, told.1, state.handed)
        };
        let (store, segment, scl) = (self.store.clone(), cell.id.clone(), from.pull.scl);
        let following =
            tokio::task::spawn_blocking(move || store.records(&segment, scl, PULLED_BYTES_MAX));
        let following = following.await.expect("reading records does not panic");
        let (records, coalesced) = match following.map_err(|e| disk(&e))? {
            Following::Records(records) => (records, false),
            Following::Gone { .. } => (Vec::new(), true),
        };
        // A peer must not be the only one that has on disk what it was given from here.
        self.store.synced(handed).await.map_err(|e| disk(&e))?;
        Ok(PulledRecords {
            history,
            records,
            coalesced,
            complete,
        })
    }
}

/// Says at the end that nothing is pulled any more.
struct Pulling<'a>(&'a Cell);

impl Drop for Pulling<'_> {
    fn drop(&mut self) {
        self.0.lock().pulling = false;
    }
}
