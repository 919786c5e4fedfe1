//! The restore that a cluster begins with.

use serde::{Deserialize, Serialize};

use quorate_base::UnixMillis;

use crate::aurora::model::{Attempt, LogRun, SnapshotImage};

/// What a cluster's volume is filled from before its first writer opens it. It is over when the volume has all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRestore {
    /// From where.
    pub from: RestoreSource,
    /// Whether that holds an engine's files.
    pub holds_files: bool,
    /// Bytes of a page, which the volume takes over.
    pub page_bytes: u32,
    /// Pages of a protection group, which the volume takes over.
    pub pages_per_group: u64,
    /// When it was asked for.
    pub asked_at: UnixMillis,
    /// The present or last attempt.
    pub attempt: Option<Attempt>,
}

/// From where a cluster is restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestoreSource {
    /// A snapshot.
    Snapshot {
        /// Its identifier.
        id: String,
        /// What it has in the archive.
        image: Option<SnapshotImage>,
    },
    /// Another cluster's volume, as it is when the copy is made.
    Cluster {
        /// Its identifier, when it was asked for.
        id: String,
        /// Its `resource_id`.
        resource_id: String,
        /// Whether the new volume shares its pages instead of copying them.
        #[serde(default)]
        shares_pages: bool,
    },
    /// What the archive has of another cluster, which may be gone.
    Time {
        /// Its identifier, when it was asked for.
        id: String,
        /// Its `resource_id`.
        resource_id: String,
        /// Up to when.
        to: UnixMillis,
        /// The automated snapshot that is the base.
        base: String,
        /// What that has in the archive.
        image: SnapshotImage,
        /// The log from there on, or from before it.
        runs: Vec<LogRun>,
        /// Protection groups that it may need.
        groups: u32,
    },
}

impl ClusterRestore {
    /// The cluster whose volume is read, by its resource id.
    #[must_use]
    pub fn source_cluster(&self) -> Option<&str> {
        match &self.from {
            RestoreSource::Snapshot { .. } | RestoreSource::Time { .. } => None,
            RestoreSource::Cluster { resource_id, .. } => Some(resource_id),
        }
    }

    /// The snapshot that is read, by its identifier.
    #[must_use]
    pub fn source_snapshot(&self) -> Option<&str> {
        match &self.from {
            RestoreSource::Snapshot { id, .. } | RestoreSource::Time { base: id, .. } => Some(id),
            RestoreSource::Cluster { .. } => None,
        }
    }

    /// The cluster whose automated backups are read, by its resource id.
    #[must_use]
    pub fn source_backup(&self) -> Option<&str> {
        match &self.from {
            RestoreSource::Time { resource_id, .. } => Some(resource_id),
            RestoreSource::Snapshot { .. } | RestoreSource::Cluster { .. } => None,
        }
    }
}
