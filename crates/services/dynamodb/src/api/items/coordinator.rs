//! Transactions: prepare at every partition, decide at the ledger, finish at every partition.
//!
//! Invariants
//! - Nobody but this coordinator asks to commit its transaction, and only after every partition has prepared it.
//! - What is not decided is aborted, by this coordinator or, when it is gone, by the partitions (`host::transactions`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use quorate_base::UnixMillis;
use quorate_dynamo_store::{TxnId, WriteAnswer, WriteOp};

use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::items::answer::item_value;
use crate::ledger;
use crate::messages::{Answer, NotWritten, Op};
use crate::model::{IndexNumber, PartitionNumber};
use crate::routing::{Destination, PartitionCalls, Position, RouteError};

/// Longest time for which a transaction whose partitions move or elect is begun again.
const BEGIN_AGAIN: Duration = Duration::from_secs(8);
/// Pause before it is.
const PAUSE: Duration = Duration::from_millis(20);

/// One action of a transaction.
#[derive(Debug, Clone)]
pub(crate) struct Action {
    /// Where its item is.
    pub(crate) position: Position,
    /// What is done to it.
    pub(crate) write: WriteOp,
    /// Whether a failed condition is to show the item.
    pub(crate) show_old: bool,
}

/// The actions of one partition, by their places in the request.
struct Part {
    places: Vec<usize>,
    to: Destination,
    writes: Vec<WriteOp>,
}

/// What a try came to.
enum Tried {
    Committed(Vec<WriteAnswer>),
    /// Not done: why, for each action that has a reason.
    Cancelled(Vec<Option<NotWritten>>),
    /// Not done: a partition was moving, or had no leader.
    Again(String),
}

