//! Which nodes a partition's replicas go to.
//!
//! Invariants: the replicas of a partition are in different zones, three where there are three; the nodes of a zone hold
//! about the same number of replicas, and all nodes lead about the same number of partitions.

use std::collections::BTreeMap;

use quorate_base::{NodeId, ZoneName};

use crate::model::{HomeId, PartitionRecord, Throughput};

/// Replicas of a partition.
const REPLICAS_MAX: usize = 3;
/// What one partition serves a second, by AWS's own figures.
const PARTITION_READ: u64 = 3_000;
/// What one partition serves a second, by AWS's own figures.
const PARTITION_WRITE: u64 = 1_000;
/// Partitions that a table or an index begins with at most.
const PARTITIONS_MAX: u64 = 128;

/// How many partitions a table or an index with this throughput begins with.
#[must_use]
pub fn partition_count(throughput: &Throughput) -> u32 {
    let warm = (
        throughput.warm_read.unwrap_or(0),
        throughput.warm_write.unwrap_or(0),
    );
    let one = |(read, write): (u64, u64)| {
        // ceil(read / 3000 + write / 1000), in whole numbers.
        let factor = PARTITION_READ / PARTITION_WRITE;
        let weighted = read.saturating_add(write.saturating_mul(factor));
        weighted.div_ceil(PARTITION_READ)
    };
    let count = one((throughput.read, throughput.write)).max(one(warm));
    u32::try_from(count.clamp(1, PARTITIONS_MAX)).expect("the most fits")
}

/// The nodes that are alive, and what they have already.
#[derive(Debug, Clone, Default)]
pub struct Placement {
    nodes: BTreeMap<NodeId, Load>,
    homes: BTreeMap<NodeId, HomeId>,
}

/// What a node has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Load {
    replicas: u64,
    leads: u64,
}

impl Placement {
    /// These nodes, with what all partitions of the region put on them.
    #[must_use]
    pub fn new<'a>(
        alive: &[NodeId],
        partitions: impl IntoIterator<Item = &'a PartitionRecord>,
    ) -> Placement {
        let mut placement = Placement {
            nodes: alive
                .iter()
                .map(|node| (node.clone(), Load::default()))
                .collect(),
            homes: BTreeMap::new(),
        };
        for partition in partitions {
            placement.count(&partition.replicas, &partition.preferred);
            let moving = partition.moving.as_ref();
            if let Some(moving) = moving.filter(|m| !partition.replicas.contains(&m.joins)) {
                placement.count_newcomer(&moving.joins);
            }
        }
        placement
    }

    /// The same, with the folders that replicas are made in.
    #[must_use]
    pub fn with_homes(mut self, homes: BTreeMap<NodeId, HomeId>) -> Placement {
        self.homes = homes;
        self
    }

    /// The folders of these nodes, as far as they are known.
    pub(crate) fn homes_of(&self, nodes: &[NodeId]) -> BTreeMap<NodeId, HomeId> {
        let homes = nodes.iter().filter_map(|node| {
            let home = self.homes.get(node)?;
            Some((node.clone(), *home))
        });
        homes.collect()
    }

    /// How many replicas a node has.
    pub(crate) fn replicas_on(&self, node: &NodeId) -> u64 {
        self.nodes.get(node).map_or(0, |load| load.replicas)
    }

    /// Counts a replica that a node is to get.
    pub(crate) fn count_newcomer(&mut self, node: &NodeId) {
        if let Some(load) = self.nodes.get_mut(node) {
            load.replicas += 1;
        }
    }

    /// Chooses the nodes of one more partition and the one that is to lead it. `None` when no node is alive.
    pub fn take(&mut self) -> Option<(Vec<NodeId>, NodeId)> {
        let mut zones: BTreeMap<ZoneName, (Load, NodeId)> = BTreeMap::new();
        for (node, load) in &self.nodes {
            let best = zones
                .entry(node.zone())
                .or_insert_with(|| (*load, node.clone()));
            if *load < best.0 {
                *best = (*load, node.clone());
            }
        }
        // Where there are more zones than replicas, the emptiest are taken.
        let mut best: Vec<(Load, NodeId)> = zones.into_values().collect();
        best.sort();
        best.truncate(REPLICAS_MAX);
        let leads = |(load, node): &&(Load, NodeId)| (load.leads, load.replicas, node.clone());
        let preferred = best.iter().min_by_key(leads)?.1.clone();
        let mut replicas: Vec<NodeId> = best.into_iter().map(|(_, node)| node).collect();
        replicas.sort();
        self.count(&replicas, &preferred);
        Some((replicas, preferred))
    }

    fn count(&mut self, replicas: &[NodeId], preferred: &NodeId) {
        for node in replicas {
            if let Some(load) = self.nodes.get_mut(node) {
                load.replicas += 1;
                load.leads += u64::from(node == preferred);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(zones: &str, each: u32) -> Vec<NodeId> {
        let region: quorate_base::RegionName = "us-east-1".parse().unwrap();
        let zones = zones.chars().map(|letter| region.zone(letter));
        zones
            .flat_map(|zone| (1..=each).map(move |number| zone.node(number)))
            .collect()
    }

    #[test]
    fn partitions_follow_the_throughput() {
        let of = |read, write, warm_read, warm_write| {
            partition_count(&Throughput {
                read,
                write,
                warm_read,
                warm_write,
                ..Throughput::default()
            })
        };
        assert_eq!(of(0, 0, None, None), 1);
        assert_eq!(of(3000, 0, None, None), 1);
        assert_eq!(of(3000, 1, None, None), 2);
        assert_eq!(of(1500, 500, None, None), 1);
        assert_eq!(of(1501, 500, None, None), 2);
        assert_eq!(of(40_000, 40_000, None, None), 54);
        assert_eq!(of(5, 5, Some(12_000), Some(4_000)), 8);
        assert_eq!(of(u64::MAX, u64::MAX, None, None), 128);
    }

    #[test]
    fn replicas_are_in_three_zones_and_spread_evenly() {
        for (zones, each) in [("abc", 1), ("abc", 3), ("abcd", 2), ("abcdef", 1)] {
            let alive = nodes(zones, each);
            let mut placement = Placement::new(&alive, []);
            for _ in 0..120 {
                let (replicas, preferred) = placement.take().unwrap();
                assert_eq!(replicas.len(), 3);
                let zones: std::collections::BTreeSet<_> =
                    replicas.iter().map(NodeId::zone).collect();
                assert_eq!(zones.len(), 3);
                assert!(replicas.contains(&preferred));
            }
            let loads: Vec<Load> = placement.nodes.values().copied().collect();
            let spread = |of: fn(&Load) -> u64| {
                loads.iter().map(of).max().unwrap() - loads.iter().map(of).min().unwrap()
            };
            assert!(spread(|l| l.replicas) <= 1, "{zones} {each}: {loads:?}");
            assert!(spread(|l| l.leads) <= 2, "{zones} {each}: {loads:?}");
        }
    }

    #[test]
    fn fewer_zones_hold_fewer_replicas() {
        assert_eq!(
            Placement::new(&nodes("ab", 2), []).take().unwrap().0.len(),
            2
        );
        assert_eq!(
            Placement::new(&nodes("a", 3), []).take().unwrap().0.len(),
            1
        );
        assert!(Placement::new(&[], []).take().is_none());
    }
}
