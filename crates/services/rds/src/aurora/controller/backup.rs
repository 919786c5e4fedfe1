//! Automated backups: names who archives a cluster's log, has bases taken, removes what is too old.

use std::collections::BTreeSet;

use rand::Rng;

use quorate_base::UnixMillis;
use quorate_control::{Stored, Txn};

use crate::api::identifier;
use crate::aurora::controller::snapshot::readers_of;
use crate::aurora::decide::backup::{
    ArchiverDecision, Base, bases_of, decide_archiver, decide_expiry, is_base_due,
};
use crate::aurora::decide::transfer::{ReadingWay, decide_reading};
use crate::aurora::model::{
    Attempt, Cluster, ClusterBackup, ClusterSnapshot, ClusterStatus, SnapshotStatus,
};
use crate::controller::Plan;
use crate::controller::World;
use crate::events::snapshot_event;
use crate::model::{Desired, EventCategory};

/// The first change that is due to a cluster's automated backups, if any is.
pub(crate) fn plan_backup(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    let cluster = &stored.record;
    let Some(backup) = world.backup_of(&cluster.resource_id) else {
        return plan_record(world, stored);
    };
    plan_archiver(world, stored, backup)
        .or_else(|| plan_base(world, stored, backup))
        .or_else(|| plan_expiry(world, cluster, backup))
}

/// Whether a cluster has a log that is to be archived.
fn is_wanted(world: &World, cluster: &Cluster) -> bool {
    world.config.aurora.backs_up
        && cluster.desired != Desired::Deleted
        && cluster.created
        && cluster.restore.is_none()
}

fn plan_record(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    is_wanted(world, &stored.record).then(|| Plan {
        txn: Txn::new()
            .insert(&stored.record.resource_id, &ClusterBackup::default())
            .require(stored),
        what: format!("cluster {}: backed up from here on", stored.id),
    })
}

fn plan_archiver(
    world: &World,
    stored: &Stored<Cluster>,
    backup: &Stored<ClusterBackup>,
) -> Option<Plan> {
    let archiver = backup.record.archiver.as_ref();
    let decision = decide_archiver(
        archiver,
        is_wanted(world, &stored.record),
        &readers_of(world, stored),
        &world.alive(),
        world.now,
    );
    let (next, what) = match decision {
        ArchiverDecision::Wait => return None,
        ArchiverDecision::Over(why) => (archiver?.failed(why.clone(), world.now), why),
        ArchiverDecision::Begin { node, number } => {
            let what = format!("attempt {number} on {node}");
            let next = Attempt {
                number,
                node,
                since: world.now,
                reading_epoch: None,
                filling_epoch: None,
                run: None,
                failure: None,
                percent: 0,
            };
            (next, what)
        }
    };
    let record = ClusterBackup {
        archiver: Some(next),
        ..backup.record.clone()
    };
    Some(Plan {
        txn: Txn::new().replace(backup, &record).require(stored),
        what: format!("cluster {}: archiving its log: {what}", stored.id),
    })
}

/// The automated snapshots of a cluster.
fn automated<'a>(
    world: &'a World,
    resource_id: &'a str,
) -> impl Iterator<Item = &'a Stored<ClusterSnapshot>> {
    world.snapshots.iter().filter(move |snapshot| {
        snapshot.record.automated && snapshot.record.cluster_resource_id == resource_id
    })
}

fn bases(world: &World, resource_id: &str) -> Vec<Base> {
    let snapshots = world.snapshots.iter();
    bases_of(snapshots.map(|s| (s.id.as_str(), &s.record)), resource_id)
}

fn plan_base(
    world: &World,
    stored: &Stored<Cluster>,
    backup: &Stored<ClusterBackup>,
) -> Option<Plan> {
    let cluster = &stored.record;
    let is_free = cluster.status == ClusterStatus::Available
        && decide_reading(cluster) == ReadingWay::BesideWriter
        && !world.is_snapshotted(&cluster.resource_id);
    if !is_free || !is_wanted(world, cluster) {
        return None;
    }
    let began = automated(world, &cluster.resource_id).map(|snapshot| {
        let is_failed = snapshot.record.status == SnapshotStatus::Failed;
        (snapshot.record.created_at, is_failed)
    });
    let bases = bases(world, &cluster.resource_id);
    let window = &cluster.settings.backup_window;
    if !is_base_due(&backup.record, &bases, began.max(), window, world.now) {
        return None;
    }
    let snapshot = base(cluster, &stored.id, world.now);
    let id = free_name(world, &stored.id)?;
    let message = "Creating automated cluster snapshot";
    let owner = &world.config.owner;
    let (event_id, event) = snapshot_event(world.now, owner, &id, message, EventCategory::Backup);
    let txn = Txn::new()
        .insert(&id, &snapshot)
        .put(&event_id, &event)
        .require(stored);
    let what = format!("cluster {}: {id} is to be taken", stored.id);
    Some(Plan { txn, what })
}

