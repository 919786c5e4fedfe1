//! Writing events, and forgetting old ones.

use rand::Rng;

use quorate_base::UnixMillis;
use quorate_control::{Catalog, CatalogError, Txn};

use crate::model::{Cache, CacheKind, Event, EventSource, Snapshot};

/// AWS keeps events for fourteen days.
const KEPT_MS: u64 = 14 * 24 * 3_600 * 1_000;
/// Most events kept, however young.
const KEPT_MAX: usize = 5_000;
/// Most events removed by one transaction.
const TRIM_BATCH_MAX: usize = 200;

/// Adds an event about a cache to a transaction.
pub(crate) fn tell(txn: Txn, at: UnixMillis, id: &str, cache: &Cache, message: &str) -> Txn {
    tell_of(txn, at, id, cache.kind, message)
}

/// Adds an event about a snapshot to a transaction: AWS tells those of the cache.
pub(crate) fn tell_of_snapshot(
    txn: Txn,
    at: UnixMillis,
    snapshot: &Snapshot,
    message: &str,
) -> Txn {
    tell_of(txn, at, &snapshot.cache, snapshot.kind, message)
}

fn tell_of(txn: Txn, at: UnixMillis, id: &str, kind: CacheKind, message: &str) -> Txn {
    let source = match kind {
        CacheKind::ReplicationGroup => EventSource::ReplicationGroup,
        CacheKind::LoneNode | CacheKind::Memcached => EventSource::CacheCluster,
    };
    let event = Event {
        at,
        source,
        source_id: id.to_owned(),
        message: message.to_owned(),
    };
    let key = format!("{:013}-{:08x}", at.0, rand::rng().random::<u32>());
    txn.put(&key, &event)
}

/// Removes events that are too old or too many.
///
/// # Errors
/// As the catalog.
pub(crate) async fn trim(catalog: &Catalog) -> Result<(), CatalogError> {
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
