//! What ElastiCache keeps in the catalog: intent and what was observed of it.
//!
//! Owns the record types and their versions. Must not know how they are reached or carried out.

mod access;
mod cache;
mod event;
mod host;
mod parameter_group;
mod report;
mod sentinel;
mod settings;
mod snapshot;
mod status;
mod subnet_group;
mod topology;

pub use access::{User, UserGroup, UserStatus};
pub use cache::{Cache, CacheKind, Desired, Order, PendingChanges, PendingNodes};
pub use event::{Event, EventSource};
pub use host::{Engine, EngineVersion, Host};
pub use parameter_group::ParameterGroup;
pub use report::{EngineState, MemberReport, ReplicationLink, WATCH_KEY, WatchReport, Watched};
pub use sentinel::{Sentinel, SentinelPasswords};
pub use settings::{Auth, Settings, Tag, TokenHash};
pub use snapshot::{Snapshot, SnapshotSource, SnapshotStatus, Taker};
pub use status::Status;
pub use subnet_group::SubnetGroup;
pub use topology::{
    Coordinated, Member, MemberNumber, MemberState, Shard, ShardNumber, SlotRange, Topology,
};
