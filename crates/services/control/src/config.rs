//! Timing of leases and of calls to the catalog.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Leases. `docs/internals/leases.md` says how the defaults were chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeaseConfig {
    /// How long a node may act on a renewal, from the moment it sent it.
    pub lease_ms: u64,
    /// What the catalog's leader waits beyond that, for clocks that run at different rates.
    pub margin_ms: u64,
}

impl Default for LeaseConfig {
    fn default() -> LeaseConfig {
        LeaseConfig {
            lease_ms: 1_800,
            margin_ms: 200,
        }
    }
}

impl LeaseConfig {
    /// How long a node may act on a renewal.
    #[must_use]
    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    /// When the leader takes a silent node's lease to be over.
    #[must_use]
    pub fn expiry(&self) -> Duration {
        Duration::from_millis(self.lease_ms + self.margin_ms)
    }

    /// Time between renewals: a lease survives the loss of several.
    #[must_use]
    pub fn renew_every(&self) -> Duration {
        Duration::from_millis(self.lease_ms / 6)
    }

    /// Checks that the numbers can work.
    ///
    /// # Errors
    /// A sentence that says which cannot.
    pub fn validate(&self) -> Result<(), String> {
        if self.lease_ms < 500 {
            return Err(format!(
                "lease_ms is {}: below 500 every hiccup is a failover",
                self.lease_ms
            ));
        }
        if self.margin_ms * 20 < self.lease_ms {
            return Err(format!(
                "margin_ms is {}: it must be at least a twentieth of lease_ms",
                self.margin_ms
            ));
        }
        Ok(())
    }
}

/// Longest wait of a catalog call for a quorum.
pub(crate) const CATALOG_TIMEOUT: Duration = Duration::from_secs(6);
/// Longest wait for one voter's answer to a catalog call.
pub(crate) const VOTER_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Pause after all voters said that they do not lead.
pub(crate) const ELECTION_PAUSE: Duration = Duration::from_millis(50);
/// How long a voter holds a watch that has nothing to tell.
pub(crate) const WATCH_WAIT: Duration = Duration::from_secs(10);
