//! What the catalog says: which partitions there are and where they are placed. Here it never fails and nobody sees an
//! old state of it.

use std::collections::{BTreeMap, BTreeSet};

use quorate_dynamo_lang::{KeySchema, ScalarType};
use quorate_dynamo_store::{HashRange, PartitionKind, PartitionSpec, SplitPlan, TableKey};

/// A partition's record.
#[derive(Debug, Clone)]
pub(crate) struct Placement {
    pub(crate) range: HashRange,
    /// The last position of what it began with, before it was split.
    pub(crate) began_with_last: u64,
    pub(crate) voters: BTreeSet<usize>,
    /// The voters, and who is to become one.
    pub(crate) placed: BTreeSet<usize>,
    /// Nodes that were voters and are not any more: their votes and logs are gone.
    pub(crate) removed: BTreeSet<usize>,
    /// Nodes that have been there from the beginning.
    pub(crate) founders: BTreeSet<usize>,
    pub(crate) first_voters: BTreeSet<usize>,
    pub(crate) preferred: usize,
    pub(crate) split_off: Option<u64>,
    /// A split that is decided and not done everywhere.
    pub(crate) splitting: Option<(SplitPlan, u64)>,
    /// A change of voters is under way.
    pub(crate) changing: bool,
}

/// All records.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    pub(crate) partitions: BTreeMap<u64, Placement>,
    last_number: u64,
}

/// The table that all is about.
pub(crate) fn spec(range: HashRange) -> PartitionSpec {
    PartitionSpec {
        table: TableKey(1),
        range,
        schema: KeySchema::of(("pk", ScalarType::S), None),
        local_indexes: Vec::new(),
        global_indexes: Vec::new(),
        ttl_attribute: None,
        kind: PartitionKind::Base,
    }
}

impl Catalog {
    pub(crate) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// A partition of all positions on these nodes.
    pub(crate) fn create(&mut self, nodes: BTreeSet<usize>, preferred: usize) {
        let number = self.next_number();
        let placement = Placement {
            range: HashRange::ALL,
            began_with_last: u64::MAX,
            placed: nodes.clone(),
            founders: nodes.clone(),
            first_voters: nodes.clone(),
            voters: nodes,
            preferred,
            removed: BTreeSet::new(),
            split_off: None,
            splitting: None,
            changing: false,
        };
        self.partitions.insert(number, placement);
    }

    /// The partition of a position.
    pub(crate) fn locate(&self, position: u64) -> Option<(u64, &Placement)> {
        let mut all = self.partitions.iter();
        all.find(|(_, p)| p.range.contains(position))
            .map(|(number, placement)| (*number, placement))
    }

    /// Whether a partition, or one that it is about to give birth to, has a place on a node.
    pub(crate) fn places(&self, number: u64, node: usize) -> bool {
        self.partitions.iter().any(|(of, placement)| {
            let is_right = placement
                .splitting
                .is_some_and(|(_, right)| right == number);
            (*of == number || is_right) && placement.placed.contains(&node)
        })
    }

    /// A split is done: each half has its record.
    pub(crate) fn publish(&mut self, left: u64, led_by: usize) {
        let Some(record) = self.partitions.get_mut(&left) else {
            return;
        };
        let Some((plan, right)) = record.splitting.take() else {
            return;
        };
        let born = Placement {
            range: HashRange {
                first: plan.at,
                last: record.range.last,
            },
            began_with_last: record.range.last,
            placed: record.placed.clone(),
            founders: record.voters.clone(),
            first_voters: record.voters.clone(),
            voters: record.voters.clone(),
            preferred: led_by,
            removed: BTreeSet::new(),
            split_off: Some(left),
            splitting: None,
            changing: false,
        };
        record.range.last = plan.at - 1;
        self.partitions.insert(right, born);
    }

    /// The nodes that may take a voter's place. Not who has another part of what the partition was: it cannot take all of
    /// it in. And not who was removed, since its vote and its log are gone: a voter that has not heard of the change
    /// still counts it, and the two could elect a leader that lacks what was committed since.
    pub(crate) fn spare(&self, number: u64, nodes: usize) -> Vec<usize> {
        let Some(own) = self.partitions.get(&number) else {
            return Vec::new();
        };
        let holds = |node: &usize| {
            let mut others = self.partitions.iter();
            own.range.last != own.began_with_last
                && others.any(|(of, other)| *of != number && other.placed.contains(node))
        };
        (0..nodes)
            .filter(|node| !own.placed.contains(node) && !own.removed.contains(node))
            .filter(|node| !holds(node))
            .collect()
    }

    /// Whether nothing is under way.
    pub(crate) fn is_settled(&self) -> bool {
        let settled = |p: &Placement| p.splitting.is_none() && !p.changing;
        self.partitions.values().all(settled)
    }
}
