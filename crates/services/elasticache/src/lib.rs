//! The ElastiCache API and the caches behind it.
//!
//! Owns every rule about caches. Must not know who carries its records or its bytes.

pub mod agent;
pub mod api;
pub mod catalogue;
pub mod controller;
pub mod decide;
mod events;
pub mod model;
