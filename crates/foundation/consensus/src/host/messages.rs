//! What hosts say to each other.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::host::types::{
    AppendRequest, AppendResponse, GroupId, LeaderId, SnapshotMeta, Vote, VoteRequest, VoteResponse,
};
use crate::types::{Voter, VoterId};

pub(crate) const PULSE: &str = "groups.pulse";
pub(crate) const BUNDLE: &str = "groups.bundle";
pub(crate) const PIECE: &str = "groups.snapshot-piece";
pub(crate) const INSTALL: &str = "groups.snapshot-install";

/// "I am here": who, and which start of it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Pulse {
    pub(crate) from: VoterId,
    pub(crate) incarnation: u64,
}

/// Messages of many groups to one peer.
#[derive(Serialize, Deserialize)]
pub(crate) struct Bundle {
    pub(crate) from: Pulse,
    pub(crate) asks: Vec<(GroupId, Ask)>,
}

/// The answers to a bundle, in its order.
#[derive(Serialize, Deserialize)]
pub(crate) struct BundleAnswer {
    pub(crate) from: Pulse,
    pub(crate) answers: Vec<Answer>,
}

/// One message of a group.
#[derive(Serialize, Deserialize)]
pub(crate) enum Ask {
    /// Store and commit entries.
    Append(AppendRequest),
    /// Vote for a candidate.
    Vote(VoteRequest),
    /// Promise this leader to vote for nobody else for a while.
    Confirm(LeaderId),
    /// Stop leading: this voter is about to ask for votes.
    Yield(Voter),
    /// Ask for votes, once the leader has stopped leading.
    Campaign,
}

/// The answer to a message.
#[derive(Serialize, Deserialize)]
pub(crate) enum Answer {
    /// It was not looked at.
    Refused(String),
    Append(AppendResponse),
    Vote(VoteResponse),
    /// The promise is made, or the order is taken.
    Done,
}

/// A piece of a snapshot.
#[derive(Serialize, Deserialize)]
pub(crate) struct Piece {
    pub(crate) from: VoterId,
    pub(crate) group: GroupId,
    pub(crate) transfer: u64,
    pub(crate) offset: u64,
    pub(crate) bytes: Bytes,
}

/// All pieces are there: load them.
#[derive(Serialize, Deserialize)]
pub(crate) struct Install {
    pub(crate) from: VoterId,
    pub(crate) group: GroupId,
    pub(crate) transfer: u64,
    pub(crate) length: u64,
    pub(crate) vote: Vote,
    pub(crate) meta: SnapshotMeta,
}
