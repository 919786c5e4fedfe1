//! `Expected`, `QueryFilter` and `ScanFilter`.
//!
//! Owns their translation to conditions. Must not know how these are evaluated.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::operator::{ComparisonOperator, ConditionalOperator, invalid};
use crate::expression::{Comparator, Operand, Step, Test};
use crate::{AttributeValue, Condition, Path, ValidationError};

/// One comparison of a filter or of key conditions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LegacyCondition {
    /// How.
    pub operator: ComparisonOperator,
    /// With what: `AttributeValueList`.
    pub values: Vec<AttributeValue>,
}

/// One entry of `Expected`, as it came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    /// `ComparisonOperator`.
    pub operator: Option<ComparisonOperator>,
    /// `AttributeValueList`.
    pub values: Option<Vec<AttributeValue>>,
    /// `Value`.
    pub value: Option<AttributeValue>,
    /// `Exists`.
    pub exists: Option<bool>,
}

impl Expectation {
    /// The comparison that it means.
    fn comparison(&self, attribute: &str) -> Result<LegacyCondition, ValidationError> {
        let refuse = |what: String| Err(invalid(&format!("{what} for Attribute: {attribute}")));
        if self.values.is_some() && self.value.is_some() {
            return refuse("Value and AttributeValueList cannot be used together".to_owned());
        }
        let Some(operator) = self.operator else {
            return self.existence(attribute);
        };
        if self.exists.is_some() {
            return refuse("Exists and ComparisonOperator cannot be used together".to_owned());
        }
        let values = self
            .values
            .clone()
            .or(self.value.clone().map(|value| vec![value]));
        let needs_none = matches!(
            operator,
            ComparisonOperator::Null | ComparisonOperator::NotNull
        );
        let Some(values) = values.or(needs_none.then(Vec::new)) else {
            return refuse(format!(
                "Value or AttributeValueList must be used with ComparisonOperator: {}",
                operator.name()
            ));
        };
        operator.check(&values)?;
        Ok(LegacyCondition { operator, values })
    }

    /// Without an operator: a value that must be there, or nothing that may.
    fn existence(&self, attribute: &str) -> Result<LegacyCondition, ValidationError> {
        let refuse = |what: String| Err(invalid(&format!("{what} for Attribute: {attribute}")));
        if self.values.is_some() {
            return refuse(
                "AttributeValueList can only be used with a ComparisonOperator".to_owned(),
            );
        }
        match (self.exists, &self.value) {
            (Some(false), Some(_)) => {
                refuse("Value cannot be used when Exists is false".to_owned())
            }
            (Some(false), None) => Ok(LegacyCondition {
                operator: ComparisonOperator::Null,
                values: Vec::new(),
            }),
            (exists, None) => {
                let exists = exists.map_or("null", |_| "true");
                refuse(format!("Value must be provided when Exists is {exists}"))
            }
            (_, Some(value)) => Ok(LegacyCondition {
                operator: ComparisonOperator::Eq,
                values: vec![value.clone()],
            }),
        }
    }
}

/// `Expected` and its `ConditionalOperator`.
///
/// # Errors
/// When AWS refuses an entry, or an operator joins fewer than two.
pub fn expected(
    expectations: &BTreeMap<String, Expectation>,
    joined: Option<ConditionalOperator>,
) -> Result<Condition, ValidationError> {
    check_joined(expectations.len(), joined)?;
    let mut comparisons = BTreeMap::new();
    for (attribute, expectation) in expectations {
        comparisons.insert(attribute.clone(), expectation.comparison(attribute)?);
    }
    Ok(join(&comparisons, joined))
}

/// `QueryFilter` or `ScanFilter`, and its `ConditionalOperator`.
///
/// # Errors
/// As `expected`.
pub fn filter(
    comparisons: &BTreeMap<String, LegacyCondition>,
    joined: Option<ConditionalOperator>,
) -> Result<Condition, ValidationError> {
    check_joined(comparisons.len(), joined)?;
    for comparison in comparisons.values() {
        comparison.operator.check(&comparison.values)?;
    }
    Ok(join(comparisons, joined))
}

/// An operator needs two conditions; the caller asks with 0 if the request has none of these parameters.
pub(super) fn check_joined(
    count: usize,
    joined: Option<ConditionalOperator>,
) -> Result<(), ValidationError> {
    let message = match (joined, count) {
        (Some(_), 0) => "ConditionalOperator cannot be used without Filter or Expected",
        (Some(_), 1) => {
            "ConditionalOperator can only be used when Filter or Expected has two or more elements"
        }
        _ => return Ok(()),
    };
    Err(ValidationError::new(message))
}

fn join(
    comparisons: &BTreeMap<String, LegacyCondition>,
    joined: Option<ConditionalOperator>,
) -> Condition {
    let mut condition = Condition::default();
    for (number, (attribute, comparison)) in comparisons.iter().enumerate() {
        add(&mut condition, attribute, comparison);
        if number > 0 {
            condition.steps.push(match joined.unwrap_or_default() {
                ConditionalOperator::And => Step::And,
                ConditionalOperator::Or => Step::Or,
            });
        }
    }
    condition
}

/// Adds the steps of one comparison, whose values are checked.
fn add(condition: &mut Condition, attribute: &str, comparison: &LegacyCondition) {
    let path = Path::top(attribute);
    let first = condition.values.len();
    condition.values.extend(comparison.values.iter().cloned());
    let operand = || Operand::Path(path.clone());
    let value = Operand::Value(first);
    let compare = |comparator, value| Test::Compare(comparator, operand(), value);
    let test = match comparison.operator {
        ComparisonOperator::Eq => compare(Comparator::Eq, value),
        ComparisonOperator::Ne => compare(Comparator::Ne, value),
        ComparisonOperator::Le => compare(Comparator::Le, value),
        ComparisonOperator::Lt => compare(Comparator::Lt, value),
        ComparisonOperator::Ge => compare(Comparator::Ge, value),
        ComparisonOperator::Gt => compare(Comparator::Gt, value),
        ComparisonOperator::NotNull => Test::Exists(path),
        ComparisonOperator::Null => Test::Missing(path),
        ComparisonOperator::Contains => Test::Contains(operand(), value),
        ComparisonOperator::BeginsWith => Test::BeginsWith(operand(), value),
        ComparisonOperator::Between => Test::Between(operand(), value, Operand::Value(first + 1)),
        ComparisonOperator::In => {
            let end = condition.values.len();
            Test::In(operand(), (first..end).map(Operand::Value).collect())
        }
        ComparisonOperator::NotContains => {
            // Of nothing it is not said that it lacks a part.
            let contains = Test::Contains(operand(), value);
            condition.steps.extend([
                Step::Test(contains),
                Step::Not,
                Step::Test(Test::Exists(path)),
                Step::And,
            ]);
            return;
        }
    };
    condition.steps.push(Step::Test(test));
}
