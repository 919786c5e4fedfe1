//! The kinds of expression, and how AWS begins the message about each.
//!
//! Owns the limit on an expression's size. Must not know what any of them means.

use crate::ValidationError;

/// The longest expression, in bytes of UTF-8, before placeholders are replaced.
pub const EXPRESSION_BYTES_MAX: usize = 4096;

/// A parameter that holds an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExpressionKind {
    /// `ConditionExpression`.
    Condition,
    /// `FilterExpression`.
    Filter,
    /// `KeyConditionExpression`.
    KeyCondition,
    /// `UpdateExpression`.
    Update,
    /// `ProjectionExpression`.
    Projection,
}

impl ExpressionKind {
    /// The parameter's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ExpressionKind::Condition => "ConditionExpression",
            ExpressionKind::Filter => "FilterExpression",
            ExpressionKind::KeyCondition => "KeyConditionExpression",
            ExpressionKind::Update => "UpdateExpression",
            ExpressionKind::Projection => "ProjectionExpression",
        }
    }

    /// "Invalid …Expression: " and what is wrong.
    pub(crate) fn error(self, what: impl AsRef<str>) -> ValidationError {
        ValidationError::new(format!("Invalid {}: {}", self.name(), what.as_ref()))
    }

    /// Refuses empty and overlong texts. Only conditions and filters are told how long theirs was (observed on AWS).
    pub(crate) fn check_size(self, text: &str) -> Result<(), ValidationError> {
        if text.is_empty() {
            return Err(self.error("The expression can not be empty;"));
        }
        if text.len() <= EXPRESSION_BYTES_MAX {
            return Ok(());
        }
        let told = match self {
            ExpressionKind::Condition | ExpressionKind::Filter => {
                format!(" expression size: {}", text.len())
            }
            _ => String::new(),
        };
        Err(self.error(format!(
            "Expression size has exceeded the maximum allowed size;{told}"
        )))
    }
}
