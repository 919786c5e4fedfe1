//! Hosts of replicas as they are, in one thread and simulated time, by seed.
//!
//! A world is three to five nodes with the real `consensus::Host`, openraft, the real stores and the way of a write
//! through `dynamodb::host`; clients with puts, conditional puts, counters and strong reads; a controller that splits
//! partitions and puts other nodes in place of voters. The network, the clocks, the log's disks, what a crash leaves and
//! all randomness come from the seed.
//!
//! ```text
//!  step: messages that are due ─► each node runs 2 ms by its own clock ─► clients ─► what must never be seen ─► faults
//! ```
//!
//! Must not decide anything that the product decides.

mod catalog;
mod client;
mod controller;
mod disk;
mod faults;
mod items;
mod judge;
mod observe;
mod randomness;
mod rules;
mod run;
mod site;
mod stage;
mod world;

pub use observe::Breach;
pub use rules::Rules;
pub use run::{Ran, run_seed};
