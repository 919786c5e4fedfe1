//! A partition's part in transactions: check and lock, decide, finish, and end what a coordinator left behind.
//!
//! Invariants
//! - A lock ends only with the transaction's decision, or with its coordinator's word that it will never ask to commit.
//! - Nothing is decided twice: the ledger's item is put once.

use std::sync::Arc;

use quorate_base::UnixMillis;
use quorate_dynamo_store::{Effect, TxnId, WriteError, WriteOp};

use crate::host::duties::DutyError;
use crate::host::partition_host::PartitionHost;
use crate::host::replica::{EVALUATIONS_MAX, Replica};
use crate::host::settling::Settled;
use crate::ledger;
use crate::messages::{Answer, NotWritten, Op, Refusal};

/// Age from which a lock's coordinator is taken for gone.
const LOCK_OLD_MS: u64 = 2_000;

/// Checks and locks the items of a transaction that are in this partition.
pub(crate) async fn prepare(
    replica: &Arc<Replica>,
    txn: TxnId,
    writes: &[WriteOp],
) -> Result<Answer, Refusal> {
    for _ in 0..EVALUATIONS_MAX {
        let term = replica.lead().await?;
        let keys: Result<Vec<_>, _> = writes.iter().map(|op| replica.key(op)).collect();
        let keys = keys?;
        let latch = replica.latch(&keys).await?;
        // A lock must not overtake writes that were evaluated without it.
        replica.drain(&keys).await?;
        let now = UnixMillis::now().0;
        let look = || replica.partition.prepare(now, txn, writes, &latch);
        let prepared = match look() {
            Ok(prepared) => prepared,
            Err(_) => match replica.confirmed(look).await? {
                Ok(prepared) => prepared,
                Err(refused) => return not_prepared(refused),
            },
        };
        // The latch goes with it: until the lock is there, writes must not be evaluated.
        let settling = replica.submit(term, &prepared.effect, latch)?;
        for (key, answer) in keys.iter().zip(&prepared.answers) {
            // As in AWS, both halves of a transaction count.
            let bytes = 2 * answer.old_bytes.max(answer.new_bytes) as u64;
            replica.heat.note_write(bytes, || Some(key.position()));
        }
        match settling.wait().await?.0 {
            Settled::Done => return Ok(Answer::Prepared(prepared.answers)),
            // Refused: another transaction came first. The next evaluation says so.
            Settled::Again | Settled::Refused => {}
        }
    }
    Err(Refusal::Unavailable(String::from(
        "leadership or indexes changed while the transaction was prepared",
    )))
}

fn not_prepared(refused: Vec<Option<WriteError>>) -> Result<Answer, Refusal> {
    let elsewhere = |e: &Option<WriteError>| matches!(e, Some(WriteError::WrongPartition));
    if refused.iter().any(elsewhere) {
        return Err(Refusal::Elsewhere);
    }
    let reasons = refused.into_iter().map(|e| e.map(NotWritten::from));
    Ok(Answer::NotPrepared(reasons.collect()))
}

/// Carries out what was decided. Once is as good as twice.
pub(crate) async fn finish(replica: &Replica, txn: TxnId, commit: bool) -> Result<Answer, Refusal> {
    let effect = if commit {
        Effect::Commit { txn }
    } else {
        Effect::Abort { txn }
    };
    match replica.command(&effect).await? {
        Settled::Done => Ok(Answer::Done),
        Settled::Again | Settled::Refused => Err(Refusal::Unavailable(String::from(
            "leadership changed while the transaction was ended",
        ))),
    }
}

/// Decides a transaction, unless it is decided; answers what it came to. A commit that is asked for too long after the
/// transaction began is refused: an abort may have been decided and forgotten since.
pub(crate) async fn decide(
    replica: &Arc<Replica>,
    txn: TxnId,
    commit: bool,
    begun_ms: u64,
) -> Result<Answer, Refusal> {
    let now = UnixMillis::now().0;
    let in_time = now.saturating_sub(begun_ms) < ledger::COMMIT_WITHIN_MS;
    let commit = commit && in_time;
    let write = ledger::decide(txn, commit, now / 1_000);
    match replica.write(&write, false).await? {
        Answer::Wrote(_) => Ok(Answer::Decided(commit)),
        Answer::NotWritten(NotWritten::ConditionFailed { old: Some(old) }) => {
            Ok(Answer::Decided(ledger::decided(&old)))
        }
        other => Err(Refusal::Unavailable(format!(
            "the ledger answered {other:?}"
        ))),
    }
}

/// Has the transactions decided whose coordinators are gone, and ends them here.
pub(crate) async fn end_old(
    host: &Arc<PartitionHost>,
    replica: &Arc<Replica>,
) -> Result<(), DutyError> {
    replica.lead().await?;
    let now = UnixMillis::now().0;
    for lock in replica.partition.locks(now.saturating_sub(LOCK_OLD_MS))? {
        let op = Op::Decide {
            txn: lock.txn,
            commit: false,
            begun_ms: lock.at_ms,
        };
        let to = ledger::position(&ledger::decision_id(lock.txn)).into();
        let Answer::Decided(commit) = host.calls.repeat(&to, op).await? else {
            continue;
        };
        tracing::info!(partition = %replica.number, commit, "ended a transaction whose coordinator is gone");
        finish(replica, lock.txn, commit).await?;
    }
    Ok(())
}
