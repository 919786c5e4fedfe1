//! Fills the volume of a cluster that is restored.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use quorate_base::UnixMillis;
use quorate_control::CatalogError;
use quorate_volume::image::{PageSink, PageSource, PartReader};
use quorate_volume::protocol::VolumeId;

use crate::aurora::agent::host::AuroraHost;
use crate::aurora::agent::transfer::apply::{Applying, LogToApply};
use crate::aurora::agent::transfer::error::TransferError;
use crate::aurora::agent::transfer::manifest::Manifest;
use crate::aurora::agent::transfer::progress::Subject;
use crate::aurora::model::{Attempt, ClusterRestore, RestoreSource, RunOf, SnapshotImage};
use crate::aurora::records;
use crate::events::cluster_event;
use crate::model::EventCategory;

/// Runs of pages between two notes of the progress.
const NOTE_EVERY: u32 = 32;

/// One restore on its way.
pub(super) struct Filling<'a> {
    pub(super) host: &'a Arc<AuroraHost>,
    pub(super) subject: &'a Subject,
    pub(super) run: RunOf,
    pub(super) volume: VolumeId,
}

impl AuroraHost {
    /// Makes an attempt at a restore, and notes that it is done.
    pub(super) async fn fill_volume(
        self: &Arc<Self>,
        subject: &Subject,
        restore: &ClusterRestore,
        attempt: &Attempt,
        run: RunOf,
    ) -> Result<(), TransferError> {
        let Subject::Restore(resource_id) = subject else {
            return Err(TransferError::Overruled);
        };
        let filling = Filling {
            host: self,
            subject,
            run,
            volume: VolumeId(resource_id.clone()),
        };
        if restore.holds_files {
            match &restore.from {
                RestoreSource::Snapshot { image, .. } => {
                    let missing = || TransferError::Manifest(String::from("there is none"));
                    let image = image.as_ref().ok_or_else(missing)?;
                    filling.fill_from_archive(image, None, attempt).await?;
                }
                RestoreSource::Time { image, .. } => {
                    let log = LogToApply::of(&restore.from);
                    filling.fill_from_archive(image, log, attempt).await?;
                }
                RestoreSource::Cluster {
                    resource_id,
                    shares_pages,
                    ..
                } => {
                    let source = VolumeId(resource_id.clone());
                    if *shares_pages && filling.may_fork(&source, attempt)? {
                        filling.fork_volume(&source, attempt).await?;
                    } else {
                        filling.place_copies().await?;
                        filling.fill_from_volume(&source, attempt).await?;
                    }
                }
            }
        }
        self.note_restored(resource_id, run, restore).await
    }

    async fn note_restored(
        &self,
        resource_id: &str,
        run: RunOf,
        restore: &ClusterRestore,
    ) -> Result<(), TransferError> {
        let message = match &restore.from {
            RestoreSource::Snapshot { id, .. } => format!("Restored from snapshot {id}"),
            RestoreSource::Cluster { id, .. } => format!("Restored from DB cluster {id}"),
            RestoreSource::Time { id, to, .. } => {
                format!("Restored from DB cluster {id} as it was at {to}")
            }
        };
        loop {
            let stored = self.read_cluster(resource_id).await?;
            let stored = stored.ok_or(TransferError::Overruled)?;
            let next = records::restored(&stored.record, run).ok_or(TransferError::Overruled)?;
            let (event_id, event) = cluster_event(
                UnixMillis::now(),
                &self.base.config.owner,
                &stored.id,
                &message,
                EventCategory::Notification,
            );
            let txn = records::change(&stored, &next).put(&event_id, &event);
            match self.base.catalog.commit(txn).await {
                // Another member or tag came first.
                Err(CatalogError::Conflict { .. }) => {}
                other => return Ok(other.map(|_| ())?),
            }
        }
    }
}

