//! The agent's loop: one driver for each member that is placed here, or whose folder lies here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::agent::driver::drive;
use crate::agent::host::AgentHost;
use crate::agent::look::MemberId;
use crate::agent::member::Member;
use crate::agent::sentinel::run_sentinels;

/// Longest time between two looks at the catalog.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Pause after the catalog did not answer.
const RETRY: Duration = Duration::from_millis(300);

/// Drives this node's members, and its Sentinels, until `stop`, then stops the engines in order.
pub async fn run_agent(host: Arc<AgentHost>, stop: CancellationToken) {
    if !prepare(&host, &stop).await {
        return;
    }
    let sentinels = host
        .config
        .sentinels
        .then(|| tokio::spawn(run_sentinels(host.clone(), stop.child_token())));
    let mut driving: BTreeMap<MemberId, JoinHandle<()>> = BTreeMap::new();
    let mut bell = host.catalog.view().subscribe();
    loop {
        bell.mark_unchanged();
        driving.retain(|_, task| !task.is_finished());
        for id in wanted_or_here(&host) {
            driving.entry(id.clone()).or_insert_with(|| {
                tokio::spawn(drive(Member::new(host.clone(), id), stop.child_token()))
            });
        }
        tokio::select! {
            _ = bell.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => break,
        }
    }
    for (id, task) in driving {
        if let Err(e) = task.await {
            tracing::error!(member = %id.folder(), error = %e, "a driver did not stop in order");
        }
    }
    if let Some(task) = sentinels
        && let Err(e) = task.await
    {
        tracing::error!(error = %e, "the Sentinels' keeper did not stop in order");
    }
}

fn wanted_or_here(host: &AgentHost) -> BTreeSet<MemberId> {
    let placed = host.placed().unwrap_or_else(|e| {
        tracing::error!(error = %e, "caches cannot be read");
        Vec::new()
    });
    let entries = std::fs::read_dir(&host.config.folder).into_iter().flatten();
    let here = entries.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        MemberId::of_folder(&name)
    });
    placed.into_iter().chain(here).collect()
}

/// Makes the folder, and registers the host's engines once the catalog answers. False when told to stop.
async fn prepare(host: &AgentHost, stop: &CancellationToken) -> bool {
    if let Err(e) = host.account.make_private_dir(&host.config.folder) {
        tracing::error!(error = %e, "the folder of members cannot be made");
    }
    loop {
        match host.register().await {
            Ok(()) => return true,
            Err(e) => tracing::debug!(error = %e, "the host is not registered yet"),
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            () = stop.cancelled() => return false,
        }
    }
}
