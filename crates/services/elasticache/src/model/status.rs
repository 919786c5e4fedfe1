//! The statuses of caches and their members, with AWS's words.

use serde::{Deserialize, Serialize};

/// `Status` of a replication group and `CacheClusterStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Members are being placed and started.
    Creating,
    /// Serves, and nothing is under way.
    Available,
    /// A change, a failover or a change of nodes is being carried out.
    Modifying,
    /// Engines restart on request.
    Rebooting,
    /// A snapshot is being taken.
    Snapshotting,
    /// Everything is being removed.
    Deleting,
    /// It could not be made; events say why.
    CreateFailed,
    /// The snapshot that it was to begin with could not be loaded.
    RestoreFailed,
}

impl Status {
    /// The word of a replication group.
    #[must_use]
    pub fn of_group(self) -> &'static str {
        match self {
            Status::Creating => "creating",
            Status::Available => "available",
            Status::Modifying | Status::Rebooting => "modifying",
            Status::Snapshotting => "snapshotting",
            Status::Deleting => "deleting",
            Status::CreateFailed | Status::RestoreFailed => "create-failed",
        }
    }

    /// The word of a cache cluster.
    #[must_use]
    pub fn of_cluster(self) -> &'static str {
        match self {
            Status::Rebooting => "rebooting cluster nodes",
            Status::RestoreFailed => "restore-failed",
            Status::CreateFailed => "incompatible-network",
            other => other.of_group(),
        }
    }
}
