//! Takes a shard's snapshot: the server saves, and its file goes to the archive.
//!
//! Invariants
//! - What is stored is a file that was whole before, and that nobody changes: a hard link. A later save puts another file in
//!   the place of the first.
//! - It was begun after the order: it is another file than the one that was there.
//! - The same process, in the role of the record, had everything before the save and after it: a replica that has just
//!   started anew is empty until it has copied its primary, and would save that.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate_archive::{Archive, ArchiveError, ObjectInfo, ObjectName};
use quorate_base::UnixMillis;
use quorate_control::{CatalogError, Stored};
use quorate_engines::EngineError;
use quorate_engines::redis::{AGENT_ACCOUNT, RedisClient, ServerInfo};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::agent::driver::StepError;
use crate::agent::member::Member;
use crate::model::{Cache, Desired, Order, Shard, Snapshot, SnapshotStatus};

/// How long saves may take: one that is under way, and ours.
const SAVE_MAX: Duration = Duration::from_secs(3_600);
/// How long a server may be without its role, or a replica without its link.
const FIT_MAX: Duration = Duration::from_secs(60);
/// How long a server may seem to do nothing after it has taken the order.
const IDLE_MAX: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
enum TakeError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("{doing}: {source}")]
    Io {
        doing: &'static str,
        source: io::Error,
    },
    #[error("the server could not write its data to its disk")]
    NotSaved,
    #[error("the server has not all data: it follows nobody, or has changed its role")]
    NotWhole,
    #[error("the server has started anew under the save")]
    StartedAnew,
    #[error("the server did not save its data within {} s", .0.as_secs())]
    Late(Duration),
    #[error("no archive is configured on node {0}")]
    NoArchive(String),
    #[error("it was given up")]
    Ended,
}

/// A snapshot that is being taken, or has just been. Ends when it is dropped.
pub(crate) struct Taking {
    name: String,
    attempt: u32,
    object: String,
    task: JoinSet<Result<ObjectInfo, TakeError>>,
}

impl Member {
    /// Takes the snapshot that the catalog wants from this member, a step at each look.
    pub(crate) async fn take_snapshot(
        &mut self,
        cache: &Stored<Cache>,
        shard: &Shard,
    ) -> Result<(), StepError> {
        let Some((snapshot, attempt)) = self.wanted_snapshot(&cache.record)? else {
            self.taking = None;
            return Ok(());
        };
        let object = snapshot.record.object(&snapshot.id, self.id.shard, attempt);
        let same = |taking: &&mut Taking| taking.object == object;
        let Some(taking) = self.taking.as_mut().filter(same) else {
            tracing::info!(cache = %cache.id, snapshot = %snapshot.id, attempt, "a snapshot is taken");
            self.taking = Some(Taking {
                task: self.spawn_take(&cache.record, shard, &object)?,
                name: snapshot.id,
                attempt,
                object,
            });
            return Ok(());
        };
        let result = match taking.task.try_join_next() {
            None if !taking.task.is_empty() => return Ok(()),
            None => Err(TakeError::Ended),
            Some(joined) => joined.unwrap_or(Err(TakeError::Ended)),
        };
        let taking = self.taking.take();
        match taking {
            Some(taking) => self.note_taken(shard, &taking, result).await,
            None => Ok(()),
        }
    }

    /// The snapshot that is wanted from this member, and which attempt it is.
    fn wanted_snapshot(
        &self,
        cache: &Cache,
    ) -> Result<Option<(Stored<Snapshot>, u32)>, CatalogError> {
        let name = match (&cache.desired, cache.orders.first()) {
            (Desired::Deleted { final_snapshot }, _) => final_snapshot.as_ref(),
            (Desired::Running, Some(Order::Snapshot { name, .. })) => Some(name),
            (Desired::Running, _) => None,
        };
        let Some(name) = name else {
            return Ok(None);
        };
        let snapshot = self.host.catalog.view().read::<Snapshot>(name)?;
        Ok(snapshot.and_then(|snapshot| {
            let record = &snapshot.record;
            let taker = record.takers.get(&self.id.shard)?;
            let wanted = record.resource_id == self.id.resource_id
                && record.status == SnapshotStatus::Creating
                && taker.member == Some(self.id.member);
            let attempt = taker.attempt;
            wanted.then_some((snapshot, attempt))
        }))
    }

