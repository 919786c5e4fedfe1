//! Copies volumes: into the archive for snapshots, from there or from another volume for restores, and their logs all the time.
//!
//! Invariants
//! - A run of the agent takes an attempt on, in the catalog, before it touches anything; another run never goes on with it.
//! - What is copied counts with the one transaction at the end, which an attempt that was overruled cannot make.

mod apply;
mod clone;
mod error;
mod fill;
mod manifest;
mod progress;
mod run;
mod source;
mod take;

pub(super) use error::TransferError;
pub(super) use run::run;
