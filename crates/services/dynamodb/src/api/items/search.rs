//! `Query` and `Scan`.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use quorate_dynamo_lang::json::WireItem;
use quorate_dynamo_lang::legacy::attributes_to_get;
use quorate_dynamo_lang::{Condition, ConditionKind, KeyCondition, Placeholders, Projection};

use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::items::answer::body;
use crate::api::items::capacity::{Consumed, Report, Units};
use crate::api::items::input::{SearchInput, read};
use crate::api::items::pages::{Pages, Searched};
use crate::api::items::selection::{Selection, selection};
use crate::api::items::source::Source;
use crate::api::items::{admission, checks, legacy, start_key, target};
use crate::messages::Freshness;
use crate::model::HashRange;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Vec<WireItem>>,
    count: u64,
    scanned_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_evaluated_key: Option<WireItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumed_capacity: Option<Value>,
}

/// What a query or scan is about, parsed and not yet compared with the table.
struct Parsed {
    filter: Option<Condition>,
    projection: Option<Projection>,
    placeholders: Placeholders,
}

pub(crate) async fn query(context: &Context<'_>, bytes: &Bytes) -> Result<Vec<u8>, ApiError> {
    let mut input: SearchInput = read(bytes)?;
    checks::search(&input)?;
    let text = input.table_name.take();
    let name = checks::table_name(context, text.as_deref())?;
    let mut parsed = parse(&mut input, Kind::Query)?;
    if input.key_conditions.is_none() && input.key_condition_expression.is_none() {
        return Err(ApiError::validation(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
        ));
    }
    let table = target::table(context, name)?;
    let source = Source::find(&table.table.record, input.index_name.as_deref())?;
    let condition = key_condition(&mut input, &source, &mut parsed.placeholders)?;
    parsed.placeholders.all_used()?;
    source.check_condition(&condition)?;
    let filters_by = if input.filter_expression.is_some() {
        "Filter Expression"
    } else {
        "QueryFilter"
    };
    source.check_paths(
        parsed.filter.as_ref(),
        parsed.projection.as_ref(),
        Some(filters_by),
    )?;
    let freshness = source.freshness(input.consistent_read)?;
    let selection = selection(&input, &source, parsed.projection)?;
    let start = input.exclusive_start_key.take().map(|item| item.0);
    start_key::check(&source, start.as_ref())?;
    start_key::check_within(&source, &condition, start.as_ref())?;
    let pages = Pages {
        context,
        name,
        source: &source,
        filter: parsed.filter,
        selection: selection.clone(),
        freshness,
        limit: input.limit.and_then(|limit| u32::try_from(limit).ok()),
    };
    let forward = input.scan_index_forward != Some(false);
    let strong = freshness == Freshness::Strong;
    let admitted = admission::read(context, &table, source.partitions_of(), strong).await?;
    let searched = pages.query(condition, forward, start).await?;
    admitted.settle_read(context, searched.units(strong));
    Ok(answer(
        &source, name, &input, &selection, freshness, searched,
    ))
}

pub(crate) async fn scan(context: &Context<'_>, bytes: &Bytes) -> Result<Vec<u8>, ApiError> {
    let mut input: SearchInput = read(bytes)?;
    checks::search(&input)?;
    let text = input.table_name.take();
    let name = checks::table_name(context, text.as_deref())?;
    let segment = segment(&input)?;
    let parsed = parse(&mut input, Kind::Scan)?;
    parsed.placeholders.all_used()?;
    let table = target::table(context, name)?;
    let source = Source::find(&table.table.record, input.index_name.as_deref())?;
    source.check_paths(parsed.filter.as_ref(), parsed.projection.as_ref(), None)?;
    let freshness = source.freshness(input.consistent_read)?;
    let selection = selection(&input, &source, parsed.projection)?;
    let start = input.exclusive_start_key.take().map(|item| item.0);
    start_key::check(&source, start.as_ref())?;
    start_key::check_segment(&source, segment, start.as_ref())?;
    let pages = Pages {
        context,
        name,
        source: &source,
        filter: parsed.filter,
        selection: selection.clone(),
        freshness,
        limit: input.limit.and_then(|limit| u32::try_from(limit).ok()),
    };
    let strong = freshness == Freshness::Strong;
    let admitted = admission::read(context, &table, source.partitions_of(), strong).await?;
    let searched = pages.scan(segment, start).await?;
    admitted.settle_read(context, searched.units(strong));
    Ok(answer(
        &source, name, &input, &selection, freshness, searched,
    ))
}

