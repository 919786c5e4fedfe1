//! The statuses of an instance, with AWS's words.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `DBInstanceStatus`. The names on the wire are AWS's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Members are being placed and made.
    Creating,
    /// Serves, and nothing is under way.
    Available,
    /// A change of settings is being carried out.
    Modifying,
    /// A reboot, with or without failover, is under way.
    Rebooting,
    /// The master password is being replaced.
    ResettingMasterCredentials,
    /// The instance is getting another identifier.
    Renaming,
    /// The engine is getting another version.
    Upgrading,
    /// Engines are being stopped on request.
    Stopping,
    /// Stopped on request.
    Stopped,
    /// Engines are being started on request.
    Starting,
    /// Everything is being removed.
    Deleting,
    /// No space is left where the primary's data lies.
    StorageFull,
    /// The engine does not start with the parameters that were set.
    IncompatibleParameters,
    /// Cannot be brought back by Quorate alone; events say why.
    Failed,
}

impl Status {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Creating => "creating",
            Status::Available => "available",
            Status::Modifying => "modifying",
            Status::Rebooting => "rebooting",
            Status::ResettingMasterCredentials => "resetting-master-credentials",
            Status::Renaming => "renaming",
            Status::Upgrading => "upgrading",
            Status::Stopping => "stopping",
            Status::Stopped => "stopped",
            Status::Starting => "starting",
            Status::Deleting => "deleting",
            Status::StorageFull => "storage-full",
            Status::IncompatibleParameters => "incompatible-parameters",
            Status::Failed => "failed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
