//! Takes a snapshot: the pages of a view go to the archive in files, then the list of them.

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quorate_archive::{Archive, ObjectName};
use quorate_base::UnixMillis;
use quorate_control::{CatalogError, Txn};
use quorate_volume::image::{PageSource, PartError, PartWriter};
use quorate_volume::protocol::{PageId, VolumeId};
use quorate_volume::{Pages, View};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use crate::aurora::agent::host::AuroraHost;
use crate::aurora::agent::transfer::error::TransferError;
use crate::aurora::agent::transfer::manifest::{Manifest, ManifestPart};
use crate::aurora::agent::transfer::progress::Subject;
use crate::aurora::model::{Attempt, ClusterSnapshot, RunOf, SnapshotImage};
use crate::aurora::records;
use crate::events::snapshot_event;
use crate::model::EventCategory;

/// Bytes of a file of pages from which the next one is begun.
const PART_BYTES: u64 = 64 << 20;
/// Files that wait to be stored.
const PARTS_WAITING_MAX: usize = 1;

/// A file that is to be stored.
struct LocalPart {
    file: NamedTempFile,
    pages: u64,
    /// Pages that have been read when it was full.
    pages_read: u64,
}

impl AuroraHost {
    /// Makes an attempt at a snapshot, and notes that it is taken.
    pub(super) async fn take_snapshot(
        self: &Arc<Self>,
        subject: &Subject,
        id: &str,
        snapshot: &ClusterSnapshot,
        attempt: &Attempt,
        run: RunOf,
    ) -> Result<(), TransferError> {
        let archive = self.archive_or_error()?;
        let volume = VolumeId(snapshot.cluster_resource_id.clone());
        let (view, _following) = self.open_view(&volume, attempt.reading_epoch).await?;
        let complete_at = UnixMillis::now();
        tracing::info!(snapshot = %id, lsn = %view.at(), attempt = run.number, "a snapshot is taken");
        let folder = snapshot.folder();
        let prefix = format!("{folder}/{}-{:016x}", run.number, run.run);
        let mut manifest = self.describe(snapshot, &view)?;
        let (sender, mut parts) = mpsc::channel(PARTS_WAITING_MAX);
        let (reading, place) = (view.clone(), self.config.transfers.clone());
        let reader = tokio::task::spawn_blocking(move || read_parts(reading, place, sender));
        let mut total = 0;
        while let Some(message) = parts.recv().await {
            let part: LocalPart = match message {
                Message::Total(pages) => {
                    total = pages;
                    continue;
                }
                Message::Part(part) => part,
            };
            let name = format!("{prefix}/{:08}.pages", manifest.parts.len());
            let object: ObjectName = name.parse()?;
            let info = archive.store_file(&object, part.file.path()).await?;
            manifest.parts.push(ManifestPart {
                object,
                pages: part.pages,
                info,
            });
            self.note_progress(subject, run, part.pages_read, total)
                .await?;
        }
        reader.await.expect("reading pages does not panic")?;
        let name: ObjectName = format!("{prefix}/manifest.json").parse()?;
        self.store_manifest(archive, &name, &manifest).await?;
        let image = SnapshotImage {
            folder,
            manifest: name.to_string(),
            page_bytes: manifest.page_bytes,
            pages_per_group: manifest.pages_per_group,
            size_bytes: manifest.size_bytes(),
            lsn: Some(manifest.lsn),
            complete_at: Some(complete_at),
        };
        self.note_taken(subject, run, &image).await
    }

    pub(in crate::aurora::agent) fn archive_or_error(&self) -> Result<&Archive, TransferError> {
        let node = || TransferError::NoArchive(self.base.config.node.to_string());
        self.archive.as_ref().ok_or_else(node)
    }

