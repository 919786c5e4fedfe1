//! `TransactWriteItems`.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use quorate_base::UnixMillis;
use quorate_control::{CatalogError, Txn};
use quorate_dynamo_lang::{Item, item_bytes};
use quorate_dynamo_store::{WriteAnswer, WriteOp};

use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::items::admission::{self, Admitted};
use crate::api::items::answer::{body, collection_metrics};
use crate::api::items::capacity::{Consumed, Report, Side, Units};
use crate::api::items::coordinator::{self, Action};
use crate::api::items::get;
use crate::api::items::input::{TransactWriteInput, TransactWriteItemInput, WriteInput, read};
use crate::api::items::write::{Verb, check_against, consumed, write_op};
use crate::api::items::{checks, target};
use crate::ledger;
use crate::messages::Freshness;
use crate::model::{IdCounter, TableRecord, TableStatus};
use crate::routing::TableRoute;

/// Actions of one request.
pub(crate) const ACTIONS_MAX: usize = 100;
/// Bytes of all items of one request.
pub(crate) const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest wait for the ledger to be made.
const LEDGER_WAIT: Duration = Duration::from_secs(5);
/// Pause between two looks at it.
const LEDGER_LOOK: Duration = Duration::from_millis(10);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    consumed_capacity: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_collection_metrics: Option<BTreeMap<String, Vec<Value>>>,
}

/// One action with its table.
pub(crate) struct Planned {
    pub(crate) table: std::sync::Arc<TableRoute>,
    pub(crate) key: Item,
    pub(crate) action: Action,
}

pub(crate) async fn transact_write_items(
    context: &Context<'_>,
    bytes: &Bytes,
) -> Result<Vec<u8>, ApiError> {
    let input: TransactWriteInput = read(bytes)?;
    checks::transact_write(&input)?;
    let report = Report::of(input.return_consumed_capacity.as_deref());
    let sized = input.return_item_collection_metrics.as_deref() == Some("SIZE");
    let mut planned = Vec::new();
    for item in input.transact_items.unwrap_or_default() {
        planned.push(plan(context, item)?);
    }
    check_together(&planned)?;
    let token = input.client_request_token.as_deref();
    let admitted = admit(context, &planned).await?;
    let executed = execute(context, &planned, token, fingerprint(bytes)).await?;
    for ((one, answer), admitted) in planned.iter().zip(&executed.answers).zip(admitted) {
        let record = &one.table.table.record;
        admitted.settle_write(context, record, &executed.cost(record, answer));
    }
    Ok(answer(&planned, &executed, report, sized))
}

/// What became of a transaction.
pub(crate) struct Executed {
    pub(crate) answers: Vec<WriteAnswer>,
    /// Whether its token had been used: then nothing was written, and the sizes are those of the items as they are.
    repeated: bool,
}

impl Executed {
    /// What an action cost. One that is repeated has cost its item's reading. Source: `ClientRequestToken` in the reference
    /// of TransactWriteItems.
    pub(crate) fn cost(&self, record: &TableRecord, answer: &WriteAnswer) -> Consumed {
        if self.repeated {
            Consumed::of_table(Units::read(answer.new_bytes as u64, true)).doubled()
        } else {
            consumed(record, answer).doubled()
        }
    }

    /// Whether it read or wrote.
    pub(crate) fn side(&self) -> Side {
        if self.repeated {
            Side::Read
        } else {
            Side::Write
        }
    }
}

impl From<Vec<WriteAnswer>> for Executed {
    fn from(answers: Vec<WriteAnswer>) -> Executed {
        Executed {
            answers,
            repeated: false,
        }
    }
}

/// Lets the actions in, all or none.
pub(crate) async fn admit(
    context: &Context<'_>,
    planned: &[Planned],
) -> Result<Vec<Admitted>, ApiError> {
    let asked = planned.iter();
    let asked = asked.map(|one| admission::write(context, &one.table, &one.action.write));
    admission::all(context, asked).await
}

