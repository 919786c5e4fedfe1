//! `PutItem`, `DeleteItem` and `UpdateItem`.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use quorate_dynamo_lang::json::WireItem;
use quorate_dynamo_lang::{
    Condition, ConditionKind, ITEM_BYTES_MAX, Item, KeySchema, Placeholders, Update, item_bytes,
};
use quorate_dynamo_store::{WriteAnswer, WriteOp};

use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::items::answer::{body, collection_metrics, refused_write};
use crate::api::items::capacity::{Consumed, Report, Units};
use crate::api::items::input::{WriteInput, read};
use crate::api::items::{admission, checks, legacy, target};
use crate::messages::{Answer, Op};
use crate::model::{IndexNumber, TableRecord};

/// The three writes of one item, and the check that transactions have beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Put,
    Delete,
    Update,
    Check,
}

/// `ReturnValues`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Returned {
    None,
    AllOld,
    UpdatedOld,
    AllNew,
    UpdatedNew,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<WireItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumed_capacity: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_collection_metrics: Option<Value>,
}

pub(crate) async fn put_item(context: &Context<'_>, body: &Bytes) -> Result<Vec<u8>, ApiError> {
    write_item(context, body, Verb::Put).await
}

pub(crate) async fn delete_item(context: &Context<'_>, body: &Bytes) -> Result<Vec<u8>, ApiError> {
    write_item(context, body, Verb::Delete).await
}

pub(crate) async fn update_item(context: &Context<'_>, body: &Bytes) -> Result<Vec<u8>, ApiError> {
    write_item(context, body, Verb::Update).await
}

async fn write_item(context: &Context<'_>, bytes: &Bytes, verb: Verb) -> Result<Vec<u8>, ApiError> {
    let mut input: WriteInput = read(bytes)?;
    checks::write(&input, verb == Verb::Put)?;
    let text = input.table_name.take();
    let name = checks::table_name(context, text.as_deref())?;
    let returned = returned(verb, input.return_values.as_deref())?;
    let report = Report::of(input.return_consumed_capacity.as_deref());
    let metrics = input.return_item_collection_metrics.as_deref() == Some("SIZE");
    let show_old = input.return_values_on_condition_check_failure.as_deref() == Some("ALL_OLD");
    let asked = write_op(verb, input)?;
    let table = target::table(context, name)?;
    let record = &table.table.record;
    let schema = record.schema();
    check_against(record, &schema, &asked)?;
    check_request_size(&asked)?;
    let key = schema.key_of(asked.key());
    let to = target::of_key(name, &schema, &key)?;
    let admitted = admission::write(context, &table, &asked).await?;
    let wants_images = returned != Returned::None;
    let op = Op::Write {
        write: Box::new(asked),
        images: wants_images,
    };
    let answer = match context.region.calls.write(&to.into(), op).await? {
        Answer::Wrote(answer) => *answer,
        Answer::NotWritten(e) => return Err(refused_write(e, show_old)),
        _ => {
            return Err(ApiError::internal(
                "The partition answered another question",
            ));
        }
    };
    let consumed = consumed(record, &answer);
    admitted.settle_write(context, record, &consumed);
    let collection = answer.collection_bytes.filter(|_| metrics);
    Ok(body(&Output {
        consumed_capacity: consumed.json(name, report, None),
        item_collection_metrics: collection.map(|bytes| {
            let hash: Item = key
                .into_iter()
                .filter(|(name, _)| *name == schema.hash[0].0)
                .collect();
            collection_metrics(&hash, bytes)
        }),
        attributes: attributes(returned, answer).map(WireItem),
    }))
}

fn returned(verb: Verb, text: Option<&str>) -> Result<Returned, ApiError> {
    let returned = match text {
        Some("ALL_OLD") => Returned::AllOld,
        Some("UPDATED_OLD") => Returned::UpdatedOld,
        Some("ALL_NEW") => Returned::AllNew,
        Some("UPDATED_NEW") => Returned::UpdatedNew,
        _ => Returned::None,
    };
    let fits = verb == Verb::Update || matches!(returned, Returned::None | Returned::AllOld);
    if fits {
        Ok(returned)
    } else {
        Err(ApiError::validation(
            "ReturnValues can only be ALL_OLD or NONE",
        ))
    }
}

