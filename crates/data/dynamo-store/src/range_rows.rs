//! All rows of a range of hash positions: found, and removed.

use fjall::{Readable, Snapshot};

use crate::error::StoreError;
use crate::layout::{self, Space};
use crate::partition::Shared;
use crate::spec::{HashRange, PartitionId, PartitionSpec, position_of};

/// Rows that are removed or written in one batch.
const BATCH_ROWS: usize = 4_096;

/// The bounds of the row ranges that hold the rows of the range, but for those that expire.
fn bounds(spec: &PartitionSpec, range: HashRange) -> Vec<(Vec<u8>, Vec<u8>)> {
    let local = spec.local_indexes.iter().map(|i| Space::Local(i.id));
    [Space::Items, Space::Locks, Space::Collections]
        .into_iter()
        .chain(local)
        .map(|space| layout::positions(spec.table, space, range))
        .collect()
}

/// Calls `each` with every row of the range at one moment. The rows about expiry stand by time, so all of the table's
/// are looked at.
pub(crate) fn for_each(
    shared: &Shared,
    moment: &Snapshot,
    spec: &PartitionSpec,
    range: HashRange,
    mut each: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for (from, to) in bounds(spec, range) {
        for row in moment.range(&shared.rows, from..to) {
            let (key, value) = row.into_inner()?;
            each(&key, &value)?;
        }
    }
    let prefix = layout::space(spec.table, Space::Expiry);
    for row in moment.prefix(&shared.rows, &prefix) {
        let (key, value) = row.into_inner()?;
        let position = position_of(&key[(prefix.len() + 8).min(key.len())..]);
        if position.is_some_and(|position| range.contains(position)) {
            each(&key, &value)?;
        }
    }
    Ok(())
}

/// Removes every row of the range.
pub(crate) fn remove_range(
    shared: &Shared,
    spec: &PartitionSpec,
    range: HashRange,
) -> Result<(), StoreError> {
    let moment = shared.db.snapshot();
    let mut batch = shared.db.batch();
    for_each(shared, &moment, spec, range, |key, _| {
        batch.remove(&shared.rows, key);
        if batch.len() >= BATCH_ROWS {
            std::mem::replace(&mut batch, shared.db.batch()).commit()?;
        }
        Ok(())
    })?;
    Ok(batch.commit()?)
}

/// Removes the rows that are the partition's own and not the table's, but for what it is and its head.
pub(crate) fn remove_own(shared: &Shared, id: PartitionId) -> Result<(), StoreError> {
    let mut batch = shared.db.batch();
    for prefix in own_prefixes(id) {
        for row in shared.rows.prefix(prefix) {
            batch.remove(&shared.rows, row.key()?);
        }
    }
    Ok(batch.commit()?)
}

pub(crate) fn own_prefixes(id: PartitionId) -> [Vec<u8>; 3] {
    [
        layout::outbox(id),
        layout::sources(id),
        layout::transactions(id),
    ]
}

/// Removes a partition: its rows, and last that it is there.
pub(crate) fn remove_partition(
    shared: &Shared,
    id: PartitionId,
    spec: &PartitionSpec,
) -> Result<(), StoreError> {
    remove_range(shared, spec, spec.range)?;
    remove_own(shared, id)?;
    let mut batch = shared.db.batch();
    batch.remove(&shared.rows, layout::spec_row(id));
    batch.remove(&shared.rows, layout::head_row(id));
    Ok(batch.commit()?)
}