/// What distinguishes requests that use the same token. The token itself is in both.
pub(crate) fn fingerprint(bytes: &Bytes) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Carries out what is planned, once for each token.
///
/// # Errors
/// Also `IdempotentParameterMismatchException` and `TransactionInProgressException`.
pub(crate) async fn execute(
    context: &Context<'_>,
    planned: &[Planned],
    token: Option<&str>,
    fingerprint: String,
) -> Result<Executed, ApiError> {
    ensure_ledger(context).await?;
    let mut actions: Vec<Action> = planned.iter().map(|p| p.action.clone()).collect();
    let Some(token) = token else {
        let answers = coordinator::write(context, &actions).await?;
        return Ok(answers.into());
    };
    if let Some(earlier) = used(context, token).await? {
        return repeated(context, planned, &earlier, &fingerprint).await;
    }
    let now_s = UnixMillis::now().0 / 1_000;
    actions.push(Action {
        position: ledger::position(&ledger::token_id(token)),
        write: ledger::use_token(token, &fingerprint, now_s),
        show_old: false,
    });
    match coordinator::write(context, &actions).await {
        Ok(mut answers) => {
            answers.truncate(planned.len());
            Ok(answers.into())
        }
        Err(e) if e.code == "TransactionCanceledException" => {
            settle_cancelled(context, planned, token, &fingerprint, e).await
        }
        Err(e) => Err(e),
    }
}

/// The transaction was cancelled: perhaps by a twin with the same token, which holds it or has used it.
async fn settle_cancelled(
    context: &Context<'_>,
    planned: &[Planned],
    token: &str,
    fingerprint: &str,
    e: ApiError,
) -> Result<Executed, ApiError> {
    let codes: Vec<String> = e.members["CancellationReasons"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|reason| reason["Code"].as_str().unwrap_or_default().to_owned())
        .collect();
    match codes.last().map(String::as_str) {
        Some("TransactionConflict") => Err(ApiError::dynamodb(
            "TransactionInProgressException",
            "The transaction with the given request token is already in progress.",
        )),
        Some("ConditionalCheckFailed") => match used(context, token).await? {
            Some(earlier) => repeated(context, planned, &earlier, fingerprint).await,
            None => Err(ApiError::internal("The request token expired meanwhile")),
        },
        _ => Err(without_token(e)),
    }
}

/// The error as it is without the action that uses up the token, which the caller did not send.
fn without_token(mut e: ApiError) -> ApiError {
    let Some(Value::Array(mut reasons)) = e.members.remove("CancellationReasons") else {
        return e;
    };
    reasons.pop();
    let codes: Vec<&str> = reasons
        .iter()
        .map(|reason| reason["Code"].as_str().unwrap_or_default())
        .collect();
    let message = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes.join(", ")
    );
    ApiError::dynamodb("TransactionCanceledException", message)
        .with("CancellationReasons", Value::Array(reasons))
}

/// The record of a token that was used and has not expired.
async fn used(context: &Context<'_>, token: &str) -> Result<Option<Item>, ApiError> {
    let id = ledger::token_id(token);
    let to = ledger::position(&id);
    let (item, _) = get::fetch(context, to, ledger::key(&id), None, Freshness::Strong).await?;
    let now_s = UnixMillis::now().0 / 1_000;
    Ok(item.filter(|item| !ledger::has_expired(item, now_s)))
}

/// The answer to a request that was carried out before.
async fn repeated(
    context: &Context<'_>,
    planned: &[Planned],
    earlier: &Item,
    fingerprint: &str,
) -> Result<Executed, ApiError> {
    if ledger::fingerprint(earlier) == Some(fingerprint) {
        let reads = planned.iter().map(|one| {
            let to = one.action.position.clone();
            get::fetch(context, to, one.key.clone(), None, Freshness::Strong)
        });
        let mut answers = Vec::with_capacity(planned.len());
        for read in reads {
            let (_, bytes) = read.await?;
            answers.push(WriteAnswer {
                new_bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
                ..WriteAnswer::default()
            });
        }
        return Ok(Executed {
            answers,
            repeated: true,
        });
    }
    Err(ApiError::dynamodb(
        "IdempotentParameterMismatchException",
        "The request uses the same client token as a previous, but non-identical request. Do not reuse a client token \
         with different requests, unless the requests are identical",
    ))
}

fn plan(context: &Context<'_>, item: TransactWriteItemInput) -> Result<Planned, ApiError> {
    let given = [
        (Verb::Check, item.condition_check),
        (Verb::Put, item.put),
        (Verb::Delete, item.delete),
        (Verb::Update, item.update),
    ];
    let mut given = given
        .into_iter()
        .filter_map(|(verb, input)| Some((verb, input?)));
    let (Some((verb, input)), None) = (given.next(), given.next()) else {
        return Err(ApiError::validation(
            "TransactItems can only contain one of Check, Put, Update or Delete",
        ));
    };
    plan_one(context, verb, input)
}

