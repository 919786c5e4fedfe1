//! How an open volume stands, for whoever shows it.

use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use quorate_base::NodeId;

use crate::protocol::{GroupIndex, Lsn, MembershipEpoch, VolumeEpoch};
use crate::writer::volume::Volume;

/// An open volume as its writer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeStatus {
    /// The writer's epoch.
    pub epoch: VolumeEpoch,
    /// The last consistency point at or below VCL.
    pub vdl: Lsn,
    /// Every record at or below it is at a write quorum.
    pub vcl: Lsn,
    /// The last record.
    pub last: Lsn,
    /// Bytes that the records carried so far, each counted once.
    pub payload_bytes: u64,
    /// The same, counted for each copy whose node took them.
    pub sent_bytes: u64,
    /// Protection groups that the volume needs.
    pub wanted_groups: u32,
    /// The protection groups.
    pub groups: Vec<GroupStatus>,
}

/// A protection group as the writer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupStatus {
    /// Which one.
    pub group: GroupIndex,
    /// The membership that quorums are counted of.
    pub membership: MembershipEpoch,
    /// Whether the second of two sets would be enough: the copy that is replaced may go.
    pub filled: bool,
    /// PGCL: how far a write quorum reaches.
    pub complete: Lsn,
    /// Its copies.
    pub copies: Vec<CopyStatus>,
}

/// A copy as the writer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyStatus {
    /// Which copy.
    pub copy: u32,
    /// Where it lies.
    pub node: NodeId,
    /// How far it reaches.
    pub scl: Lsn,
}

impl Volume {
    /// How the volume stands.
    #[must_use]
    pub fn status(&self) -> VolumeStatus {
        let layout = self.shared.reading.layout();
        let wanted_groups = *self.wanted_groups().borrow();
        let inner = self.shared.lock();
        let core = &inner.core;
        let of_group = |index: GroupIndex| {
            let places = layout
                .groups
                .get(&index)
                .into_iter()
                .flat_map(|g| &g.places);
            GroupStatus {
                group: index,
                membership: core.membership(index).map(|m| m.epoch).unwrap_or_default(),
                filled: core.is_filled(index),
                complete: core.quorum_has(index),
                copies: places
                    .map(|(copy, place)| CopyStatus {
                        copy: *copy,
                        node: place.node.clone(),
                        scl: core.reach_of(index, *copy),
                    })
                    .collect(),
            }
        };
        VolumeStatus {
            epoch: core.epoch(),
            vdl: core.vdl(),
            vcl: core.vcl(),
            last: core.last(),
            payload_bytes: inner.payload_bytes,
            sent_bytes: self.shared.sent_bytes.load(Ordering::Relaxed),
            wanted_groups,
            groups: core.groups().map(of_group).collect(),
        }
    }
}
