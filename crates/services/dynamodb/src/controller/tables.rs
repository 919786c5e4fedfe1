//! The next step of a table's life.
//!
//! ```text
//! CREATING --place--> (partitions Creating) --all serve--> ACTIVE <--> UPDATING
//! ACTIVE/UPDATING --DeleteTable--> DELETING --partitions removed--> record removed
//!
//! global index: CREATING --place--> --all serve--> backfilling --all base partitions have filled it--> ACTIVE
//!               DELETING --partitions removed--> gone
//! ```
//!
//! Each decision is one step that can be repeated: it depends on nothing but the records, and its transaction holds only
//! while they are as they were read. Invariant: a table's record goes only after its last partition's.

use std::collections::BTreeSet;

use quorate_base::UnixMillis;
use quorate_control::{Stored, Txn};

use crate::controller::placement::{Placement, partition_count};
use crate::model::{
    GlobalIndex, HashRange, IdCounter, IndexNumber, IndexStatus, PartitionRecord, PartitionState,
    TableRecord, TableStatus, Throughput, TtlStatus,
};

/// How long a switch of expiry takes. AWS says up to an hour; it must only outlast the caches of who looks for expired items.
const TTL_SWITCH_MS: u64 = 1_000;

/// One change of the catalog.
#[derive(Debug, Clone, PartialEq)]
pub enum TableChange {
    /// The table's record becomes this.
    Replace(Box<TableRecord>),
    /// The table's record goes.
    Remove,
    /// A partition is added, under a number that the transaction takes.
    Place(PartitionRecord),
    /// A partition's record goes.
    RemovePartition(Stored<PartitionRecord>),
}

/// What is to be done about a table, whole or not at all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableDecision {
    /// The changes; none when there is nothing to do.
    pub changes: Vec<TableChange>,
}

impl TableDecision {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes as a transaction, which is not made unless the table, the partitions and the counter are as they were
    /// read.
    pub fn txn(&self, table: &Stored<TableRecord>, counter: Option<&Stored<IdCounter>>) -> Txn {
        let mut txn = Txn::new();
        let mut numbers = counter.map(|c| c.record.clone()).unwrap_or_default();
        let before = numbers.clone();
        let mut held = false;
        for change in &self.changes {
            txn = match change {
                TableChange::Replace(record) => {
                    held = true;
                    txn.replace(table, record)
                }
                TableChange::Remove => {
                    held = true;
                    txn.remove(table)
                }
                TableChange::Place(partition) => {
                    txn.insert(&numbers.next_partition().record_id(), partition)
                }
                TableChange::RemovePartition(partition) => txn.remove(partition),
            };
        }
        if !held {
            txn = txn.require(table);
        }
        match counter {
            _ if numbers == before => txn,
            Some(read) => txn.replace(read, &numbers),
            None => txn.insert(IdCounter::ID, &numbers),
        }
    }
}

/// Decides the next step of a table: `partitions` are all of this table's and of its indexes', `placement` the nodes
/// that are alive, with what they have.
#[must_use]
pub fn decide_table(
    table: &Stored<TableRecord>,
    partitions: &[Stored<PartitionRecord>],
    placement: &Placement,
    now: UnixMillis,
) -> TableDecision {
    let mut step = Step {
        table,
        partitions,
        placement: placement.clone(),
        changes: Vec::new(),
        record: table.record.clone(),
    };
    match table.record.status {
        TableStatus::Deleting => step.take_apart(),
        TableStatus::Creating => step.create(),
        TableStatus::Updating | TableStatus::Active => step.update(now),
    }
    if step.record != table.record {
        let record = Box::new(step.record);
        step.changes.push(TableChange::Replace(record));
    }
    TableDecision {
        changes: step.changes,
    }
}

/// A decision that is being made.
struct Step<'a> {
    table: &'a Stored<TableRecord>,
    partitions: &'a [Stored<PartitionRecord>],
    placement: Placement,
    changes: Vec<TableChange>,
    record: TableRecord,
}

