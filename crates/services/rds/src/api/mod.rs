//! The RDS API: what AWS clients say, checked and written down as intent.
//!
//! Owns AWS's action names, parameter names, shapes and error codes. Handlers validate, write intent to the
//! catalog and describe it; they start nothing. Must not know how intent is carried out.

mod context;
mod dispatch;
mod engines;
mod error;
mod event;
mod filter;
mod identifier;
mod instance;
mod parameter_group;
mod service;
mod subnet_group;
mod tags;

#[cfg(test)]
mod tests;

pub use error::RdsError;
pub use service::{RdsRegion, RdsService};
