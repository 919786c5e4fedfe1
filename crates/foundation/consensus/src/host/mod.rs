//! Many Raft groups on one log: what a node needs to hold replicas of many partitions.
//!
//! Owns the log that all groups share, the pulse between hosts, elections, read leases and the transfer of snapshots.
//! Must not know what a command means, nor which groups there should be.
//!
//! ```text
//!  propose ─► entry ─► shared log ─► followers ─► commit ─► machine ─► answer
//!                      (one sync for all groups)           (not synced: the log is the truth)
//! ```
//!
//! Invariants
//! - A vote or an append is answered after it is on disk, and nothing is after a sync failed.
//! - A machine applies each entry once, in order: its mark says where to go on after a start.
//! - The log is cut only where the machine has flushed.
//! - A replica that started does not lead before it was elected again.
//! - While a promise holds, no vote is given to another (`guard`); a lease ends before the promises it stands on.
//! - Without writes a group sends nothing: that a leader is alive is told by its host's pulse.

mod answer;
mod applied;
mod blocking;
mod cell;
mod clock;
mod config;
mod election;
mod faults;
mod guard;
mod hosted_group;
mod hosting;
mod kept_snapshot;
mod log;
mod look;
mod machine;
mod messages;
mod network;
mod poison;
mod post;
mod proposer;
mod read;
mod receive_snapshot;
mod registry;
mod send_snapshot;
mod snapshot_file;
mod types;
mod way;

pub use applied::voters_at;
pub use clock::simulate_clock;
pub use config::{HostConfig, Origin};
pub use faults::Faults;
pub use hosted_group::{HostedGroup, Progress, Submitted};
pub use hosting::{Host, Traffic};
pub use log::{Change, LogDisk, Rows, Space};
pub use machine::{Command, DurableMachine};
pub use read::ReadPermit;
pub use types::GroupId;
pub use way::{Carried, Network};
