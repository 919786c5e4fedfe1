//! The agent's loop: one driver for each member that is placed here, or whose copy lies here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use quorate_engines::EngineError;
use quorate_engines::postgres::MemberPaths;
use quorate_region::transport::Router;

use crate::agent::driver::drive;
use crate::agent::host::AgentHost;
use crate::agent::member::Member;
use crate::model::Instance;

/// Longest time between two looks at the catalog.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Pause after the catalog did not answer.
const RETRY: Duration = Duration::from_millis(300);

impl AgentHost {
    /// Answers the calls that concern this node's members.
    pub fn route(self: &Arc<Self>, router: &mut Router) {
        crate::agent::cancel::route(self, router);
    }

    fn copy_folder(&self, resource_id: &str) -> PathBuf {
        self.config.folder.join(resource_id)
    }

    /// Resource ids of the copies that lie here, wanted or not.
    fn copies(&self) -> BTreeSet<String> {
        let entries = std::fs::read_dir(&self.config.folder)
            .into_iter()
            .flatten()
            .flatten();
        entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    }

    /// Resource ids of the instances that have a member here.
    fn placed(&self) -> BTreeSet<String> {
        let instances = self.catalog.view().list::<Instance>().unwrap_or_else(|e| {
            tracing::error!(error = %e, "instances cannot be read");
            Vec::new()
        });
        instances
            .into_iter()
            .filter(|i| i.record.topology.members.contains_key(&self.config.node))
            .map(|i| i.record.resource_id)
            .collect()
    }
}

/// Drives this node's members until `stop`, then stops their engines in order.
pub async fn run_agent(host: Arc<AgentHost>, stop: CancellationToken) {
    if !prepare(&host, &stop).await {
        return;
    }
    let mut driving: BTreeMap<String, JoinHandle<()>> = BTreeMap::new();
    let mut bell = host.catalog.view().subscribe();
    loop {
        bell.mark_unchanged();
        driving.retain(|_, task| !task.is_finished());
        for resource_id in host.placed().union(&host.copies()) {
            if driving.contains_key(resource_id) {
                continue;
            }
            match member(&host, resource_id) {
                Ok(member) => {
                    let task = tokio::spawn(drive(member, stop.child_token()));
                    driving.insert(resource_id.clone(), task);
                }
                Err(e) => {
                    tracing::error!(resource = %resource_id, error = %e, "no place for a copy")
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

/// Makes the folder, and registers the host's engines once the catalog answers. False when told to stop.
async fn prepare(host: &AgentHost, stop: &CancellationToken) -> bool {
    if let Err(e) = host.account.make_private_dir(&host.config.folder) {
        tracing::error!(error = %e, "the folder of copies cannot be made");
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

fn member(host: &Arc<AgentHost>, resource_id: &str) -> Result<Member, EngineError> {
    let paths = MemberPaths::new(&host.copy_folder(resource_id), &host.account)?;
    Ok(Member::new(host.clone(), resource_id, paths))
}
