//! The agent: runs in each node, drives the members that the catalog places there, and in the first node of a zone looks
//! after that zone's Sentinels.
//!
//! Owns the engines of its node and their folders. Must not decide: `decide` says what is next, the agent does it and
//! reports. Each step starts from what is on disk and in the catalog, so an agent that was killed goes on where it was.

mod cluster;
mod driver;
mod election;
mod engine;
mod handover;
mod host;
mod look;
mod marker;
mod member;
mod resharding;
mod restore;
mod run;
mod sentinel;
mod snapshot;
mod start;
mod supervise;
mod wanted;

pub use host::{AgentConfig, AgentHost, Installs};
pub use look::member_folder;
pub use run::run_agent;

/// The account of clients that ask Sentinels where primaries and replicas are.
pub use quorate_engines::sentinel::CLIENT_ACCOUNT as SENTINEL_CLIENT;
