//! Snapshots of clusters.
//!
//! Invariants
//! - `image` is set with the step to `Available`, when every object that it stands for is in the archive for good.
//! - A copy has the image of its source: objects never change, and go with the last snapshot that has them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use quorate_base::UnixMillis;
use quorate_control::Record;
use quorate_volume::protocol::Lsn;

use crate::aurora::model::{Attempt, ClusterBackup, ClusterSettings};
use crate::model::Tag;

/// A snapshot of a cluster. Id in the catalog: the DB cluster snapshot identifier, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterSnapshot {
    /// Names it for ever, as identifiers may be used again: `dbcluster-snapshot-…`. Its objects lie below it.
    pub resource_id: String,
    /// The cluster's identifier at the time; the cluster may be gone.
    pub cluster: String,
    /// The cluster's `resource_id`, and its volume's id.
    pub cluster_resource_id: String,
    /// When the cluster was made.
    pub cluster_created_at: UnixMillis,
    /// The cluster's settings at the time.
    pub settings: ClusterSettings,
    /// Whether the cluster's volume held an engine's files: else there is nothing to copy.
    pub holds_files: bool,
    /// Whether it was taken by itself, as a base of continuous backup: it goes by the cluster's retention.
    #[serde(default)]
    pub automated: bool,
    /// Whether the cluster is deleted once this is taken.
    pub is_final: bool,
    /// When it was asked for.
    pub created_at: UnixMillis,
    /// `Status`.
    pub status: SnapshotStatus,
    /// The present or last attempt at taking it, while it is being taken.
    pub attempt: Option<Attempt>,
    /// What is in the archive.
    pub image: Option<SnapshotImage>,
    /// The ARN of the snapshot that it is a copy of.
    pub copied_from: Option<String>,
    /// The accounts of the attribute `restore`; recorded as asked.
    pub restorable_by: BTreeSet<String>,
    /// Tags.
    pub tags: Vec<Tag>,
}

/// `Status` of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotStatus {
    /// Being taken.
    Creating,
    /// In the archive.
    Available,
    /// It could not be taken; an event says why.
    Failed,
    /// Going.
    Deleting,
}

impl SnapshotStatus {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SnapshotStatus::Creating => "creating",
            SnapshotStatus::Available => "available",
            SnapshotStatus::Failed => "failed",
            SnapshotStatus::Deleting => "deleting",
        }
    }
}

/// Where a snapshot's pages are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotImage {
    /// Below which its objects lie in the archive; of the snapshot that was taken, not of its copies.
    pub folder: String,
    /// The name of the object that lists the others.
    pub manifest: String,
    /// Bytes of a page.
    pub page_bytes: u32,
    /// Pages of a protection group.
    pub pages_per_group: u64,
    /// Bytes of its pages.
    pub size_bytes: u64,
    /// What the pages are as of; none of snapshots that an earlier version took.
    #[serde(default)]
    pub lsn: Option<Lsn>,
    /// By when that was complete.
    #[serde(default)]
    pub complete_at: Option<UnixMillis>,
}

impl ClusterSnapshot {
    /// Below which everything lies that attempts at taking it put into the archive.
    #[must_use]
    pub fn folder(&self) -> String {
        if self.automated {
            let of_cluster = ClusterBackup::folder(&self.cluster_resource_id);
            return format!("{of_cluster}/{}", self.resource_id);
        }
        format!("rds/cluster-snapshot/{}", self.resource_id)
    }

    /// `SnapshotType`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if self.automated {
            "automated"
        } else {
            "manual"
        }
    }

    /// How its events begin.
    #[must_use]
    pub fn word(&self) -> &'static str {
        if self.automated {
            "Automated"
        } else {
            "Manual"
        }
    }

    /// `PercentProgress`.
    #[must_use]
    pub fn percent(&self) -> u8 {
        match self.status {
            SnapshotStatus::Available | SnapshotStatus::Deleting => 100,
            SnapshotStatus::Creating | SnapshotStatus::Failed => {
                self.attempt.as_ref().map_or(0, |attempt| attempt.percent)
            }
        }
    }
}

impl Record for ClusterSnapshot {
    const TABLE: &'static str = "rds/cluster-snapshot";
    const VERSION: u32 = 1;
}
