//! When snapshots are taken by themselves, and when they go.

use quorate_base::{UnixMillis, daily_window_began};

use crate::model::{
    Cache, CacheKind, Desired, Order, Snapshot, SnapshotSource, SnapshotStatus, Status,
};

const DAY_MS: u64 = 24 * 3_600_000;

/// The name of the snapshot that is due, if one is: one in each of the cache's windows. `newest` is when the newest of its
/// automated snapshots was begun, whatever became of it.
#[must_use]
pub fn decide_daily(
    id: &str,
    cache: &Cache,
    newest: Option<UnixMillis>,
    now: UnixMillis,
) -> Option<String> {
    let free = cache.status == Status::Available
        && cache.desired == Desired::Running
        && cache.orders.is_empty()
        && cache.restore_from.is_none();
    if !free || cache.kind == CacheKind::Memcached || cache.settings.snapshot_retention_days == 0 {
        return None;
    }
    let began = daily_window_began(&cache.settings.snapshot_window, now)?;
    if newest.is_some_and(|newest| newest >= began) {
        return None;
    }
    let minute: String = now.to_iso8601().chars().take(16).collect();
    // AWS's form, as in `automatic.shop-2026-11-24-03-15`.
    Some(format!(
        "automatic.{id}-{}",
        minute.replace(['T', ':'], "-")
    ))
}

/// What is to be done about a snapshot that no member is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upkeep {
    /// Nothing.
    Keep,
    /// Its source's objects are to be copied.
    Copy,
    /// Its objects are to be removed, then its record.
    Remove,
    /// It is too old, or its cache is gone: it is to be removed.
    Expire,
    /// Its cache, or the order to take it, is gone: it has failed.
    Abandon,
}

/// What is to be done about a snapshot. `own` is its cache, if that is there; `in_use` says whether somebody reads it.
///
/// Automated snapshots go with their cache, as in AWS ("Deleting a backup" in the user guide). Without a retention none are
/// taken, and those that are there stay.
#[must_use]
pub fn decide_upkeep(
    name: &str,
    snapshot: &Snapshot,
    own: Option<&Cache>,
    in_use: bool,
    now: UnixMillis,
) -> Upkeep {
    match snapshot.status {
        SnapshotStatus::Copying => Upkeep::Copy,
        SnapshotStatus::Deleting => Upkeep::Remove,
        SnapshotStatus::Creating if own.is_some_and(|cache| is_taken_of(cache, name)) => {
            Upkeep::Keep
        }
        SnapshotStatus::Creating => Upkeep::Abandon,
        _ if snapshot.source == SnapshotSource::Manual || in_use => Upkeep::Keep,
        SnapshotStatus::Restoring => Upkeep::Keep,
        SnapshotStatus::Available | SnapshotStatus::Failed => {
            let days = own.map(|cache| u64::from(cache.settings.snapshot_retention_days));
            let age_ms = now.millis_since(snapshot.created_at);
            match days {
                None => Upkeep::Expire,
                Some(days) if days > 0 && age_ms > days * DAY_MS => Upkeep::Expire,
                Some(_) => Upkeep::Keep,
            }
        }
    }
}

