//! One attempt at archiving a volume's log: reads it from segments into files, stores these, tells the catalog.
//!
//! ```text
//!             held for us ──────────────┐
//!  ───────────┼─────────────────────────┼──────────────▶ LSN
//!   archived  │ in files on this disk   │ not read yet
//!          `stored`                   `read`
//! ```

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quorate_archive::{Archive, ArchiveError};
use quorate_base::UnixMillis;
use quorate_volume::Layout;
use quorate_volume::protocol::{Lsn, VolumeId};
use quorate_volume::redo::{Moment, ReadError, RedoEntry, RedoHeader, RedoSource};
use rand::Rng;
use tokio::time::Instant;

use crate::aurora::agent::backup::spool::{Spool, Waiting};
use crate::aurora::agent::host::AuroraHost;
use crate::aurora::agent::layout::layout_of;
use crate::aurora::agent::transfer::TransferError;
use crate::aurora::model::{ClusterBackup, RunOf};
use crate::aurora::records::{self, ArchivedFile};

/// Longest time between two looks at what the log has.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time between two renewals of what segments keep.
const HOLD_EVERY: Duration = Duration::from_secs(10);
/// How long the archive may take no file before another node tries.
const STORE_WITHIN: Duration = Duration::from_secs(30);

struct Archiver<'a> {
    host: &'a Arc<AuroraHost>,
    archive: Archive,
    resource_id: &'a str,
    run: RunOf,
    layout: Layout,
    source: RedoSource,
    spool: Spool,
    /// Up to where the log is archived.
    stored: Lsn,
    /// Up to where it was read.
    read: Lsn,
    /// What was acknowledged before the moment lies at or below the LSN.
    bound: Option<(Lsn, UnixMillis)>,
    /// The same, of bounds that have been read.
    claims: VecDeque<(Lsn, UnixMillis)>,
    /// All that was acknowledged before this is archived.
    until: UnixMillis,
    /// When the catalog was last told.
    told: Instant,
    held: Option<Instant>,
    /// Since when the archive takes nothing.
    failing: Option<Instant>,
}

/// Archives a volume's log until something stands in the way.
pub(super) async fn archive_log(
    host: &Arc<AuroraHost>,
    resource_id: &str,
    run: RunOf,
) -> Result<Infallible, TransferError> {
    let mut archiver = Archiver::begin(host, resource_id, run).await?;
    let every = host.config.backup_every;
    loop {
        let read = archiver.read_on().await;
        if let Err(TransferError::Read(ReadError::Gone(_)) | TransferError::Behind(_)) = &read {
            archiver.end_chain(&read).await?;
        }
        read?;
        archiver.store(every).await?;
        archiver.hold().await;
        tokio::time::sleep(LOOK_EVERY.min(every)).await;
    }
}

