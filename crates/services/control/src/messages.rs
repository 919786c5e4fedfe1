//! What processes ask the catalog's voters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use quorate_base::{NodeId, Revision};
use quorate_consensus::Voter;

use crate::store::{Change, Store};

pub(crate) const COMMIT: &str = "catalog.commit";
pub(crate) const BARRIER: &str = "catalog.barrier";
pub(crate) const WATCH: &str = "catalog.watch";
pub(crate) const RENEW: &str = "session.renew";
pub(crate) const SESSIONS: &str = "session.list";

/// An answer that only the leader can give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FromLeader<T> {
    /// The leader's answer.
    Answer(T),
    /// This voter does not lead; the one named may.
    Elsewhere(Option<Voter>),
    /// This voter may lead, but no quorum answered.
    NoQuorum(String),
}

/// Asks for what changed after a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WatchQuestion {
    /// What the caller's view holds.
    pub(crate) since: Revision,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum WatchAnswer {
    /// All changes after the question's revision, up to this one.
    Changes(Revision, Vec<Change>),
    /// The voter no longer knows the changes one by one: the whole catalog.
    Whole(Store),
}

/// What a node sees of its engines, by a key that the service chose. Opaque to `control`.
pub type Observations = BTreeMap<String, Vec<u8>>;

/// Renews a node's session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RenewQuestion {
    /// The node that renews: it must be the caller.
    pub(crate) node: NodeId,
    /// All that it observes at the moment.
    pub(crate) observed: Observations,
}

/// A session as the leader sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The node.
    pub node: NodeId,
    /// Whether its lease may still be in force.
    pub alive: bool,
    /// Milliseconds since the last renewal; none when this leader has not heard of it.
    pub silent_ms: Option<u64>,
    /// What it observed when it last renewed.
    pub observed: Observations,
}

/// The leader's sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// Who answers.
    pub leader: NodeId,
    /// Its term.
    pub term: u64,
    /// Every registered node.
    pub sessions: Vec<Session>,
}