impl Filling<'_> {
    /// Opens the volume that is filled, empties it and hands it to `fill`; what `fill` put is there for good afterwards.
    async fn sink(
        &self,
        attempt: &Attempt,
        groups: u32,
    ) -> Result<(PageSink, super::source::Following), TransferError> {
        let epoch = attempt.filling_epoch.ok_or(TransferError::Overruled)?;
        self.host.want_groups(&self.volume, groups).await?;
        let (volume, following) = self.host.open_volume(&self.volume, epoch).await?;
        let (present, _) = self.host.open_view(&self.volume, None).await?;
        let sink = blocking(move || Ok(PageSink::new(volume, &present)?)).await?;
        Ok((sink, following))
    }

    async fn fill_from_archive(
        &self,
        image: &SnapshotImage,
        log: Option<LogToApply<'_>>,
        attempt: &Attempt,
    ) -> Result<(), TransferError> {
        let archive = self.host.archive_or_error()?;
        let place = tempfile::TempDir::new_in(&self.host.config.transfers)?;
        let file = place.path().join("manifest.json");
        archive
            .fetch_file(&image.manifest.parse()?, &file, None)
            .await?;
        let manifest = Manifest::decode(&std::fs::read(&file)?)?;
        let groups = log.as_ref().map_or(0, |log| log.groups);
        let (mut sink, _following) = self.sink(attempt, manifest.groups.max(groups)).await?;
        let files = log.as_ref().map_or(0, LogToApply::files);
        let total = manifest.parts.len() as u64 + files;
        for (done, part) in (1..).zip(&manifest.parts) {
            let file = place.path().join("part.pages");
            archive
                .fetch_file(&part.object, &file, Some(&part.info))
                .await?;
            let pages = part.pages;
            sink = blocking(move || put_part(sink, &file, pages)).await?;
            self.host
                .note_progress(self.subject, self.run, done, total)
                .await?;
        }
        if let Some(log) = log {
            let mut applying = Applying::new(&log, manifest.lsn, manifest.page_bytes);
            let file = place.path().join("redo.log");
            for (done, (name, number)) in (manifest.parts.len() as u64..).zip(log.names()) {
                archive.fetch_file(&name.parse()?, &file, None).await?;
                let read = file.clone();
                (sink, applying) = blocking(move || applying.apply(sink, &read, number)).await?;
                if applying.is_over() {
                    break;
                }
                self.host
                    .note_progress(self.subject, self.run, done, total)
                    .await?;
            }
            applying.check()?;
        }
        blocking(move || Ok(sink.finish()?)).await
    }

    async fn fill_from_volume(
        &self,
        source: &VolumeId,
        attempt: &Attempt,
    ) -> Result<(), TransferError> {
        let (view, _reading) = self.host.open_view(source, attempt.reading_epoch).await?;
        let groups = u32::try_from(view.groups().len()).expect("groups are counted in 32 bits");
        let (mut sink, _following) = self.sink(attempt, groups).await?;
        tracing::info!(volume = %self.volume, from = %source, lsn = %view.at(), "a volume is copied");
        let mut source = blocking(move || Ok(PageSource::new(view)?)).await?;
        loop {
            let is_over;
            (source, sink, is_over) = blocking(move || put_some(source, sink)).await?;
            if is_over {
                break;
            }
            let (done, total) = (source.pages_read(), source.pages());
            self.host
                .note_progress(self.subject, self.run, done, total)
                .await?;
        }
        blocking(move || Ok(sink.finish()?)).await
    }
}

/// Copies some pages; whether these were the last.
fn put_some(
    mut source: PageSource,
    mut sink: PageSink,
) -> Result<(PageSource, PageSink, bool), TransferError> {
    for _ in 0..NOTE_EVERY {
        let Some(pages) = source.next_pages()? else {
            return Ok((source, sink, true));
        };
        for (page, bytes) in pages {
            sink.put(page, bytes)?;
        }
    }
    Ok((source, sink, false))
}

/// Puts the pages of a file, of which there are so many.
fn put_part(mut sink: PageSink, file: &Path, pages: u64) -> Result<PageSink, TransferError> {
    let mut part = PartReader::new(BufReader::new(File::open(file)?))?;
    if part.page_bytes() as usize != sink.page_bytes() {
        let why = "its pages have another size than the volume's";
        return Err(TransferError::Manifest(String::from(why)));
    }
    let mut put = 0;
    while let Some((page, bytes)) = part.next_page()? {
        sink.put(page, bytes)?;
        put += 1;
    }
    if put != pages {
        let why = format!("a file has {put} pages, not {pages}");
        return Err(TransferError::Manifest(why));
    }
    Ok(sink)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TransferError> + Send + 'static,
) -> Result<T, TransferError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.expect("copying pages does not panic")
}
