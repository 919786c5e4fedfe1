//! Concurrent clients that write a ledger and keep an honest history of it.

mod client;
mod recorder;
mod run;

pub use client::{Ledger, Session, WriteEnd};
pub use run::{Workload, WorkloadConfig};
