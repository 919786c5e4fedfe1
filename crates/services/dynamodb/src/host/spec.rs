//! A partition as the store needs it described.

use quorate_dynamo_store::{
    GlobalIndex, HashRange, IndexProjection, LocalIndex, PartitionKind, PartitionSpec, TableKey,
};

use crate::model::{
    IndexNumber, IndexStatus, PartitionRecord, Projection, TableNumber, TableRecord, TtlStatus,
};

/// Bits of a row space's number that name the index.
const INDEX_BITS: u32 = 16;

/// What a partition of this table or index is; none when the index is gone.
pub(crate) fn spec_of(table: &TableRecord, partition: &PartitionRecord) -> Option<PartitionSpec> {
    let rows = TableKey(rows_of(partition.table, partition.index));
    let range = HashRange {
        first: partition.range.first,
        last: partition.range.last,
    };
    if partition.index == IndexNumber::TABLE {
        return Some(PartitionSpec {
            table: rows,
            range,
            schema: table.schema(),
            local_indexes: local_indexes(table),
            global_indexes: fed_indexes(table),
            ttl_attribute: ttl_attribute(table),
            kind: PartitionKind::Base,
        });
    }
    let index = table
        .global_indexes
        .iter()
        .find(|index| index.number == partition.index)?;
    Some(PartitionSpec {
        table: rows,
        range,
        schema: table.schema_of(&index.keys),
        local_indexes: Vec::new(),
        global_indexes: Vec::new(),
        ttl_attribute: None,
        kind: PartitionKind::IndexOf {
            base: table.schema(),
        },
    })
}

/// The number of a table's or index's rows in a store.
fn rows_of(table: TableNumber, index: IndexNumber) -> u64 {
    table.0 << INDEX_BITS | u64::from(index.0)
}

/// The global indexes that changes of items go to.
pub(crate) fn fed_indexes(table: &TableRecord) -> Vec<GlobalIndex> {
    table
        .global_indexes
        .iter()
        .filter(|index| index.status != IndexStatus::Deleting)
        .map(|index| GlobalIndex {
            name: index.name.clone(),
            id: index.number.0,
            schema: table.schema_of(&index.keys),
            projection: projection(&index.projection),
        })
        .collect()
}

/// The attribute by which items expire, while expiry is on.
pub(crate) fn ttl_attribute(table: &TableRecord) -> Option<String> {
    let ttl = table.ttl.as_ref()?;
    matches!(ttl.status, TtlStatus::Enabled | TtlStatus::Enabling).then(|| ttl.attribute.clone())
}

fn local_indexes(table: &TableRecord) -> Vec<LocalIndex> {
    table
        .local_indexes
        .iter()
        .filter_map(|index| {
            Some(LocalIndex {
                name: index.name.clone(),
                id: index.number.0,
                range: table.schema_of(&index.keys).range.into_iter().next()?,
                projection: projection(&index.projection),
            })
        })
        .collect()
}

fn projection(projection: &Projection) -> IndexProjection {
    match projection {
        Projection::KeysOnly => IndexProjection::KeysOnly,
        Projection::Include(names) => IndexProjection::Include(names.clone()),
        Projection::All => IndexProjection::All,
    }
}
