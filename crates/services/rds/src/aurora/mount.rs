//! What an agent and the process that mounts a volume say to each other: a line of JSON for each message.
//!
//! The process is this program again (`quorate volume-mount`). It ends, and its mount with it, when its standard input is
//! closed: nothing of an engine outlives its node.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use quorate_base::NodeId;
use quorate_volume::protocol::{Lsn, VolumeEpoch};
use quorate_volume::{Layout, VolumeStatus};

/// The word on the command line that makes this program a mount.
pub const MOUNT_COMMAND: &str = "volume-mount";

/// The first line to a mount process: what to mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountSpec {
    /// The file of the node's identity.
    pub identity: PathBuf,
    /// The node.
    pub node: NodeId,
    /// Where the volume's segments lie.
    pub layout: Layout,
    /// Where it is mounted: an empty folder.
    pub mountpoint: PathBuf,
    /// Whom the root of the file system belongs to: user and group.
    pub owner: (u32, u32),
    /// As what it is mounted.
    pub mode: MountMode,
}

/// As what a volume is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountMode {
    /// By its only writer.
    Writer {
        /// The epoch that the catalog handed out for this mount.
        epoch: VolumeEpoch,
        /// Whether what it holds is thrown away first: nothing in it was ever acknowledged.
        format: bool,
        /// Bytes of pages that are kept in memory.
        cache_bytes: usize,
    },
    /// As it is at the moment, with what is written kept beside it.
    Reader {
        /// Names the view among all of the volume's.
        view: u64,
        /// The file that takes what the reader writes itself.
        overlay: PathBuf,
        /// Bytes of pages that are kept in memory after they were read ahead.
        cache_bytes: usize,
        /// Whether there is no writer whose log has what follows, and the view has to have all that was acknowledged.
        alone: bool,
    },
}

/// Every later line to a mount process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountOrder {
    /// Segments were added or replaced.
    Layout(Layout),
}

/// A line from a mount process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountNews {
    /// Where the opening of the volume stands.
    Opening(String),
    /// The files are there.
    Mounted {
        /// What the volume held when it was mounted.
        at: Lsn,
    },
    /// How the volume stands; from a writer, now and then.
    Status(VolumeStatus),
    /// How large a reader's own pages have become, in bytes; now and then.
    Overlay(u64),
    /// It is over: the process ends.
    Ended {
        /// Why.
        why: String,
        /// Whether another writer has taken the volume over.
        fenced: bool,
    },
}
