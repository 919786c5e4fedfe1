//! The parameters from before there were expressions: from the request's shapes to the language's.

use std::collections::BTreeMap;

use quorate_dynamo_lang::legacy::{
    self, AttributeUpdate, ComparisonOperator, ConditionalOperator, Expectation, LegacyCondition,
    ParameterUse, UpdateAction,
};
use quorate_dynamo_lang::{AttributeValue, Condition, KeyCondition, Update};

use crate::api::constraints::{Place, Violations};
use crate::api::error::ApiError;
use crate::api::items::input::{
    AttributeUpdateInput, ConditionInput, ExpectedInput, SearchInput, WriteInput,
};
use quorate_dynamo_lang::json::WireValue;

const OPERATORS: &[&str] = &[
    "IN",
    "NULL",
    "BETWEEN",
    "LT",
    "NOT_CONTAINS",
    "EQ",
    "GT",
    "NOT_NULL",
    "NE",
    "LE",
    "BEGINS_WITH",
    "GE",
    "CONTAINS",
];
const ACTIONS: &[&str] = &["ADD", "PUT", "DELETE"];

/// The names of the parameters that are given.
fn given<'a>(parameters: &[(&'a str, bool)]) -> Vec<&'a str> {
    let given = parameters.iter().filter(|(_, given)| *given);
    given.map(|(name, _)| *name).collect()
}

fn joined(text: Option<&str>) -> Option<ConditionalOperator> {
    text.and_then(|text| text.parse().ok())
}

/// Refuses a write whose parameters cannot stand together.
pub(crate) fn check_write(input: &WriteInput, updates: bool) -> Result<(), ApiError> {
    let older = given(&[
        ("AttributeUpdates", input.attribute_updates.is_some()),
        ("Expected", input.expected.is_some()),
        ("ConditionalOperator", input.conditional_operator.is_some()),
    ]);
    let expressions = given(&[
        ("UpdateExpression", input.update_expression.is_some()),
        ("ConditionExpression", input.condition_expression.is_some()),
    ]);
    let takes_values: &[&str] = if updates {
        &["UpdateExpression", "ConditionExpression"]
    } else {
        &["ConditionExpression"]
    };
    legacy::check_parameters(&ParameterUse {
        legacy: &older,
        expressions: &expressions,
        value_expressions: takes_values,
        names: input.expression_attribute_names.is_some(),
        values: input.expression_attribute_values.is_some(),
        joined: joined(input.conditional_operator.as_deref()),
        joined_count: input.expected.as_ref().map_or(0, BTreeMap::len),
    })?;
    Ok(())
}

/// Refuses a query or scan whose parameters cannot stand together.
pub(crate) fn check_search(input: &SearchInput, queries: bool) -> Result<(), ApiError> {
    let filter = if queries {
        &input.query_filter
    } else {
        &input.scan_filter
    };
    let older = given(&[
        ("AttributesToGet", input.attributes_to_get.is_some()),
        ("QueryFilter", queries && input.query_filter.is_some()),
        ("ScanFilter", !queries && input.scan_filter.is_some()),
        ("ConditionalOperator", input.conditional_operator.is_some()),
        ("KeyConditions", queries && input.key_conditions.is_some()),
    ]);
    let expressions = given(&[
        (
            "ProjectionExpression",
            input.projection_expression.is_some(),
        ),
        ("FilterExpression", input.filter_expression.is_some()),
        (
            "KeyConditionExpression",
            queries && input.key_condition_expression.is_some(),
        ),
    ]);
    let takes_values: &[&str] = if queries {
        &["FilterExpression", "KeyConditionExpression"]
    } else {
        &["FilterExpression"]
    };
    legacy::check_parameters(&ParameterUse {
        legacy: &older,
        expressions: &expressions,
        value_expressions: takes_values,
        names: input.expression_attribute_names.is_some(),
        values: input.expression_attribute_values.is_some(),
        joined: joined(input.conditional_operator.as_deref()),
        joined_count: filter.as_ref().map_or(0, BTreeMap::len),
    })?;
    Ok(())
}

