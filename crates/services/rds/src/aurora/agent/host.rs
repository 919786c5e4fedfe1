//! What Aurora's agent works with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::Rng;
use tokio::sync::mpsc;
use tokio::sync::watch;

use quorate_archive::Archive;
use quorate_base::Epoch;
use quorate_region::transport::Caller;
use quorate_volume::protocol::VolumeId;
use quorate_volume::{Layout, SegmentHost};

use crate::agent::AgentHost;
use crate::aurora::agent::mount::MountState;
use crate::aurora::mount::MountOrder;

/// What Aurora's agent goes by.
#[derive(Debug, Clone)]
pub struct AuroraConfig {
    /// The folder of this node's members: mount points, overlays, logs.
    pub folder: PathBuf,
    /// The folder of files on their way to the archive or from there.
    pub transfers: PathBuf,
    /// How long a file of log may grow before it goes to the archive.
    pub backup_every: Duration,
    /// The file of the node's identity, for mount processes.
    pub identity: PathBuf,
    /// Bytes of pages that a mount keeps in memory.
    pub cache_bytes: usize,
    /// Bytes of its own pages with which a reader begins again over a newer view.
    pub overlay_bytes_max: u64,
}

/// The agent's surroundings.
pub struct AuroraHost {
    pub(super) config: AuroraConfig,
    /// Engines, account, certificates, catalog and lease are those of the agent for DB instances.
    pub(super) base: Arc<AgentHost>,
    pub(super) segments: Arc<SegmentHost>,
    pub(super) caller: Arc<Caller>,
    /// Where snapshots are; none where this node has no archive that it can use.
    pub(super) archive: Option<Archive>,
    /// Names this run of the agent.
    pub(super) run: u64,
    /// The mounts that run here, by the member's resource id.
    pub(super) mounts: Mutex<BTreeMap<String, MountHandle>>,
}

/// A mount as the rest of the agent sees it.
#[derive(Clone)]
pub(super) struct MountHandle {
    pub(super) volume: VolumeId,
    /// The epoch at which it writes; none when it reads.
    pub(super) at: Option<Epoch>,
    pub(super) orders: mpsc::Sender<MountOrder>,
    pub(super) state: watch::Receiver<MountState>,
    /// The layout that it was last told of.
    pub(super) told: Arc<Mutex<Option<Layout>>>,
}

impl AuroraHost {
    /// Puts an agent's surroundings together.
    #[must_use]
    pub fn new(
        config: AuroraConfig,
        base: Arc<AgentHost>,
        segments: Arc<SegmentHost>,
        caller: Arc<Caller>,
        archive: Option<Archive>,
    ) -> AuroraHost {
        AuroraHost {
            config,
            base,
            segments,
            caller,
            archive,
            run: rand::rng().random(),
            mounts: Mutex::default(),
        }
    }

    pub(super) fn mounts(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, MountHandle>> {
        self.mounts.lock().expect("no holder panics")
    }
}
