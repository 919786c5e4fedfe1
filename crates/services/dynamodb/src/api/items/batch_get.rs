//! `BatchGetItem`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use quorate_dynamo_lang::{Item, Projection};

use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::items::answer::{body, item_value};
use crate::api::items::capacity::{Consumed, Report, Units};
use crate::api::items::get::{freshness, projection};
use crate::api::items::input::{BatchGetInput, KeysInput, read};
use crate::api::items::{admission, checks, target};
use crate::messages::{Answer, Freshness, Op};
use crate::model::IndexNumber;
use crate::routing::{Position, RouteError, TableRoute};

/// Keys of one request.
const KEYS_MAX: usize = 100;
/// Bytes of the items of one answer; the rest is to be asked for again.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// One table's part, checked.
struct Part {
    name: String,
    route: Arc<TableRoute>,
    projection: Option<Projection>,
    freshness: Freshness,
    keys: Vec<(Item, Position)>,
    asked: KeysInput,
}

/// What became of one key.
type Fetched = Result<(Option<Item>, u64), RouteError>;

pub(crate) async fn batch_get_item(
    context: &Context<'_>,
    bytes: &Bytes,
) -> Result<Vec<u8>, ApiError> {
    let input: BatchGetInput = read(bytes)?;
    checks::batch_get(&input)?;
    let report = Report::of(input.return_consumed_capacity.as_deref());
    let asked = input.request_items.unwrap_or_default();
    let count: usize = asked
        .values()
        .map(|t| t.keys.as_ref().map_or(0, Vec::len))
        .sum();
    if count > KEYS_MAX {
        return Err(ApiError::validation(
            "Too many items requested for the BatchGetItem call",
        ));
    }
    let mut parts = Vec::new();
    for (text, keys) in asked {
        parts.push(part(context, &text, keys)?);
    }
    let mut fetched = fetch_all(context, &parts).await?;
    let mut responses = Map::new();
    let mut unprocessed = Map::new();
    let mut capacity = Vec::new();
    let mut room = ANSWER_BYTES_MAX;
    for (at, part) in parts.iter().enumerate() {
        let of_part = fetched.remove(&at).unwrap_or_default();
        let taken = take(part, of_part, &mut room)?;
        responses.insert(part.name.clone(), Value::Array(taken.items));
        if !taken.left.is_empty() {
            unprocessed.insert(part.name.clone(), again(&part.asked, taken.left));
        }
        capacity.extend(taken.consumed.json(&part.name, report, None));
    }
    let mut answer = Map::new();
    answer.insert(String::from("Responses"), Value::Object(responses));
    answer.insert(String::from("UnprocessedKeys"), Value::Object(unprocessed));
    if report != Report::None {
        answer.insert(String::from("ConsumedCapacity"), Value::Array(capacity));
    }
    Ok(body(&answer))
}

fn part(context: &Context<'_>, text: &str, asked: KeysInput) -> Result<Part, ApiError> {
    let name = checks::table_name(context, Some(text))?;
    let projection = projection(
        asked.projection_expression.as_deref(),
        asked.attributes_to_get.as_deref(),
        &asked.expression_attribute_names,
    )?;
    let table = target::table(context, name)?;
    let schema = table.table.record.schema();
    let mut keys: Vec<(Item, Position)> = Vec::new();
    for key in asked.keys.iter().flatten() {
        schema.check_key(&key.0)?;
        if keys.iter().any(|(earlier, _)| *earlier == key.0) {
            return Err(duplicates());
        }
        keys.push((key.0.clone(), target::of_key(name, &schema, &key.0)?));
    }
    Ok(Part {
        name: name.to_owned(),
        route: table,
        projection,
        freshness: freshness(asked.consistent_read),
        keys,
        asked,
    })
}

/// The refusal of a batch that names an item twice.
pub(crate) fn duplicates() -> ApiError {
    ApiError::validation("Provided list of item keys contains duplicates")
}

