//! Splitting a partition in two.
//!
//! ```text
//! record Serving --decided, number taken--> Splitting{at, right} --command applied--> two states on each replica
//!   --one transaction--> left record with the smaller range, right record; both Serving
//! ```
//!
//! Each arrow can be repeated. Between the second and the third the right half answers under its number, and nobody is
//! told of it: who asks for it is sent away and asks again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use quorate_control::{CatalogError, Txn};
use quorate_dynamo_store::{Effect, PartitionId, PartitionStats, SplitPlan};

use crate::host::duties::DutyError;
use crate::host::moves;
use crate::host::partition_host::PartitionHost;
use crate::host::replica::Replica;
use crate::messages::Refusal;
use crate::model::{HashRange, IdCounter, PartitionNumber, PartitionRecord, PartitionState};

/// How long a partition that cannot be split is left alone.
const INDIVISIBLE_FOR: Duration = Duration::from_secs(300);

/// Whether a partition has become too large.
pub(crate) fn is_due(record: &PartitionRecord, stats: &PartitionStats, split_bytes: u64) -> bool {
    record.state == PartitionState::Serving
        && record.moving.is_none()
        && stats.bytes >= split_bytes
        && record.range.first < record.range.last
}

/// Whether the partition was lately found to have all its items at one position: reading it again would find the same.
pub(crate) fn is_hopeless(replica: &Replica) -> bool {
    let found = *replica.indivisible.lock().expect("no holder panics");
    found.is_some_and(|at| at.elapsed() < INDIVISIBLE_FOR)
}

/// Takes the next steps of a split.
pub(crate) async fn drive(
    host: &Arc<PartitionHost>,
    replica: &Arc<Replica>,
    record: &PartitionRecord,
) -> Result<(), DutyError> {
    replica.lead().await?;
    let plan = plan(replica).await?;
    let (at, right) = match (&record.state, &plan) {
        (PartitionState::Splitting { at, right }, _) => (*at, *right),
        (_, None) => {
            *replica.indivisible.lock().expect("no holder panics") = Some(Instant::now());
            return Ok(());
        }
        (_, Some(plan)) => match decide(host, replica, plan.at).await? {
            Some(decided) => decided,
            None => return Ok(()),
        },
    };
    if replica.partition.spec().range.last >= at {
        // Measured for another position, if the leader that chose this one is gone: then about right.
        let halves = plan.unwrap_or(SplitPlan {
            at,
            right_items: 0,
            right_bytes: 0,
        });
        let split = Effect::Split {
            at,
            right: PartitionId(right.0),
            right_items: halves.right_items,
            right_bytes: halves.right_bytes,
        };
        replica.command(&split).await?;
        // A command of an earlier term, or one that was refused, has split nothing: nothing may be published.
        if replica.partition.spec().range.last >= at {
            let why = String::from("the split was not carried out");
            return Err(Refusal::Unavailable(why).into());
        }
    }
    publish(host, replica.number, at, right).await
}

/// Reads the partition to find its middle, off the async threads.
async fn plan(replica: &Arc<Replica>) -> Result<Option<SplitPlan>, DutyError> {
    let partition = replica.partition.clone();
    let planned = tokio::task::spawn_blocking(move || partition.plan_split()).await;
    let planned = planned.map_err(|e| Refusal::Unavailable(e.to_string()))?;
    Ok(planned?)
}

/// Takes a number for the right half, and writes both down.
async fn decide(
    host: &PartitionHost,
    replica: &Replica,
    at: u64,
) -> Result<Option<(u64, PartitionNumber)>, DutyError> {
    let id = replica.number.record_id();
    let counter = host.catalog.read::<IdCounter>(IdCounter::ID).await?;
    let read = host.catalog.read::<PartitionRecord>(&id).await?;
    let (Some(counter), Some(read)) = (counter, read) else {
        return Ok(None);
    };
    if let PartitionState::Splitting { at, right } = read.record.state {
        return Ok(Some((at, right)));
    }
    // While replicas move the voters are not those that the right half would begin with.
    if read.record.moving.is_some() || !moves::is_settled(&read.record, replica) {
        return Ok(None);
    }
    let mut numbers = counter.record.clone();
    let right = numbers.next_partition();
    let mut record = read.record.clone();
    record.state = PartitionState::Splitting { at, right };
    let txn = Txn::new()
        .replace(&counter, &numbers)
        .replace(&read, &record);
    match host.catalog.commit(txn).await {
        Ok(_) => {
            tracing::info!(partition = %replica.number, %right, at, "a partition is split");
            Ok(Some((at, right)))
        }
        Err(CatalogError::Conflict { .. }) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Gives each half its record.
async fn publish(
    host: &PartitionHost,
    left: PartitionNumber,
    at: u64,
    right: PartitionNumber,
) -> Result<(), DutyError> {
    let read = host
        .catalog
        .read::<PartitionRecord>(&left.record_id())
        .await?;
    let Some(read) = read else {
        return Ok(());
    };
    let still =
        matches!(read.record.state, PartitionState::Splitting { right: r, .. } if r == right);
    if !still {
        return Ok(());
    }
    let Some(last_of_left) = at.checked_sub(1) else {
        let why = String::from("a split at the first position of all");
        return Err(Refusal::Unavailable(why).into());
    };
    let mut left_record = read.record.clone();
    left_record.began_with = Some(read.record.began_with.unwrap_or(read.record.range));
    left_record.range.last = last_of_left;
    left_record.state = PartitionState::Serving;
    let right_record = PartitionRecord {
        range: HashRange {
            first: at,
            last: read.record.range.last,
        },
        state: PartitionState::Serving,
        split_off: Some(left),
        began_with: None,
        founders: Vec::new(),
        joined: BTreeSet::new(),
        // This node led the left half when it split, so it asks for the right half's votes first.
        preferred: host.config.own.node.clone(),
        ..read.record.clone()
    };
    let txn = Txn::new()
        .replace(&read, &left_record)
        .insert(&right.record_id(), &right_record);
    match host.catalog.commit(txn).await {
        Ok(_) | Err(CatalogError::Conflict { .. }) => Ok(()),
        Err(e) => Err(e.into()),
    }
}
