//! The agent: runs in each node and drives the members that the catalog places there.
//!
//! Owns the engines of its node and the copies under its data folder. Must not decide: `decide::member` and
//! `decide::sync` say what is next, the agent does it and reports.
//!
//! Each step starts from what is on disk and in the catalog, so an agent that was killed goes on where it was.

mod cancel;
pub(crate) mod driver;
mod facts;
mod follower;
mod host;
mod leader;
pub(crate) mod member;
mod run;
pub(crate) mod settings;
mod steps;
mod sync;

pub use cancel::{CANCEL_METHOD, CancelQuestion};
pub use host::{AgentConfig, AgentHost, Installs};
pub use run::run_agent;