/// Asks for all keys at the same time; the answers by part, in the order of the keys.
async fn fetch_all(
    context: &Context<'_>,
    parts: &[Part],
) -> Result<BTreeMap<usize, Vec<Fetched>>, ApiError> {
    let mut under_way = JoinSet::new();
    let mut refused = None;
    let mut fetched: BTreeMap<usize, Vec<Fetched>> = BTreeMap::new();
    for (at, part) in parts.iter().enumerate() {
        let waiting = || Err(RouteError::Unavailable(String::new()));
        fetched.insert(at, part.keys.iter().map(|_| waiting()).collect());
        let strong = part.freshness == Freshness::Strong;
        for (place, (key, to)) in part.keys.iter().enumerate() {
            let admitted = admission::read(context, &part.route, IndexNumber::TABLE, strong).await;
            let admitted = match admitted {
                Ok(admitted) => admitted,
                Err(e) if admission::is_throttled(&e) => {
                    refused = Some(e);
                    continue;
                }
                Err(e) => return Err(e),
            };
            let calls = context.region.calls.clone();
            let (to, freshness) = (to.clone(), part.freshness);
            let op = Op::Get {
                key: key.clone(),
                projection: part.projection.clone(),
                freshness,
            };
            under_way.spawn(async move {
                let answer = calls.read(&to.into(), freshness, op).await;
                (at, place, admitted, answer)
            });
        }
    }
    // An answer says what was left out; when that is everything, AWS answers the error in its place.
    if let (true, Some(e)) = (under_way.is_empty(), refused) {
        return Err(e);
    }
    while let Some(joined) = under_way.join_next().await {
        let (at, place, admitted, answer) =
            joined.map_err(|_| ApiError::internal("A read of the batch stopped"))?;
        let found = answer.map(|answer| match answer {
            Answer::Item { item, bytes, .. } => (item, bytes),
            _ => (None, 0),
        });
        if let Ok((_, bytes)) = &found {
            let strong = parts[at].freshness == Freshness::Strong;
            admitted.settle_read(context, Units::read(*bytes, strong));
        }
        if let Some(slot) = fetched.get_mut(&at).and_then(|part| part.get_mut(place)) {
            *slot = found;
        }
    }
    Ok(fetched)
}

/// What a part contributes to the answer.
#[derive(Default)]
struct Taken {
    items: Vec<Value>,
    left: Vec<Item>,
    consumed: Consumed,
}

fn take(part: &Part, fetched: Vec<Fetched>, room: &mut u64) -> Result<Taken, ApiError> {
    let mut taken = Taken::default();
    for ((key, _), found) in part.keys.iter().zip(fetched) {
        match found {
            Ok((item, bytes)) if bytes <= *room => {
                *room -= bytes;
                let units = Units::read(bytes, part.freshness == Freshness::Strong);
                taken.consumed.add(&Consumed::of_table(units));
                taken.items.extend(item.as_ref().map(item_value));
            }
            Ok(_) => {
                // What does not fit ends the answer, so that items come in the order of their keys.
                *room = 0;
                taken.left.push(key.clone());
            }
            Err(RouteError::Unavailable(_) | RouteError::Unknown(_)) => {
                taken.left.push(key.clone());
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(taken)
}

/// The part of `UnprocessedKeys`: what was asked, with the keys that are left.
fn again(asked: &KeysInput, left: Vec<Item>) -> Value {
    let mut part = Map::new();
    part.insert(String::from("Keys"), left.iter().map(item_value).collect());
    if let Some(consistent) = asked.consistent_read {
        part.insert(String::from("ConsistentRead"), json!(consistent));
    }
    if let Some(text) = &asked.projection_expression {
        part.insert(String::from("ProjectionExpression"), json!(text));
    }
    if let Some(names) = &asked.expression_attribute_names {
        part.insert(String::from("ExpressionAttributeNames"), json!(names));
    }
    if let Some(attributes) = &asked.attributes_to_get {
        part.insert(String::from("AttributesToGet"), json!(attributes));
    }
    Value::Object(part)
}
