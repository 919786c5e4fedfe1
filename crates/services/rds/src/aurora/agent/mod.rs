//! A node's part in Aurora: keeps the segments that are placed on it, mounts volumes, runs the engines of members.
//!
//! Decides nothing about who writes: the record says so, and the volume's segments refuse whoever is not meant.

mod backup;
mod crash;
mod driver;
mod engine;
mod host;
mod layout;
mod look;
mod member;
mod mount;
mod opened;
mod reader;
mod run;
mod steps;
mod storage;
mod transfer;
mod volumes;
mod writer;

pub use host::{AuroraConfig, AuroraHost};
pub use run::{run_agent, run_segments};
