//! Lays a snapshot's data down for the first start of a new cache's first members.
//!
//! Invariant: data is laid down only for a member that has never run, so nothing that a client wrote is replaced.

use std::fs;
use std::io;

use quorate_archive::{ArchiveError, ObjectName};
use quorate_control::{CatalogError, Stored};
use quorate_engines::EngineError;

use crate::agent::driver::StepError;
use crate::agent::member::Member;
use crate::decide::snapshot::decide_source;
use crate::model::{
    Cache, CacheKind, Desired, EngineState, Member as MemberRecord, MemberState, Shard, Snapshot,
    Status,
};

/// Attempts before a cache that was to begin with a snapshot has failed.
const RESTORES_MAX: u32 = 5;

/// Why a snapshot's data is not there, or not taken by the server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error("{doing}: {source}")]
    Io { doing: String, source: io::Error },
    #[error("no archive is configured on node {0}")]
    NoArchive(String),
    #[error("{0}")]
    DoesNotFit(String),
}

impl RestoreError {
    /// Whether another attempt would end the same way.
    fn is_final(&self) -> bool {
        matches!(
            self,
            RestoreError::NoArchive(_)
                | RestoreError::DoesNotFit(_)
                | RestoreError::Archive(
                    ArchiveError::NotFound { .. }
                        | ArchiveError::Corrupt { .. }
                        | ArchiveError::BadName { .. }
                )
        )
    }
}

/// The snapshot that a member is to begin with, as it starts as its shard's first member and has never run.
pub(crate) fn begins_with<'a>(
    cache: &'a Cache,
    member: &MemberRecord,
    leads: bool,
) -> Option<&'a str> {
    let first = leads && member.state == MemberState::Placed && cache.kind != CacheKind::Memcached;
    cache.restore_from.as_deref().filter(|_| first)
}

impl Member {
    /// Whether the member does not start as its cache's snapshot could not be restored. It waits for the cache's deletion.
    pub(crate) fn cannot_restore(
        &mut self,
        cache: &Cache,
        shard: &Shard,
        record: &MemberRecord,
    ) -> bool {
        let waits = cache.status == Status::RestoreFailed
            && cache.desired == Desired::Running
            && record.state == MemberState::Placed
            && self.engine.is_none();
        if waits {
            self.tell(shard, EngineState::Down, cache.status_detail.clone());
        }
        waits
    }

    /// Fetches the data of this member's shard. False when the cache has failed by that.
    pub(crate) async fn restore(
        &mut self,
        cache: &Stored<Cache>,
        name: &str,
    ) -> Result<bool, StepError> {
        match self.lay_down(&cache.record, name).await {
            Ok(()) => Ok(true),
            Err(e) => {
                self.note_restore_failure(cache, e).await?;
                Ok(false)
            }
        }
    }

    async fn lay_down(&self, cache: &Cache, name: &str) -> Result<(), RestoreError> {
        let archive = self.host.archive.as_ref();
        let archive =
            archive.ok_or_else(|| RestoreError::NoArchive(self.host.config.node.to_string()))?;
        let snapshot = self.host.catalog.read::<Snapshot>(name).await?;
        let gone = || RestoreError::DoesNotFit(String::from("it is gone"));
        let snapshot = snapshot.ok_or_else(gone)?;
        let (object, bytes) = decide_source(cache, self.id.shard, &snapshot.record)
            .map_err(RestoreError::DoesNotFit)?;
        let object: ObjectName = object.parse()?;
        let paths = self.paths()?;
        let fetched = self.root.join("restore.rdb");
        let info = archive.fetch_file(&object, &fetched, None).await?;
        if info.size_bytes != bytes {
            return Err(RestoreError::DoesNotFit(format!(
                "the object `{object}` has {} bytes, the snapshot {bytes}",
                info.size_bytes
            )));
        }
        self.host.account.chown_tree(&fetched)?;
        let doing = format!("put {} in its place", fetched.display());
        let placed = fs::rename(&fetched, paths.rdb())
            .and_then(|()| fs::File::open(paths.data())?.sync_all());
        placed.map_err(|source| RestoreError::Io { doing, source })
    }

    /// Counts a failure. Once there were too many, or another attempt is of no use, the cache has failed.
    pub(crate) async fn note_restore_failure(
        &mut self,
        cache: &Stored<Cache>,
        error: RestoreError,
    ) -> Result<(), StepError> {
        if matches!(error, RestoreError::Catalog(_)) {
            return Err(error.into());
        }
        self.restore_failures += 1;
        if !error.is_final() && self.restore_failures < RESTORES_MAX {
            return Err(error.into());
        }
        let name = cache.record.restore_from.clone().unwrap_or_default();
        let message = format!("Restoring from snapshot '{name}' failed: {error}");
        tracing::error!(cache = %cache.id, "{message}");
        let change = |cache: &mut Cache| {
            if cache.restore_from.take().is_some() {
                cache.status = Status::RestoreFailed;
                cache.status_detail = Some(message.clone());
            }
        };
        Ok(self.host.change(cache, Some(&message), change).await?)
    }
}
