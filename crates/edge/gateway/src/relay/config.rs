//! What can be set at the relays.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of the relays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelayConfig {
    /// The address that every endpoint listens on.
    pub address: IpAddr,
    /// The first port given out when the one asked for is taken.
    pub port_first: u16,
    /// The last port given out when the one asked for is taken.
    pub port_last: u16,
    /// How long a reserved port is held for its endpoint record to appear.
    pub reservation_ms: u64,
    /// How long a connection waits for a target that accepts it, its first bytes included.
    pub wait_ms: u64,
    /// How long one attempt to connect to a target may take.
    pub connect_ms: u64,
    /// Pause before connecting again to a target that refused.
    pub connect_pause_ms: u64,
    /// The longest pause before trying again to bind an endpoint's port that is taken.
    pub bind_pause_max_ms: u64,
    /// Threads that copy; 0 for one for each core, at most four. One thread costs less CPU than two, but on a
    /// busy machine the scheduler gives it the share of one among all the database's processes.
    pub lanes: usize,
    /// Connections of one endpoint; more are closed as they come.
    pub connections_max: usize,
    /// Idle time after which a peer is asked whether it is still there.
    pub keepalive_idle_s: u64,
    /// Time between such questions; three without an answer end the connection.
    pub keepalive_interval_s: u64,
    /// How long sent bytes may lie unacknowledged by the target's host, 0 for the kernel's default.
    /// Off by default: the kernel counts a peer that is alive but does not read (a bulk load waiting
    /// for a lock) in the same way, and a dead target is cut by its change of epoch anyway.
    pub unacknowledged_ms: u64,
}

impl Default for RelayConfig {
    fn default() -> RelayConfig {
        RelayConfig {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port_first: 15_432,
            port_last: 15_931,
            reservation_ms: 60_000,
            wait_ms: 30_000,
            connect_ms: 2_000,
            connect_pause_ms: 50,
            bind_pause_max_ms: 5_000,
            lanes: 0,
            connections_max: 10_000,
            keepalive_idle_s: 10,
            keepalive_interval_s: 3,
            unacknowledged_ms: 0,
        }
    }
}

impl RelayConfig {
    /// Says what is wrong with the settings.
    ///
    /// # Errors
    /// A sentence naming the field.
    pub fn validate(&self) -> Result<(), String> {
        if self.port_first == 0 || self.port_first > self.port_last {
            return Err(String::from(
                "port_first must be at least 1 and at most port_last",
            ));
        }
        if self.connect_ms == 0 || self.connections_max == 0 {
            return Err(String::from(
                "connect_ms and connections_max must be at least 1",
            ));
        }
        if self.keepalive_idle_s == 0 || self.keepalive_interval_s == 0 {
            return Err(String::from(
                "keepalive_idle_s and keepalive_interval_s must be at least 1",
            ));
        }
        Ok(())
    }

    pub(crate) fn wait(&self) -> Duration {
        Duration::from_millis(self.wait_ms)
    }

    pub(crate) fn reservation(&self) -> Duration {
        Duration::from_millis(self.reservation_ms)
    }

    /// The number of lanes on a machine of `cores`.
    pub(crate) fn lanes_on(&self, cores: usize) -> usize {
        match self.lanes {
            0 => cores.clamp(1, 4),
            set => set,
        }
    }
}
