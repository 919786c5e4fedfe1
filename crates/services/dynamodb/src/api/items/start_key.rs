//! `ExclusiveStartKey`: whether it can be where the page before ended.

use quorate_dynamo_lang::key_codec::hash_position;
use quorate_dynamo_lang::{AttributeValue, Item, KeyCondition, SortCondition};

use crate::api::error::ApiError;
use crate::api::items::source::{Rows, Source};
use crate::model::HashRange;

fn invalid() -> ApiError {
    ApiError::validation("The provided starting key is invalid")
}

/// Whether it has the attributes of the rows' keys and of the table's, each of its type, and no other.
pub(crate) fn check(source: &Source<'_>, start: Option<&Item>) -> Result<(), ApiError> {
    let Some(start) = start else {
        return Ok(());
    };
    let wanted: std::collections::BTreeSet<&str> = source
        .keys
        .attributes()
        .chain(source.base.attributes())
        .map(|(name, _)| name)
        .collect();
    if start.len() != wanted.len() {
        return Err(match source.rows {
            Rows::Table => ApiError::validation(
                "The provided starting key is invalid: The provided key element does not match the schema",
            ),
            _ => invalid(),
        });
    }
    for (name, kind) in source.keys.attributes().chain(source.base.attributes()) {
        if !start.get(name).is_some_and(|value| kind.matches(value)) {
            return Err(ApiError::validation(
                "The provided starting key is invalid: The provided key element does not match the schema",
            ));
        }
    }
    Ok(())
}

/// Whether it lies in what a query asks for.
pub(crate) fn check_within(
    _source: &Source<'_>,
    condition: &KeyCondition,
    start: Option<&Item>,
) -> Result<(), ApiError> {
    let Some(start) = start else {
        return Ok(());
    };
    let single = condition.hash.iter().chain(&condition.range_equals);
    let outside = single
        .into_iter()
        .any(|(name, value)| start.get(name) != Some(value));
    let beyond = condition
        .range
        .as_ref()
        .is_some_and(|(name, sort)| start.get(name).is_none_or(|value| !holds(sort, value)));
    if outside || beyond {
        return Err(ApiError::validation(
            "The provided starting key is outside query boundaries based on provided conditions",
        ));
    }
    Ok(())
}

/// Whether it lies in a scan's segment.
pub(crate) fn check_segment(
    source: &Source<'_>,
    segment: HashRange,
    start: Option<&Item>,
) -> Result<(), ApiError> {
    let Some(key) = start.and_then(|start| source.keys.encode(start)) else {
        return Ok(());
    };
    if segment.contains(hash_position(&key.hash)) {
        return Ok(());
    }
    Err(ApiError::validation(
        "The provided Exclusive start key does not map to the provided Segment and TotalSegments values.",
    ))
}

fn holds(sort: &SortCondition, value: &AttributeValue) -> bool {
    let bytes = |value: &AttributeValue| {
        let mut bytes = Vec::new();
        quorate_dynamo_lang::key_codec::encode_into(value, &mut bytes);
        bytes
    };
    let own = bytes(value);
    match sort {
        SortCondition::Eq(v) => own == bytes(v),
        SortCondition::Lt(v) => own < bytes(v),
        SortCondition::Le(v) => own <= bytes(v),
        SortCondition::Gt(v) => own > bytes(v),
        SortCondition::Ge(v) => own >= bytes(v),
        SortCondition::Between(low, high) => bytes(low) <= own && own <= bytes(high),
        SortCondition::BeginsWith(prefix) => match (prefix, value) {
            (AttributeValue::S(prefix), AttributeValue::S(text)) => text.starts_with(prefix),
            (AttributeValue::B(prefix), AttributeValue::B(data)) => data.starts_with(prefix),
            _ => false,
        },
    }
}
