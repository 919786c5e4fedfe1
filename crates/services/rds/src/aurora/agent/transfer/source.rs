//! Opening the volumes that are read and filled.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use quorate_base::Epoch;
use quorate_control::{CatalogError, Txn};
use quorate_volume::protocol::{VolumeEpoch, VolumeId};
use quorate_volume::{Layout, OpenOptions, View, Volume};

use crate::aurora::agent::host::AuroraHost;
use crate::aurora::agent::layout::layout_of;
use crate::aurora::agent::transfer::error::TransferError;
use crate::aurora::model;
use crate::aurora::records;

/// How long segments may take to know what was acknowledged.
const VIEW_WITHIN: Duration = Duration::from_secs(60);
/// How long the opening of a volume may take.
const OPEN_WITHIN: Duration = Duration::from_secs(60);
/// How long a volume may take to have as many protection groups as are needed.
const GROUPS_WITHIN: Duration = Duration::from_secs(120);
/// Time between two looks at a layout.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Bytes of pages that an open volume keeps in memory here: pages are written whole and never read.
const CACHE_BYTES: usize = 4 << 20;

/// Ends a task with itself.
pub(super) struct Following(AbortHandle);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl AuroraHost {
    fn transfer_layout(&self, volume: &VolumeId) -> Result<Layout, TransferError> {
        let layout = layout_of(self.base.catalog.view(), volume)?;
        layout.ok_or(TransferError::Late("the volume is not placed"))
    }

    /// Opens a view of a volume with all that was acknowledged. With an epoch the volume is opened at it first: nobody writes
    /// it, and segments may not know what is complete.
    pub(super) async fn open_view(
        self: &Arc<Self>,
        volume: &VolumeId,
        epoch: Option<Epoch>,
    ) -> Result<(Arc<View>, Following), TransferError> {
        // Kept until the view is there: it tells segments what is complete.
        let _opened = match epoch {
            Some(epoch) => Some(self.open_volume(volume, epoch).await?),
            None => None,
        };
        let id = rand::rng().random();
        self.open_view_as(id, volume).await
    }

    /// Opens a view of a volume with all that was acknowledged, under an id of its own.
    pub(super) async fn open_view_as(
        self: &Arc<Self>,
        id: u64,
        volume: &VolumeId,
    ) -> Result<(Arc<View>, Following), TransferError> {
        let view = View::open_acknowledged(
            self.caller.clone(),
            self.transfer_layout(volume)?,
            self.base.config.node.clone(),
            id,
            VIEW_WITHIN,
        );
        let view = Arc::new(view.await?);
        let told = view.clone();
        let following = self.follow(volume, move |layout| told.set_layout(layout));
        Ok((view, following))
    }

    /// Opens a volume for writing.
    pub(super) async fn open_volume(
        self: &Arc<Self>,
        volume: &VolumeId,
        epoch: Epoch,
    ) -> Result<(Arc<Volume>, Following), TransferError> {
        let options = OpenOptions {
            own: self.base.config.node.clone(),
            epoch: VolumeEpoch(epoch.0),
            cache_bytes: CACHE_BYTES,
        };
        let layout = self.transfer_layout(volume)?;
        let groups = layout.groups.len();
        let opening = Volume::open(self.caller.clone(), layout, &options, drop);
        let opened = tokio::time::timeout(OPEN_WITHIN, opening).await;
        let late = |_| TransferError::Late("too few segments of the volume answer");
        let volume_open = Arc::new(opened.map_err(late)??);
        let told = volume_open.clone();
        // Not of groups that are new: their segments have promised nothing, and this attempt may be overruled.
        let following = self.follow(volume, move |layout| {
            if layout.groups.len() == groups {
                told.set_layout(layout);
            }
        });
        Ok((volume_open, following))
    }

    /// Hands on each layout that differs from the one before.
    fn follow(
        self: &Arc<Self>,
        volume: &VolumeId,
        tell: impl Fn(Layout) + Send + 'static,
    ) -> Following {
        let (host, volume) = (self.clone(), volume.clone());
        let task = tokio::spawn(async move {
            let mut told = None;
            loop {
                match layout_of(host.base.catalog.view(), &volume) {
                    Ok(Some(layout)) if told.as_ref() != Some(&layout) => {
                        told = Some(layout.clone());
                        tell(layout);
                    }
                    Ok(_) => {}
                    Err(e) => tracing::warn!(%volume, error = %e, "a layout cannot be read"),
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        Following(task.abort_handle())
    }

    /// Waits until a volume has so many protection groups.
    pub(super) async fn want_groups(
        &self,
        volume: &VolumeId,
        groups: u32,
    ) -> Result<(), TransferError> {
        let deadline = Instant::now() + GROUPS_WITHIN;
        loop {
            let stored = self.base.catalog.read::<model::Volume>(&volume.0).await?;
            let stored = stored.ok_or(TransferError::Overruled)?;
            if let Some(record) = records::volume_wants(&stored.record, groups) {
                match self
                    .base
                    .catalog
                    .commit(Txn::new().replace(&stored, &record))
                    .await
                {
                    Ok(_) | Err(CatalogError::Conflict { .. }) => {}
                    Err(e) => return Err(e.into()),
                }
            }
            let layout = layout_of(self.base.catalog.view(), volume)?;
            let there = layout.map_or(0, |layout| layout.groups.len());
            if there >= groups as usize {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(TransferError::Late("the volume did not grow in time"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
