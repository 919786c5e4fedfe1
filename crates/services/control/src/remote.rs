//! The catalog in a process that does not vote: a gateway, or a further node of a zone.
//!
//! It watches every voter at once and takes whichever tells a change first: so a voter that is stopped or cut
//! off holds nothing up.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use quorate_base::Revision;
use quorate_consensus::Voter;
use quorate_region::transport::Caller;

use crate::catalog::{Backend, Boxed, Catalog};
use crate::config::{CATALOG_TIMEOUT, WATCH_WAIT};
use crate::error::CatalogError;
use crate::leader::{LeaderCalls, Repeat};
use crate::messages::{BARRIER, COMMIT, SESSIONS, Sessions, WATCH, WatchAnswer, WatchQuestion};
use crate::replica::reach;
use crate::store::Outcome;
use crate::txn::Txn;
use crate::view::View;

/// Pause after a voter did not answer a watch.
const WATCH_PAUSE: Duration = Duration::from_millis(200);

/// The catalog over calls to its voters.
pub struct Remote {
    leader: Arc<LeaderCalls>,
    view: View,
    watchers: Vec<AbortHandle>,
}

impl Remote {
    /// Starts to follow the catalog of these voters. Must run within a tokio runtime.
    #[must_use]
    pub fn follow(voters: Vec<Voter>, caller: Arc<Caller>) -> Arc<Remote> {
        let view = View::default();
        let leader = Arc::new(LeaderCalls::new(caller, voters));
        let watchers = leader
            .voters()
            .iter()
            .map(|voter| {
                let task = watch_voter(leader.caller().clone(), voter.clone(), view.clone());
                tokio::spawn(task).abort_handle()
            })
            .collect();
        Arc::new(Remote {
            leader,
            view,
            watchers,
        })
    }

    /// The catalog, for services in this process.
    #[must_use]
    pub fn catalog(self: &Arc<Self>) -> Catalog {
        Catalog::new(self.clone())
    }

    /// The sessions of all nodes, from the catalog's leader.
    ///
    /// # Errors
    /// `Unavailable` without a quorum.
    pub async fn sessions(&self) -> Result<Sessions, CatalogError> {
        self.leader
            .ask(SESSIONS, &(), Repeat::Harmless, CATALOG_TIMEOUT)
            .await
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        for watcher in &self.watchers {
            watcher.abort();
        }
    }
}

impl Backend for Remote {
    fn commit(&self, txn: Txn) -> Boxed<'_, Result<Outcome, CatalogError>> {
        Box::pin(async move {
            let outcome = self
                .leader
                .ask(COMMIT, &txn, Repeat::Never, CATALOG_TIMEOUT)
                .await?;
            if let Outcome::Committed(revision) = outcome {
                reach(&self.view, revision).await?;
            }
            Ok(outcome)
        })
    }

    fn read_barrier(&self) -> Boxed<'_, Result<(), CatalogError>> {
        Box::pin(async move {
            let revision: Revision = self
                .leader
                .ask(BARRIER, &(), Repeat::Harmless, CATALOG_TIMEOUT)
                .await?;
            reach(&self.view, revision).await
        })
    }

    fn view(&self) -> &View {
        &self.view
    }
}

async fn watch_voter(caller: Arc<Caller>, voter: Voter, view: View) {
    loop {
        let since = view.revision();
        let question = WatchQuestion { since };
        let timeout = WATCH_WAIT + Duration::from_secs(2);
        match caller
            .call(&voter.node, voter.address, WATCH, &question, timeout)
            .await
        {
            Ok(WatchAnswer::Changes(revision, changes)) => view.follow(since, revision, &changes),
            Ok(WatchAnswer::Whole(store)) => view.replace(store),
            Err(e) => {
                tracing::debug!(voter = %voter.node, error = %e, "a watch was not answered");
                tokio::time::sleep(WATCH_PAUSE).await;
            }
        }
    }
}
