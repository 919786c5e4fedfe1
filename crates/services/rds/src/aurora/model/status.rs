//! The statuses of a cluster, with AWS's words.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A DB cluster's `Status`. The names on the wire are AWS's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterStatus {
    /// Its volume is being placed.
    Creating,
    /// Nothing is under way.
    Available,
    /// A snapshot is being taken.
    BackingUp,
    /// A change of settings is being carried out.
    Modifying,
    /// Another member becomes the writer.
    FailingOver,
    /// The master password is being replaced.
    ResettingMasterCredentials,
    /// The cluster is getting another identifier.
    Renaming,
    /// Engines are being stopped on request.
    Stopping,
    /// Stopped on request.
    Stopped,
    /// Engines are being started on request.
    Starting,
    /// Everything is being removed.
    Deleting,
    /// It could not be filled from what it was to begin with: it can only be deleted.
    IncompatibleRestore,
}

impl ClusterStatus {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ClusterStatus::Creating => "creating",
            ClusterStatus::Available => "available",
            ClusterStatus::BackingUp => "backing-up",
            ClusterStatus::Modifying => "modifying",
            ClusterStatus::FailingOver => "failing-over",
            ClusterStatus::ResettingMasterCredentials => "resetting-master-credentials",
            ClusterStatus::Renaming => "renaming",
            ClusterStatus::Stopping => "stopping",
            ClusterStatus::Stopped => "stopped",
            ClusterStatus::Starting => "starting",
            ClusterStatus::Deleting => "deleting",
            ClusterStatus::IncompatibleRestore => "incompatible-restore",
        }
    }
}

impl fmt::Display for ClusterStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