    fn spawn_take(
        &self,
        cache: &Cache,
        shard: &Shard,
        object: &str,
    ) -> Result<JoinSet<Result<ObjectInfo, TakeError>>, StepError> {
        let paths = self.paths()?;
        let client = RedisClient::new(paths.socket(), AGENT_ACCOUNT, &cache.inner_password)?;
        let server = Server {
            client,
            leads: shard.primary == Some(self.id.member),
            rdb: paths.rdb(),
            link: self.root.join("snapshot.rdb"),
        };
        let archive = self.host.archive.clone();
        let node = self.host.config.node.to_string();
        let object = object.parse::<ObjectName>();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let archive = archive.ok_or(TakeError::NoArchive(node))?;
            server.take(&archive, &object?).await
        });
        Ok(task)
    }

    /// Writes into the record what an attempt came to, if it still is the one that is wanted.
    async fn note_taken(
        &self,
        shard: &Shard,
        taking: &Taking,
        result: Result<ObjectInfo, TakeError>,
    ) -> Result<(), StepError> {
        let (number, member) = (self.id.shard, self.id.member);
        let outcome = result.map_err(|e| e.to_string());
        tracing::info!(snapshot = %taking.name, member = %self.id.folder(), ?outcome, "an attempt at a snapshot has ended");
        let change = |snapshot: &mut Snapshot| {
            let taker = snapshot.takers.get(&number);
            let own = taker
                .filter(|taker| taker.member == Some(member) && taker.attempt == taking.attempt);
            let same = snapshot.object(&taking.name, number, taking.attempt) == taking.object;
            let (Some(taker), true) = (own, same && snapshot.status == SnapshotStatus::Creating)
            else {
                return false;
            };
            match &outcome {
                Ok(info) => {
                    let (slots, object) = (shard.slots.clone(), taking.object.clone());
                    snapshot
                        .shards
                        .push((number, slots, object, info.size_bytes));
                    snapshot.takers.remove(&number);
                }
                Err(why) => {
                    let failed = taker.failed(why.clone(), UnixMillis::now());
                    snapshot.takers.insert(number, failed);
                }
            }
            true
        };
        let catalog = &self.host.catalog;
        if catalog.read::<Snapshot>(&taking.name).await?.is_some() {
            catalog.update(&taking.name, change).await?;
        }
        Ok(())
    }
}

/// A server whose data is saved.
struct Server {
    client: RedisClient,
    /// Whether it is the primary, by the record.
    leads: bool,
    rdb: PathBuf,
    /// The second name of what it saved.
    link: PathBuf,
}

impl Server {
    async fn take(&self, archive: &Archive, object: &ObjectName) -> Result<ObjectInfo, TakeError> {
        match archive.head(object).await {
            Err(ArchiveError::NotFound { .. }) => {}
            // An agent that was killed had come this far: the name is that of this attempt of this member.
            stored => return Ok(stored?),
        }
        tokio::time::timeout(SAVE_MAX, self.save())
            .await
            .unwrap_or(Err(TakeError::Late(SAVE_MAX)))?;
        let stored = match archive.store_file(object, &self.link).await {
            Err(ArchiveError::AlreadyThere { .. }) => archive.head(object).await,
            stored => stored,
        };
        remove(&self.link)?;
        Ok(stored?)
    }

    /// Whether what the server has is what the shard has.
    fn is_fit(&self, info: &ServerInfo) -> bool {
        let whole = match &info.replica {
            Some(replica) => !self.leads && replica.linked && !replica.copying,
            None => self.leads,
        };
        whole && !info.loading
    }

    /// Has the server save, and returns once a file that it began after that has its second name.
    async fn save(&self) -> Result<(), TakeError> {
        let (run_id, before) = self.begin().await?;
        let mut idle_since = Instant::now();
        loop {
            let info = self.client.info().await?;
            let is_new = identity(&self.rdb)? != before;
            if info.run_id != run_id {
                return Err(TakeError::StartedAnew);
            } else if info.saving {
                idle_since = Instant::now();
            } else if is_new {
                break;
            } else if !info.save_ok {
                return Err(TakeError::NotSaved);
            } else if idle_since.elapsed() > IDLE_MAX {
                return Err(TakeError::Late(IDLE_MAX));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        pin(&self.rdb, &self.link)?;
        // A process that came in between may have put down less.
        let info = self.client.info().await?;
        if info.run_id != run_id {
            return Err(TakeError::StartedAnew);
        }
        self.is_fit(&info).then_some(()).ok_or(TakeError::NotWhole)
    }

    /// Orders a save of a server that has everything; gives its process and the file that was there.
    async fn begin(&self) -> Result<(String, Option<Identity>), TakeError> {
        let mut unfit_since = Instant::now();
        loop {
            let info = self.client.info().await?;
            if self.is_fit(&info) {
                unfit_since = Instant::now();
            } else if unfit_since.elapsed() > FIT_MAX {
                return Err(TakeError::NotWhole);
            }
            if self.is_fit(&info) && !info.saving {
                let before = identity(&self.rdb)?;
                // On the connection of the last question: to the same process, or to none.
                match self.client.background_save().await {
                    Ok(()) => return Ok((info.run_id, before)),
                    Err(e) if e.to_string().contains("in progress") => {}
                    Err(e) => return Err(e.into()),
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Inode and time of a file.
type Identity = (u64, i64, i64);

/// What tells a file from the one that takes its place: a server writes another file and renames it.
fn identity(rdb: &Path) -> Result<Option<Identity>, TakeError> {
    match fs::symlink_metadata(rdb) {
        Ok(found) => Ok(Some((found.ino(), found.mtime(), found.mtime_nsec()))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io_error("look at the server's data")(e)),
    }
}

/// Gives the file a second name, in a folder that the server does not use.
fn pin(rdb: &Path, link: &Path) -> Result<(), TakeError> {
    remove(link)?;
    let doing = "keep the server's data for a snapshot";
    fs::hard_link(rdb, link).map_err(io_error(doing))?;
    // The engine's account must not have another file read in place of its own.
    let found = fs::symlink_metadata(link).map_err(io_error(doing))?;
    if found.is_file() {
        return Ok(());
    }
    let other = io::Error::other("what the server wrote is no file");
    Err(io_error(doing)(other))
}

fn remove(link: &Path) -> Result<(), TakeError> {
    match fs::remove_file(link) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(io_error("remove a snapshot's file")(e))
        }
        _ => Ok(()),
    }
}

fn io_error(doing: &'static str) -> impl FnOnce(io::Error) -> TakeError {
    move |source| TakeError::Io { doing, source }
}
