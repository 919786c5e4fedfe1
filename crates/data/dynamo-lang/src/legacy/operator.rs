//! `ComparisonOperator` and what each takes.
//!
//! Owns the numbers and types of arguments. Must not know which parameter a comparison stands in.

use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::expression::order;
use crate::{AttributeValue, ValidationError};

/// How the comparisons of a map are joined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionalOperator {
    /// All must hold; what AWS takes if none is given.
    #[default]
    And,
    /// One must hold.
    Or,
}

impl FromStr for ConditionalOperator {
    type Err = ();

    fn from_str(text: &str) -> Result<ConditionalOperator, ()> {
        match text {
            "AND" => Ok(ConditionalOperator::And),
            "OR" => Ok(ConditionalOperator::Or),
            _ => Err(()),
        }
    }
}

/// How an attribute is compared with values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ComparisonOperator {
    /// Equal.
    Eq,
    /// Different; also if there is no attribute.
    Ne,
    /// Less or equal.
    Le,
    /// Less.
    Lt,
    /// Greater or equal.
    Ge,
    /// Greater.
    Gt,
    /// There is an attribute.
    NotNull,
    /// There is no attribute.
    Null,
    /// Has a part.
    Contains,
    /// Has not a part.
    NotContains,
    /// Begins with a prefix.
    BeginsWith,
    /// Equal to one of the values.
    In,
    /// Between two values.
    Between,
}

const NAMES: [(&str, ComparisonOperator); 13] = [
    ("IN", ComparisonOperator::In),
    ("NULL", ComparisonOperator::Null),
    ("BETWEEN", ComparisonOperator::Between),
    ("LT", ComparisonOperator::Lt),
    ("NOT_CONTAINS", ComparisonOperator::NotContains),
    ("EQ", ComparisonOperator::Eq),
    ("GT", ComparisonOperator::Gt),
    ("NOT_NULL", ComparisonOperator::NotNull),
    ("NE", ComparisonOperator::Ne),
    ("LE", ComparisonOperator::Le),
    ("BEGINS_WITH", ComparisonOperator::BeginsWith),
    ("GE", ComparisonOperator::Ge),
    ("CONTAINS", ComparisonOperator::Contains),
];

impl FromStr for ComparisonOperator {
    type Err = ();

    fn from_str(text: &str) -> Result<ComparisonOperator, ()> {
        let found = NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, operator)| *operator).ok_or(())
    }
}

impl ComparisonOperator {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        let found = NAMES.iter().find(|(_, operator)| *operator == self);
        found.map_or("", |(name, _)| name)
    }

    fn argument_count(self) -> RangeInclusive<usize> {
        match self {
            ComparisonOperator::Null | ComparisonOperator::NotNull => 0..=0,
            ComparisonOperator::In => 1..=usize::MAX,
            ComparisonOperator::Between => 2..=2,
            _ => 1..=1,
        }
    }

    fn takes(self, value: &AttributeValue) -> bool {
        let type_name = value.type_name();
        match self {
            ComparisonOperator::Eq | ComparisonOperator::Ne => true,
            ComparisonOperator::BeginsWith => matches!(type_name, "S" | "B"),
            ComparisonOperator::Contains | ComparisonOperator::NotContains => {
                matches!(type_name, "S" | "N" | "B" | "BOOL" | "NULL")
            }
            _ => matches!(type_name, "S" | "N" | "B"),
        }
    }

    /// Refuses what AWS does not let this operator compare with.
    pub(super) fn check(self, values: &[AttributeValue]) -> Result<(), ValidationError> {
        let name = self.name();
        if !self.argument_count().contains(&values.len()) {
            return Err(invalid(&format!(
                "Invalid number of argument(s) for the {name} ComparisonOperator"
            )));
        }
        if values
            .windows(2)
            .any(|pair| pair[0].type_name() != pair[1].type_name())
        {
            return Err(invalid(
                "AttributeValues inside AttributeValueList must be of same type",
            ));
        }
        if let Some(value) = values.iter().find(|value| !self.takes(value)) {
            return Err(invalid(&format!(
                "ComparisonOperator {name} is not valid for {} AttributeValue type",
                value.type_name()
            )));
        }
        match values {
            [low, high]
                if self == ComparisonOperator::Between
                    && order(low, high).is_some_and(std::cmp::Ordering::is_gt) =>
            {
                Err(ValidationError::new(
                    "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound",
                ))
            }
            _ => Ok(()),
        }
    }
}

/// "One or more parameter values were invalid: " and what is wrong.
pub(super) fn invalid(what: &str) -> ValidationError {
    ValidationError::new(format!("One or more parameter values were invalid: {what}"))
}
