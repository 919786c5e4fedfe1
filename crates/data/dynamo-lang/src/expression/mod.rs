//! DynamoDB's expressions: conditions, filters, key conditions, updates and projections.
//!
//! Owns the grammar, AWS's limits and messages in AWS's order, and evaluation. Parsed forms are flat: they hold no
//! tree, so that neither evaluating nor sending nor dropping one needs stack. Must not know tables or keys' types.

mod compare;
mod condition;
mod condition_builder;
mod condition_check;
mod key_condition;
mod kind;
mod lexer;
mod parser;
mod paths;
mod placeholders;
mod projection;
mod reserved;
mod resolve;
mod tree;
mod update;
mod update_apply;
mod update_check;
mod update_size;
mod words;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::values;

pub(crate) use compare::order;
pub(crate) use condition::{Operand, Step, Test};
pub(crate) use condition_builder::ConditionBuilder;
pub(crate) use paths::{check_clashes, find};
pub(crate) use tree::{Arithmetic, Comparator};
pub(crate) use update::{Action, ValueStep};

pub use condition::{Condition, ConditionKind};
pub use key_condition::{KeyCondition, SortCondition};
pub use kind::EXPRESSION_BYTES_MAX;
pub use paths::check_scalar_keys;
pub use placeholders::Placeholders;
pub use projection::Projection;
pub use update::{Update, Updated};
