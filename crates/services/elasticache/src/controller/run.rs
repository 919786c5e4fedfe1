//! The controller's loop.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use quorate_base::{NodeId, UnixMillis};
use quorate_control::{Catalog, CatalogError, Replica, Sessions};

use crate::controller::plan::{Plan, plan_cache};
use crate::controller::world::World;
use crate::events;
use crate::model::Cache;

/// Longest time between two looks while there are caches, and while there is none.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const IDLE_LOOK_EVERY: Duration = Duration::from_secs(5);
/// Looks between two trims of the events.
const TRIM_EVERY_LOOKS: u32 = 1_500;

/// What the controller goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerConfig {
    /// How long a member's node may stay away before the member is placed anew.
    pub replace_after_ms: u64,
    /// Where gateways offer endpoints: clients of Memcached are told it.
    pub endpoint_address: IpAddr,
}

/// Takes decisions whenever this node's voter leads the catalog; until the future is dropped.
pub async fn run_controller(replica: Arc<Replica>, config: ControllerConfig) {
    let catalog = replica.catalog();
    let mut bell = catalog.view().subscribe();
    let mut silent_since = BTreeMap::new();
    let mut looks = 0_u32;
    loop {
        bell.mark_unchanged();
        let any = catalog
            .view()
            .list::<Cache>()
            .is_ok_and(|caches| !caches.is_empty());
        let changed = match replica.sessions() {
            Ok(sessions) if any => {
                note_silence(&mut silent_since, &sessions);
                look_once(&replica, sessions, &silent_since, &config).await
            }
            _ => {
                silent_since.clear();
                Ok(false)
            }
        };
        match changed {
            Ok(true) => continue,
            Ok(false) => {}
            Err(e) => tracing::warn!(error = %e, "a decision about caches could not be written"),
        }
        looks += 1;
        if looks.is_multiple_of(TRIM_EVERY_LOOKS)
            && let Err(e) = events::trim(&catalog).await
        {
            tracing::warn!(error = %e, "old events could not be removed");
        }
        let pause = if any { LOOK_EVERY } else { IDLE_LOOK_EVERY };
        tokio::select! {
            _ = bell.changed() => {}
            () = replica.session_event(pause) => {}
        }
    }
}

fn note_silence(silent_since: &mut BTreeMap<NodeId, UnixMillis>, sessions: &Sessions) {
    let now = UnixMillis::now();
    for session in &sessions.sessions {
        if session.alive {
            silent_since.remove(&session.node);
        } else {
            silent_since.entry(session.node.clone()).or_insert(now);
        }
    }
}

/// Makes the changes that are due; whether there was any.
async fn look_once(
    replica: &Arc<Replica>,
    sessions: Sessions,
    silent_since: &BTreeMap<NodeId, UnixMillis>,
    config: &ControllerConfig,
) -> Result<bool, CatalogError> {
    let term = sessions.term;
    let mut changed = false;
    for plan in plan_changes(&replica.catalog(), sessions, silent_since, config)? {
        match replica.commit_in_term(term, plan.txn).await {
            Ok(_) => {
                tracing::info!(decision = %plan.what, "decided");
                changed = true;
            }
            // Somebody else wrote first: look again.
            Err(CatalogError::Conflict { .. }) => changed = true,
            Err(e) => return Err(e),
        }
    }
    Ok(changed)
}

/// The next change that each cache is due, if it is due any, as the catalog and the sessions are. `silent_since`: when each
/// node without a session was first seen to be so.
///
/// # Errors
/// As the catalog.
pub fn plan_changes(
    catalog: &Catalog,
    sessions: Sessions,
    silent_since: &BTreeMap<NodeId, UnixMillis>,
    config: &ControllerConfig,
) -> Result<Vec<Plan>, CatalogError> {
    let world = World::look(catalog, sessions, silent_since, config)?;
    let caches = world.caches.iter();
    Ok(caches.filter_map(|c| plan_cache(&world, c)).collect())
}
