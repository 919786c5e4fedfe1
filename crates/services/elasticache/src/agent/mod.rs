//! The agent: runs in each node, drives the members that the catalog places there, and in the first node of a zone looks
//! after that zone's Sentinels.
//!
//! Owns the engines of its node and their folders. Must not decide: `decide` says what is next, the agent does it and
//! reports. Each step starts from what is on disk and in the catalog, so an agent that was killed goes on where it was.

mod driver;
mod engine;
mod handover;
mod host;
mod look;
mod marker;
mod member;
mod restore;
mod run;
mod sentinel;
mod snapshot;
mod wanted;

pub use host::{AgentConfig, AgentHost, Installs};
pub use run::run_agent;
