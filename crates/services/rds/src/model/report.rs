//! What an agent reports of a member with each renewal of its node's session. Not stored.

use serde::{Deserialize, Serialize};

use quorate_base::Epoch;

/// One member as its agent sees it. Key among the node's observations: `rds/RESOURCE-ID`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberReport {
    /// What the engine does.
    pub engine: EngineState,
    /// The epoch at which it does.
    pub epoch: Epoch,
    /// For a follower: whether it streams from its upstream.
    pub streaming: bool,
    /// For a follower: bytes of log that it has not replayed; none when unknown.
    pub lag_bytes: Option<u64>,
    /// For a follower: how old the newest replayed commit is while something is not replayed, in milliseconds.
    pub lag_ms: Option<u64>,
    /// Whether the file system that holds the copy has no room left: for a follower, too little to lead.
    pub storage_full: bool,
    /// What is being done, or what is wrong, in a sentence.
    pub detail: Option<String>,
}

/// What a member's engine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineState {
    /// No process.
    Down,
    /// A copy is being made or realigned.
    Building,
    /// Started, and not serving yet.
    Starting,
    /// Follows another engine.
    Following,
    /// Leads.
    Leading,
}

impl MemberReport {
    /// The key under which a node's observations hold the report of this instance.
    #[must_use]
    pub fn key(resource_id: &str) -> String {
        format!("rds/{resource_id}")
    }
}
