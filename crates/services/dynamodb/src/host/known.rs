//! What a node has taken over from the catalog.

use quorate_base::NodeId;
use quorate_consensus::Voter;
use quorate_control::{Catalog, CatalogError, Mirror, NodeRecord, Stored};

use crate::model::{PartitionNumber, PartitionRecord, PartitionState, TableRecord};

/// The records that a node goes by.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) tables: Mirror<TableRecord>,
    pub(crate) partitions: Mirror<PartitionRecord>,
    nodes: Mirror<NodeRecord>,
    /// Whether something could not be done at the last look.
    pub(crate) incomplete: bool,
}

impl Known {
    /// Takes over what the view holds; whether there is something to do.
    pub(crate) fn refresh(&mut self, catalog: &Catalog) -> Result<bool, CatalogError> {
        let view = catalog.view();
        let changed = [
            self.tables.refresh(view)?,
            self.partitions.refresh(view)?,
            self.nodes.refresh(view)?,
            std::mem::take(&mut self.incomplete),
        ];
        Ok(changed.contains(&true))
    }

    /// The record of a partition.
    pub(crate) fn partition(&self, number: PartitionNumber) -> Option<&PartitionRecord> {
        let stored = self.partitions.get(&number.record_id())?;
        Some(&stored.record)
    }

    /// The record of the table that a partition belongs to, unless the name is another table's.
    pub(crate) fn table_of(&self, record: &PartitionRecord) -> Option<&TableRecord> {
        self.stored_table_of(record).map(|stored| &stored.record)
    }

    /// The same, with its revision.
    pub(crate) fn stored_table_of(&self, record: &PartitionRecord) -> Option<&Stored<TableRecord>> {
        let stored = self.tables.get(&record.table_name)?;
        (stored.record.number == record.table).then_some(stored)
    }

    /// Whether a replica of that partition belongs on the node: its record says so, or it is the right half of a split
    /// whose record is not written yet.
    pub(crate) fn places(&self, number: PartitionNumber, node: &NodeId) -> bool {
        if let Some(record) = self.partition(number) {
            return record.places(node);
        }
        self.partitions.iter().any(|stored| {
            let splits = matches!(stored.record.state, PartitionState::Splitting { right, .. } if right == number);
            splits && stored.record.places(node)
        })
    }

    /// Nodes as voters; those that have never registered are left out.
    pub(crate) fn voters(&self, nodes: &[NodeId]) -> Vec<Voter> {
        nodes
            .iter()
            .filter_map(|node| {
                let stored = self.nodes.get(node.as_str())?;
                Some(Voter {
                    node: node.clone(),
                    address: stored.record.address,
                })
            })
            .collect()
    }
}
