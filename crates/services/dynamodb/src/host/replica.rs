//! One replica of one partition: its state, its place in the Raft group, and how it answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use quorate_base::{NodeId, UnixMillis};
use quorate_consensus::{GroupError, HostedGroup, Voter, VoterId};
use quorate_dynamo_lang::{Item, Projection};
use quorate_dynamo_store::{ItemKey, Latch, Partition, ReadItem, WriteError, WriteOp};

use crate::host::machine::{Outcome, command, outcome};
use crate::messages::{Answer, Freshness, Op, Refusal};
use crate::model::PartitionNumber;

/// Longest wait for a quorum.
const QUORUM_TIMEOUT: Duration = Duration::from_secs(3);
/// Evaluations of one write: each one after the first was made in a term that ended before the command was appended.
const EVALUATIONS_MAX: usize = 3;
/// Reads of one question: each one after the first was made under a lease that ran out before it was done.
const READS_MAX: usize = 3;
/// Longest wait of a strong read for a transaction that has the item locked.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// Pause between two looks at a locked item.
const LOCK_LOOK: Duration = Duration::from_millis(5);

/// A replica that runs.
pub(crate) struct Replica {
    pub(crate) number: PartitionNumber,
    pub(crate) partition: Partition,
    pub(crate) group: HostedGroup,
    pub(crate) voters: Vec<Voter>,
    /// The last term in which this replica led with all earlier commands applied.
    ready_term: AtomicU64,
}

impl Replica {
    pub(crate) fn new(
        number: PartitionNumber,
        partition: Partition,
        group: HostedGroup,
        voters: Vec<Voter>,
    ) -> Replica {
        Replica {
            number,
            partition,
            group,
            voters,
            ready_term: AtomicU64::new(0),
        }
    }

    /// Answers a question.
    pub(crate) async fn answer(self: &Arc<Self>, op: Op) -> Result<Answer, Refusal> {
        match op {
            Op::Get {
                key,
                projection,
                freshness,
            } => self.get(&key, projection.as_ref(), freshness).await,
            Op::Query { plan, freshness } => {
                let page = self.read(freshness, |p| p.query(&plan)).await?;
                Ok(Answer::Page(page))
            }
            Op::Scan { plan, freshness } => {
                let page = self.read(freshness, |p| p.scan(&plan)).await?;
                Ok(Answer::Page(page))
            }
            Op::Write(op) => self.write(&op).await,
            Op::Prepare { txn, anchor, ops } => self.prepare(txn, &anchor, &ops).await,
            Op::Finish { txn, commit } => self.finish(txn, commit).await,
            Op::Index(batch) => {
                let term = self.lead().await?;
                let effect = self.partition.index_effect(&batch);
                self.propose(term, effect).await?;
                Ok(Answer::Done)
            }
        }
    }

    /// The term in which this replica leads and may evaluate.
    pub(crate) async fn lead(&self) -> Result<u64, Refusal> {
        let leadership = self.group.leadership();
        if !leadership.own {
            return Err(Refusal::NotLeader(self.node_of(leadership.leader)));
        }
        if self.ready_term.load(Ordering::Acquire) == leadership.term {
            return Ok(leadership.term);
        }
        self.group
            .read_permit(QUORUM_TIMEOUT)
            .await
            .map_err(|e| self.not_done(e))?;
        // The permit is this term's only if the term is still the same.
        let after = self.group.leadership();
        if !after.own || after.term != leadership.term {
            return Err(Refusal::NotLeader(self.node_of(after.leader)));
        }
        self.ready_term.store(after.term, Ordering::Release);
        Ok(after.term)
    }

    fn node_of(&self, voter: Option<VoterId>) -> Option<NodeId> {
        let id = voter?;
        let voter = self.voters.iter().find(|v| v.id() == id)?;
        Some(voter.node.clone())
    }

    /// A refusal of something that was surely not done.
    fn not_done(&self, e: GroupError) -> Refusal {
        match e {
            GroupError::NotLeader(voter) => Refusal::NotLeader(voter.map(|v| v.node)),
            GroupError::Unavailable(why) => Refusal::Unavailable(why),
        }
    }

    /// Reads the state, as fresh as it is asked for.
    async fn read<T>(
        &self,
        freshness: Freshness,
        read: impl Fn(&Partition) -> Result<T, quorate_dynamo_store::StoreError>,
    ) -> Result<T, Refusal> {
        for _ in 0..READS_MAX {
            let permit = match freshness {
                Freshness::Eventual => None,
                Freshness::Strong => Some(
                    self.group
                        .read_permit(QUORUM_TIMEOUT)
                        .await
                        .map_err(|e| self.not_done(e))?,
                ),
            };
            let found = read(&self.partition).map_err(store_refusal)?;
            if permit.is_none_or(|p| p.still_valid()) {
                return Ok(found);
            }
        }
        Err(Refusal::Unavailable(String::from(
            "the leader's lease ran out during the read",
        )))
    }

