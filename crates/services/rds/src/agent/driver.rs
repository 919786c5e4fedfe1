//! The driver of one member: looks, asks what is next, does it, until the member is gone.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use quorate_control::CatalogError;
use quorate_engines::EngineError;
use quorate_engines::postgres::StopMode;

use crate::agent::facts::Look;
use crate::agent::member::Member;
use crate::decide::member::{MemberStep, decide_member};
use crate::model::{EngineState, MemberReport};

/// Time between two looks at an engine that runs as it should.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Time between two looks while something is under way elsewhere.
const WAIT_EVERY: Duration = Duration::from_millis(250);
/// First and longest pause after a step that failed.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How long engines have to stop in order when the node stops.
const NODE_STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Why a step was not done. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    /// The engine, its folder or its tools.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// What is asked for cannot be worked out.
    #[error("the configuration cannot be worked out: {0}")]
    Configuration(String),
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
    let mut lease = member.host.lease.watch();
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
            Ok(Progress::Steady) => {
                retry = RETRY_MIN;
                LOOK_EVERY
            }
            Ok(Progress::Waiting) => WAIT_EVERY,
            Err(e) => {
                tracing::warn!(resource = %member.resource_id, error = %e, "a step failed and is tried again");
                member.storage_full |= matches!(e, StepError::Engine(EngineError::NoSpace { .. }));
                tell_trouble(&mut member, &e);
                retry = (retry * 2).min(RETRY_MAX);
                retry
            }
        };
        let exited = async {
            match &member.engine {
                Some(engine) => drop(engine.server.exited().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = bell.changed() => {}
            _ = lease.changed(), if member.engine.is_none() => {}
            () = exited => {}
            () = stop.cancelled() => break,
        }
    }
    stop_with_node(&mut member).await;
}

async fn look_once(member: &mut Member) -> Result<Progress, StepError> {
    member.notice_exit();
    let Some(look) = Look::at(&member.host.catalog, &member.resource_id)? else {
        return member.leave_when_gone().await;
    };
    let Some(facts) = member.facts(&look)? else {
        return member.leave_when_gone().await;
    };
    let step = decide_member(&facts);
    if !matches!(step, MemberStep::Supervise | MemberStep::Wait(_)) {
        tracing::info!(instance = %look.id(), ?step, epoch = %facts.own.epoch, "member");
    }
    member.perform(&look, &facts, step).await
}

fn tell_trouble(member: &mut Member, e: &StepError) {
    let engine = if member.engine.is_some() {
        member.report.engine
    } else {
        EngineState::Down
    };
    let report = MemberReport {
        engine,
        storage_full: member.storage_full,
        detail: Some(e.to_string()),
        ..member.report.clone()
    };
    member.tell(report);
}

/// The node stops: a leader writes its last checkpoint, a follower just ends.
async fn stop_with_node(member: &mut Member) {
    let Some(engine) = &member.engine else { return };
    if engine
        .server
        .stop(StopMode::Fast, NODE_STOP_TIMEOUT)
        .await
        .is_err()
    {
        engine.server.kill().await;
    }
    member.drop_engine();
}
