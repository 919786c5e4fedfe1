//! What gateways and nodes say to each other about a partition.

use serde::{Deserialize, Serialize};

use quorate_base::NodeId;
use quorate_dynamo_lang::{Item, Projection};
use quorate_dynamo_store::{
    IndexBatch, Page, QueryPlan, ScanPlan, TxnId, WriteAnswer, WriteError, WriteOp,
};

use crate::model::PartitionNumber;

/// The method that asks a replica.
pub(crate) const PARTITION: &str = "dynamodb.partition";

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
    Query { plan: QueryPlan, freshness: Freshness },
    /// A page of the partition.
    Scan { plan: ScanPlan, freshness: Freshness },
    /// One write.
    Write(Box<WriteOp>),
    /// The first half of a transaction: check and lock.
    Prepare { txn: TxnId, anchor: Vec<u8>, ops: Vec<WriteOp> },
    /// The second half.
    Finish { txn: TxnId, commit: bool },
    /// Changes of a base partition for an index partition.
    Index(IndexBatch),
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
    Page(Page),
    Wrote(Box<WriteAnswer>),
    NotWritten(WriteError),
    Done,
}

/// Why a replica does not answer a question. Only after `Unknown` may it have been done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Refusal {
    /// Another replica leads, perhaps this one.
    NotLeader(Option<NodeId>),
    /// The key is not in this partition's range (any more), or the replica is not on this node.
    Elsewhere,
    /// Not done: no quorum, or the partition is still being brought up.
    Unavailable(String),
    /// Nobody knows whether it was done.
    Unknown(String),
}
