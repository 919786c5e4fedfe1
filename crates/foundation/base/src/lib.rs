//! Nouns that three crates share: ids, ARNs, epochs and times.
//!
//! Owns the spelling of names that cross crates. Must not know what any service does with them.

mod arn;
mod epoch;
mod names;
mod time;
mod window;

pub use arn::{AccountId, Arn};
pub use epoch::{Epoch, Revision};
pub use names::{NameError, NodeId, RegionName, ZoneName};
pub use time::UnixMillis;
pub use window::{daily_window_began, is_within_window};
