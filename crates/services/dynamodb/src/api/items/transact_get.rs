//! `TransactGetItems`: several items of one moment.
//!
//! All are read, then all are read again. A version that is the same both times was there at every moment between the
//! first reads and the second ones; strong reads wait for transactions that hold an item, so none is seen in part.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use quorate_dynamo_lang::json::WireItem;
use quorate_dynamo_lang::{Item, Projection};

use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::items::answer::body;
use crate::api::items::capacity::{Consumed, Report, Side, Units};
use crate::api::items::coordinator::cancelled_because;
use crate::api::items::get::projection;
use crate::api::items::input::{GetInput, TransactGetInput, read};
use crate::api::items::{admission, checks, target};
use crate::messages::{Answer, Freshness, Op};
use crate::model::IndexNumber;
use crate::routing::Position;

/// Rounds of reads: each one after the second was made because an item changed meanwhile.
const ROUNDS_MAX: usize = 8;
/// Pause before another round.
const PAUSE: Duration = Duration::from_millis(5);
/// Bytes of all items of one answer.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    consumed_capacity: Option<Vec<Value>>,
    responses: Vec<Response>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<WireItem>,
}

/// One item that is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) position: Position,
    pub(crate) key: Item,
    pub(crate) projection: Option<Projection>,
}

/// One item as it was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) item: Option<Item>,
    pub(crate) bytes: u64,
    version: u64,
}

pub(crate) async fn transact_get_items(
    context: &Context<'_>,
    bytes: &Bytes,
) -> Result<Vec<u8>, ApiError> {
    let input: TransactGetInput = read(bytes)?;
    checks::transact_get(&input)?;
    let report = Report::of(input.return_consumed_capacity.as_deref());
    let mut wanted: Vec<Wanted> = Vec::new();
    for item in input.transact_items.unwrap_or_default() {
        let one = want(context, item.get.unwrap_or_default())?;
        let same =
            |other: &Wanted| other.position.table == one.position.table && other.key == one.key;
        if wanted.iter().any(same) {
            return Err(ApiError::validation(
                "Transaction request cannot include multiple operations on one item",
            ));
        }
        wanted.push(one);
    }
    let found = snapshot(context, &wanted).await?;
    let mut by_table: BTreeMap<&str, Consumed> = BTreeMap::new();
    for (one, found) in wanted.iter().zip(&found) {
        let cost = Consumed::of_table(Units::read(found.bytes, true)).doubled();
        by_table.entry(&one.position.table).or_default().add(&cost);
    }
    let consumed = by_table
        .into_iter()
        .filter_map(|(name, consumed)| consumed.json(name, report, Some(Side::Read)))
        .collect();
    let responses = wanted.iter().zip(&found).map(|(one, found)| {
        let item = found.item.as_ref().map(|item| match &one.projection {
            Some(projection) => projection.project(item),
            None => item.clone(),
        });
        Response {
            item: item.map(WireItem),
        }
    });
    Ok(body(&Output {
        consumed_capacity: (report != Report::None).then_some(consumed),
        responses: responses.collect(),
    }))
}

fn want(context: &Context<'_>, input: GetInput) -> Result<Wanted, ApiError> {
    let name = checks::table_name(context, input.table_name.as_deref())?;
    let projection = projection(
        input.projection_expression.as_deref(),
        None,
        &input.expression_attribute_names,
    )?;
    let key = input.key.unwrap_or_default().0;
    let table = target::table(context, name)?;
    let schema = table.table.record.schema();
    schema.check_key(&key)?;
    Ok(Wanted {
        position: target::of_key(name, &schema, &key)?,
        key,
        projection,
    })
}

/// The items as they all were at one moment.
///
/// # Errors
/// `TransactionCanceledException` when they keep changing.
pub(crate) async fn snapshot(
    context: &Context<'_>,
    wanted: &[Wanted],
) -> Result<Vec<Found>, ApiError> {
    let tables = wanted.iter();
    let tables = tables.map(|one| target::table(context, &one.position.table));
    let tables = tables.collect::<Result<Vec<_>, _>>()?;
    let asked = tables.iter();
    let asked = asked.map(|table| admission::read(context, table, IndexNumber::TABLE, true));
    let admitted = admission::all(context, asked).await?;
    let found = unchanged(context, wanted).await?;
    for (admitted, found) in admitted.into_iter().zip(&found) {
        let units = Units::read(found.bytes, true);
        admitted.settle_read(context, units.plus(units));
    }
    Ok(found)
}

async fn unchanged(context: &Context<'_>, wanted: &[Wanted]) -> Result<Vec<Found>, ApiError> {
    let mut before = read_all(context, wanted).await?;
    for _ in 1..ROUNDS_MAX {
        let after = read_all(context, wanted).await?;
        let bytes: u64 = after.iter().map(|found| found.bytes).sum();
        if bytes > ANSWER_BYTES_MAX {
            return Err(ApiError::validation(
                "Collection of item sizes in the transaction exceeds the limit of 4 MB",
            ));
        }
        let same = before
            .iter()
            .zip(&after)
            .all(|(b, a)| b.version == a.version);
        if same {
            return Ok(after);
        }
        before = after;
        tokio::time::sleep(PAUSE).await;
    }
    let last = read_all(context, wanted).await?;
    let reasons = before.iter().zip(&last).map(|(b, a)| {
        if b == a {
            return ("None", Map::new());
        }
        let mut member = Map::new();
        let words = json!("Transaction is ongoing for the item");
        member.insert(String::from("Message"), words);
        ("TransactionConflict", member)
    });
    Err(cancelled_because(reasons))
}

async fn read_all(context: &Context<'_>, wanted: &[Wanted]) -> Result<Vec<Found>, ApiError> {
    let mut under_way = JoinSet::new();
    for (place, one) in wanted.iter().enumerate() {
        let calls = context.region.calls.clone();
        let to = one.position.clone().into();
        let op = Op::Get {
            key: one.key.clone(),
            projection: None,
            freshness: Freshness::Strong,
        };
        under_way.spawn(async move { (place, calls.read(&to, Freshness::Strong, op).await) });
    }
    let mut found: Vec<Option<Found>> = vec![None; wanted.len()];
    while let Some(joined) = under_way.join_next().await {
        let (place, answer) =
            joined.map_err(|_| ApiError::internal("A read of the transaction stopped"))?;
        let Answer::Item {
            item,
            bytes,
            version,
        } = answer?
        else {
            return Err(ApiError::internal(
                "The partition answered another question",
            ));
        };
        found[place] = Some(Found {
            item,
            bytes,
            version,
        });
    }
    let all: Option<Vec<Found>> = found.into_iter().collect();
    all.ok_or_else(|| ApiError::internal("A read of the transaction has no answer"))
}