/// `AttributeUpdates`; without any the item comes to be, and nothing else.
pub(crate) fn update(
    updates: Option<BTreeMap<String, AttributeUpdateInput>>,
) -> Result<Update, ApiError> {
    let mut read = BTreeMap::new();
    let mut violations = Violations::new();
    for (name, update) in updates.unwrap_or_default() {
        if let Some(action) = &update.action {
            let updates = Place::of("AttributeUpdates");
            let entry = updates.entry(&name);
            violations.one_of(&entry.member("Action"), action, ACTIONS);
        }
        let action = update.action.as_deref().and_then(|a| a.parse().ok());
        let action: UpdateAction = action.unwrap_or_default();
        let value = update.value.map(|value| value.0);
        read.insert(name, AttributeUpdate { action, value });
    }
    violations.finish()?;
    Ok(legacy::attribute_updates(&read)?)
}

/// `Expected`; none without one.
pub(crate) fn expected(
    expected: Option<BTreeMap<String, ExpectedInput>>,
    operator: Option<&str>,
) -> Result<Option<Condition>, ApiError> {
    let Some(expected) = expected.filter(|e| !e.is_empty()) else {
        return Ok(None);
    };
    let mut read = BTreeMap::new();
    for (name, one) in expected {
        let comparison = one.comparison_operator.as_deref();
        let expectation = Expectation {
            operator: comparison
                .map(|text| comparison_operator("Expected", &name, text))
                .transpose()?,
            values: one.attribute_value_list.map(values),
            value: one.value.map(|value| value.0),
            exists: one.exists,
        };
        read.insert(name, expectation);
    }
    Ok(Some(legacy::expected(&read, joined(operator))?))
}

/// `QueryFilter` or `ScanFilter`; none without one.
pub(crate) fn filter(input: &mut SearchInput) -> Result<Option<Condition>, ApiError> {
    let filter = input.query_filter.take().or(input.scan_filter.take());
    let Some(filter) = filter.filter(|f| !f.is_empty()) else {
        return Ok(None);
    };
    let operator = joined(input.conditional_operator.as_deref());
    let conditions = conditions("QueryFilter", filter)?;
    Ok(Some(legacy::filter(&conditions, operator)?))
}

/// `KeyConditions`.
pub(crate) fn key_condition(
    conditions_given: BTreeMap<String, ConditionInput>,
    hash: &[String],
    range: &[String],
) -> Result<KeyCondition, ApiError> {
    let conditions = conditions("KeyConditions", conditions_given)?;
    Ok(legacy::key_conditions(&conditions, hash, range)?)
}

fn conditions(
    parameter: &str,
    given: BTreeMap<String, ConditionInput>,
) -> Result<BTreeMap<String, LegacyCondition>, ApiError> {
    let mut read = BTreeMap::new();
    for (name, condition) in given {
        let text = condition.comparison_operator.as_deref();
        let operator = comparison_operator(parameter, &name, text.unwrap_or_default())?;
        let values = values(condition.attribute_value_list.unwrap_or_default());
        read.insert(name, LegacyCondition { operator, values });
    }
    Ok(read)
}

fn comparison_operator(
    parameter: &str,
    name: &str,
    text: &str,
) -> Result<ComparisonOperator, ApiError> {
    text.parse().map_err(|_| {
        let mut violations = Violations::new();
        let parameter = Place::of(parameter);
        let entry = parameter.entry(name);
        violations.one_of(&entry.member("ComparisonOperator"), text, OPERATORS);
        match violations.finish() {
            Err(e) => e,
            Ok(()) => ApiError::validation(format!("Unsupported operator {text}")),
        }
    })
}

fn values(values: Vec<WireValue>) -> Vec<AttributeValue> {
    values.into_iter().map(|value| value.0).collect()
}
