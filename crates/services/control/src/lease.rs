//! A node's own session: renewed with the catalog's leader, and what may be done on the strength of it.
//!
//! Invariant: the lease ends, by the node's clock, `lease_ms` after the *sending* of the newest renewal that
//! was answered and whose revision the node's view has reached. The leader's idea of it ends later.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use quorate_base::{NodeId, Revision};
use quorate_consensus::Voter;
use quorate_region::transport::Caller;

use crate::config::LeaseConfig;
use crate::leader::{LeaderCalls, Repeat};
use crate::messages::{Observations, RENEW, RenewQuestion};
use crate::view::View;

/// Keeps a node's session alive. Cheap to clone.
#[derive(Clone)]
pub struct Lease {
    shared: Arc<Shared>,
}

struct Shared {
    config: LeaseConfig,
    observed: Mutex<Observations>,
    now: Notify,
    until: watch::Sender<Option<Instant>>,
}

impl Lease {
    /// A lease that is not held yet; `keep` gets it and renews it.
    #[must_use]
    pub fn new(config: LeaseConfig) -> Lease {
        Lease {
            shared: Arc::new(Shared {
                config,
                observed: Mutex::default(),
                now: Notify::new(),
                until: watch::Sender::new(None),
            }),
        }
    }

    /// Tells when the lease ends, each time that this changes; none before the first renewal.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Option<Instant>> {
        self.shared.until.subscribe()
    }

    /// Whether the lease is in force at this moment.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.shared
            .until
            .borrow()
            .is_some_and(|until| Instant::now() < until)
    }

    /// Sets what the node observes under `key`; none removes it. The next renewal carries it.
    pub fn observe(&self, key: &str, value: Option<Vec<u8>>) {
        let mut observed = self
            .shared
            .observed
            .lock()
            .expect("no holder of the lock panics");
        match value {
            Some(value) => observed.insert(key.to_owned(), value),
            None => observed.remove(key),
        };
    }

    /// What the next renewal reports.
    ///
    /// # Panics
    /// When a holder of the lock has panicked.
    #[must_use]
    pub fn observed(&self) -> Observations {
        let observed = self.shared.observed.lock();
        observed.expect("no holder of the lock panics").clone()
    }

    /// Renews at once rather than when it is due: something was observed that cannot wait.
    pub fn renew_now(&self) {
        self.shared.now.notify_one();
    }

    /// Renews the session until the future is dropped.
    pub async fn keep(&self, node: NodeId, voters: Vec<Voter>, caller: Arc<Caller>, view: View) {
        let leader = LeaderCalls::new(caller, voters);
        let Shared {
            config,
            observed,
            now,
            until,
        } = &*self.shared;
        loop {
            let sent = Instant::now();
            let question = RenewQuestion {
                node: node.clone(),
                observed: observed
                    .lock()
                    .expect("no holder of the lock panics")
                    .clone(),
            };
            let renewal = async {
                let answer = leader
                    .ask::<_, Revision>(RENEW, &question, Repeat::Harmless, config.lease() / 2)
                    .await;
                if let Ok(revision) = answer {
                    view.reach(revision).await;
                }
                answer
            };
            match tokio::time::timeout(config.lease(), renewal).await {
                Ok(Ok(_)) => {
                    until.send_replace(Some(sent + config.lease()));
                }
                Ok(Err(e)) => tracing::debug!(error = %e, "the session was not renewed"),
                Err(_) => tracing::debug!("the session was not renewed in time"),
            }
            let due = config.renew_every().saturating_sub(sent.elapsed());
            let pause = due.max(Duration::from_millis(20));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = now.notified() => {}
            }
        }
    }
}
