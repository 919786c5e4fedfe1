//! The controller's loop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use quorate_base::{NodeId, UnixMillis};
use quorate_control::{CatalogError, Mirror, Replica, Stored, Txn};

use crate::controller::absence::Absence;
use crate::controller::placement::Placement;
use crate::controller::replacement::{MOVES_MAX, NodeSeen, Nodes, Presence, decide_move};
use crate::controller::tables::decide_table;
use crate::model::{
    HomeId, IdCounter, NodeHome, PartitionRecord, TableNumber, TableRecord, TtlStatus,
};

/// Longest time between two looks: sessions end without a word, and some steps wait for a time, not for a change.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What the controller goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControllerConfig {
    /// How long a node may stay away before its replicas go elsewhere.
    pub replace_after: Duration,
}

#[derive(Default)]
struct World {
    tables: Mirror<TableRecord>,
    partitions: Mirror<PartitionRecord>,
    homes: Mirror<NodeHome>,
    absence: Absence,
    /// What the last look that decided nothing went by; none after a decision.
    settled: Option<Settled>,
}

/// A state of things in which nothing is to be decided until something changes.
#[derive(PartialEq, Eq)]
struct Settled {
    term: u64,
    nodes: Nodes,
}

/// Takes decisions whenever this node's voter leads the catalog; until the future is dropped.
pub async fn run_controller(replica: Arc<Replica>, config: ControllerConfig) {
    let catalog = replica.catalog();
    let mut bell = catalog.view().subscribe();
    let mut world = World::default();
    loop {
        bell.mark_unchanged();
        match look_once(&replica, &mut world, config).await {
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
async fn look_once(
    replica: &Arc<Replica>,
    world: &mut World,
    config: ControllerConfig,
) -> Result<bool, CatalogError> {
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
        world.homes.refresh(view)?,
    ]
    .contains(&true);
    let at_hand = Settled {
        term: sessions.term,
        nodes: seen(
            world
                .absence
                .note(&sessions, Instant::now(), config.replace_after),
            &world.homes,
        ),
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
    let mut placement = Placement::new(&placeable(&at_hand.nodes), all);
    placement = placement.with_homes(homes(&at_hand.nodes));
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
    changed |= move_replicas(replica, world, &at_hand, &mut placement).await?;
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

/// Has replicas put elsewhere, or refilled, where that is due; whether there was any.
async fn move_replicas(
    replica: &Arc<Replica>,
    world: &World,
    at_hand: &Settled,
    placement: &mut Placement,
) -> Result<bool, CatalogError> {
    let moves = world
        .partitions
        .iter()
        .filter(|p| p.record.moving.is_some());
    let mut under_way = moves.count();
    let mut changed = false;
    for stored in world.partitions.iter() {
        let may_begin = under_way < MOVES_MAX;
        let Some(moving) = decide_move(&stored.record, &at_hand.nodes, placement, may_begin) else {
            continue;
        };
        under_way += usize::from(stored.record.moving.is_none());
        if let Some(moving) = &moving {
            let (leaves, joins) = (&moving.leaves, &moving.joins);
            tracing::info!(partition = stored.id, %leaves, %joins, "a replica is put elsewhere");
        }
        let mut record = stored.record.clone();
        record.moving = moving;
        let txn = Txn::new().replace(stored, &record);
        match replica.commit_in_term(at_hand.term, txn).await {
            // Somebody else wrote first: look again.
            Ok(_) | Err(CatalogError::Conflict { .. }) => changed = true,
            Err(e) => return Err(e),
        }
    }
    Ok(changed)
}

fn seen(presence: Vec<(NodeId, Presence)>, homes: &Mirror<NodeHome>) -> Nodes {
    let seen = presence.into_iter().map(|(node, presence)| {
        let home = homes.get(node.as_str()).map(|stored| stored.record.home);
        (node, NodeSeen { presence, home })
    });
    seen.collect()
}

fn homes(nodes: &Nodes) -> BTreeMap<NodeId, HomeId> {
    let homes = nodes.iter().filter_map(|(node, seen)| {
        let home = seen.home?;
        Some((node.clone(), home))
    });
    homes.collect()
}

/// The nodes that replicas may be placed on: those that are there, and those of a zone in which none is: a partition has
/// a replica there all the same, which is brought forward once its node is back. Of each it must be known what replicas
/// are made in there: one that has lost its replica since must not take it for an empty one. Nobody is left out for having
/// told that a moment later: a partition keeps the number of replicas that it is made with.
fn placeable(nodes: &Nodes) -> Vec<NodeId> {
    let begins = |seen: &NodeSeen| seen.presence == Presence::Here && seen.home.is_none();
    if nodes.values().any(begins) {
        return Vec::new();
    }
    let known = || nodes.iter().filter(|(_, seen)| seen.home.is_some());
    let here = known().filter(|(_, seen)| seen.presence == Presence::Here);
    let mut placeable: Vec<NodeId> = here.map(|(node, _)| node.clone()).collect();
    let served: BTreeSet<_> = placeable.iter().map(NodeId::zone).collect();
    let others = known().filter(|(node, _)| !served.contains(&node.zone()));
    placeable.extend(others.map(|(node, _)| node.clone()));
    placeable
}