fn base(cluster: &Cluster, id: &str, now: UnixMillis) -> ClusterSnapshot {
    ClusterSnapshot {
        resource_id: identifier::resource_id("dbcluster-snapshot"),
        cluster: id.to_owned(),
        cluster_resource_id: cluster.resource_id.clone(),
        cluster_created_at: cluster.created_at,
        settings: cluster.settings.clone(),
        holds_files: cluster.created,
        automated: true,
        is_final: false,
        created_at: now,
        status: SnapshotStatus::Creating,
        attempt: None,
        image: None,
        copied_from: None,
        restorable_by: BTreeSet::new(),
        tags: if cluster.settings.copy_tags_to_snapshot {
            cluster.tags.clone()
        } else {
            Vec::new()
        },
    }
}

/// AWS's form, as in `rds:books-2026-11-24-03-15`; with more digits where an earlier cluster's has that name.
fn free_name(world: &World, cluster: &str) -> Option<String> {
    let minute: String = world.now.to_iso8601().chars().take(16).collect();
    let name = format!("rds:{cluster}-{}", minute.replace(['T', ':'], "-"));
    let is_free = |name: &String| !world.snapshots.iter().any(|other| other.id == *name);
    let digits = rand::rng().random_range(0..10_000_u32);
    [name.clone(), format!("{name}-{digits:04}")]
        .into_iter()
        .find(is_free)
}

/// Whether a restore reads a cluster's automated backups: nothing of them goes meanwhile.
fn is_restored_from(world: &World, resource_id: &str) -> bool {
    let is_own = |id: &str| automated(world, resource_id).any(|snapshot| snapshot.id == id);
    world.clusters.iter().any(|other| {
        let is_over = other.record.status == ClusterStatus::IncompatibleRestore
            || other.record.desired == Desired::Deleted;
        let restore = other.record.restore.as_ref().filter(|_| !is_over);
        restore.is_some_and(|restore| {
            restore.source_backup() == Some(resource_id)
                || restore.source_snapshot().is_some_and(is_own)
        })
    })
}

fn plan_expiry(world: &World, cluster: &Cluster, backup: &Stored<ClusterBackup>) -> Option<Plan> {
    let id = &cluster.resource_id;
    if cluster.desired == Desired::Deleted {
        return plan_end_of_base(world, id);
    }
    if is_restored_from(world, id) {
        return None;
    }
    let days = cluster.settings.backup_retention_days;
    let bases = bases(world, id);
    let mut expired = decide_expiry(&backup.record, &bases, days, world.now).unwrap_or_default();
    let is_superseded = |snapshot: &Stored<ClusterSnapshot>| {
        let newer = bases
            .iter()
            .any(|base| base.at > snapshot.record.created_at);
        snapshot.record.status == SnapshotStatus::Failed && newer
    };
    let failed = automated(world, id).filter(|snapshot| is_superseded(snapshot));
    expired
        .bases
        .extend(failed.map(|snapshot| snapshot.id.clone()));
    if expired.bases.is_empty() && expired.folders.is_empty() {
        return None;
    }
    let mut record = backup.record.clone();
    if !expired.folders.is_empty() {
        record.chains = expired.chains;
        record.going.extend(expired.folders);
    }
    let mut txn = Txn::new().replace(backup, &record);
    for snapshot in automated(world, id).filter(|s| expired.bases.contains(&s.id)) {
        txn = txn.replace(snapshot, &deleting(&snapshot.record));
    }
    let what = format!("cluster {}: old backups go: {:?}", id, expired.bases);
    Some(Plan { txn, what })
}

fn deleting(snapshot: &ClusterSnapshot) -> ClusterSnapshot {
    ClusterSnapshot {
        status: SnapshotStatus::Deleting,
        ..snapshot.clone()
    }
}

/// A cluster that is to go does not wait for a base that is being taken.
fn plan_end_of_base(world: &World, resource_id: &str) -> Option<Plan> {
    let mut taken = automated(world, resource_id);
    let taken = taken.find(|s| s.record.status == SnapshotStatus::Creating)?;
    Some(Plan {
        txn: Txn::new().replace(taken, &deleting(&taken.record)),
        what: format!("snapshot {}: its cluster is deleted", taken.id),
    })
}

/// What is due to the automated backups of a cluster that is gone: they go, too.
pub(crate) fn plan_backup_removal(world: &World, backup: &Stored<ClusterBackup>) -> Option<Plan> {
    let id = &backup.id;
    if world.cluster_of(id).is_some() || is_restored_from(world, id) {
        return None;
    }
    let left: Vec<_> = automated(world, id).collect();
    let mut record = backup.record.clone();
    record.archiver = None;
    let chains = std::mem::take(&mut record.chains);
    let runs = chains.into_iter().flat_map(|chain| chain.runs);
    record.going.extend(runs.map(|run| run.folder));
    let staying =
        |snapshot: &&&Stored<ClusterSnapshot>| snapshot.record.status != SnapshotStatus::Deleting;
    if record != backup.record || left.iter().any(|snapshot| staying(&snapshot)) {
        let txn = left
            .iter()
            .filter(staying)
            .fold(Txn::new().replace(backup, &record), |txn, snapshot| {
                txn.replace(snapshot, &deleting(&snapshot.record))
            });
        let what = format!("volume {id}: its automated backups go");
        return Some(Plan { txn, what });
    }
    (left.is_empty() && record.going.is_empty()).then(|| Plan {
        txn: Txn::new().remove(backup),
        what: format!("volume {id}: its automated backups are gone"),
    })
}
