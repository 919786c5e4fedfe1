//! Named immutable objects in a local folder or an S3 bucket.
//!
//! Owns how an object lies there: its bytes, the description beside them, and the order of steps after which an
//! acknowledged object survives a crash. Objects go from file to file, in parts: none is ever held in memory.
//! Must not know what an object is (a snapshot, a backup), who may read it, or when it may go.

mod archive;
mod bounds;
mod config;
mod copy;
mod credentials;
mod description;
mod error;
mod fetch;
mod folder;
mod info;
mod list;
mod name;
mod remove;
mod store;
mod summing;

pub use archive::Archive;
pub use bounds::{NAME_BYTES_MAX, OBJECT_BYTES_MAX, PART_BYTES, PARTS_IN_FLIGHT_MAX};
pub use config::{ArchiveConfig, S3Config};
pub use error::ArchiveError;
pub use info::{ObjectInfo, Sha256Sum};
pub use name::ObjectName;
