//! What Aurora keeps in the catalog: clusters with their members, and their volumes.
//!
//! Owns the record types, their versions, and what agents report. Must not know how they are reached or carried out.

mod backup;
mod cluster;
mod custom_endpoint;
mod member;
mod parameter_group;
mod report;
mod restore;
mod settings;
mod snapshot;
mod status;
mod transfer;
mod volume;

pub use backup::{ClusterBackup, LogChain, LogRun};
pub use cluster::{Cluster, ClusterEndpoints, ClusterFailover, ClusterOrder};
pub use custom_endpoint::{CustomEndpoint, CustomEndpointKind, CustomEndpointMembers};
pub use member::{ClusterMember, MemberDesired, MemberName, MemberOrder, PendingMemberChanges};
pub use parameter_group::ClusterParameterGroup;
pub use report::{
    AuroraEngineState, AuroraMemberReport, Progress, STORAGE_DETAIL, SegmentHealth, SegmentReport,
    VolumeReport, WriterReport, few_segments,
};
pub use restore::{ClusterRestore, RestoreSource};
pub use settings::{ClusterSettings, PendingClusterChanges};
pub use snapshot::{ClusterSnapshot, SnapshotImage, SnapshotStatus};
pub use status::ClusterStatus;
pub use transfer::{Attempt, RunOf};
pub use volume::{Group, OriginGroup, SegmentPlace, Volume, VolumeOrigin};
