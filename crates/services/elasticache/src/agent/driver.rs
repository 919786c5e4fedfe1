//! The driver of one member: looks, asks what is next, does it, until the member is gone.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use quorate_control::CatalogError;
use quorate_engines::EngineError;

use crate::agent::member::Member;
use crate::agent::restore::RestoreError;
use crate::decide::member::{MemberStep, decide_member};
use crate::model::EngineState;

/// Time between two looks at an engine that runs as it should, or while something is under way elsewhere.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// First and longest pause after a step that failed.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Why a step was not done. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    /// The engine or its folder.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The snapshot that a cache begins with.
    #[error("the snapshot cannot be restored: {0}")]
    Restore(#[from] RestoreError),
    /// This host lacks something.
    #[error("{0}")]
    Host(String),
}

/// What a look came to.
pub(crate) enum Progress {
    /// Something was done: look again at once.
    Done,
    /// All is as it should be.
    Steady,
    /// Something elsewhere has to happen first.
    Waiting,
    /// The member is gone from the catalog and from the disk.
    Gone,
}

/// Drives a member until it is gone, or the node stops: then its engine is stopped in order.
pub(crate) async fn drive(mut member: Member, stop: CancellationToken) {
    let mut bell = member.host.catalog.view().subscribe();
    let mut retry = RETRY_MIN;
    loop {
        bell.mark_unchanged();
        let step = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            result = look_once(&mut member) => result,
        };
        let pause = match step {
            Ok(Progress::Gone) => return,
            Ok(Progress::Done) => {
                retry = RETRY_MIN;
                continue;
            }
            Ok(Progress::Steady | Progress::Waiting) => {
                retry = RETRY_MIN;
                LOOK_EVERY
            }
            Err(e) => {
                tracing::warn!(member = %member.id.folder(), error = %e, "a step failed and is tried again");
                tell_trouble(&mut member, &e);
                retry = (retry * 2).min(RETRY_MAX);
                retry
            }
        };
        let exited = async {
            match &member.engine {
                Some(engine) => drop(engine.exited().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = bell.changed() => {}
            () = exited => {}
            () = stop.cancelled() => break,
        }
    }
    if let Err(e) = member.end_engine().await {
        tracing::warn!(member = %member.id.folder(), error = %e, "a member did not stop in order");
    }
}

async fn look_once(member: &mut Member) -> Result<Progress, StepError> {
    member.notice_exit();
    let Some(cache) = member.host.cache_of(&member.id)? else {
        return member.leave_when_gone().await;
    };
    let Some((shard, record)) = member
        .id
        .clone()
        .in_cache(&cache.record)
        .map(|(s, m)| (s.clone(), m.clone()))
    else {
        return member.leave_when_gone().await;
    };
    if member.cannot_restore(&cache.record, &shard, &record) {
        return Ok(Progress::Waiting);
    }
    let facts = member.facts(&cache, &shard, &record).await?;
    let step = decide_member(&facts);
    if !matches!(step, MemberStep::Supervise | MemberStep::Wait(_)) {
        tracing::info!(cache = %cache.id, member = %member.id.folder(), ?step, epoch = %shard.epoch, "member");
    }
    member.perform(&cache, &shard, &record, step).await
}

fn tell_trouble(member: &mut Member, e: &StepError) {
    let Ok(Some(cache)) = member.host.cache_of(&member.id) else {
        return;
    };
    let Some((shard, _)) = member.id.clone().in_cache(&cache.record) else {
        return;
    };
    // An engine that runs and does not answer is as good as none.
    member.tell(shard, EngineState::Down, Some(e.to_string()));
}
