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
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use quorate_base::NodeId;
use quorate_control::{CatalogError, Txn};
use quorate_dynamo_store::{Effect, Partition, PartitionId, PartitionStats, SplitPlan, StoreError};

use crate::host::duties::DutyError;
use crate::host::heat::{Cut, decide_cut};
use crate::host::moves;
use crate::host::partition_host::PartitionHost;
use crate::host::replica::Replica;
use crate::host::spread;
use crate::messages::Refusal;
use crate::model::{HashRange, IdCounter, PartitionNumber, PartitionRecord, PartitionState};

/// How long a partition that cannot be split is left alone.
const INDIVISIBLE_FOR: Duration = Duration::from_secs(300);

/// Why a partition is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It holds too much.
    Size,
    /// It is asked for too much.
    Heat,
}

/// Why the partition is to be split; none when it is not.
pub(crate) fn reason(
    record: &PartitionRecord,
    replica: &Replica,
    stats: &PartitionStats,
    split_bytes: u64,
) -> Option<Reason> {
    let divisible = record.state == PartitionState::Serving
        && record.moving.is_none()
        && record.range.first < record.range.last;
    if !divisible {
        return None;
    }
    let too_large = stats.bytes >= split_bytes && !is_hopeless(&replica.indivisible);
    let too_hot = || replica.heat.is_hot() && !is_hopeless(&replica.indivisible_heat);
    let reason = if too_large {
        Reason::Size
    } else if too_hot() {
        Reason::Heat
    } else {
        return None;
    };
    moves::is_settled(record, replica).then_some(reason)
}

/// Whether the partition was lately found to have all its items, or its load, at one position: looking again would find
/// the same.
fn is_hopeless(found: &Mutex<Option<Instant>>) -> bool {
    let found = *found.lock().expect("no holder panics");
    found.is_some_and(|at| at.elapsed() < INDIVISIBLE_FOR)
}

/// Takes the next steps of a split.
pub(crate) async fn drive(
    host: &Arc<PartitionHost>,
    replica: &Arc<Replica>,
    record: &PartitionRecord,
    reason: Reason,
) -> Result<(), DutyError> {
    replica.lead().await?;
    let (plan, right) = if let PartitionState::Splitting { at, right } = record.state {
        (measured(replica, at).await?, right)
    } else {
        let Some(plan) = plan(replica, reason).await? else {
            return Ok(());
        };
        match decide(host, replica, plan.at, reason).await? {
            // Another leader chose another position.
            Some((at, right)) if at != plan.at => (measured(replica, at).await?, right),
            Some((_, right)) => (plan, right),
            None => return Ok(()),
        }
    };
    let mut preferred = host.config.own.node.clone();
    if replica.partition.spec().range.last >= plan.at {
        let split = Effect::Split {
            at: plan.at,
            right: PartitionId(right.0),
            right_items: plan.right_items,
            right_bytes: plan.right_bytes,
        };
        let heir = spread::choose(host, replica, record);
        host.note_heir(right, heir.as_ref());
        replica.command(&split).await?;
        // A command of an earlier term, or one that was refused, has split nothing: nothing may be published.
        if replica.partition.spec().range.last >= plan.at {
            let why = String::from("the split was not carried out");
            return Err(Refusal::Unavailable(why).into());
        }
        if let Some(heir) = heir {
            preferred = spread::until_led(host, right, heir).await;
        }
    }
    replica.heat.cool();
    publish(host, replica.number, plan.at, right, preferred).await
}

/// Where the partition is to be split; none where it cannot be, or not yet. Reads it off the async threads.
async fn plan(replica: &Arc<Replica>, reason: Reason) -> Result<Option<SplitPlan>, DutyError> {
    match reason {
        Reason::Size => {
            let planned = read(replica, Partition::plan_split).await?;
            if planned.is_none() {
                note_hopeless(&replica.indivisible);
            }
            Ok(planned)
        }
        Reason::Heat => {
            let spec = replica.partition.spec();
            let range = HashRange {
                first: spec.range.first,
                last: spec.range.last,
            };
            match decide_cut(replica.heat.positions(), range) {
                Cut::At(at) => Ok(Some(measured(replica, at).await?)),
                Cut::Unknown => Ok(None),
                Cut::Useless => {
                    tracing::info!(partition = %replica.number, "a partition is hot at one position");
                    note_hopeless(&replica.indivisible_heat);
                    Ok(None)
                }
            }
        }
    }
}

fn note_hopeless(found: &Mutex<Option<Instant>>) {
    *found.lock().expect("no holder panics") = Some(Instant::now());
}

async fn measured(replica: &Arc<Replica>, at: u64) -> Result<SplitPlan, DutyError> {
    read(replica, move |partition| partition.measure_split(at)).await
}

async fn read<T: Send + 'static>(
    replica: &Arc<Replica>,
    read: impl FnOnce(&Partition) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, DutyError> {
    let partition = replica.partition.clone();
    let found = tokio::task::spawn_blocking(move || read(&partition)).await;
    Ok(found.map_err(|e| Refusal::Unavailable(e.to_string()))??)
}

/// Takes a number for the right half, and writes both down.
async fn decide(
    host: &PartitionHost,
    replica: &Replica,
    at: u64,
    reason: Reason,
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
            tracing::info!(partition = %replica.number, %right, at, ?reason, "a partition is split");
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
    preferred: NodeId,
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
        preferred,
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
