//! Which parameters go together, and `AttributesToGet`.
//!
//! Owns the messages about requests that mix expressions with what was before them. Must not know any operation.

use super::ConditionalOperator;
use super::conditions::check_joined;
use super::operator::invalid;
use crate::{Path, Projection, ValidationError};

/// Which of an operation's parameters a request has. Names stand in the operation's order, which is that of messages.
#[derive(Debug, Clone, Copy, Default)]
pub struct ParameterUse<'a> {
    /// The parameters of this request that are no expressions, as in `["Expected", "ConditionalOperator"]`.
    pub legacy: &'a [&'a str],
    /// The expressions of this request, as in `["UpdateExpression"]`.
    pub expressions: &'a [&'a str],
    /// The operation's expressions that take values, whether the request has them or not.
    pub value_expressions: &'a [&'a str],
    /// Whether there is `ExpressionAttributeNames`.
    pub names: bool,
    /// Whether there is `ExpressionAttributeValues`.
    pub values: bool,
    /// `ConditionalOperator`.
    pub joined: Option<ConditionalOperator>,
    /// How many elements `Expected`, `QueryFilter` or `ScanFilter` has; 0 if there is none of them.
    pub joined_count: usize,
}

/// Refuses requests whose parameters cannot stand together; the first check of all that concern expressions.
///
/// # Errors
/// As AWS says it.
pub fn check_parameters(found: &ParameterUse<'_>) -> Result<(), ValidationError> {
    // `KeyConditions` may stand with every expression but its own successor.
    let has_key_expression = found.expressions.contains(&"KeyConditionExpression");
    let legacy: Vec<&str> = found
        .legacy
        .iter()
        .copied()
        .filter(|name| *name != "KeyConditions" || has_key_expression)
        .collect();
    if !found.expressions.is_empty() && !legacy.is_empty() {
        return Err(ValidationError::new(format!(
            "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {{{}}} Expression parameters: {{{}}}",
            legacy.join(", "),
            found.expressions.join(", ")
        )));
    }
    check_joined(found.joined_count, found.joined)?;
    if found.names && found.expressions.is_empty() {
        return Err(ValidationError::new(
            "ExpressionAttributeNames can only be specified when using expressions",
        ));
    }
    let takes_values = |name: &&str| found.expressions.contains(name);
    if found.values
        && !found.value_expressions.is_empty()
        && !found.value_expressions.iter().any(takes_values)
    {
        let nulls: Vec<String> = found
            .value_expressions
            .iter()
            .map(|name| format!("{name} is null"))
            .collect();
        // A query's message puts it into one sentence.
        let told = if has_query_names(found.value_expressions) {
            format!("{} are null", found.value_expressions.join(" and "))
        } else {
            nulls.join(" and ")
        };
        return Err(ValidationError::new(format!(
            "ExpressionAttributeValues can only be specified when using expressions: {told}"
        )));
    }
    Ok(())
}

fn has_query_names(value_expressions: &[&str]) -> bool {
    value_expressions.len() > 1 && value_expressions.contains(&"KeyConditionExpression")
}

/// `AttributesToGet`: top-level attributes.
///
/// # Errors
/// When a name stands there twice.
pub fn attributes_to_get(names: &[String]) -> Result<Projection, ValidationError> {
    let mut seen = std::collections::BTreeSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        Some(name) => Err(invalid(&format!(
            "Duplicate value in attribute name: {name}"
        ))),
        None => Ok(Projection::of(names.iter().map(Path::top).collect())),
    }
}
