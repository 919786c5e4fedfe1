//! Carries the outbox of a base partition to the partitions of its global indexes.
//!
//! Invariant: entries arrive at each index partition in their order, and leave the outbox only after they have arrived.

use std::sync::Arc;

use quorate_dynamo_store::{Effect, OutboxEntry};

use crate::host::duties::DutyError;
use crate::host::partition_host::PartitionHost;
use crate::host::replica::Replica;
use crate::messages::{Op, Refusal};
use crate::model::{IndexNumber, IndexStatus, PartitionNumber};
use crate::routing::{Destination, RouteError};

/// Entries taken from the outbox at a time.
const ENTRIES_MAX: usize = 500;
/// Bytes of one batch.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Sends what is in the outbox, until it is empty.
pub(crate) async fn drain(
    host: &Arc<PartitionHost>,
    replica: &Arc<Replica>,
) -> Result<(), DutyError> {
    loop {
        replica.lead().await?;
        let mut entries = replica.partition.outbox(0, ENTRIES_MAX)?;
        let mut bytes = 0;
        let fits = entries
            .iter()
            .take_while(|entry| {
                bytes += entry.encoded_bytes();
                bytes <= BATCH_BYTES_MAX
            })
            .count();
        entries.truncate(fits.max(1));
        let Some(upto) = entries.last().map(|entry| entry.sequence) else {
            return Ok(());
        };
        for (to, entries) in by_partition(host, replica.number, entries)? {
            send(host, replica, to, entries).await?;
        }
        replica.command(&Effect::TrimOutbox { upto }).await?;
    }
}

/// The entries of each index partition, in their order. Those of an index that is gone are left out.
fn by_partition(
    host: &PartitionHost,
    replica: PartitionNumber,
    entries: Vec<OutboxEntry>,
) -> Result<Vec<(PartitionNumber, Vec<OutboxEntry>)>, DutyError> {
    let mut batches: Vec<(PartitionNumber, Vec<OutboxEntry>)> = Vec::new();
    let name = host.name_of(replica).ok_or(RouteError::Gone)?;
    let route = host.calls.table(&name)?.ok_or(RouteError::Gone)?;
    for entry in entries {
        let index = IndexNumber(entry.index);
        let wanted = route
            .table
            .record
            .global_indexes
            .iter()
            .any(|i| i.number == index && i.status != IndexStatus::Deleting);
        if !wanted {
            continue;
        }
        let to = route.at(index, entry.position()).ok_or_else(|| {
            Refusal::Unavailable(String::from("the index has no partition there yet"))
        })?;
        match batches.iter_mut().find(|(number, _)| *number == to.number) {
            Some((_, batch)) => batch.push(entry),
            None => batches.push((to.number, vec![entry])),
        }
    }
    Ok(batches)
}

async fn send(
    host: &PartitionHost,
    replica: &Replica,
    to: PartitionNumber,
    entries: Vec<OutboxEntry>,
) -> Result<(), DutyError> {
    // Batches that were sent before a split may still be on their way: the index partition is told once to refuse them.
    let source = replica.partition.source();
    let fences = if replica.has_fenced(to, source.generation) {
        Vec::new()
    } else {
        replica.partition.fences()
    };
    let op = Op::Index {
        fences,
        source,
        entries,
    };
    host.calls.repeat(&Destination::Partition(to), op).await?;
    replica.note_fenced(to, source.generation);
    Ok(())
}
