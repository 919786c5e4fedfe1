//! Counters of the relays.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use quorate_base::{Epoch, RegionName};

/// Counters that all connections add to.
#[derive(Debug, Default)]
pub struct RelayStats {
    pub(crate) opened: AtomicU64,
    pub(crate) open: AtomicU64,
    pub(crate) to_target_bytes: AtomicU64,
    pub(crate) to_client_bytes: AtomicU64,
    pub(crate) cuts: AtomicU64,
    pub(crate) waits: AtomicU64,
    pub(crate) wait_timeouts: AtomicU64,
    pub(crate) cancels: AtomicU64,
    pub(crate) refused: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RelayStatsRead {
    /// Connections taken since the start.
    pub opened: u64,
    /// Connections that are open.
    pub open: u64,
    /// Bytes carried to targets.
    pub to_target_bytes: u64,
    /// Bytes carried to clients.
    pub to_client_bytes: u64,
    /// Connections cut because their target or its epoch changed.
    pub cuts: u64,
    /// Connections that found no target, or one that refused, and had to wait.
    pub waits: u64,
    /// Connections closed because the wait became too long.
    pub wait_timeouts: u64,
    /// Cancel requests handed on.
    pub cancels: u64,
    /// Connections closed because the endpoint had too many.
    pub refused: u64,
}

impl RelayStats {
    /// Reads all counters; each is exact, together they may be a moment apart.
    #[must_use]
    pub fn read(&self) -> RelayStatsRead {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RelayStatsRead {
            opened: get(&self.opened),
            open: get(&self.open),
            to_target_bytes: get(&self.to_target_bytes),
            to_client_bytes: get(&self.to_client_bytes),
            cuts: get(&self.cuts),
            waits: get(&self.waits),
            wait_timeouts: get(&self.wait_timeouts),
            cancels: get(&self.cancels),
            refused: get(&self.refused),
        }
    }
}

pub(crate) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// One endpoint as the relay has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointReport {
    /// The region whose catalog names it.
    pub region: RegionName,
    /// Its id there.
    pub id: String,
    /// The port that its record names.
    pub port: u16,
    /// Whether the port is bound; false while another program holds it.
    pub listening: bool,
    /// Where connections go.
    pub targets: Vec<SocketAddr>,
    /// The target's epoch.
    pub epoch: Epoch,
    /// Connections that are open.
    pub connections: usize,
}
