//! The volume's protocol in simulated time, by seed.
//!
//! `Segment`, `Opening` and `Writer` run as they are. The nodes with their disks, the network, the catalog, whoever drives
//! a writer, readers and faults are models, and all of them come from the seed.
//!
//! ```text
//!  event that is due ─► node, host or reader ─► messages, syncs, timers ─► queue
//!                          │
//!                          └─► ledger ─► checks: what must never be seen
//! ```
//!
//! Must not decide anything that the protocol decides.

mod catalog;
mod chance;
mod checks;
mod controller;
mod disk;
mod faults;
mod host;
mod ledger;
mod live;
mod message;
mod network;
mod node;
mod opener;
mod reader;
mod rules;
mod run;
mod session;
mod stage;
mod world;

pub use checks::Breach;
pub use rules::Rules;
pub use run::{Ran, run_seed};
pub use stage::Counts;