/// Whether the cache is to have a snapshot of this name taken.
fn is_taken_of(cache: &Cache, name: &str) -> bool {
    let ordered = |order: &Order| matches!(order, Order::Snapshot { name: n, .. } if n == name);
    let last = matches!(&cache.desired, Desired::Deleted { final_snapshot: Some(n) } if n == name);
    last || cache.orders.iter().any(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::fixture;

    fn at(text: &str) -> UnixMillis {
        UnixMillis::from_iso8601(text).unwrap()
    }

    fn daily(window: &str, newest: Option<&str>, now: &str) -> Option<String> {
        let mut cache = fixture::cache(2);
        cache.settings.snapshot_retention_days = 3;
        cache.settings.snapshot_window = window.to_owned();
        decide_daily("shop", &cache, newest.map(at), at(now))
    }

    #[test]
    fn one_is_taken_in_each_window() {
        let window = "04:00-05:00";
        for (newest, now, due) in [
            (None, "2026-11-24T03:59:59Z", false),
            (None, "2026-11-24T04:00:00Z", true),
            (None, "2026-11-24T04:59:59Z", true),
            (None, "2026-11-24T05:00:00Z", false),
            (Some("2026-11-24T04:00:00Z"), "2026-11-24T04:30:00Z", false),
            (Some("2026-11-23T04:59:00Z"), "2026-11-24T04:00:00Z", true),
        ] {
            assert_eq!(
                daily(window, newest, now).is_some(),
                due,
                "{newest:?} {now}"
            );
        }
        assert_eq!(
            daily(window, None, "2026-11-24T04:07:30Z").as_deref(),
            Some("automatic.shop-2026-11-24-04-07")
        );
    }

    #[test]
    fn a_window_may_span_midnight() {
        let window = "23:30-00:30";
        assert!(daily(window, None, "2026-11-24T00:10:00Z").is_some());
        let before = Some("2026-11-23T23:40:00Z");
        assert_eq!(daily(window, before, "2026-11-24T00:10:00Z"), None);
        assert!(daily(window, before, "2026-11-24T23:35:00Z").is_some());
        assert_eq!(daily(window, None, "2026-11-24T00:30:00Z"), None);
        assert_eq!(daily("always", None, "2026-11-24T00:30:00Z"), None);
    }

    #[test]
    fn none_is_taken_of_a_cache_that_is_busy_or_keeps_none() {
        let now = at("2026-11-24T04:30:00Z");
        let changes: [fn(&mut Cache); 5] = [
            |c| c.settings.snapshot_retention_days = 0,
            |c| c.status = Status::Modifying,
            |c| {
                c.desired = Desired::Deleted {
                    final_snapshot: None,
                }
            },
            |c| c.kind = CacheKind::Memcached,
            |c| c.restore_from = Some(String::from("s")),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut cache = fixture::cache(2);
            cache.settings.snapshot_retention_days = 3;
            assert!(decide_daily("shop", &cache, None, now).is_some());
            change(&mut cache);
            assert_eq!(decide_daily("shop", &cache, None, now), None, "{number}");
        }
    }

    #[test]
    fn old_automated_ones_go_and_so_do_those_of_caches_that_are_gone() {
        let mut cache = fixture::cache(2);
        cache.settings.snapshot_retention_days = 2;
        let mut snapshot = fixture::snapshot(&cache);
        snapshot.status = SnapshotStatus::Available;
        snapshot.source = SnapshotSource::Automated;
        let upkeep = |snapshot: &Snapshot, own, in_use, days| {
            decide_upkeep("s", snapshot, own, in_use, UnixMillis(days * DAY_MS))
        };
        assert_eq!(upkeep(&snapshot, Some(&cache), false, 2), Upkeep::Keep);
        assert_eq!(upkeep(&snapshot, Some(&cache), false, 3), Upkeep::Expire);
        assert_eq!(upkeep(&snapshot, Some(&cache), true, 3), Upkeep::Keep);
        assert_eq!(upkeep(&snapshot, None, false, 0), Upkeep::Expire);
        snapshot.source = SnapshotSource::Manual;
        assert_eq!(upkeep(&snapshot, None, false, 99), Upkeep::Keep);
    }

    #[test]
    fn one_that_nobody_is_to_take_has_failed() {
        let mut cache = fixture::cache(2);
        let snapshot = fixture::snapshot(&cache);
        let upkeep =
            |cache: Option<&Cache>| decide_upkeep("s", &snapshot, cache, false, UnixMillis(0));
        assert_eq!(upkeep(Some(&cache)), Upkeep::Abandon);
        assert_eq!(upkeep(None), Upkeep::Abandon);
        let (name, member) = (String::from("s"), None);
        cache.orders.push(Order::Snapshot { name, member });
        assert_eq!(upkeep(Some(&cache)), Upkeep::Keep);
        cache.orders.clear();
        let final_snapshot = Some(String::from("s"));
        cache.desired = Desired::Deleted { final_snapshot };
        assert_eq!(upkeep(Some(&cache)), Upkeep::Keep);
    }
}
