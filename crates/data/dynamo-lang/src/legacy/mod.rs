//! The parameters from before there were expressions, translated to the same parsed forms.
//!
//! Owns the shapes of `Expected`, `QueryFilter`, `ScanFilter`, `KeyConditions`, `AttributeUpdates` and
//! `AttributesToGet`, and AWS's messages about them. Must not know how conditions and updates are evaluated.

mod conditions;
mod key_conditions;
mod operator;
mod parameters;
mod updates;

#[cfg(test)]
mod tests;

pub use conditions::{Expectation, LegacyCondition, expected, filter};
pub use key_conditions::key_conditions;
pub use operator::{ComparisonOperator, ConditionalOperator};
pub use parameters::{ParameterUse, attributes_to_get, check_parameters};
pub use updates::{AttributeUpdate, UpdateAction, attribute_updates};
