//! The segments on this node, and the mounts over volumes: arranged as the catalog says, reported as they are.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use quorate_control::{CatalogError, Stored, Txn};
use quorate_volume::protocol::{Complete, GroupIndex, Lsn, MembershipEpoch, SegmentId, VolumeId};
use quorate_volume::{Birth, Fork, Layout, SegmentStatus};

use crate::aurora::agent::host::{AuroraHost, MountHandle};
use crate::aurora::agent::layout::layout_of;
use crate::aurora::model::{
    Cluster, Group, Progress, SegmentHealth, SegmentReport, Volume, VolumeReport, WriterReport,
};
use crate::aurora::mount::MountOrder;
use crate::aurora::records;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Looks after segments and mounts, for ever.
pub(super) async fn run(host: Arc<AuroraHost>) {
    let mut bell = host.base.catalog.view().subscribe();
    let mut reported = BTreeSet::new();
    loop {
        bell.mark_unchanged();
        match arrange(&host).await {
            Ok(volumes) => {
                report(&host, &volumes, &reported);
                reported = volumes;
            }
            Err(e) => tracing::warn!(error = %e, "segments cannot be arranged"),
        }
        tokio::select! {
            _ = bell.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Makes and removes segments as the catalog places them, and tells mounts of layouts and the catalog of growth. The
/// volumes of which something is here.
async fn arrange(host: &AuroraHost) -> Result<BTreeSet<VolumeId>, CatalogError> {
    let view = host.base.catalog.view();
    let stored = view.list::<Volume>()?;
    let known: BTreeSet<VolumeId> = stored.iter().map(|v| VolumeId(v.id.clone())).collect();
    for volume in &known {
        if let Some(layout) = layout_of(view, volume)? {
            make_segments(host, &layout, &stored).await?;
            tell_mounts(host, &layout)?;
        }
    }
    for volume in host.segments.volumes().difference(&known) {
        forget_when_gone(host, volume).await?;
    }
    for stored in stored {
        let wanted = wanted_groups(host, &VolumeId(stored.id.clone()));
        let grown = wanted.and_then(|wanted| records::volume_wants(&stored.record, wanted));
        if let Some(record) = grown {
            let txn = Txn::new().replace(&stored, &record);
            match host.base.catalog.commit(txn).await {
                // The next look decides anew.
                Err(CatalogError::Conflict { .. }) => {}
                other => drop(other?),
            }
        }
    }
    let mounted = host.mounts().values().map(|m| m.volume.clone()).collect();
    Ok(host.segments.volumes().union(&mounted).cloned().collect())
}

/// Makes the segments that are placed here, and tells the catalog which were made.
async fn make_segments(
    host: &AuroraHost,
    layout: &Layout,
    stored: &[Stored<Volume>],
) -> Result<(), CatalogError> {
    let Some(stored) = stored.iter().find(|stored| stored.id == layout.volume.0) else {
        return Ok(());
    };
    let clusters = host.base.catalog.view().list::<Cluster>()?;
    let mut clusters = clusters
        .iter()
        .filter(|c| c.record.resource_id == stored.id);
    let restored = clusters.any(|cluster| cluster.record.restore.is_none());
    let birth = |index, copy| birth(&stored.record, index, copy, restored);
    let made = match host.segments.arrange(layout, birth).await {
        Ok(made) => made,
        Err(e) => {
            tracing::error!(volume = %layout.volume, error = %e, "segments cannot be made");
            return Ok(());
        }
    };
    if made.is_empty() {
        return Ok(());
    }
    let mut record = stored.record.clone();
    for segment in made {
        if let Some(group) = record.groups.get_mut(segment.group.0 as usize) {
            group.made.insert(segment.copy);
        }
    }
    let txn = Txn::new().replace(stored, &record);
    match host.base.catalog.commit(txn).await {
        // Another node told of its own first: the next look, at once, tells of these.
        Err(CatalogError::Conflict { .. }) => Ok(()),
        other => other.map(|_| ()),
    }
}

/// What is known of a copy of a volume. One that is to be forked may begin with nothing once the volume is `restored`: a write
/// quorum of its group was forked then.
fn birth(volume: &Volume, index: GroupIndex, copy: u32, restored: bool) -> Birth {
    let at = index.0 as usize;
    let is_made = |group: &Group| group.made.contains(&copy);
    if volume.groups.get(at).is_some_and(is_made) {
        return Birth::Made;
    }
    let forked = volume.origin.as_ref().and_then(|origin| {
        let group = origin.groups.get(at)?;
        let source = SegmentId {
            volume: VolumeId(origin.volume.clone()),
            group: index,
            copy: *group.copies.get(&copy)?,
        };
        let complete = Complete {
            vdl: origin.vdl,
            tail: group.tail,
        };
        Some(Fork {
            source,
            complete,
            view: origin.view,
            or_empty: restored && volume.is_forked(at),
        })
    });
    forked.map_or(Birth::Empty, Birth::Fork)
}

/// A volume that is in no record: its segments go when a quorum confirms that.
async fn forget_when_gone(host: &AuroraHost, volume: &VolumeId) -> Result<(), CatalogError> {
    if host.base.catalog.read::<Volume>(&volume.0).await?.is_some() {
        return Ok(());
    }
    tracing::info!(%volume, "a volume is gone: its segments are removed");
    if let Err(e) = host.segments.forget(volume) {
        tracing::error!(%volume, error = %e, "segments cannot be removed");
    }
    host.base.lease.observe(&VolumeReport::key(&volume.0), None);
    Ok(())
}

/// Hands a layout to the mounts of its volume. One that does not take it now gets it with the next look.
///
/// A writer gets it only while the catalog has its epoch, read after the layout: a group's segments have promised nothing
/// when they are new, and a writer that was replaced could write there.
fn tell_mounts(host: &AuroraHost, layout: &Layout) -> Result<(), CatalogError> {
    let mounts = host.mounts().clone();
    let clusters = host.base.catalog.view().list::<Cluster>()?;
    let mut clusters = clusters.into_iter();
    let cluster = clusters.find(|c| c.record.resource_id == layout.volume.0);
    let epoch = cluster.map(|cluster| cluster.record.epoch);
    let is_meant = |mount: &MountHandle| {
        mount.volume == layout.volume && (mount.at.is_none() || mount.at == epoch)
    };
    for mount in mounts.into_values().filter(is_meant) {
        let is_mounted = mount.state.borrow().mounted.is_some();
        if is_mounted && mount.told.lock().expect("no holder panics").as_ref() != Some(layout) {
            let order = MountOrder::Layout(layout.clone());
            if mount.orders.try_send(order).is_ok() {
                *mount.told.lock().expect("no holder panics") = Some(layout.clone());
            }
        }
    }
    Ok(())
}

/// How many protection groups the writer of a volume needs, if it is mounted here.
fn wanted_groups(host: &AuroraHost, volume: &VolumeId) -> Option<u32> {
    let mounts = host.mounts();
    let mut of_volume = mounts.values().filter(|mount| mount.volume == *volume);
    of_volume.find_map(|mount| Some(mount.state.borrow().volume.as_ref()?.wanted_groups))
}

fn report(host: &AuroraHost, volumes: &BTreeSet<VolumeId>, before: &BTreeSet<VolumeId>) {
    let lease = &host.base.lease;
    for gone in before.difference(volumes) {
        lease.observe(&VolumeReport::key(&gone.0), None);
    }
    for volume in volumes {
        let segments = host.segments.segments(volume);
        let of_segment = |id: &SegmentId| {
            let status = host.segments.status(id)?;
            Some(segment_report(id, &status))
        };
        let report = VolumeReport {
            segments: segments
                .iter()
                .filter_map(of_segment)
                .chain(host.segments.lost(volume).iter().map(lost_report))
                .collect(),
            writer: writer_report(host, volume),
        };
        let bytes = serde_json::to_vec(&report).expect("reports are plain data");
        lease.observe(&VolumeReport::key(&volume.0), Some(bytes));
    }
}

fn segment_report(id: &SegmentId, status: &SegmentStatus) -> SegmentReport {
    let health = if status.trouble.is_some() {
        SegmentHealth::Repairing
    } else if status.scl < status.complete.tail || status.pages_copied.is_some() {
        SegmentHealth::Filling
    } else {
        SegmentHealth::Sound
    };
    SegmentReport {
        group: id.group,
        copy: id.copy,
        membership: status.membership,
        scl: status.scl,
        bytes: status.bytes,
        health,
        repair: status.pages_copied.map(|done| Progress { done, total: 0 }),
    }
}

fn lost_report(id: &SegmentId) -> SegmentReport {
    SegmentReport {
        group: id.group,
        copy: id.copy,
        membership: MembershipEpoch::default(),
        scl: Lsn::default(),
        bytes: 0,
        health: SegmentHealth::Lost,
        repair: None,
    }
}

fn writer_report(host: &AuroraHost, volume: &VolumeId) -> Option<WriterReport> {
    let mounts = host.mounts();
    let mut of_volume = mounts.values().filter(|mount| mount.volume == *volume);
    of_volume.find_map(|mount| {
        let state = mount.state.borrow();
        let status = state.volume.as_ref()?;
        Some(WriterReport {
            epoch: status.epoch,
            vcl: status.vcl,
            vdl: status.vdl,
            filled: status
                .groups
                .iter()
                .filter(|group| group.filled)
                .map(|group| (group.group, group.membership))
                .collect(),
            last: status.last,
            payload_bytes: status.payload_bytes,
            sent_bytes: status.sent_bytes,
            at_ms: u64::try_from(state.volume_at.as_millis()).unwrap_or(u64::MAX),
        })
    })
}
