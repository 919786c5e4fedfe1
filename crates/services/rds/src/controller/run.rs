//! The controller's loop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quorate_base::{NodeId, UnixMillis};
use quorate_control::{CatalogError, Replica, Sessions};

use crate::aurora::AuroraConfig;
use crate::aurora::controller::{
    plan_backup, plan_backup_removal, plan_cluster, plan_snapshot, plan_volume,
};
use crate::controller::plan::{Plan, plan_instance};
use crate::controller::world::World;
use crate::events::{ResourceOwner, trim_events};

/// Longest time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Looks between two trims of the events.
const TRIM_EVERY_LOOKS: u32 = 1_500;

/// What the controller goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerConfig {
    /// Whose resources these are, for ARNs in events.
    pub owner: ResourceOwner,
    /// How long a standby's zone may stay away before another zone gets the standby.
    pub standby_replace_after_ms: u64,
    /// What it goes by for Aurora's clusters.
    pub aurora: AuroraConfig,
}

/// Takes decisions whenever this node's voter leads the catalog; until the future is dropped.
pub async fn run_controller(replica: Arc<Replica>, config: ControllerConfig) {
    let catalog = replica.catalog();
    let mut bell = catalog.view().subscribe();
    let mut silent_since = BTreeMap::new();
    let mut looks = 0_u32;
    loop {
        bell.mark_unchanged();
        let changed = match replica.sessions() {
            Ok(sessions) => {
                note_silence(&mut silent_since, &sessions);
                look_once(&replica, sessions, &silent_since, &config).await
            }
            Err(_) => {
                silent_since.clear();
                Ok(false)
            }
        };
        match changed {
            Ok(true) => continue,
            Ok(false) => {}
            Err(e) => tracing::warn!(error = %e, "the controller could not write a decision"),
        }
        looks += 1;
        if looks.is_multiple_of(TRIM_EVERY_LOOKS)
            && let Err(e) = trim_events(&catalog).await
        {
            tracing::warn!(error = %e, "old events could not be removed");
        }
        tokio::select! {
            _ = bell.changed() => {}
            () = replica.session_event(LOOK_EVERY) => {}
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
    let world = World::look(&replica.catalog(), sessions, silent_since, config)?;
    let mut changed = false;
    for plan in plans(&world) {
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

/// At most one change to each record.
fn plans(world: &World) -> impl Iterator<Item = Plan> {
    let instances = world.instances.iter();
    let clusters = world.clusters.iter();
    let backed_up = world.clusters.iter();
    let backups = world.backups.iter();
    let snapshots = world.snapshots.iter();
    let volumes = world.volumes.values();
    instances
        .filter_map(|stored| plan_instance(world, stored))
        .chain(clusters.filter_map(|stored| plan_cluster(world, stored)))
        .chain(backed_up.filter_map(|stored| plan_backup(world, stored)))
        .chain(backups.filter_map(|stored| plan_backup_removal(world, stored)))
        .chain(snapshots.filter_map(|stored| plan_snapshot(world, stored)))
        .chain(volumes.filter_map(|stored| plan_volume(world, stored)))
}