impl Step<'_> {
    fn take_apart(&mut self) {
        if self.partitions.is_empty() {
            self.changes.push(TableChange::Remove);
        }
        let all = self.partitions.iter().cloned();
        self.changes.extend(all.map(TableChange::RemovePartition));
    }

    fn create(&mut self) {
        let table = &self.table.record;
        let own = [(IndexNumber::TABLE, &table.throughput)];
        let indexes = table.global_indexes.iter();
        let indexes = indexes.map(|index| (index.number, &index.throughput));
        let mut serving = true;
        for (number, throughput) in own.into_iter().chain(indexes) {
            serving &= self.serves_or_place(number, throughput);
        }
        if serving {
            // There were no items before these indexes, so they are filled as they are.
            for index in &mut self.record.global_indexes {
                index.status = IndexStatus::Active;
            }
            self.record.status = TableStatus::Active;
        }
    }

    fn update(&mut self, now: UnixMillis) {
        let mut gone = BTreeSet::new();
        let mut busy = false;
        for (at, index) in self.table.record.global_indexes.iter().enumerate() {
            match index.status {
                IndexStatus::Creating => busy |= self.fill(at, index),
                IndexStatus::Updating => {
                    self.record.global_indexes[at].status = IndexStatus::Active;
                }
                IndexStatus::Deleting => {
                    busy |= self.remove_index(index);
                    if !self.has_partitions(index.number) {
                        gone.insert(index.number);
                    }
                }
                IndexStatus::Active => {}
            }
        }
        if !gone.is_empty() {
            let stays = |index: &GlobalIndex| !gone.contains(&index.number);
            self.record.global_indexes.retain(stays);
            self.record.prune_attributes();
        }
        if !busy && self.record.status == TableStatus::Updating {
            self.record.status = TableStatus::Active;
        }
        self.switch_ttl(now);
    }

    /// One step of an index that is being added. Whether the table is still busy with it: a table serves as before
    /// while an index is being filled.
    fn fill(&mut self, at: usize, index: &GlobalIndex) -> bool {
        if !self.serves_or_place(index.number, &index.throughput) {
            return true;
        }
        let shown = &mut self.record.global_indexes[at];
        if !index.backfilling {
            shown.backfilling = true;
            return false;
        }
        let mut base = of_index(self.partitions, IndexNumber::TABLE);
        if base.all(|p| p.record.backfilled.contains(&index.number)) {
            shown.status = IndexStatus::Active;
            shown.backfilling = false;
        }
        false
    }

    /// Removes the partitions of an index. Whether there were any.
    fn remove_index(&mut self, index: &GlobalIndex) -> bool {
        let partitions = of_index(self.partitions, index.number).cloned();
        let before = self.changes.len();
        self.changes
            .extend(partitions.map(TableChange::RemovePartition));
        self.changes.len() > before
    }

    fn has_partitions(&self, index: IndexNumber) -> bool {
        of_index(self.partitions, index).next().is_some()
    }

    /// Whether all partitions of the table or the index serve. Places them where there are none.
    fn serves_or_place(&mut self, index: IndexNumber, throughput: &Throughput) -> bool {
        if self.has_partitions(index) {
            let mut all = of_index(self.partitions, index);
            return all.all(|p| p.record.state != PartitionState::Creating);
        }
        for range in HashRange::cut(partition_count(throughput)) {
            let Some((replicas, preferred)) = self.placement.take() else {
                break;
            };
            self.changes.push(TableChange::Place(PartitionRecord {
                table_name: self.table.id.clone(),
                table: self.table.record.number,
                index,
                range,
                homes: self.placement.homes_of(&replicas),
                founders: Vec::new(),
                joined: BTreeSet::new(),
                moving: None,
                replicas,
                preferred,
                state: PartitionState::Creating,
                split_off: None,
                began_with: None,
                backfilled: BTreeSet::new(),
            }));
        }
        false
    }

    fn switch_ttl(&mut self, now: UnixMillis) {
        let Some(ttl) = &mut self.record.ttl else {
            return;
        };
        if now.millis_since(ttl.changed_at) < TTL_SWITCH_MS {
            return;
        }
        ttl.status = match ttl.status {
            TtlStatus::Enabling | TtlStatus::Enabled => TtlStatus::Enabled,
            TtlStatus::Disabling | TtlStatus::Disabled => TtlStatus::Disabled,
        };
    }
}

fn of_index(
    partitions: &[Stored<PartitionRecord>],
    index: IndexNumber,
) -> impl Iterator<Item = &Stored<PartitionRecord>> {
    partitions.iter().filter(move |p| p.record.index == index)
}

#[cfg(test)]
mod tests;
