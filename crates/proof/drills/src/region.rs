//! What a drill asks of a live region.

use std::future::Future;
use std::pin::Pin;

use quorate_base::{UnixMillis, ZoneName};

use crate::postgres::PostgresTarget;

/// A boxed future, so that the traits can be used as objects.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The instance that a drill runs against.
#[derive(Debug, Clone)]
pub struct DrillInstance {
    /// Its identifier.
    pub id: String,
    /// How its endpoint is reached.
    pub target: PostgresTarget,
}

/// An instance as the region sees it at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceState {
    /// `DBInstanceStatus`.
    pub status: String,
    /// The zone of the primary, once there is one.
    pub primary_zone: Option<ZoneName>,
    /// The zone of the standby, if there is one.
    pub standby_zone: Option<ZoneName>,
    /// Whether the standby may be promoted.
    pub in_sync: bool,
    /// The epoch of the primary.
    pub epoch: u64,
    /// Whether the primary serves at that epoch.
    pub serving: bool,
}

impl InstanceState {
    /// Whether the instance serves, and would survive the loss of its primary's zone.
    #[must_use]
    pub fn is_steady(&self) -> bool {
        self.serving && self.in_sync && self.primary_zone.is_some()
    }
}

/// One event that the region told of the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillEvent {
    /// When, by the region's wall clock.
    pub at: UnixMillis,
    /// The event's sentence.
    pub message: String,
}

/// A live region, as far as a drill needs it. The drill waits and decides; the region only answers.
pub trait DrillRegion: Send + Sync {
    /// Creates a Multi-AZ instance, or takes one that is there, and tells how it is reached. Need not wait until
    /// it is available.
    fn instance(&self) -> Boxed<'_, anyhow::Result<DrillInstance>>;

    /// The instance at this moment.
    fn state<'a>(&'a self, id: &'a str) -> Boxed<'a, anyhow::Result<InstanceState>>;

    /// The instance's events since then, oldest first.
    fn events<'a>(
        &'a self,
        id: &'a str,
        since: UnixMillis,
    ) -> Boxed<'a, anyhow::Result<Vec<DrillEvent>>>;

    /// Removes what `instance` created; nothing when it took one that was there.
    fn clean_up<'a>(&'a self, id: &'a str) -> Boxed<'a, anyhow::Result<()>>;
}