impl<'a> Archiver<'a> {
    /// Goes on where the catalog says that the log is archived, or begins a chain where it says nothing.
    async fn begin(
        host: &'a Arc<AuroraHost>,
        resource_id: &'a str,
        run: RunOf,
    ) -> Result<Archiver<'a>, TransferError> {
        let archive = host.archive_or_error()?.clone();
        let volume = VolumeId(resource_id.to_owned());
        let layout = layout_of(host.base.catalog.view(), &volume)?;
        let layout = layout.ok_or(TransferError::Late("the volume is not placed"))?;
        let own = host.base.config.node.clone();
        let id = rand::rng().random();
        let source = RedoSource::new(host.caller.clone(), layout.clone(), own, id);
        let backup = host.base.catalog.read::<ClusterBackup>(resource_id).await?;
        let backup = backup.ok_or(TransferError::Overruled)?.record;
        let goes_on = backup.open_chain().map(|chain| (chain.end(), chain.until));
        let now = UnixMillis::now();
        let (after, until) = match goes_on {
            Some(end) => end,
            // What was acknowledged by then is not known yet.
            None => (source.complete().await?.vdl, UnixMillis(0)),
        };
        let header = RedoHeader {
            volume,
            page_bytes: layout.page_bytes,
            pages_per_group: layout.pages_per_group,
            number: 0,
            after,
        };
        let mut archiver = Archiver {
            spool: Spool::new(&host.config.transfers, header),
            host,
            archive,
            resource_id,
            run,
            layout,
            source,
            stored: after,
            read: after,
            bound: None,
            claims: VecDeque::new(),
            until,
            told: Instant::now(),
            held: None,
            failing: None,
        };
        if goes_on.is_none() {
            archiver.begin_chain(now).await?;
        }
        archiver.hold().await;
        tracing::info!(volume = %resource_id, lsn = %after, goes_on = goes_on.is_some(), "the log is archived");
        Ok(archiver)
    }

    /// Stores a first file without records: where that cannot be done no chain is begun, and nothing held.
    async fn begin_chain(&mut self, now: UnixMillis) -> Result<(), TransferError> {
        let begin = Moment {
            lsn: self.read,
            at: UnixMillis::now(),
        };
        self.spool.put(vec![RedoEntry::Moment(begin)])?;
        self.spool.end_when_older(Duration::ZERO)?;
        let first = self.spool.waiting.pop_front();
        let first = first.expect("a file that ends with a moment may end");
        let file = self.describe(&first);
        self.store_file(&file, &first).await?;
        let run = self.run;
        self.tell(|backup| records::log_begun(backup, run, &file, now))
            .await
    }

    fn describe(&self, waiting: &Waiting) -> ArchivedFile {
        let folder = ClusterBackup::folder(self.resource_id);
        let RunOf { number, run } = self.run;
        ArchivedFile {
            folder: format!("{folder}/log/{number}-{run:016x}-{}", waiting.folder),
            number: waiting.number,
            after: waiting.after,
            end: waiting.end.lsn,
            until: self.until,
            groups: u32::try_from(self.layout.groups.len()).unwrap_or(u32::MAX),
        }
    }

    async fn store_file(&self, file: &ArchivedFile, from: &Waiting) -> Result<(), TransferError> {
        let name = format!("{}/{:08}.log", file.folder, file.number);
        match self
            .archive
            .store_file(&name.parse()?, from.file.path())
            .await
        {
            // An answer was lost: the name is this run's alone.
            Ok(_) | Err(ArchiveError::AlreadyThere { .. }) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Writes into the catalog what `change` makes of the record; an error once this run was overruled.
    async fn tell(
        &mut self,
        change: impl Fn(&ClusterBackup) -> Option<ClusterBackup>,
    ) -> Result<(), TransferError> {
        let was_told = AtomicBool::new(false);
        let noted = |backup: &ClusterBackup| {
            let next = change(backup);
            was_told.store(next.is_some(), Ordering::Relaxed);
            next
        };
        self.host.change_backup(self.resource_id, noted).await?;
        if !was_told.load(Ordering::Relaxed) {
            return Err(TransferError::Overruled);
        }
        self.told = Instant::now();
        Ok(())
    }

    /// Reads the log up to what is complete.
    async fn read_on(&mut self) -> Result<(), TransferError> {
        let volume = VolumeId(self.resource_id.to_owned());
        if let Some(layout) = layout_of(self.host.base.catalog.view(), &volume)?
            && layout != self.layout
        {
            self.source.set_layout(layout.clone());
            self.layout = layout;
        }
        let asked_at = UnixMillis::now();
        let complete = match self.source.complete().await {
            Ok(complete) => complete,
            Err(e) => {
                tracing::debug!(volume = %volume, error = %e, "no log is read");
                return Ok(());
            }
        };
        // Each of them is a bound for what was acknowledged before the first.
        self.bound = match (self.bound, complete.bound) {
            (Some((bound, at)), Some(newer)) => Some((bound.min(newer), at)),
            (bound, newer) => bound.or(newer.map(|newer| (newer, asked_at))),
        };
        if complete.vdl > self.read {
            let now = UnixMillis::now();
            let mut reading = self.source.read(&complete, self.read, now).await;
            loop {
                let entries = match reading.next_entries().await {
                    Ok(entries) => entries,
                    Err(e @ ReadError::Gone(_)) => return Err(e.into()),
                    Err(e) => {
                        tracing::debug!(volume = %volume, error = %e, "the log is not read on");
                        break;
                    }
                };
                self.read = reading.at();
                if entries.is_empty() {
                    break;
                }
                self.spool.put(entries)?;
                self.spool.check_bound()?;
            }
        }
        if let Some((bound, at)) = self.bound
            && self.read >= bound
        {
            self.claims.push_back((bound, at));
            self.bound = None;
        }
        Ok(())
    }

    /// Stores what waits, and tells the catalog; also that nothing was written.
    async fn store(&mut self, every: Duration) -> Result<(), TransferError> {
        self.spool.end_when_older(every)?;
        while let Some(first) = self.spool.waiting.front() {
            let file = self.describe(first);
            if let Err(e) = self.store_file(&file, first).await {
                let since = *self.failing.get_or_insert_with(Instant::now);
                tracing::warn!(volume = %self.resource_id, error = %e, "the archive takes no log");
                return if since.elapsed() < STORE_WITHIN {
                    Ok(())
                } else {
                    Err(e)
                };
            }
            self.failing = None;
            self.claim(file.end);
            let (run, until) = (self.run, self.until);
            let file = ArchivedFile { until, ..file };
            self.tell(|backup| records::log_archived(backup, run, &file))
                .await?;
            self.stored = file.end;
            self.spool.waiting.pop_front();
        }
        if self.spool.is_empty() && self.told.elapsed() >= every {
            self.claim(self.stored);
            let (run, until) = (self.run, self.until);
            self.tell(|backup| records::log_idle(backup, run, until))
                .await?;
        }
        Ok(())
    }

    /// Takes note of what is archived when all up to an LSN is.
    fn claim(&mut self, archived: Lsn) {
        while let Some((bound, at)) = self.claims.front().copied()
            && bound <= archived
        {
            self.until = self.until.max(at);
            self.claims.pop_front();
        }
    }

    /// Has segments keep what is not archived.
    async fn hold(&mut self) {
        if self.held.is_none_or(|held| held.elapsed() >= HOLD_EVERY) {
            self.source.hold(self.stored).await;
            self.held = Some(Instant::now());
        }
    }

    /// Puts on record that the log has a gap from here on, and has segments keep nothing.
    async fn end_chain(&mut self, read: &Result<(), TransferError>) -> Result<(), TransferError> {
        let why = read.as_ref().err().map(ToString::to_string);
        let why = why.unwrap_or_default();
        self.source.let_go().await;
        let run = self.run;
        self.tell(|backup| records::log_ended(backup, run, &why))
            .await
    }
}