fn answer(
    source: &Source<'_>,
    name: &str,
    input: &SearchInput,
    selection: &Selection,
    freshness: Freshness,
    searched: Searched,
) -> Vec<u8> {
    let report = Report::of(input.return_consumed_capacity.as_deref());
    let consumed = cost(source, freshness, &searched);
    let items = searched.items.into_iter().map(WireItem).collect();
    body(&Output {
        items: (!selection.counts_only).then_some(items),
        count: searched.count,
        scanned_count: searched.scanned,
        last_evaluated_key: searched.last.map(WireItem),
        consumed_capacity: consumed.json(name, report, None),
    })
}

/// What a page cost.
pub(crate) fn cost(source: &Source<'_>, freshness: Freshness, searched: &Searched) -> Consumed {
    let strong = freshness == Freshness::Strong;
    let mut consumed = Consumed::default();
    source.charge(&mut consumed, Units::read(searched.bytes, strong));
    let fetched = Units::whole(searched.fetched_units);
    consumed.table = consumed
        .table
        .plus(if strong { fetched } else { fetched.halved() });
    consumed
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Query,
    Scan,
}

/// Reads the expressions, or the older parameters in their place. The key condition is read later: it needs the keys.
fn parse(input: &mut SearchInput, kind: Kind) -> Result<Parsed, ApiError> {
    legacy::check_search(input, kind == Kind::Query)?;
    let names = input.expression_attribute_names.take();
    let values = input.expression_attribute_values.take().map(|v| v.0);
    let mut placeholders = Placeholders::new(names, values)?;
    let projection = match (&input.projection_expression, &input.attributes_to_get) {
        (Some(text), _) => Some(Projection::parse(text, &mut placeholders)?),
        (None, Some(attributes)) => Some(attributes_to_get(attributes)?),
        (None, None) => None,
    };
    let filter = match &input.filter_expression {
        Some(text) => Some(Condition::parse(
            ConditionKind::Filter,
            text,
            &mut placeholders,
        )?),
        None => legacy::filter(input)?,
    };
    Ok(Parsed {
        filter,
        projection,
        placeholders,
    })
}

fn key_condition(
    input: &mut SearchInput,
    source: &Source<'_>,
    placeholders: &mut Placeholders,
) -> Result<KeyCondition, ApiError> {
    let names = |of: &[(String, _)]| of.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let (hash, range) = (names(&source.keys.hash), names(&source.keys.range));
    match (&input.key_condition_expression, input.key_conditions.take()) {
        (Some(text), _) => Ok(KeyCondition::parse(text, placeholders, &hash, &range)?),
        (None, conditions) => legacy::key_condition(conditions.unwrap_or_default(), &hash, &range),
    }
}

/// The positions of `Segment` among `TotalSegments`.
fn segment(input: &SearchInput) -> Result<HashRange, ApiError> {
    let (segment, total) = match (input.segment, input.total_segments) {
        (None, None) => return Ok(HashRange::ALL),
        (Some(_), None) => {
            return Err(ApiError::validation(
                "The TotalSegments parameter is required but was not present in the request when Segment parameter is \
                 present",
            ));
        }
        (None, Some(_)) => {
            return Err(ApiError::validation(
                "The Segment parameter is required but was not present in the request when parameter TotalSegments is \
                 present",
            ));
        }
        (Some(segment), Some(total)) => (segment, total),
    };
    let of = u32::try_from(segment).ok().zip(u32::try_from(total).ok());
    of.and_then(|(segment, total)| HashRange::piece(segment, total))
        .ok_or_else(|| {
            ApiError::validation(format!(
                "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: {segment} \
                 is not less than TotalSegments: {total}"
            ))
        })
}
