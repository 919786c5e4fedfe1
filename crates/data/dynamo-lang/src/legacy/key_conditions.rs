//! `KeyConditions`.
//!
//! Owns which comparisons an index can answer. Must not know the keys' types.

use std::collections::BTreeMap;

use super::conditions::LegacyCondition;
use super::operator::ComparisonOperator;
use crate::{AttributeValue, KeyCondition, SortCondition, ValidationError};

/// The key condition that the map means for a key of these attributes, each list in the schema's order.
///
/// Whether the values are of the attributes' types is left to the caller.
///
/// # Errors
/// When AWS refuses it.
pub fn key_conditions(
    conditions: &BTreeMap<String, LegacyCondition>,
    hash_names: &[String],
    range_names: &[String],
) -> Result<KeyCondition, ValidationError> {
    for condition in conditions.values() {
        condition.operator.check(&condition.values)?;
    }
    if conditions.is_empty() || conditions.len() > 2.max(hash_names.len() + range_names.len()) {
        return Err(ValidationError::new(
            "Conditions can be of length 1 or 2 only",
        ));
    }
    let mut sorts = Vec::with_capacity(conditions.len());
    for (name, condition) in conditions {
        let is_key = hash_names.contains(name) || range_names.contains(name);
        match sort_condition(condition) {
            Some(sort) => sorts.push((name.clone(), sort)),
            None if is_key => {
                return Err(ValidationError::new(
                    "Attempted conditional constraint is not an indexable operation",
                ));
            }
            // Any comparison of an attribute that is none of the key's leads to the message about the key.
            None => sorts.push((name.clone(), SortCondition::Eq(AttributeValue::Null))),
        }
    }
    KeyCondition::bind(sorts, hash_names, range_names)
}

/// `None` if no index can answer it.
fn sort_condition(condition: &LegacyCondition) -> Option<SortCondition> {
    let mut values = condition.values.iter().cloned();
    let value = values.next()?;
    Some(match condition.operator {
        ComparisonOperator::Eq => SortCondition::Eq(value),
        ComparisonOperator::Le => SortCondition::Le(value),
        ComparisonOperator::Lt => SortCondition::Lt(value),
        ComparisonOperator::Ge => SortCondition::Ge(value),
        ComparisonOperator::Gt => SortCondition::Gt(value),
        ComparisonOperator::BeginsWith => SortCondition::BeginsWith(value),
        ComparisonOperator::Between => SortCondition::Between(value, values.next()?),
        ComparisonOperator::Ne
        | ComparisonOperator::NotNull
        | ComparisonOperator::Null
        | ComparisonOperator::Contains
        | ComparisonOperator::NotContains
        | ComparisonOperator::In => return None,
    })
}
