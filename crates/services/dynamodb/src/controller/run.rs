//! The controller's loop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use quorate_base::{NodeId, UnixMillis};
use quorate_control::{CatalogError, Mirror, NodeRecord, Replica, Sessions, Stored};

use crate::controller::placement::Placement;
use crate::controller::tables::decide_table;
use crate::model::{IdCounter, PartitionRecord, TableNumber, TableRecord};

/// Longest time between two looks: some steps wait for a time, not for a change.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Default)]
struct World {
    tables: Mirror<TableRecord>,
    partitions: Mirror<PartitionRecord>,
    nodes: Mirror<NodeRecord>,
}

/// Takes decisions whenever this node's voter leads the catalog; until the future is dropped.
pub async fn run_controller(replica: Arc<Replica>) {
    let catalog = replica.catalog();
    let mut bell = catalog.view().subscribe();
    let mut world = World::default();
    loop {
        bell.mark_unchanged();
        match look_once(&replica, &mut world).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(e) => tracing::warn!(error = %e, "a decision about tables could not be written"),
        }
        tokio::select! {
            _ = bell.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Makes the changes that are due; whether there was any.
async fn look_once(replica: &Arc<Replica>, world: &mut World) -> Result<bool, CatalogError> {
    // Who does not lead decides nothing.
    let Ok(sessions) = replica.sessions() else {
        return Ok(false);
    };
    let catalog = replica.catalog();
    let view = catalog.view();
    world.tables.refresh(view)?;
    world.partitions.refresh(view)?;
    world.nodes.refresh(view)?;
    let mut by_table: BTreeMap<TableNumber, Vec<Stored<PartitionRecord>>> = BTreeMap::new();
    for stored in world.partitions.iter() {
        let of_table = by_table.entry(stored.record.table).or_default();
        of_table.push(stored.as_ref().clone());
    }
    let placeable = placeable(&sessions, world);
    let mut changed = false;
    for table in world.tables.iter() {
        let partitions = by_table.remove(&table.record.number).unwrap_or_default();
        let placement = Placement::new(&placeable, world.partitions.iter().map(|p| &p.record));
        let decision = decide_table(table, &partitions, &placement, UnixMillis::now());
        if decision.is_empty() {
            continue;
        }
        let counter = view.read::<IdCounter>(IdCounter::ID)?;
        let txn = decision.txn(table, counter.as_ref());
        match replica.commit_in_term(sessions.term, txn).await {
            Ok(_) => tracing::info!(table = table.id, "the table's next step is decided"),
            // Somebody else wrote first: look again.
            Err(CatalogError::Conflict { .. }) => {}
            Err(e) => return Err(e),
        }
        changed = true;
    }
    Ok(changed)
}

/// The nodes that replicas may be placed on: those that are alive, and those of a zone in which none is: a partition has
/// a replica there all the same, which is brought forward once its node is back.
fn placeable(sessions: &Sessions, world: &World) -> Vec<NodeId> {
    let alive = sessions.sessions.iter().filter(|s| s.alive);
    let mut nodes: Vec<NodeId> = alive.map(|s| s.node.clone()).collect();
    let served: BTreeSet<_> = nodes.iter().map(NodeId::zone).collect();
    let registered = world
        .nodes
        .iter()
        .filter_map(|stored| stored.id.parse().ok());
    nodes.extend(registered.filter(|node: &NodeId| !served.contains(&node.zone())));
    nodes
}
