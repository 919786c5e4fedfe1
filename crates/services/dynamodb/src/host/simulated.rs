//! A replica without a node and a catalog around it, for simulations: the same machine, the same way from a question to
//! a command, and whoever simulates says what is placed where.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc};

use quorate_consensus::{DurableMachine, HostedGroup};
use quorate_dynamo_lang::Item;
use quorate_dynamo_store::{Effect, Partition, PartitionId, SplitPlan, Store, WriteOp};

use crate::host::machine::{Bells, PartitionMachine, SplitDone};
use crate::host::replica::Replica;
use crate::messages::{Answer, Freshness, NotWritten, Op, Refusal};
use crate::model::PartitionNumber;

/// The machine of a partition. Splits that it applies are told.
#[must_use]
pub fn machine(
    partition: Partition,
    store: Store,
    splits: mpsc::UnboundedSender<SplitDone>,
) -> Arc<dyn DurableMachine> {
    let work = Arc::new(Notify::new());
    let bells = Bells { splits, work };
    Arc::new(PartitionMachine::new(partition, store, bells))
}

/// Why a replica did not do what it was asked for. Only after `Unknown` may it have been done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Another replica leads.
    NotLeader,
    /// The key is in another partition.
    Elsewhere,
    /// Not done.
    Unavailable(String),
    /// Nobody knows.
    Unknown(String),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        match refusal {
            Refusal::NotLeader(_) => Refused::NotLeader,
            Refusal::Elsewhere => Refused::Elsewhere,
            Refusal::Invalid(why) | Refusal::Unavailable(why) => Refused::Unavailable(why),
            Refusal::Unknown(why) => Refused::Unknown(why),
        }
    }
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// It is done.
    Done,
    /// The condition does not hold for the item that is there.
    ConditionFailed(Option<Item>),
}

/// A replica that runs.
#[derive(Clone)]
pub struct SoleReplica {
    replica: Arc<Replica>,
}

impl SoleReplica {
    /// A replica whose group has been started with its machine.
    #[must_use]
    pub fn new(number: PartitionNumber, partition: Partition, group: HostedGroup) -> SoleReplica {
        // Who joined late differs in eventual reads alone, which are not simulated.
        let replica = Arc::new(Replica::new(number, partition, group, false));
        SoleReplica { replica }
    }

    /// Its group.
    #[must_use]
    pub fn group(&self) -> &HostedGroup {
        &self.replica.group
    }

    /// Its state.
    #[must_use]
    pub fn partition(&self) -> &Partition {
        &self.replica.partition
    }

    /// The item of a key, as a strong read.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn get(&self, key: Item) -> Result<Option<Item>, Refused> {
        let get = Op::Get {
            key,
            projection: None,
            freshness: Freshness::Strong,
        };
        match self.replica.answer(get).await? {
            Answer::Item { item, .. } => Ok(item),
            other => Err(Refused::Unavailable(format!("{other:?}"))),
        }
    }

    /// Makes one write.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn write(&self, write: WriteOp) -> Result<Written, Refused> {
        let write = Op::Write {
            write: Box::new(write),
            images: true,
        };
        match self.replica.answer(write).await? {
            Answer::Wrote(_) => Ok(Written::Done),
            Answer::NotWritten(NotWritten::ConditionFailed { old }) => {
                Ok(Written::ConditionFailed(old))
            }
            other => Err(Refused::Unavailable(format!("{other:?}"))),
        }
    }

    /// Where the leader would split the partition.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn plan_split(&self) -> Result<Option<SplitPlan>, Refused> {
        self.replica.lead().await?;
        let planned = self.replica.partition.plan_split();
        planned.map_err(|e| Refused::Unavailable(e.to_string()))
    }

    /// Splits the partition, if it still holds that position.
    ///
    /// # Errors
    /// Why it is not known to be split.
    pub async fn split(&self, plan: SplitPlan, right: PartitionNumber) -> Result<(), Refused> {
        self.replica.lead().await?;
        let is_split = || self.replica.partition.spec().range.last < plan.at;
        if is_split() {
            return Ok(());
        }
        let split = Effect::Split {
            at: plan.at,
            right: PartitionId(right.0),
            right_items: plan.right_items,
            right_bytes: plan.right_bytes,
        };
        self.replica.command(&split).await?;
        if is_split() {
            return Ok(());
        }
        Err(Refused::Unavailable(String::from("it is not split")))
    }
}
