//! The agent's loops: one driver for each member that is placed here, or that left something here; and the segments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::aurora::agent::driver::drive;
use crate::aurora::agent::host::AuroraHost;
use crate::aurora::agent::member::Member;
use crate::aurora::agent::{backup, transfer, volumes};
use crate::aurora::model::Cluster;

/// Longest time between two looks at the catalog.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Drives this node's members until `stop`; then stops their engines in order. What it does with a member's files waits for
/// segments, some of them on this very node: it needs threads of its own.
pub async fn run_agent(host: Arc<AuroraHost>, stop: CancellationToken) {
    if let Err(e) = host.base.account.make_private_dir(&host.config.folder) {
        tracing::error!(error = %e, "the folder of cluster members cannot be made");
    }
    let mut driving: BTreeMap<String, JoinHandle<()>> = BTreeMap::new();
    let mut bell = host.base.catalog.view().subscribe();
    loop {
        bell.mark_unchanged();
        driving.retain(|_, task| !task.is_finished());
        for resource_id in placed(&host).union(&left(&host)) {
            if driving.contains_key(resource_id) {
                continue;
            }
            match Member::new(host.clone(), resource_id) {
                Ok(member) => {
                    let task = tokio::spawn(drive(member, stop.child_token()));
                    driving.insert(resource_id.clone(), task);
                }
                Err(e) => {
                    tracing::error!(resource = %resource_id, error = %e, "no place for a member")
                }
            }
        }
        tokio::select! {
            _ = bell.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => break,
        }
    }
    for (resource_id, task) in driving {
        if let Err(e) = task.await {
            tracing::error!(resource = %resource_id, error = %e, "a driver did not stop in order");
        }
    }
}

/// Keeps this node's segments as the catalog places them, copies volumes and archives logs, for ever. It must go on while members wait for their files:
/// those files lie on segments.
pub async fn run_segments(host: Arc<AuroraHost>) {
    tokio::join!(
        host.segments.clone().run_gossip(),
        host.segments.clone().run_upkeep(),
        volumes::run(host.clone()),
        transfer::run(host.clone()),
        // Behind the one that makes the folder of files on their way.
        backup::run(host.clone()),
    );
}

/// Resource ids of the members that are placed here.
fn placed(host: &AuroraHost) -> BTreeSet<String> {
    let clusters = host.base.catalog.view().list::<Cluster>();
    let clusters = clusters.unwrap_or_else(|e| {
        tracing::error!(error = %e, "clusters cannot be read");
        Vec::new()
    });
    let members = clusters
        .into_iter()
        .flat_map(|c| c.record.members.into_values());
    members
        .filter(|member| member.node.as_ref() == Some(&host.base.config.node))
        .map(|member| member.resource_id)
        .collect()
}

/// Resource ids of the members that left something here, wanted or not.
fn left(host: &AuroraHost) -> BTreeSet<String> {
    let entries = std::fs::read_dir(&host.config.folder);
    let entries = entries.into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}
