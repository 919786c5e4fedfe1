//! Where a cluster's volume lies: its protection groups, and the six segments of each.
//!
//! Invariants
//! - A group has one set of six segments, or two while one segment is being replaced; the two share five.
//! - A group's `epoch` grows with each change of its sets, and with nothing else.
//! - A copy's number is given once in the life of a group: `next_copy` only grows.
//! - Groups are only added.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use quorate_base::NodeId;
use quorate_control::Record;
use quorate_volume::protocol::{
    GroupIndex, Lsn, MembershipEpoch, SegmentId, VolumeId, WRITE_QUORUM,
};

/// A volume. Id in the catalog: the resource id of its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Bytes of a page.
    pub page_bytes: u32,
    /// Pages of a protection group: the size by which the volume grows.
    pub pages_per_group: u64,
    /// The groups, by their index. Empty until the controller has placed the first one.
    pub groups: Vec<Group>,
    /// How many groups there should be: 1 at creation, raised by the writer's agent, never lowered.
    pub wanted_groups: u32,
    /// What its first segments are forked from; none where they began with nothing.
    #[serde(default)]
    pub origin: Option<VolumeOrigin>,
}

/// What the first segments of a volume share their pages with, each with a segment on the same node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeOrigin {
    /// The source's volume: the resource id of its cluster.
    pub volume: String,
    /// The VDL of the source that this volume begins with.
    pub vdl: Lsn,
    /// The view that holds it until all segments are made.
    pub view: u64,
    /// The groups, by their index.
    pub groups: Vec<OriginGroup>,
}

/// What the first segments of a group are forked from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginGroup {
    /// The source group's last record at or below the VDL.
    pub tail: Lsn,
    /// The source's copy of each copy.
    pub copies: BTreeMap<u32, u32>,
}

/// One protection group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Raised by each change of `sets`; 1 at the beginning.
    pub epoch: MembershipEpoch,
    /// One set of six, or two while a segment is being replaced: the present one first, the one to come second.
    pub sets: Vec<Vec<SegmentPlace>>,
    /// The number of the next segment that takes another one's place.
    pub next_copy: u32,
    /// The copies that their nodes have on disk, or had. A copy is made once: one that is lost is replaced by another number.
    #[serde(default)]
    pub made: BTreeSet<u32>,
}

/// Where one segment lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SegmentPlace {
    /// Which copy.
    pub copy: u32,
    /// The node that holds it.
    pub node: NodeId,
}

impl Group {
    /// Every segment of the group, of both sets.
    #[must_use]
    pub fn segments(&self) -> BTreeSet<&SegmentPlace> {
        self.sets.iter().flatten().collect()
    }

    /// The segment that is on its way in, with the one that it replaces, while there are two sets.
    #[must_use]
    pub fn replacement(&self) -> Option<(&SegmentPlace, &SegmentPlace)> {
        let [present, to_come] = self.sets.as_slice() else {
            return None;
        };
        let incoming = to_come.iter().find(|place| !present.contains(place))?;
        let outgoing = present.iter().find(|place| !to_come.contains(place))?;
        Some((incoming, outgoing))
    }
}

impl Volume {
    /// The segments that a node holds, of all groups.
    #[must_use]
    pub fn segments_of(&self, volume: &VolumeId, node: &NodeId) -> Vec<SegmentId> {
        let mut found = Vec::new();
        for (index, group) in (0..).zip(&self.groups) {
            let here = group.segments().into_iter().filter(|p| p.node == *node);
            found.extend(here.map(|place| SegmentId {
                volume: volume.clone(),
                group: GroupIndex(index),
                copy: place.copy,
            }));
        }
        found
    }

    /// Whether so many of a group's first segments were made that it can take writes, and so fill the others.
    #[must_use]
    pub fn is_forked(&self, group: usize) -> bool {
        let copies = |origin: &VolumeOrigin| Some(origin.groups.get(group)?.copies.clone());
        let copies = self.origin.as_ref().and_then(copies).unwrap_or_default();
        let made = self.groups.get(group).map(|group| &group.made);
        let made = made.map_or(0, |made| {
            copies.keys().filter(|copy| made.contains(copy)).count()
        });
        made >= WRITE_QUORUM
    }

    /// Every node that holds a segment.
    #[must_use]
    pub fn nodes(&self) -> BTreeSet<&NodeId> {
        let places = self.groups.iter().flat_map(Group::segments);
        places.map(|place| &place.node).collect()
    }
}

impl Record for Volume {
    const TABLE: &'static str = "rds/volume";
    const VERSION: u32 = 1;
}
