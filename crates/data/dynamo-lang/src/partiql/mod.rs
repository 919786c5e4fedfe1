//! PartiQL statements over the same conditions, updates and projections that expressions have.
//!
//! Owns the grammar of statements, their literals, and which keys a WHERE clause names. Must not know tables' schemas
//! beyond the names of key attributes, nor how a statement is run.

mod assignment;
mod cursor;
mod key_plan;
mod lexer;
mod literal;
mod select;
mod statement;
mod where_clause;

#[cfg(test)]
mod tests;

pub use key_plan::{KeyPlan, NamedItem, Naming, named_item, plan_keys};
pub use select::{Column, Select};
pub use statement::{Delete, Insert, Returning, STATEMENT_CHARS_MAX, Statement, UpdateStatement};
