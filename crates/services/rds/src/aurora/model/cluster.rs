//! One DB cluster: what was asked of it, who writes its volume, and where it stands.
//!
//! Invariants
//! - `epoch` is the epoch at which the writer opens the volume. Each number is handed out once: it grows with each change
//!   of writer and whenever a writer's mount must be made again, so no two mounts ever write at the same one.
//! - `serving` is `Some(epoch)` or an older epoch: only the writer's agent sets it, in the transaction that gives the
//!   endpoints their targets.
//! - `created` is set once, by the agent of the writer that made the files in the volume or by the one that filled the
//!   volume from elsewhere, and never cleared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use quorate_base::{Epoch, UnixMillis};
use quorate_control::Record;
use quorate_volume::protocol::GroupIndex;

use crate::aurora::model::{
    ClusterMember, ClusterRestore, ClusterSettings, ClusterStatus, CustomEndpoint,
    PendingClusterChanges,
};
use crate::model::{Desired, Tag};

/// A DB cluster. Id in the catalog: the DB cluster identifier, in lower case.
///
/// API handlers write `settings`, `pending`, `order`, `desired`, `tags`, members and custom endpoints as asked, and the
/// statuses that the answer must show. The controller and the agents write the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// `DbClusterResourceId`, as in `cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ`; also the id of its volume. Never used again.
    pub resource_id: String,
    /// When CreateDBCluster was answered.
    pub created_at: UnixMillis,
    /// What is in force.
    pub settings: ClusterSettings,
    /// What was accepted and waits for the controller.
    pub pending: PendingClusterChanges,
    /// What the user last ordered that is not a setting, until it is carried out.
    pub order: Option<ClusterOrder>,
    /// Whether engines should run, be stopped, or be gone.
    pub desired: Desired,
    /// `Status`.
    pub status: ClusterStatus,
    /// Why the cluster does not do what it should, where there is more to say than the status.
    pub status_detail: Option<String>,
    /// The ports of its endpoints.
    pub endpoints: ClusterEndpoints,
    /// Tags.
    pub tags: Vec<Tag>,
    /// The epoch at which the writer opens the volume; 1 at creation.
    pub epoch: Epoch,
    /// The member that writes, by its DB instance identifier. None until the controller has chosen one.
    pub writer: Option<String>,
    /// The epoch at which the writer's agent last reported that its engine accepts writes.
    pub serving: Option<Epoch>,
    /// The first protection group that has fewer than a write quorum of segments on nodes that are alive, as the controller
    /// sees it. No writer is chosen meanwhile, and readers go by views without one.
    #[serde(default)]
    pub unwritable: Option<GroupIndex>,
    /// The change of writer under way, from decision to the first report of the new writer.
    pub failover: Option<ClusterFailover>,
    /// Whether the volume holds an engine's files (`mkfs`, `initdb`, roles).
    pub created: bool,
    /// What the volume is filled from first; none once it is, or where a cluster begins with nothing. No writer is chosen
    /// meanwhile.
    #[serde(default)]
    pub restore: Option<ClusterRestore>,
    /// Fingerprint of the master verifier that the engine was last given (`PasswordVerifier::fingerprint`).
    pub credentials_applied: Option<String>,
    /// The DB instances of the cluster, by DB instance identifier.
    pub members: BTreeMap<String, ClusterMember>,
}

/// The ports of a cluster's endpoints, each for the life of the endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterEndpoints {
    /// Of the cluster endpoint, which leads to the writer.
    pub writer_port: u16,
    /// Of the reader endpoint.
    pub reader_port: u16,
    /// Custom endpoints, by DB cluster endpoint identifier.
    pub custom: BTreeMap<String, CustomEndpoint>,
}

/// What a user ordered once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClusterOrder {
    /// `FailoverDBCluster`.
    Failover {
        /// `TargetDBInstanceIdentifier`; the best reader where none is named.
        to: Option<String>,
    },
}

/// A change of writer under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterFailover {
    /// The member that wrote before; the new writer itself when it was placed anew or restarted.
    pub from: String,
    /// Why, in the words of the event.
    pub reason: String,
    /// When it was decided.
    pub started_at: UnixMillis,
}

impl Cluster {
    /// The writer's member.
    #[must_use]
    pub fn writer_member(&self) -> Option<&ClusterMember> {
        self.members.get(self.writer.as_ref()?)
    }

    /// Whether this member writes.
    #[must_use]
    pub fn is_writer(&self, member: &str) -> bool {
        self.writer.as_deref() == Some(member)
    }

    /// Whether the writer has reported that it serves at the current epoch.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.serving == Some(self.epoch)
    }

    /// Whether the writer accepts connections, and its node is not silent.
    #[must_use]
    pub fn writer_runs(&self) -> bool {
        self.is_serving() && self.writer_member().is_some_and(|member| self.runs(member))
    }

    /// The members that do not write.
    pub fn readers(&self) -> impl Iterator<Item = (&String, &ClusterMember)> {
        self.members.iter().filter(|(id, _)| !self.is_writer(id))
    }

    /// Whether a member's engine runs, as writer or as reader, at the current epoch.
    #[must_use]
    pub fn runs(&self, member: &ClusterMember) -> bool {
        member.runs_at(self.epoch)
    }
}

impl Record for Cluster {
    const TABLE: &'static str = "rds/cluster";
    const VERSION: u32 = 1;
}
