//! What gateways and nodes say to each other about a partition.

use serde::{Deserialize, Serialize};

use quorate_base::NodeId;
use quorate_dynamo_lang::{Item, Projection};
use quorate_dynamo_store::{
    OutboxEntry, Page, QueryPlan, ScanPlan, SourceId, TxnId, WriteAnswer, WriteError, WriteOp,
};

use crate::model::{IndexNumber, PartitionNumber};
use crate::throttle::{Draw, Drawn, Side};

/// The method that asks a replica.
pub(crate) const PARTITION: &str = "dynamodb.partition";
/// The method that asks a node about all its replicas.
pub(crate) const CENSUS: &str = "dynamodb.census";

/// How fresh a read must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Freshness {
    /// Everything acknowledged before it, from the leader.
    Strong,
    /// Whatever the replica has.
    Eventual,
}

/// A question to a replica.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Question {
    pub(crate) partition: PartitionNumber,
    pub(crate) op: Op,
}

/// What a replica can be asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Op {
    /// One item.
    Get {
        key: Item,
        projection: Option<Projection>,
        freshness: Freshness,
    },
    /// A page of one item collection.
    Query {
        plan: QueryPlan,
        freshness: Freshness,
    },
    /// A page of the partition.
    Scan {
        plan: ScanPlan,
        freshness: Freshness,
    },
    /// One write; `images` says whether the answer is to hold the item.
    Write { write: Box<WriteOp>, images: bool },
    /// The first half of a transaction: check and lock.
    Prepare { txn: TxnId, writes: Vec<WriteOp> },
    /// The second half.
    Finish { txn: TxnId, commit: bool },
    /// At the ledger: what a transaction comes to, decided by whoever asks first.
    Decide {
        txn: TxnId,
        commit: bool,
        begun_ms: u64,
    },
    /// Changes of a base partition for an index partition, behind those of earlier sources.
    Index {
        fences: Vec<SourceId>,
        source: SourceId,
        entries: Vec<OutboxEntry>,
    },
    /// How far the replica is.
    Measure,
    /// At the leader of a table's first partition: units of the table's throughput or of an index's.
    Draw {
        index: IndexNumber,
        side: Side,
        draw: Draw,
    },
}

/// What a replica says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// The item, cut to the projection, and its whole size.
    Item {
        item: Option<Item>,
        bytes: u64,
        version: u64,
    },
    /// Items of a query or scan.
    Page(Page),
    /// What the write did.
    Wrote(Box<WriteAnswer>),
    /// The write was refused.
    NotWritten(NotWritten),
    /// The transaction's writes of this partition are checked and locked; what each will have done.
    Prepared(Vec<WriteAnswer>),
    /// They are not: what is wrong with each of them, if anything is.
    NotPrepared(Vec<Option<NotWritten>>),
    /// What the transaction came to: true for commit.
    Decided(bool),
    /// Done.
    Done,
    /// How far the replica is.
    Measured(Measured),
    /// Units, or for how long there are none.
    Drawn(Drawn),
}

/// Why a write was refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum NotWritten {
    /// Its condition does not hold for what is there.
    ConditionFailed {
        /// The item that is there.
        old: Option<Item>,
    },
    /// AWS's `ValidationException`, with its words.
    Validation(String),
    /// A transaction has the item locked.
    Conflict,
    /// The item collection would become too large.
    CollectionFull,
    /// The store failed.
    Failed(String),
}

impl From<WriteError> for NotWritten {
    fn from(e: WriteError) -> NotWritten {
        match e {
            WriteError::ConditionFailed { old } => NotWritten::ConditionFailed { old },
            WriteError::Validation(e) => NotWritten::Validation(e.message),
            WriteError::Conflict(_) => NotWritten::Conflict,
            WriteError::CollectionFull => NotWritten::CollectionFull,
            other => NotWritten::Failed(other.to_string()),
        }
    }
}

/// How far a replica is and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) leads: bool,
    pub(crate) applied: u64,
    pub(crate) items: u64,
    pub(crate) bytes: u64,
    /// Changes that have not reached the indexes.
    pub(crate) outbox: u64,
    /// Read units that this replica was asked for, a second.
    pub(crate) reads_per_s: u64,
    /// Write units that it was asked for, a second.
    pub(crate) writes_per_s: u64,
}

/// The question to a node about all its replicas.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Census;

/// One replica, in the answer to a census.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) partition: PartitionNumber,
    pub(crate) measured: Measured,
    /// The index of the last entry of its log.
    pub(crate) last: u64,
    /// On the leader: the index up to which each replica has the leader's log.
    pub(crate) matched: Vec<(NodeId, u64)>,
}

/// Why a replica does not answer a question. Only after `Unknown` may it have been done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Refusal {
    /// Another replica leads, perhaps this one.
    NotLeader(Option<NodeId>),
    /// The key is not in this partition's range (any more), or the replica is not on this node.
    Elsewhere,
    /// AWS's `ValidationException`, with its words.
    Invalid(String),
    /// Not done: no quorum, or the partition is still being brought up.
    Unavailable(String),
    /// Nobody knows whether it was done.
    Unknown(String),
}