    fn describe(&self, snapshot: &ClusterSnapshot, view: &View) -> Result<Manifest, TransferError> {
        let settings = &snapshot.settings;
        let page_bytes = u32::try_from(view.page_bytes()).expect("pages are small");
        Ok(Manifest {
            cluster: snapshot.cluster.clone(),
            cluster_resource_id: snapshot.cluster_resource_id.clone(),
            engine_version: settings.engine_version.clone(),
            master_username: settings.master_username.clone(),
            master_verifier: settings.master_verifier.clone(),
            database_name: settings.database_name.clone(),
            lsn: view.at(),
            page_bytes,
            pages_per_group: view.pages_per_group(),
            groups: u32::try_from(view.groups().len()).expect("groups are counted in 32 bits"),
            parts: Vec::new(),
        })
    }

    async fn store_manifest(
        &self,
        archive: &Archive,
        name: &ObjectName,
        manifest: &Manifest,
    ) -> Result<(), TransferError> {
        let file = NamedTempFile::new_in(&self.config.transfers)?;
        std::fs::write(file.path(), manifest.encode())?;
        archive.store_file(name, file.path()).await?;
        Ok(())
    }

    async fn note_taken(
        &self,
        subject: &Subject,
        run: RunOf,
        image: &SnapshotImage,
    ) -> Result<(), TransferError> {
        let Subject::Snapshot(id, resource_id) = subject else {
            return Err(TransferError::Overruled);
        };
        loop {
            let stored = self.read_snapshot(id, resource_id).await?;
            let stored = stored.ok_or(TransferError::Overruled)?;
            let next = records::snapshot_taken(&stored.record, run, image);
            let next = next.ok_or(TransferError::Overruled)?;
            let message = format!("{} cluster snapshot created", next.word());
            let (event_id, event) = snapshot_event(
                UnixMillis::now(),
                &self.base.config.owner,
                id,
                &message,
                EventCategory::Backup,
            );
            let txn = Txn::new().replace(&stored, &next).put(&event_id, &event);
            match self.base.catalog.commit(txn).await {
                // A change of its tags came first.
                Err(CatalogError::Conflict { .. }) => {}
                other => return Ok(other.map(|_| ())?),
            }
        }
    }
}

enum Message {
    /// How many pages there are.
    Total(u64),
    Part(LocalPart),
}

/// Reads all pages into files. Blocks; ends early when nobody takes the files any more.
fn read_parts(
    view: Arc<View>,
    place: PathBuf,
    sender: mpsc::Sender<Message>,
) -> Result<(), TransferError> {
    let page_bytes = u32::try_from(view.page_bytes()).expect("pages are small");
    let mut source = PageSource::new(view)?;
    let send = |message| {
        sender
            .blocking_send(message)
            .map_err(|_| TransferError::Overruled)
    };
    send(Message::Total(source.pages()))?;
    let mut open: Option<OpenPart> = None;
    while let Some(pages) = source.next_pages()? {
        for (page, bytes) in pages {
            let part = match &mut open {
                Some(part) => part,
                None => open.insert(OpenPart::new(&place, page_bytes)?),
            };
            part.put(page, &bytes)?;
        }
        if let Some(part) = open.take_if(|part| part.is_full()) {
            send(Message::Part(part.finish(source.pages_read())?))?;
        }
    }
    if let Some(part) = open {
        send(Message::Part(part.finish(source.pages_read())?))?;
    }
    Ok(())
}

/// A file that is being written; it goes with itself.
struct OpenPart(PartWriter<BufWriter<NamedTempFile>>);

impl OpenPart {
    fn new(place: &Path, page_bytes: u32) -> Result<OpenPart, TransferError> {
        let file = BufWriter::new(NamedTempFile::new_in(place)?);
        Ok(OpenPart(PartWriter::new(file, page_bytes)?))
    }

    fn put(&mut self, page: PageId, bytes: &[u8]) -> Result<(), PartError> {
        self.0.put(page, bytes)
    }

    fn is_full(&self) -> bool {
        self.0.bytes() >= PART_BYTES
    }

    fn finish(self, pages_read: u64) -> Result<LocalPart, TransferError> {
        let pages = self.0.pages();
        let file = self.0.finish()?.into_inner();
        Ok(LocalPart {
            file: file.map_err(|e| TransferError::Io(e.into_error()))?,
            pages,
            pages_read,
        })
    }
}
