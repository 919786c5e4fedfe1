//! Has a volume begin as another one, whose pages it shares: copy on write.
//!
//! The segments are forked by the nodes that hold the source's (`agent/volumes`). The attempt says as of when, and keeps that
//! readable until they have done it.

use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

use quorate_base::Epoch;
use quorate_control::{CatalogError, Txn};
use quorate_volume::View;
use quorate_volume::protocol::VolumeId;

use crate::aurora::agent::transfer::error::TransferError;
use crate::aurora::agent::transfer::fill::Filling;
use crate::aurora::decide::fork::{ForkOf, fork, may_share, unfork};
use crate::aurora::model::{Attempt, Cluster, Volume};
use crate::aurora::records;

/// How long the nodes may take to fork a write quorum of each group.
const FORKED_WITHIN: Duration = Duration::from_secs(60);
/// Attempts that fork; further ones copy.
const FORKS_MAX: u32 = 2;
/// How long is waited for the others after that: a node that is away fills its segments from the others.
const OTHERS_WITHIN: Duration = Duration::from_secs(5);
/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl Filling<'_> {
    /// Whether the attempt forks the source, or copies it.
    pub(super) fn may_fork(
        &self,
        source: &VolumeId,
        attempt: &Attempt,
    ) -> Result<bool, CatalogError> {
        let volumes = self.host.base.catalog.view().list::<Volume>()?;
        let others = volumes.iter().filter(|volume| volume.id != self.volume.0);
        let others = others.map(|stored| &stored.record);
        Ok(attempt.number <= FORKS_MAX && may_share(&source.0, others))
    }

    /// Has empty segments take the place of those that an earlier attempt wanted to be forked.
    pub(super) async fn place_copies(&self) -> Result<(), TransferError> {
        let catalog = &self.host.base.catalog;
        loop {
            let stored = self.own_cluster().await?;
            let volume = catalog.read::<Volume>(&self.volume.0).await?;
            let volume = volume.ok_or(TransferError::Overruled)?;
            if volume.record.origin.is_none() {
                return Ok(());
            }
            let txn = Txn::new()
                .require(&stored)
                .replace(&volume, &unfork(&volume.record));
            match catalog.commit(txn).await {
                Err(CatalogError::Conflict { .. }) => {}
                other => return Ok(other.map(|_| ())?),
            }
        }
    }

    /// Has the volume's segments forked from the source's.
    pub(super) async fn fork_volume(
        &self,
        source: &VolumeId,
        attempt: &Attempt,
    ) -> Result<(), TransferError> {
        // Where nobody writes, it tells segments what is complete for as long as they are forked.
        let _opened = match attempt.reading_epoch {
            Some(epoch) => Some(self.host.open_volume(source, epoch).await?),
            None => None,
        };
        let id = rand::rng().random();
        let (view, _following) = self.host.open_view_as(id, source).await?;
        view.keep_records().await;
        self.place_forks(source, &view, id).await?;
        tracing::info!(volume = %self.volume, from = %source, lsn = %view.at(), "a volume begins as another one");
        self.wait_forked().await
    }

    /// Places the segments beside the source's. The epochs of those who wrote there lie behind that of the first writer here.
    async fn place_forks(
        &self,
        source: &VolumeId,
        view: &View,
        id: u64,
    ) -> Result<(), TransferError> {
        let catalog = &self.host.base.catalog;
        loop {
            let stored = self.own_cluster().await?;
            let volume = catalog.read::<Volume>(&self.volume.0).await?;
            let volume = volume.ok_or(TransferError::Overruled)?;
            let of = catalog.read::<Volume>(&source.0).await?;
            let of = of.ok_or(TransferError::Late("the source is gone"))?;
            let forked = fork(
                &volume.record,
                ForkOf {
                    volume: &source.0,
                    record: &of.record,
                    view: id,
                    complete: &view.complete(),
                },
            );
            let forked = forked.ok_or(TransferError::Late("the source has no segments"))?;
            let writer = self.host.read_cluster(&source.0).await?;
            let written_at = writer.map_or(Epoch(0), |stored| stored.record.epoch);
            let next = Cluster {
                epoch: stored.record.epoch.max(written_at).next(),
                ..stored.record.clone()
            };
            let txn = records::change(&stored, &next).replace(&volume, &forked);
            match catalog.commit(txn).await {
                Err(CatalogError::Conflict { .. }) => {}
                other => return Ok(other.map(|_| ())?),
            }
        }
    }

    async fn wait_forked(&self) -> Result<(), TransferError> {
        let began = Instant::now();
        let mut enough_since = None;
        loop {
            let volume = self
                .host
                .base
                .catalog
                .view()
                .read::<Volume>(&self.volume.0)?;
            let volume = volume.ok_or(TransferError::Overruled)?.record;
            let (made, all) = progress(&volume);
            if made == all {
                return Ok(());
            }
            self.host
                .note_progress(self.subject, self.run, made, all)
                .await?;
            let now = Instant::now();
            if (0..volume.groups.len()).all(|group| volume.is_forked(group)) {
                let since = *enough_since.get_or_insert(now);
                if now.saturating_duration_since(since) > OTHERS_WITHIN {
                    return Ok(());
                }
            }
            if now.saturating_duration_since(began) > FORKED_WITHIN {
                return Err(TransferError::Late("too few segments could be forked"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The cluster that is restored, while the attempt is this run's.
    async fn own_cluster(&self) -> Result<quorate_control::Stored<Cluster>, TransferError> {
        let stored = self.host.read_cluster(&self.volume.0).await?;
        let is_own = |cluster: &Cluster| {
            let attempt = cluster.restore.as_ref().and_then(|r| r.attempt.as_ref());
            attempt.is_some_and(|attempt| attempt.is_of(self.run))
        };
        let stored = stored.filter(|stored| is_own(&stored.record));
        stored.ok_or(TransferError::Overruled)
    }
}

/// How many of the segments that are placed are made, and how many there are.
fn progress(volume: &Volume) -> (u64, u64) {
    let mut made = 0;
    let mut all = 0;
    for group in &volume.groups {
        let segments = group.segments();
        all += segments.len() as u64;
        let is_made =
            |place: &&&crate::aurora::model::SegmentPlace| group.made.contains(&place.copy);
        made += segments.iter().filter(is_made).count() as u64;
    }
    (made, all)
}
