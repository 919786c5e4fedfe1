//! The DynamoDB API and the partitions behind it.
//!
//! Owns tables, where their partitions are, and what every operation means. Must not know who carries its records
//! (`control`), its bytes (`region`) or a request's signature (`wire`).

pub mod api;
pub mod controller;
pub mod host;
mod ledger;
mod messages;
pub mod model;
pub mod routing;
pub mod survey;
pub mod throttle;
