//! `GetItem`.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use quorate_dynamo_lang::json::WireItem;
use quorate_dynamo_lang::legacy::{ParameterUse, attributes_to_get, check_parameters};
use quorate_dynamo_lang::{Item, Placeholders, Projection};

use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::items::answer::body;
use crate::api::items::capacity::{Consumed, Report, Units};
use crate::api::items::input::{GetInput, Names, read};
use crate::api::items::{admission, checks, target};
use crate::messages::{Answer, Freshness, Op};
use crate::model::IndexNumber;
use crate::routing::Position;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    consumed_capacity: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<WireItem>,
}

pub(crate) async fn get_item(context: &Context<'_>, bytes: &Bytes) -> Result<Vec<u8>, ApiError> {
    let input: GetInput = read(bytes)?;
    checks::get(&input)?;
    let name = checks::table_name(context, input.table_name.as_deref())?;
    let projection = projection(
        input.projection_expression.as_deref(),
        input.attributes_to_get.as_deref(),
        &input.expression_attribute_names,
    )?;
    let key = input.key.unwrap_or_default().0;
    let table = target::table(context, name)?;
    let schema = table.table.record.schema();
    schema.check_key(&key)?;
    let freshness = freshness(input.consistent_read);
    let strong = freshness == Freshness::Strong;
    let admitted = admission::read(context, &table, IndexNumber::TABLE, strong).await?;
    let found = fetch(
        context,
        target::of_key(name, &schema, &key)?,
        key,
        projection,
        freshness,
    );
    let (item, size) = found.await?;
    let units = Units::read(size, strong);
    admitted.settle_read(context, units);
    let report = Report::of(input.return_consumed_capacity.as_deref());
    Ok(body(&Output {
        consumed_capacity: Consumed::of_table(units).json(name, report, None),
        item: item.map(WireItem),
    }))
}

/// `ConsistentRead`.
pub(crate) fn freshness(consistent: Option<bool>) -> Freshness {
    if consistent == Some(true) {
        Freshness::Strong
    } else {
        Freshness::Eventual
    }
}

/// Reads one item; returns it with its whole size.
pub(crate) async fn fetch(
    context: &Context<'_>,
    to: Position,
    key: Item,
    projection: Option<Projection>,
    freshness: Freshness,
) -> Result<(Option<Item>, u64), ApiError> {
    let op = Op::Get {
        key,
        projection,
        freshness,
    };
    match context.region.calls.read(&to.into(), freshness, op).await? {
        Answer::Item { item, bytes, .. } => Ok((item, bytes)),
        _ => Err(ApiError::internal(
            "The partition answered another question",
        )),
    }
}

/// What an operation that reads is to return of each item, by an expression or by the older parameter.
pub(crate) fn projection(
    expression: Option<&str>,
    attributes: Option<&[String]>,
    names: &Names,
) -> Result<Option<Projection>, ApiError> {
    let given = |name, given: bool| given.then_some(name);
    let older: Vec<&str> = given("AttributesToGet", attributes.is_some())
        .into_iter()
        .collect();
    let newer: Vec<&str> = given("ProjectionExpression", expression.is_some())
        .into_iter()
        .collect();
    check_parameters(&ParameterUse {
        legacy: &older,
        expressions: &newer,
        names: names.is_some(),
        ..ParameterUse::default()
    })?;
    let mut placeholders = Placeholders::new(names.clone(), None)?;
    let projection = match (expression, attributes) {
        (Some(text), _) => Some(Projection::parse(text, &mut placeholders)?),
        (None, Some(attributes)) => Some(attributes_to_get(attributes)?),
        (None, None) => None,
    };
    placeholders.all_used()?;
    Ok(projection)
}
