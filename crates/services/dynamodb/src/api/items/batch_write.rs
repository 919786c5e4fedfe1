//! `BatchWriteItem`.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use quorate_dynamo_lang::Item;
use quorate_dynamo_store::WriteOp;

use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::items::answer::{body, collection_metrics, item_value, refused_write};
use crate::api::items::batch_get::duplicates;
use crate::api::items::capacity::{Consumed, Report};
use crate::api::items::input::{BatchWriteInput, WriteRequestInput, read};
use crate::api::items::write::{check_against, consumed};
use crate::api::items::{admission, checks, target};
use crate::messages::{Answer, NotWritten, Op};
use crate::routing::{Position, RouteError};

/// Writes of one request.
const WRITES_MAX: usize = 25;

/// One write, checked.
struct One {
    table: usize,
    key: Item,
    to: Position,
    write: WriteOp,
}

/// One table of the batch.
struct Part {
    name: String,
    route: std::sync::Arc<crate::routing::TableRoute>,
    consumed: Consumed,
    left: Vec<Value>,
    metrics: Vec<Value>,
}

pub(crate) async fn batch_write_item(
    context: &Context<'_>,
    bytes: &Bytes,
) -> Result<Vec<u8>, ApiError> {
    let input: BatchWriteInput = read(bytes)?;
    checks::batch_write(&input)?;
    let report = Report::of(input.return_consumed_capacity.as_deref());
    let sized = input.return_item_collection_metrics.as_deref() == Some("SIZE");
    let asked = input.request_items.unwrap_or_default();
    let count: usize = asked.values().map(Vec::len).sum();
    if count > WRITES_MAX {
        return Err(ApiError::validation(
            "Too many items requested for the BatchWriteItem call",
        ));
    }
    let mut parts = Vec::new();
    let mut writes = Vec::new();
    for (text, requests) in asked {
        let name = checks::table_name(context, Some(&text))?.to_owned();
        let route = target::table(context, &name)?;
        for request in requests {
            let one = one(&route, &name, parts.len(), request)?;
            let twice = |earlier: &One| earlier.table == one.table && earlier.key == one.key;
            if writes.iter().any(twice) {
                return Err(duplicates());
            }
            writes.push(one);
        }
        parts.push(Part {
            name,
            route,
            consumed: Consumed::default(),
            left: Vec::new(),
            metrics: Vec::new(),
        });
    }
    write_all(context, &mut parts, writes, sized).await?;
    Ok(answer(parts, report, sized))
}

fn one(
    route: &crate::routing::TableRoute,
    name: &str,
    table: usize,
    request: WriteRequestInput,
) -> Result<One, ApiError> {
    let schema = route.table.record.schema();
    let write = match (request.put_request, request.delete_request) {
        (Some(put), None) => WriteOp::Put {
            item: put.item.unwrap_or_default().0,
            condition: None,
        },
        (None, Some(delete)) => WriteOp::Delete {
            key: delete.key.unwrap_or_default().0,
            condition: None,
        },
        _ => {
            return Err(ApiError::validation(
                "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported \
                 datatypes",
            ));
        }
    };
    check_against(&route.table.record, &schema, &write)?;
    let key = schema.key_of(write.key());
    let to = target::of_key(name, &schema, &key)?;
    Ok(One {
        table,
        key,
        to,
        write,
    })
}

async fn write_all(
    context: &Context<'_>,
    parts: &mut [Part],
    writes: Vec<One>,
    sized: bool,
) -> Result<(), ApiError> {
    let mut under_way = JoinSet::new();
    let mut refused = None;
    for one in writes {
        let part = &mut parts[one.table];
        let admitted = match admission::write(context, &part.route, &one.write).await {
            Ok(admitted) => admitted,
            Err(e) if admission::is_throttled(&e) => {
                refused = Some(e);
                part.left.push(again(&one.write));
                continue;
            }
            Err(e) => return Err(e),
        };
        let calls = context.region.calls.clone();
        under_way.spawn(async move {
            let op = Op::Write {
                write: Box::new(one.write.clone()),
                images: false,
            };
            let answer = calls.write(&one.to.clone().into(), op).await;
            (one, admitted, answer)
        });
    }
    // An answer says what was left out; when that is everything, AWS answers the error in its place.
    if let (true, Some(e)) = (under_way.is_empty(), refused) {
        return Err(e);
    }
    while let Some(joined) = under_way.join_next().await {
        let (one, admitted, answer) =
            joined.map_err(|_| ApiError::internal("A write of the batch stopped"))?;
        let part = &mut parts[one.table];
        match answer {
            Ok(Answer::Wrote(answer)) => {
                let record = &part.route.table.record;
                let cost = consumed(record, &answer);
                admitted.settle_write(context, record, &cost);
                part.consumed.add(&cost);
                if let Some(bytes) = answer.collection_bytes.filter(|_| sized) {
                    let hash = &part.route.table.record.schema().hash[0].0;
                    let key = one
                        .key
                        .into_iter()
                        .filter(|(name, _)| name == hash)
                        .collect();
                    part.metrics.push(collection_metrics(&key, bytes));
                }
            }
            // The caller is to write it again, as after throttling.
            Ok(Answer::NotWritten(NotWritten::Conflict))
            | Err(RouteError::Unavailable(_) | RouteError::Unknown(_)) => {
                part.left.push(again(&one.write));
            }
            Ok(Answer::NotWritten(e)) => return Err(refused_write(e, false)),
            Ok(_) => {
                return Err(ApiError::internal(
                    "The partition answered another question",
                ));
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

fn again(write: &WriteOp) -> Value {
    match write {
        WriteOp::Put { item, .. } => json!({"PutRequest": {"Item": item_value(item)}}),
        other => json!({"DeleteRequest": {"Key": item_value(other.key())}}),
    }
}

fn answer(parts: Vec<Part>, report: Report, sized: bool) -> Vec<u8> {
    let mut unprocessed = Map::new();
    let mut metrics = Map::new();
    let mut capacity = Vec::new();
    for part in parts {
        capacity.extend(part.consumed.json(&part.name, report, None));
        if !part.left.is_empty() {
            unprocessed.insert(part.name.clone(), Value::Array(part.left));
        }
        if !part.metrics.is_empty() {
            metrics.insert(part.name, Value::Array(part.metrics));
        }
    }
    let mut answer = Map::new();
    answer.insert(String::from("UnprocessedItems"), Value::Object(unprocessed));
    if report != Report::None {
        answer.insert(String::from("ConsumedCapacity"), Value::Array(capacity));
    }
    if sized && !metrics.is_empty() {
        answer.insert(
            String::from("ItemCollectionMetrics"),
            Value::Object(metrics),
        );
    }
    body(&answer)
}
