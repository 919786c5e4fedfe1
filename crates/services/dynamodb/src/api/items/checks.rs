//! What AWS's model and its documentation refuse before a table is looked at.

use crate::api::constraints::{Place, Violations, check_table_name, required_table_name, table_of};
use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::items::input::{
    BatchGetInput, BatchWriteInput, GetInput, SearchInput, TransactGetInput, TransactWriteInput,
    WriteInput,
};
use crate::api::items::transact_write::ACTIONS_MAX;

/// Characters of a `ClientRequestToken`.
const TOKEN_LENGTH_MAX: usize = 36;
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

/// The model's constraints on `BatchGetItem`.
pub(crate) fn batch_get(input: &BatchGetInput) -> Result<(), ApiError> {
    let mut violations = Violations::new();
    word(
        &mut violations,
        "ReturnConsumedCapacity",
        input.return_consumed_capacity.as_ref(),
        CAPACITY,
    );
    let at = Place::of("RequestItems");
    violations.required(&at, input.request_items.as_ref());
    if let Some(tables) = &input.request_items {
        violations.size(&at, tables.len(), 1, 100, || String::from("{}"));
        for (name, table) in tables {
            let table_at = at.entry(name);
            let keys_at = table_at.member("Keys");
            violations.required(&keys_at, table.keys.as_ref());
            if let Some(keys) = &table.keys {
                violations.size(&keys_at, keys.len(), 1, 100, || String::from("[]"));
            }
        }
    }
    violations.finish()
}

/// The model's constraints on `BatchWriteItem`.
pub(crate) fn batch_write(input: &BatchWriteInput) -> Result<(), ApiError> {
    let mut violations = Violations::new();
    word(
        &mut violations,
        "ReturnConsumedCapacity",
        input.return_consumed_capacity.as_ref(),
        CAPACITY,
    );
    word(
        &mut violations,
        "ReturnItemCollectionMetrics",
        input.return_item_collection_metrics.as_ref(),
        METRICS,
    );
    let at = Place::of("RequestItems");
    violations.required(&at, input.request_items.as_ref());
    if let Some(tables) = &input.request_items {
        violations.size(&at, tables.len(), 1, 25, || String::from("{}"));
        for (name, writes) in tables {
            violations.size(&at.entry(name), writes.len(), 1, 25, || String::from("[]"));
        }
    }
    violations.finish()
}

/// The model's constraints on `TransactWriteItems`.
pub(crate) fn transact_write(input: &TransactWriteInput) -> Result<(), ApiError> {
    let mut violations = Violations::new();
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
    ] {
        word(&mut violations, member, value.as_ref(), set);
    }
    if let Some(token) = &input.client_request_token {
        violations.length(&Place::of("ClientRequestToken"), token, 1, TOKEN_LENGTH_MAX);
    }
    actions(&mut violations, input.transact_items.as_ref().map(Vec::len));
    for (at, item) in input.transact_items.iter().flatten().enumerate() {
        let items = Place::of("TransactItems");
        let place = items.element(at);
        for (member, write, puts) in [
            ("ConditionCheck", &item.condition_check, false),
            ("Put", &item.put, true),
            ("Delete", &item.delete, false),
            ("Update", &item.update, false),
        ] {
            let Some(write) = write else { continue };
            let place = place.member(member);
            violations.required(&place.member("TableName"), write.table_name.as_ref());
            if puts {
                violations.required(&place.member("Item"), write.item.as_ref());
            } else {
                violations.required(&place.member("Key"), write.key.as_ref());
            }
            if member == "ConditionCheck" {
                let condition = write.condition_expression.as_ref();
                violations.required(&place.member("ConditionExpression"), condition);
            }
            if member == "Update" {
                let update = write.update_expression.as_ref();
                violations.required(&place.member("UpdateExpression"), update);
            }
        }
    }
    violations.finish()
}

/// The model's constraints on `TransactGetItems`.
pub(crate) fn transact_get(input: &TransactGetInput) -> Result<(), ApiError> {
    let mut violations = Violations::new();
    let report = input.return_consumed_capacity.as_ref();
    word(&mut violations, "ReturnConsumedCapacity", report, CAPACITY);
    actions(&mut violations, input.transact_items.as_ref().map(Vec::len));
    for (at, item) in input.transact_items.iter().flatten().enumerate() {
        let items = Place::of("TransactItems");
        let element = items.element(at);
        let place = element.member("Get");
        violations.required(&place, item.get.as_ref());
        if let Some(get) = &item.get {
            violations.required(&place.member("TableName"), get.table_name.as_ref());
            violations.required(&place.member("Key"), get.key.as_ref());
        }
    }
    violations.finish()
}

fn actions(violations: &mut Violations, count: Option<usize>) {
    let at = Place::of("TransactItems");
    violations.required(&at, count.as_ref());
    if let Some(count) = count {
        violations.size(&at, count, 1, ACTIONS_MAX, || String::from("[]"));
    }
}