/// Carries out the actions, all or none.
///
/// # Errors
/// `TransactionCanceledException` with a reason for each action; `InternalServerError` when it is not known what became of it.
pub(crate) async fn write(
    context: &Context<'_>,
    actions: &[Action],
) -> Result<Vec<WriteAnswer>, ApiError> {
    let deadline = Instant::now() + BEGIN_AGAIN;
    loop {
        match attempt(context, actions).await? {
            Tried::Committed(answers) => return Ok(answers),
            Tried::Cancelled(reasons) => return Err(cancelled(actions, reasons)),
            Tried::Again(why) if Instant::now() >= deadline => return Err(ApiError::internal(why)),
            Tried::Again(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn attempt(context: &Context<'_>, actions: &[Action]) -> Result<Tried, ApiError> {
    let calls = &context.region.calls;
    let txn = TxnId(rand::random());
    let begun_ms = UnixMillis::now().0;
    let parts = parts(calls, actions)?;
    let mut answers: Vec<WriteAnswer> = vec![WriteAnswer::default(); actions.len()];
    let mut reasons: Vec<Option<NotWritten>> = vec![None; actions.len()];
    let mut again = None;
    let mut refused = false;
    for (at, prepared) in prepare_all(calls, txn, &parts).await {
        let places = &parts[at].places;
        match prepared {
            Ok(Answer::Prepared(of_part)) => {
                for (place, answer) in places.iter().zip(of_part) {
                    answers[*place] = answer;
                }
            }
            Ok(Answer::NotPrepared(of_part)) => {
                refused = true;
                for (place, reason) in places.iter().zip(of_part) {
                    reasons[*place] = reason;
                }
            }
            Ok(other) => again = Some(format!("a partition answered {other:?}")),
            Err(e) => again = Some(e.to_string()),
        }
    }
    if refused || again.is_some() {
        finish_all(calls, txn, &parts, false).await;
        return Ok(match again {
            Some(why) if !refused => Tried::Again(why),
            _ => Tried::Cancelled(reasons),
        });
    }
    decide(context, calls, txn, begun_ms, parts, answers).await
}

/// Has the transaction committed at the ledger, then at the partitions.
async fn decide(
    context: &Context<'_>,
    calls: &Arc<PartitionCalls>,
    txn: TxnId,
    begun_ms: u64,
    parts: Vec<Part>,
    answers: Vec<WriteAnswer>,
) -> Result<Tried, ApiError> {
    let op = Op::Decide {
        txn,
        commit: true,
        begun_ms,
    };
    let id = ledger::decision_id(txn);
    match calls.repeat(&ledger::position(&id).into(), op).await {
        Ok(Answer::Decided(true)) => {}
        Ok(_) => {
            finish_all(calls, txn, &parts, false).await;
            return Ok(Tried::Again(String::from("the transaction was given up")));
        }
        // It may be decided: the partitions will find out.
        Err(e) => return Err(ApiError::internal(e.to_string())),
    }
    if finish_all(calls, txn, &parts, true).await {
        let calls = context.region.calls.clone();
        tokio::spawn(async move {
            let op = Op::Write {
                write: Box::new(ledger::forget(txn)),
                images: false,
            };
            // A decision that stays costs a row and nothing else.
            if let Err(e) = calls.write(&ledger::position(&id).into(), op).await {
                tracing::debug!(error = %e, "a carried out decision stays in the ledger");
            }
        });
    }
    Ok(Tried::Committed(answers))
}

/// The actions by the partitions that have their items at this moment.
fn parts(calls: &PartitionCalls, actions: &[Action]) -> Result<Vec<Part>, ApiError> {
    let mut parts: BTreeMap<(PartitionNumber, String), Part> = BTreeMap::new();
    for (place, action) in actions.iter().enumerate() {
        let Position {
            table, position, ..
        } = &action.position;
        let route = calls.table(table)?.ok_or_else(ApiError::no_table)?;
        let partition = route.at(IndexNumber::TABLE, *position);
        let number = partition.ok_or_else(ApiError::no_table)?.number;
        let part = parts
            .entry((number, table.clone()))
            .or_insert_with(|| Part {
                places: Vec::new(),
                to: Destination::Partition(number),
                writes: Vec::new(),
            });
        part.places.push(place);
        part.writes.push(action.write.clone());
    }
    Ok(parts.into_values().collect())
}

async fn prepare_all(
    calls: &Arc<PartitionCalls>,
    txn: TxnId,
    parts: &[Part],
) -> Vec<(usize, Result<Answer, RouteError>)> {
    let mut under_way = JoinSet::new();
    for (at, part) in parts.iter().enumerate() {
        let (calls, to) = (calls.clone(), part.to.clone());
        let op = Op::Prepare {
            txn,
            writes: part.writes.clone(),
        };
        under_way.spawn(async move { (at, calls.write(&to, op).await) });
    }
    joined(under_way).await
}

/// Has every partition end the transaction; whether all have said so. One that has not will ask the ledger.
async fn finish_all(calls: &Arc<PartitionCalls>, txn: TxnId, parts: &[Part], commit: bool) -> bool {
    let mut under_way = JoinSet::new();
    for (at, part) in parts.iter().enumerate() {
        let (calls, to) = (calls.clone(), part.to.clone());
        let op = Op::Finish { txn, commit };
        under_way.spawn(async move { (at, calls.repeat(&to, op).await) });
    }
    let ended = joined(under_way).await;
    ended.len() == parts.len() && ended.iter().all(|(_, answer)| answer.is_ok())
}

async fn joined<T: 'static>(mut under_way: JoinSet<T>) -> Vec<T> {
    let mut done = Vec::with_capacity(under_way.len());
    while let Some(joined) = under_way.join_next().await {
        // A task that panicked has no answer: who counts them misses it.
        done.extend(joined.ok());
    }
    done
}

/// `TransactionCanceledException`.
fn cancelled(actions: &[Action], reasons: Vec<Option<NotWritten>>) -> ApiError {
    let show = actions.iter().map(|action| action.show_old);
    cancelled_because(
        reasons
            .into_iter()
            .zip(show)
            .map(|(r, show)| reason(r, show)),
    )
}

/// `TransactionCanceledException` with these reasons, each a code and the members beside it.
pub(crate) fn cancelled_because(
    reasons: impl IntoIterator<Item = (&'static str, Map<String, Value>)>,
) -> ApiError {
    let mut codes = Vec::new();
    let mut members = Vec::new();
    for (code, mut member) in reasons {
        codes.push(code);
        member.insert(String::from("Code"), json!(code));
        members.push(Value::Object(member));
    }
    let message = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes.join(", ")
    );
    ApiError::dynamodb("TransactionCanceledException", message)
        .with("CancellationReasons", Value::Array(members))
}

fn reason(refused: Option<NotWritten>, show_old: bool) -> (&'static str, Map<String, Value>) {
    let mut member = Map::new();
    let mut say = |words: &str| member.insert(String::from("Message"), json!(words));
    let code = match refused {
        None => "None",
        Some(NotWritten::ConditionFailed { old }) => {
            say("The conditional request failed");
            if let Some(old) = old.filter(|_| show_old) {
                member.insert(String::from("Item"), item_value(&old));
            }
            "ConditionalCheckFailed"
        }
        Some(NotWritten::Conflict) => {
            say("Transaction is ongoing for the item");
            "TransactionConflict"
        }
        Some(NotWritten::Validation(words)) => {
            say(&words);
            "ValidationError"
        }
        Some(NotWritten::CollectionFull) => {
            say("Collection size exceeded.");
            "ItemCollectionSizeLimitExceeded"
        }
        Some(NotWritten::Failed(words)) => {
            say(&words);
            "InternalServerError"
        }
    };
    (code, member)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_stand_in_the_order_of_the_actions() {
        let reasons = [
            None,
            Some(NotWritten::Conflict),
            Some(NotWritten::ConditionFailed { old: None }),
        ];
        let e = cancelled_because(reasons.into_iter().map(|r| reason(r, false)));
        assert_eq!(
            e.message,
            "Transaction cancelled, please refer cancellation reasons for specific reasons [None, TransactionConflict, \
             ConditionalCheckFailed]"
        );
        let listed = &e.members["CancellationReasons"];
        assert_eq!(listed[0], json!({"Code": "None"}));
        assert_eq!(listed[1]["Message"], "Transaction is ongoing for the item");
        assert_eq!(listed.as_array().unwrap().len(), 3);
    }
}
