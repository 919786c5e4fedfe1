//! The controller's loop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use quorate_base::{NodeId, UnixMillis};
use quorate_control::{CatalogError, Mirror, NodeRecord, Replica, Sessions, Stored};

use crate::controller::placement::Placement;
use crate::controller::tables::decide_table;
use crate::model::{IdCounter, PartitionRecord, TableNumber, TableRecord, TtlStatus};

/// Longest time between two looks: sessions end without a word, and some steps wait for a time, not for a change.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Default)]
struct World {
    tables: Mirror<TableRecord>,
    partitions: Mirror<PartitionRecord>,
    nodes: Mirror<NodeRecord>,
    /// What the last look that decided nothing went by; none after a decision.
    settled: Option<Settled>,
}

/// A state of things in which nothing is to be decided until something changes.
#[derive(PartialEq, Eq)]
struct Settled {
    term: u64,
    placeable: Vec<NodeId>,
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
    // Whatever fails below, the next look looks at everything.
    let settled = world.settled.take();
    let records_changed = [
        world.tables.refresh(view)?,
        world.partitions.refresh(view)?,
        world.nodes.refresh(view)?,
    ]
    .contains(&true);
    let at_hand = Settled {
        term: sessions.term,
        placeable: placeable(&sessions, world),
    };
    if !records_changed && settled.as_ref() == Some(&at_hand) {
        world.settled = settled;
        return Ok(false);
    }
    let mut by_table: BTreeMap<TableNumber, Vec<Stored<PartitionRecord>>> = BTreeMap::new();
    for stored in world.partitions.iter() {
        let of_table = by_table.entry(stored.record.table).or_default();
        of_table.push(stored.as_ref().clone());
    }
    let all = world.partitions.iter().map(|p| &p.record);
    let placement = Placement::new(&at_hand.placeable, all);
    let mut changed = false;
    let mut waits = false;
    for table in world.tables.iter() {
        let partitions = by_table.remove(&table.record.number).unwrap_or_default();
        let decision = decide_table(table, &partitions, &placement, UnixMillis::now());
        waits |= waits_for_time(&table.record);
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
    if !changed && !waits {
        world.settled = Some(at_hand);
    }
    Ok(changed)
}

/// Whether the table's next step comes by itself.
fn waits_for_time(table: &TableRecord) -> bool {
    let switch = table.ttl.as_ref().map(|ttl| ttl.status);
    matches!(switch, Some(TtlStatus::Enabling | TtlStatus::Disabling))
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
