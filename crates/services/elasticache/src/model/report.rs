//! What an agent reports of a member with each renewal of its node's session. Not stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use quorate_base::Epoch;

use crate::model::{MemberNumber, ShardNumber};

/// One member as its agent sees it. Key among the node's observations: `MemberReport::key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberReport {
    /// What the engine does.
    pub engine: EngineState,
    /// The shard's epoch that the agent goes by.
    pub epoch: Epoch,
    /// The `restarts` at which the engine was started.
    pub started: u32,
    /// Of a replica: its link to the primary.
    pub link: Option<ReplicationLink>,
    /// Bytes of the replication stream that it has written or applied.
    pub offset: u64,
    /// Bytes of memory that it uses.
    pub memory_bytes: u64,
    /// Of a cluster's replica that has all that its primary had: whether its engine holds that one for gone.
    #[serde(default)]
    pub primary_lost: bool,
    /// For how long it has.
    #[serde(default)]
    pub primary_lost_ms: u64,
    /// What is being done, or what is wrong, in a sentence.
    pub detail: Option<String>,
}

/// What a member's engine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineState {
    /// No process.
    Down,
    /// Started; it loads what it has, or does not answer yet.
    Starting,
    /// Answers, as a primary or as a node that knows no others.
    Leading,
    /// Answers, as a replica.
    Following,
}

/// A replica's link to its primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationLink {
    /// Whether it is up.
    pub up: bool,
    /// Whether a full copy is being received.
    pub copying: bool,
    /// Bytes behind the primary, as far as it told.
    pub lag_bytes: Option<u64>,
}

impl MemberReport {
    /// The key under which a node's observations hold the report of a member.
    #[must_use]
    pub fn key(resource_id: &str, shard: ShardNumber, member: MemberNumber) -> String {
        format!("elasticache/{resource_id}/{:04}/{:03}", shard.0, member.0)
    }
}

/// What a node's Sentinels say of what they watch, by cache. Key among the node's observations: `WATCH_KEY`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchReport {
    /// By the cache's id.
    pub caches: BTreeMap<String, Watched>,
}

/// The key under which a node's observations hold its `WatchReport`.
pub const WATCH_KEY: &str = "elasticache/sentinel";

/// What one Sentinel says of one cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// Other Sentinels that it knows to watch the cache.
    pub others: u16,
    /// Replicas that it knows.
    pub replicas: u16,
    /// Whether it holds the primary for gone.
    pub down: bool,
}
