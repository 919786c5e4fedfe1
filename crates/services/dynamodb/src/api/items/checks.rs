//! What AWS's model and its documentation refuse before a table is looked at.

use quorate_dynamo_lang::{Path, Projection};

use crate::api::constraints::{Place, Violations, check_table_name, required_table_name, table_of};
use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::items::input::{GetInput, SearchInput, WriteInput};

const CAPACITY: &[&str] = &["INDEXES", "TOTAL", "NONE"];
const METRICS: &[&str] = &["SIZE", "NONE"];
const OPERATORS: &[&str] = &["OR", "AND"];
const RETURNS: &[&str] = &["ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"];
const ON_FAILURE: &[&str] = &["ALL_OLD", "NONE"];
const SELECT: &[&str] = &[
    "SPECIFIC_ATTRIBUTES",
    "COUNT",
    "ALL_ATTRIBUTES",
    "ALL_PROJECTED_ATTRIBUTES",
];

/// The table's name out of a name or an ARN.
pub(crate) fn table_name<'a>(
    context: &Context<'_>,
    text: Option<&'a str>,
) -> Result<&'a str, ApiError> {
    table_of(context, required_table_name(text)?)
}

fn word(violations: &mut Violations, member: &str, value: Option<&String>, set: &[&str]) {
    if let Some(value) = value {
        violations.one_of(&Place::of(member), value, set);
    }
}

/// `ReturnConsumedCapacity` and `ReturnItemCollectionMetrics`.
pub(crate) fn reports(capacity: Option<&String>, metrics: Option<&String>) -> Result<(), ApiError> {
    let mut violations = Violations::new();
    word(
        &mut violations,
        "ReturnConsumedCapacity",
        capacity,
        CAPACITY,
    );
    word(
        &mut violations,
        "ReturnItemCollectionMetrics",
        metrics,
        METRICS,
    );
    violations.finish()
}

/// The model's constraints on `GetItem`.
pub(crate) fn get(input: &GetInput) -> Result<(), ApiError> {
    let mut violations = Violations::new();
    check_table_name(&mut violations, input.table_name.as_deref());
    word(
        &mut violations,
        "ReturnConsumedCapacity",
        input.return_consumed_capacity.as_ref(),
        CAPACITY,
    );
    violations.required(&Place::of("Key"), input.key.as_ref());
    if let Some(attributes) = &input.attributes_to_get {
        violations.size(
            &Place::of("AttributesToGet"),
            attributes.len(),
            1,
            255,
            || String::from("[]"),
        );
    }
    violations.finish()
}

/// The model's constraints on `PutItem`, `DeleteItem` and `UpdateItem`.
pub(crate) fn write(input: &WriteInput, puts: bool) -> Result<(), ApiError> {
    let mut violations = Violations::new();
    check_table_name(&mut violations, input.table_name.as_deref());
    for (member, value, set) in [
        (
            "ReturnConsumedCapacity",
            &input.return_consumed_capacity,
            CAPACITY,
        ),
        (
            "ReturnItemCollectionMetrics",
            &input.return_item_collection_metrics,
            METRICS,
        ),
        ("ReturnValues", &input.return_values, RETURNS),
        (
            "ConditionalOperator",
            &input.conditional_operator,
            OPERATORS,
        ),
        (
            "ReturnValuesOnConditionCheckFailure",
            &input.return_values_on_condition_check_failure,
            ON_FAILURE,
        ),
    ] {
        word(&mut violations, member, value.as_ref(), set);
    }
    if puts {
        violations.required(&Place::of("Item"), input.item.as_ref());
    } else {
        violations.required(&Place::of("Key"), input.key.as_ref());
    }
    violations.finish()
}

/// The model's constraints on `Query` and `Scan`.
pub(crate) fn search(input: &SearchInput) -> Result<(), ApiError> {
    let mut violations = Violations::new();
    check_table_name(&mut violations, input.table_name.as_deref());
    for (member, value, set) in [
        ("Select", &input.select, SELECT),
        (
            "ReturnConsumedCapacity",
            &input.return_consumed_capacity,
            CAPACITY,
        ),
        (
            "ConditionalOperator",
            &input.conditional_operator,
            OPERATORS,
        ),
    ] {
        word(&mut violations, member, value.as_ref(), set);
    }
    if let Some(index) = &input.index_name {
        violations.name(&Place::of("IndexName"), index);
        violations.length(&Place::of("IndexName"), index, 3, 255);
    }
    for (member, value, min, max) in [
        ("Limit", input.limit, 1, i64::from(i32::MAX)),
        ("TotalSegments", input.total_segments, 1, 1_000_000),
        ("Segment", input.segment, 0, 999_999),
    ] {
        if let Some(value) = value {
            violations.at_least(&Place::of(member), value, min);
            violations.at_most(&Place::of(member), value, max);
        }
    }
    violations.finish()
}

/// Parameters of both ages in one request.
pub(crate) fn mixed(older: &[&str], expressions: &[&str]) -> ApiError {
    ApiError::validation(format!(
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: \
         {{{}}} Expression parameters: {{{}}}",
        older.join(", "),
        expressions.join(", ")
    ))
}

/// `AttributesToGet` as a projection.
pub(crate) fn attributes_to_get(attributes: &[String]) -> Result<Projection, ApiError> {
    for (at, attribute) in attributes.iter().enumerate() {
        if attributes[..at].contains(attribute) {
            return Err(ApiError::validation(format!(
                "One or more parameter values were invalid: Duplicate value in attribute name: {attribute}"
            )));
        }
    }
    Ok(Projection::of(
        attributes
            .iter()
            .map(|name| Path::top(name.as_str()))
            .collect(),
    ))
}
