//! The catalog as a Raft state machine: transactions in, outcomes and changes out.

use std::collections::VecDeque;
use std::sync::Mutex;

use quorate_base::Revision;
use quorate_consensus::StateMachine;

use crate::messages::WatchAnswer;
use crate::store::{Change, Outcome, Store};
use crate::txn::Txn;
use crate::view::View;

/// Changes kept one by one for watches; who is further behind gets the whole catalog.
const CHANGES_KEPT_MAX: usize = 4_096;
/// Version of the snapshot's encoding: postcard of `Store`.
const SNAPSHOT_FORMAT: u8 = 1;

/// A voter's copy of the catalog.
#[derive(Default)]
pub(crate) struct CatalogMachine {
    view: View,
    recent: Mutex<Recent>,
}

/// The newest changes, and the revision above which they are complete.
#[derive(Default)]
struct Recent {
    complete_above: Revision,
    changes: VecDeque<(Revision, Change)>,
}

impl CatalogMachine {
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// What changed after `since`.
    pub(crate) fn changes_since(&self, since: Revision) -> WatchAnswer {
        // Read first: changes that come after it are told twice rather than not at all.
        let revision = self.view.revision();
        let recent = self.recent.lock().expect("no holder of the lock panics");
        if since < recent.complete_above {
            return WatchAnswer::Whole(self.view.snapshot());
        }
        let changes: Vec<Change> = recent
            .changes
            .iter()
            .filter(|(revision, _)| *revision > since)
            .map(|(_, change)| change.clone())
            .collect();
        WatchAnswer::Changes(revision, changes)
    }

    fn remember(&self, revision: Revision, changes: Vec<Change>) {
        let mut recent = self.recent.lock().expect("no holder of the lock panics");
        recent
            .changes
            .extend(changes.into_iter().map(|change| (revision, change)));
        while recent.changes.len() > CHANGES_KEPT_MAX {
            if let Some((dropped, _)) = recent.changes.pop_front() {
                recent.complete_above = dropped;
            }
        }
    }
}

impl StateMachine for CatalogMachine {
    fn apply(&self, index: u64, command: &[u8]) -> Vec<u8> {
        let revision = Revision(index);
        let outcome = match postcard::from_bytes::<Txn>(command) {
            // Remembered before the bell rings: a watch that wakes up finds the change.
            Ok(txn) => self
                .view
                .apply(revision, &txn, |changes| self.remember(revision, changes)),
            Err(_) => {
                self.view.advance(revision);
                Outcome::Conflict(String::from("(a transaction that this build cannot read)"))
            }
        };
        postcard::to_stdvec(&outcome).expect("outcomes are plain data")
    }

    fn advance(&self, index: u64) {
        self.view.advance(Revision(index));
    }

    fn snapshot(&self) -> Vec<u8> {
        postcard::to_extend(&self.view.snapshot(), vec![SNAPSHOT_FORMAT])
            .expect("the catalog is plain data")
    }

    fn restore(&self, snapshot: &[u8]) -> Result<(), String> {
        let store: Store = match snapshot.split_first() {
            Some((&SNAPSHOT_FORMAT, rest)) => {
                postcard::from_bytes(rest).map_err(|e| e.to_string())?
            }
            other => {
                return Err(format!(
                    "snapshot format {:?} is unknown",
                    other.map(|o| o.0)
                ));
            }
        };
        let mut recent = self.recent.lock().expect("no holder of the lock panics");
        *recent = Recent {
            complete_above: store.revision(),
            changes: VecDeque::new(),
        };
        self.view.replace(store);
        Ok(())
    }
}
