//! What writers and segments say to each other.

use serde::{Deserialize, Serialize};

use super::{History, Lsn, MembershipEpoch, Record, RecordHeader, VolumeEpoch};

/// Who speaks to a segment: a writer at its epoch, with the membership that it goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speaker {
    /// The writer's epoch.
    pub epoch: VolumeEpoch,
    /// The group's membership that it counts quorums of.
    pub membership: MembershipEpoch,
}

/// What a writer knows of a group's completeness.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complete {
    /// The volume's VDL.
    pub vdl: Lsn,
    /// The group's last record at or below it.
    pub tail: Lsn,
}

/// Records for a segment. Without records it tells what is complete and asks how far the segment is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Append {
    /// Who sends them.
    pub speaker: Speaker,
    /// What is complete.
    pub complete: Complete,
    /// In the order of their LSNs.
    pub records: Vec<Record>,
}

/// A segment's promise to take no records of lower epochs, and what it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// How far the segment's chain reaches.
    pub scl: Lsn,
    /// The history that it has adopted.
    pub history: History,
    /// What a writer last told it to be complete.
    pub complete: Complete,
    /// What it holds above `complete.vdl`, in the order of LSNs, also beyond gaps.
    pub headers: Vec<RecordHeader>,
}

/// Takes over a history, and tells how far the group's log reaches after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopt {
    /// Whose history it is.
    pub speaker: Speaker,
    /// All cuts, the writer's own last.
    pub history: History,
    /// The group's last record at or below the last cut: the segment asks its peers for what it lacks of it.
    pub tail: Lsn,
}

/// A segment asks a peer for what follows its own chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// The epoch of the asker's history.
    pub history: VolumeEpoch,
    /// How far its chain reaches.
    pub scl: Lsn,
}

/// Why a segment will not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// It has promised to take nothing below this epoch.
    #[error("another writer has epoch {0}")]
    Epoch(VolumeEpoch),
    /// The group's membership has changed.
    #[error("the group's membership is at {0}")]
    Membership(MembershipEpoch),
    /// The writer's history has to be adopted first.
    #[error("the writer's history is not adopted")]
    NotAdopted,
}
