//! The RDS API and the instances behind it.
//!
//! Owns every rule about DB instances. Must not know who carries its records or its bytes.

pub mod agent;
pub mod api;
pub mod aurora;
pub mod catalogue;
pub mod controller;
pub mod decide;
pub mod events;
pub mod model;
mod parameters;
