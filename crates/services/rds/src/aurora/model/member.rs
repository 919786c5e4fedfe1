//! A DB instance of a cluster: an engine on a node, over the cluster's volume.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use quorate_base::{Epoch, NodeId, UnixMillis, ZoneName};
use quorate_control::Record;

use crate::model::{MemberState, ParametersApplied, Status, Tag};

/// One DB instance of a cluster. Whether it writes stands in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterMember {
    /// `DbiResourceId`, as in `db-ABCDEFGHIJKLMNOPQRSTUVWXYZ`; the agent's name for what it has of this member.
    pub resource_id: String,
    /// When CreateDBInstance was answered.
    pub created_at: UnixMillis,
    /// As in `db.r6g.large`.
    pub class: String,
    /// `PromotionTier`, 0 to 15: the lowest is promoted first.
    pub promotion_tier: u8,
    /// The zone that was asked for, if any.
    pub zone: Option<ZoneName>,
    /// Name of the DB parameter group.
    pub parameter_group: String,
    /// `PreferredMaintenanceWindow`.
    pub maintenance_window: String,
    /// `AutoMinorVersionUpgrade`.
    pub auto_minor_version_upgrade: bool,
    /// `PubliclyAccessible`: recorded as asked.
    pub publicly_accessible: bool,
    /// `CopyTagsToSnapshot`.
    pub copy_tags_to_snapshot: bool,
    /// Changes that were accepted and are not in force.
    pub pending: PendingMemberChanges,
    /// Whether its engine should run (while the cluster's should) or be gone.
    pub desired: MemberDesired,
    /// What the user last ordered that is not a setting, until its agent has carried it out.
    pub order: Option<MemberOrder>,
    /// `DBInstanceStatus`.
    pub status: Status,
    /// Where it runs; none until the controller has placed it.
    pub node: Option<NodeId>,
    /// How far it is. Set to `Building` by the controller when its node falls silent or the epoch changes; the agent
    /// says `Running` again.
    pub state: MemberState,
    /// Where its engine listens, chosen by its node.
    pub address: Option<SocketAddr>,
    /// The cluster's epoch at which its engine runs: as writer, or over a view of that epoch's volume.
    pub following: Option<Epoch>,
    /// Raised to have the node throw away what it has of the member and begin anew.
    pub incarnation: u32,
    /// When the controller placed it, or its state last changed.
    pub since: UnixMillis,
    /// The port of its own endpoint, for the life of the member.
    pub endpoint_port: u16,
    /// Tags.
    pub tags: Vec<Tag>,
    /// How far the engine has taken its parameter groups in.
    pub parameters_applied: ParametersApplied,
}

/// Changes of a member that were accepted and are not in force (`PendingModifiedValues`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingMemberChanges {
    /// Whether the controller carries them out at once rather than in the maintenance window.
    pub apply_now: bool,
    /// `DBInstanceClass`.
    pub class: Option<String>,
    /// `NewDBInstanceIdentifier`.
    pub new_id: Option<String>,
}

impl PendingMemberChanges {
    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.class.is_none() && self.new_id.is_none()
    }
}

/// Whether a member should be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberDesired {
    /// Its engine runs while the cluster's engines should.
    Running,
    /// `DeleteDBInstance`: its engine ends, its node forgets it, then the cluster does.
    Deleted,
}

/// What a user, or the controller for a new class, ordered once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberOrder {
    /// The engine restarts with the parameters of the moment, over the same mount, at the same epoch.
    Reboot,
}

impl ClusterMember {
    /// Whether its engine runs at this epoch, as far as the catalog knows.
    #[must_use]
    pub fn runs_at(&self, epoch: Epoch) -> bool {
        self.state == MemberState::Running
            && self.following == Some(epoch)
            && self.address.is_some()
            && self.desired == MemberDesired::Running
    }
}

/// Which cluster a DB instance identifier belongs to. Id in the catalog: the DB instance identifier, in lower case.
/// Written with the member; keeps the identifier from being given twice, since instances and members share one namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberName {
    /// The cluster's resource id.
    pub cluster: String,
}

impl Record for MemberName {
    const TABLE: &'static str = "rds/cluster-member";
    const VERSION: u32 = 1;
}
