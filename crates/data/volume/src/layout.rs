//! Where a volume's segments lie: what whoever uses a volume is told by the catalog's keeper.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use quorate_base::NodeId;

use crate::protocol::{GroupIndex, Membership, PageId, VolumeId, group_of};

/// A volume's shape and its segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The volume.
    pub volume: VolumeId,
    /// Bytes of a page.
    pub page_bytes: u32,
    /// Pages of a protection group.
    pub pages_per_group: u64,
    /// The protection groups that exist, from 0 on without gaps.
    pub groups: BTreeMap<GroupIndex, GroupLayout>,
}

/// One protection group's segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupLayout {
    /// Which copies count.
    pub membership: Membership,
    /// Where each of them lies.
    pub places: BTreeMap<u32, Place>,
}

/// A node that holds a segment, and where it is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The node.
    pub node: NodeId,
    /// Its node-to-node address.
    pub address: SocketAddr,
}

impl Layout {
    /// The group of a page.
    #[must_use]
    pub fn group_of(&self, page: PageId) -> GroupIndex {
        group_of(page, self.pages_per_group)
    }

    /// The groups' memberships.
    #[must_use]
    pub fn memberships(&self) -> BTreeMap<GroupIndex, Membership> {
        let groups = self.groups.iter();
        groups
            .map(|(index, group)| (*index, group.membership.clone()))
            .collect()
    }

    /// Where a copy lies.
    #[must_use]
    pub fn place(&self, group: GroupIndex, copy: u32) -> Option<&Place> {
        self.groups.get(&group)?.places.get(&copy)
    }
}

impl GroupLayout {
    /// The group's copies on each node: a node is called once for all that it holds.
    #[must_use]
    pub fn by_node(&self) -> BTreeMap<Place, Vec<u32>> {
        let mut nodes: BTreeMap<Place, Vec<u32>> = BTreeMap::new();
        for (copy, place) in &self.places {
            nodes.entry(place.clone()).or_default().push(*copy);
        }
        nodes
    }
}