fn plan_one(context: &Context<'_>, verb: Verb, mut input: WriteInput) -> Result<Planned, ApiError> {
    let text = input.table_name.take();
    let name = checks::table_name(context, text.as_deref())?;
    let show_old = input.return_values_on_condition_check_failure.as_deref() == Some("ALL_OLD");
    let write = write_op(verb, input)?;
    let table = target::table(context, name)?;
    let schema = table.table.record.schema();
    check_against(&table.table.record, &schema, &write)?;
    let key = schema.key_of(write.key());
    let position = target::of_key(name, &schema, &key)?;
    Ok(Planned {
        table,
        key,
        action: Action {
            position,
            write,
            show_old,
        },
    })
}

/// What is refused of the actions together.
pub(crate) fn check_together(planned: &[Planned]) -> Result<(), ApiError> {
    let mut bytes = 0;
    for (at, one) in planned.iter().enumerate() {
        let same = |other: &Planned| {
            other.action.position.table == one.action.position.table && other.key == one.key
        };
        if planned[..at].iter().any(same) {
            return Err(ApiError::validation(
                "Transaction request cannot include multiple operations on one item",
            ));
        }
        bytes += match &one.action.write {
            WriteOp::Put { item, .. } => item_bytes(item),
            other => item_bytes(other.key()),
        };
    }
    if bytes > REQUEST_BYTES_MAX {
        return Err(ApiError::validation(
            "Collection of item sizes in the transaction exceeds the limit of 4 MB",
        ));
    }
    Ok(())
}

fn answer(planned: &[Planned], executed: &Executed, report: Report, sized: bool) -> Vec<u8> {
    let mut by_table: BTreeMap<&str, Consumed> = BTreeMap::new();
    let mut metrics: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (one, answer) in planned.iter().zip(&executed.answers) {
        let record = &one.table.table.record;
        let name = one.action.position.table.as_str();
        let cost = executed.cost(record, answer);
        by_table.entry(name).or_default().add(&cost);
        if let Some(bytes) = answer.collection_bytes.filter(|_| sized) {
            let hash = record.schema().hash.into_iter().next();
            let key = one
                .key
                .iter()
                .filter(|(n, _)| hash.as_ref().is_some_and(|h| h.0 == **n));
            let key: Item = key.map(|(n, v)| (n.clone(), v.clone())).collect();
            let of_table = metrics.entry(name.to_owned()).or_default();
            of_table.push(collection_metrics(&key, bytes));
        }
    }
    let consumed = by_table
        .into_iter()
        .filter_map(|(name, consumed)| consumed.json(name, report, Some(executed.side())))
        .collect();
    body(&Output {
        consumed_capacity: (report != Report::None).then_some(consumed),
        item_collection_metrics: (sized && !metrics.is_empty()).then_some(metrics),
    })
}

/// Has the ledger made, at the region's first transaction.
async fn ensure_ledger(context: &Context<'_>) -> Result<(), ApiError> {
    let deadline = Instant::now() + LEDGER_WAIT;
    loop {
        let found = context.region.calls.table(ledger::TABLE)?;
        match found.map(|route| route.table.record.status) {
            Some(TableStatus::Active | TableStatus::Updating) => return Ok(()),
            Some(_) => {}
            None => make_ledger(context).await?,
        }
        if Instant::now() >= deadline {
            return Err(ApiError::internal(
                "The region's transactions are being set up",
            ));
        }
        tokio::time::sleep(LEDGER_LOOK).await;
    }
}

async fn make_ledger(context: &Context<'_>) -> Result<(), ApiError> {
    let catalog = context.catalog();
    let counter = catalog.read::<IdCounter>(IdCounter::ID).await?;
    let mut numbers = counter
        .as_ref()
        .map(|c| c.record.clone())
        .unwrap_or_default();
    let record: TableRecord = ledger::record(numbers.next_table(), UnixMillis::now());
    let txn = Txn::new().insert(ledger::TABLE, &record);
    let txn = match &counter {
        Some(read) => txn.replace(read, &numbers),
        None => txn.insert(IdCounter::ID, &numbers),
    };
    match catalog.commit(txn).await {
        // Another gateway, or another table, came first: look again.
        Ok(_) | Err(CatalogError::Conflict { .. }) => Ok(()),
        Err(e) => Err(e.into()),
    }
}
