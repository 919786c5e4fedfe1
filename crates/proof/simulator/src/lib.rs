//! Deterministic worlds for the pure cores, by seed.
//!
//! A world is three zones with a node each, a catalog whose leader moves, messages that are lost, late, repeated and
//! reordered, and model engines with a log of writes. The decisions in it are those of the product: `decide_failover`,
//! `decide_sync`, `decide_member`, `decide_placement`, the catalog's `Store` and `Txn`, and the leader's
//! `SessionTable`. What drivers do with a decision is modelled effect by effect, so that a node can die between any two.
//!
//! Must not know sockets, files, clocks: the same seed gives the same story.

mod agent;
mod catalog;
mod change;
mod controller;
mod disk;
mod effects;
mod engine;
mod faults;
mod node;
mod observe;
mod record;
mod rules;
mod run;
mod sessions;
mod stream;
mod world;
mod writers;

pub use observe::Breach;
pub use rules::Rules;
pub use run::{Ran, run_seed};