    async fn get(
        &self,
        key: &Item,
        projection: Option<&Projection>,
        freshness: Freshness,
    ) -> Result<Answer, Refusal> {
        let deadline = Instant::now() + LOCK_WAIT;
        loop {
            let ReadItem {
                item,
                version,
                locked,
                bytes,
            } = self.read(freshness, |p| p.get(key)).await?;
            // What the transaction will do is not known here: the read comes after it.
            if freshness == Freshness::Strong && locked.is_some() {
                if Instant::now() >= deadline {
                    let why = "the item is locked by a transaction";
                    return Err(Refusal::Unavailable(why.to_owned()));
                }
                tokio::time::sleep(LOCK_LOOK).await;
                continue;
            }
            let item = match projection {
                Some(projection) => item.map(|item| projection.project(&item)),
                None => item,
            };
            return Ok(Answer::Item {
                item,
                bytes,
                version,
            });
        }
    }

    async fn write(self: &Arc<Self>, op: &WriteOp) -> Result<Answer, Refusal> {
        for _ in 0..EVALUATIONS_MAX {
            let term = self.lead().await?;
            let key = self.partition.key_of(op).map_err(refused_key)?;
            let latch = self.partition.latch(&[key]).await;
            let now = UnixMillis::now().0;
            let evaluated = match self.partition.evaluate(now, op, &latch) {
                Err(WriteError::WrongPartition) => return Err(Refusal::Elsewhere),
                Err(_) => match self.evaluate_again(now, op, &latch).await? {
                    Ok(evaluated) => evaluated,
                    Err(e) => return Ok(Answer::NotWritten(e)),
                },
                Ok(evaluated) => evaluated,
            };
            let effect = evaluated.effect.unwrap_or_default();
            match self.settle_under(term, effect, latch).await? {
                Outcome::Applied(_) => return Ok(Answer::Wrote(Box::new(evaluated.answer))),
                Outcome::OtherTerm => {}
            }
        }
        Err(Refusal::Unavailable(String::from(
            "leadership moved while the write was made",
        )))
    }

    /// Evaluates a write that was refused once more, as a strong read: a refusal says what the state is, so it must
    /// be the newest.
    async fn evaluate_again(
        &self,
        now: u64,
        op: &WriteOp,
        latch: &Latch,
    ) -> Result<Result<quorate_dynamo_store::Evaluated, WriteError>, Refusal> {
        for _ in 0..READS_MAX {
            let permit = self
                .group
                .read_permit(QUORUM_TIMEOUT)
                .await
                .map_err(|e| self.not_done(e))?;
            let again = self.partition.evaluate(now, op, latch);
            if permit.still_valid() {
                return Ok(again);
            }
        }
        Err(Refusal::Unavailable(String::from(
            "the leader's lease ran out during the write",
        )))
    }

    /// Proposes an effect that was evaluated under `latch`, and holds the latch until it is known what became of it.
    pub(crate) async fn settle_under(
        self: &Arc<Self>,
        term: u64,
        effect: Vec<u8>,
        latch: Latch,
    ) -> Result<Outcome, Refusal> {
        let proposed = self.propose(term, effect).await;
        if let Err(Refusal::Unknown(_)) = &proposed {
            let replica = self.clone();
            tokio::spawn(async move {
                replica.settle(term).await;
                drop(latch);
            });
        }
        proposed
    }

    /// Proposes an effect that was evaluated in `term`.
    pub(crate) async fn propose(&self, term: u64, effect: Vec<u8>) -> Result<Outcome, Refusal> {
        let command = command(term, &effect);
        match self.group.propose(command, QUORUM_TIMEOUT).await {
            Ok(reply) => outcome(&reply).map_err(|e| Refusal::Unknown(e.to_string())),
            Err(GroupError::NotLeader(voter)) => Err(Refusal::NotLeader(voter.map(|v| v.node))),
            Err(GroupError::Unavailable(why)) => Err(Refusal::Unknown(why)),
        }
    }

    /// Waits until all that this replica appended in `term` is applied, or the term is over.
    async fn settle(&self, term: u64) {
        loop {
            let leadership = self.group.leadership();
            if !leadership.own || leadership.term != term {
                return;
            }
            // Commands are applied in order: what was appended before this empty one is applied when it is.
            match self.propose(term, Vec::new()).await {
                Ok(_) => return,
                Err(_) => tokio::time::sleep(LOCK_LOOK).await,
            }
        }
    }

    /// The keys of operations of one transaction.
    pub(crate) fn keys(&self, ops: &[WriteOp]) -> Result<Vec<ItemKey>, Refusal> {
        ops.iter()
            .map(|op| self.partition.key_of(op).map_err(refused_key))
            .collect()
    }
}

fn refused_key(e: WriteError) -> Refusal {
    match e {
        WriteError::WrongPartition => Refusal::Elsewhere,
        other => Refusal::Unavailable(other.to_string()),
    }
}

pub(crate) fn store_refusal(e: quorate_dynamo_store::StoreError) -> Refusal {
    match e {
        quorate_dynamo_store::StoreError::WrongPartition => Refusal::Elsewhere,
        other => Refusal::Unavailable(other.to_string()),
    }
}