fn attributes(returned: Returned, answer: WriteAnswer) -> Option<Item> {
    match returned {
        Returned::None => None,
        Returned::AllOld => answer.old,
        Returned::AllNew => answer.new,
        Returned::UpdatedOld => answer.updated_old,
        Returned::UpdatedNew => answer.updated_new,
    }
    .filter(|item| !item.is_empty())
}

/// What the request asks to be done, with its expressions parsed.
pub(crate) fn write_op(verb: Verb, mut input: WriteInput) -> Result<WriteOp, ApiError> {
    legacy::check_write(&input, verb == Verb::Update)?;
    let names = input.expression_attribute_names.take();
    let values = input.expression_attribute_values.take().map(|v| v.0);
    let mut placeholders = Placeholders::new(names, values)?;
    let update = match (&input.update_expression, verb) {
        (Some(text), Verb::Update) => Some(Update::parse(text, &mut placeholders)?),
        (_, Verb::Update) => Some(legacy::update(input.attribute_updates.take())?),
        _ => None,
    };
    let condition = match &input.condition_expression {
        Some(text) => Some(Condition::parse(
            ConditionKind::Condition,
            text,
            &mut placeholders,
        )?),
        None => legacy::expected(input.expected.take(), input.conditional_operator.as_deref())?,
    };
    placeholders.all_used()?;
    let key = input.key.take().unwrap_or_default().0;
    Ok(match (verb, update, condition) {
        (Verb::Put, _, condition) => WriteOp::Put {
            item: input.item.take().unwrap_or_default().0,
            condition,
        },
        (_, Some(update), condition) => WriteOp::Update {
            key,
            update,
            condition,
        },
        (Verb::Check, None, Some(condition)) => WriteOp::Check { key, condition },
        (_, None, condition) => WriteOp::Delete { key, condition },
    })
}

/// What the table's keys refuse.
pub(crate) fn check_against(
    record: &TableRecord,
    schema: &KeySchema,
    op: &WriteOp,
) -> Result<(), ApiError> {
    match op {
        WriteOp::Put { item, .. } => {
            schema.check_item(item)?;
            for (name, index) in record.index_schemas() {
                index.check_indexed(name, item)?;
            }
            // Here and not only where it is written: a batch is refused as a whole, before any of it is written.
            if item_bytes(item) > ITEM_BYTES_MAX {
                return Err(ApiError::validation(
                    "Item size has exceeded the maximum allowed size",
                ));
            }
        }
        WriteOp::Update { key, update, .. } => {
            schema.check_key(key)?;
            update.check_keys(schema.attributes().map(|(name, _)| name))?;
        }
        WriteOp::Delete { key, .. } | WriteOp::Check { key, .. } | WriteOp::Expire { key, .. } => {
            schema.check_key(key)?;
        }
    }
    Ok(())
}

/// UpdateItem alone is held to the limit by what it writes, too, before its condition is looked at.
fn check_request_size(op: &WriteOp) -> Result<(), ApiError> {
    match op {
        WriteOp::Update { update, .. } if update.request_bytes() > ITEM_BYTES_MAX => Err(
            ApiError::validation("Item size to update has exceeded the maximum allowed size"),
        ),
        _ => Ok(()),
    }
}

/// What a write cost.
pub(crate) fn consumed(record: &TableRecord, answer: &WriteAnswer) -> Consumed {
    let bytes = answer.old_bytes.max(answer.new_bytes);
    let mut consumed = Consumed::of_table(Units::write(bytes as u64));
    for cost in &answer.index_units {
        let number = IndexNumber(cost.index);
        let units = Units::whole(cost.units);
        if cost.local {
            let index = record.local_indexes.iter().find(|i| i.number == number);
            consumed
                .local
                .extend(index.map(|i| (i.name.clone(), units)));
        } else {
            let index = record.global_indexes.iter().find(|i| i.number == number);
            consumed
                .global
                .extend(index.map(|i| (i.name.clone(), units)));
        }
    }
    consumed
}
