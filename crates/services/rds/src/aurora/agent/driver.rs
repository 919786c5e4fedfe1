//! The driver of one member: looks, asks what is next, does it, until the member is gone.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::agent::driver::{Progress, StepError};
use crate::aurora::agent::engine::Stop;
use crate::aurora::agent::look::Look;
use crate::aurora::agent::member::Member;
use crate::aurora::decide::member::{MemberStep, decide_member};

/// Time between two looks at an engine that runs as it should.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Time between two looks while something is under way elsewhere.
const WAIT_EVERY: Duration = Duration::from_millis(250);
/// First and longest pause after a step that failed.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Drives a member until it is gone, or the node stops: then its engine is stopped in order.
pub(super) async fn drive(mut member: Member, stop: CancellationToken) {
    let mut bell = member.host.base.catalog.view().subscribe();
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
                member.tell_trouble(e.to_string());
                retry = (retry * 2).min(RETRY_MAX);
                retry
            }
        };
        let server = member.server();
        let exited = async {
            match &server {
                Some(server) => drop(server.exited().await),
                None => std::future::pending().await,
            }
        };
        let mount_changed = member.mount_changed();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = bell.changed() => {}
            () = mount_changed => {}
            () = exited => {}
            () = stop.cancelled() => break,
        }
    }
    member.end_all(Stop::InOrder).await;
}

async fn look_once(member: &mut Member) -> Result<Progress, StepError> {
    member.notice_exit();
    let Some(look) = Look::at(&member.host.base.catalog, &member.resource_id)? else {
        return member.leave_when_gone().await;
    };
    if look.member().node.as_ref() != Some(&member.host.base.config.node) {
        return member.leave_when_gone().await;
    }
    let facts = member.facts(&look);
    let step = decide_member(&facts);
    if !matches!(step, MemberStep::Supervise | MemberStep::Wait(_)) {
        tracing::info!(member = %look.name(), ?step, epoch = %facts.epoch, "member of a cluster");
    }
    member.perform(&look, step).await
}
