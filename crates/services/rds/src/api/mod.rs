//! The RDS API: what AWS clients say, checked and written down as intent.
//!
//! Owns AWS's action names, parameter names, shapes and error codes. Handlers validate, write intent to the
//! catalog and describe it; they start nothing. Must not know how intent is carried out.

pub(crate) mod context;
mod dispatch;
pub(crate) mod engines;
pub(crate) mod error;
mod event;
pub(crate) mod filter;
pub(crate) mod identifier;
pub(crate) mod instance;
pub(crate) mod parameter_group;
mod service;
pub(crate) mod subnet_group;
pub(crate) mod tags;

#[cfg(test)]
pub(crate) mod tests;

pub use error::RdsError;
pub use service::{RdsRegion, RdsService};
