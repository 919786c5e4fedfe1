//! The groups that run on a host.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use crate::host::cell::Cell;
use crate::host::types::GroupId;
use crate::types::VoterId;

/// Pause between two groups that greet a peer.
const GREETING_PAUSE: Duration = Duration::from_millis(1);

/// Groups by number.
#[derive(Default)]
pub(crate) struct Registry {
    cells: RwLock<HashMap<GroupId, Arc<Cell>>>,
}

impl Registry {
    pub(crate) fn get(&self, id: GroupId) -> Option<Arc<Cell>> {
        let cells = self.cells.read().expect("no holder panics");
        cells.get(&id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Cell>> {
        let cells = self.cells.read().expect("no holder panics");
        cells.values().cloned().collect()
    }

    pub(crate) fn insert(&self, cell: Arc<Cell>) {
        let mut cells = self.cells.write().expect("no holder panics");
        cells.insert(cell.id, cell);
    }

    pub(crate) fn remove(&self, id: GroupId) -> Option<Arc<Cell>> {
        let mut cells = self.cells.write().expect("no holder panics");
        cells.remove(&id)
    }

    /// A peer was started: each group that is led here tells it how far it has got, one after the other.
    pub(crate) fn greet(&self, peer: VoterId) {
        let led: Vec<_> = self
            .all()
            .into_iter()
            .filter(|cell| cell.leads_with(peer))
            .collect();
        if led.is_empty() {
            return;
        }
        tokio::spawn(async move {
            for cell in led {
                cell.tell_followers().await;
                tokio::time::sleep(GREETING_PAUSE).await;
            }
        });
    }
}
