//! Writing events, and forgetting old ones.

use rand::Rng;

use quorate_base::{AccountId, Arn, RegionName, UnixMillis};
use quorate_control::{Catalog, CatalogError, Txn};

use crate::model::{Event, EventCategory, EventSource};

/// AWS keeps events for fourteen days.
const KEPT_MS: u64 = 14 * 24 * 3_600 * 1_000;
/// Most events kept, however young.
const KEPT_MAX: usize = 5_000;
/// Most events removed by one transaction.
const TRIM_BATCH_MAX: usize = 200;

/// Whose resources these are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceOwner {
    /// The region.
    pub region: RegionName,
    /// The account.
    pub account: AccountId,
}

impl ResourceOwner {
    /// The ARN of a DB instance.
    #[must_use]
    pub fn instance_arn(&self, id: &str) -> String {
        self.arn("db", id)
    }

    /// The ARN of a DB cluster.
    #[must_use]
    pub fn cluster_arn(&self, id: &str) -> String {
        self.arn("cluster", id)
    }

    /// The ARN of a DB cluster snapshot.
    #[must_use]
    pub fn cluster_snapshot_arn(&self, id: &str) -> String {
        self.arn("cluster-snapshot", id)
    }

    fn arn(&self, kind: &str, id: &str) -> String {
        Arn {
            service: String::from("rds"),
            region: self.region.clone(),
            account: self.account.clone(),
            resource: format!("{kind}:{id}"),
        }
        .to_string()
    }
}

/// An event of a DB instance with the id that it is stored under.
#[must_use]
pub fn instance_event(
    at: UnixMillis,
    owner: &ResourceOwner,
    instance: &str,
    message: &str,
    category: EventCategory,
) -> (String, Event) {
    let event = Event {
        at,
        source: EventSource::DbInstance,
        source_id: instance.to_owned(),
        source_arn: owner.instance_arn(instance),
        message: message.to_owned(),
        categories: vec![category],
    };
    (event_id(at), event)
}

/// An event of a DB cluster with the id that it is stored under.
#[must_use]
pub fn cluster_event(
    at: UnixMillis,
    owner: &ResourceOwner,
    cluster: &str,
    message: &str,
    category: EventCategory,
) -> (String, Event) {
    let event = Event {
        at,
        source: EventSource::DbCluster,
        source_id: cluster.to_owned(),
        source_arn: owner.cluster_arn(cluster),
        message: message.to_owned(),
        categories: vec![category],
    };
    (event_id(at), event)
}

/// An event of a DB cluster snapshot with the id that it is stored under.
#[must_use]
pub fn snapshot_event(
    at: UnixMillis,
    owner: &ResourceOwner,
    snapshot: &str,
    message: &str,
    category: EventCategory,
) -> (String, Event) {
    let event = Event {
        at,
        source: EventSource::DbClusterSnapshot,
        source_id: snapshot.to_owned(),
        source_arn: owner.cluster_snapshot_arn(snapshot),
        message: message.to_owned(),
        categories: vec![category],
    };
    (event_id(at), event)
}

fn event_id(at: UnixMillis) -> String {
    format!("{:013}-{:08x}", at.0, rand::rng().random::<u32>())
}

/// Removes events that are too old or too many.
///
/// # Errors
/// As the catalog.
pub(crate) async fn trim_events(catalog: &Catalog) -> Result<(), CatalogError> {
    let events = catalog.view().list::<Event>()?;
    let now = UnixMillis::now();
    let too_many = events.len().saturating_sub(KEPT_MAX);
    let old = events
        .iter()
        .enumerate()
        .filter(|(at, event)| *at < too_many || now.millis_since(event.record.at) > KEPT_MS)
        .take(TRIM_BATCH_MAX);
    let txn = old.fold(Txn::new(), |txn, (_, event)| {
        txn.discard::<Event>(&event.id)
    });
    if txn == Txn::new() {
        return Ok(());
    }
    catalog.commit(txn).await.map(|_| ())
}
