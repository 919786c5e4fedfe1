//! `logs`: of nodes, and of the engines of instances, clusters and caches.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};

use quorate_base::NodeId;
use quorate_elasticache::agent::member_folder;
use quorate_elasticache::model::Cache;
use quorate_rds::aurora::model::Cluster;
use quorate_rds::model::Instance;
use quorate_region::Identity;

use crate::cli::LogsArgs;
use crate::gateway::GatewayRegion;
use crate::layout::Layout;
use crate::region_setup::load_map;
use crate::table::say;

/// How much of a log's end is looked at for its last lines.
const TAIL_BYTES_MAX: u64 = 4 << 20;
/// Time between two looks at a log that is followed.
const FOLLOW_EVERY: Duration = Duration::from_millis(300);

/// Prints the ends of logs, and what is added to them.
pub(crate) async fn logs(args: LogsArgs) -> anyhow::Result<()> {
    let layout = args.data.layout()?;
    let logs = find(&layout, args.of.as_deref()).await?;
    ensure!(!logs.is_empty(), "there is no log of that yet");
    let mut at = Vec::new();
    for (name, path) in &logs {
        at.push(print_tail(name, path, args.lines)?);
    }
    if !args.follow {
        return Ok(());
    }
    loop {
        tokio::time::sleep(FOLLOW_EVERY).await;
        for ((name, path), at) in logs.iter().zip(&mut at) {
            *at = print_from(name, path, *at)?;
        }
    }
}

async fn find(layout: &Layout, of: Option<&str>) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut nodes: Vec<NodeId> = Vec::new();
    for region in layout.regions() {
        nodes.extend(load_map(layout, &region)?.nodes.into_iter().map(|n| n.id));
    }
    let mut logs = Vec::new();
    let of_nodes = nodes
        .iter()
        .filter(|node| of.is_none_or(|of| node.as_str() == of));
    logs.extend(of_nodes.map(|node| (node.to_string(), layout.node_log(node))));
    if let Some(id) = of.filter(|_| logs.is_empty()) {
        for region in layout.regions() {
            let identity = Identity::load(&layout.gateway_identity(&region))?;
            let catalog = GatewayRegion::follow(identity)?.remote.catalog();
            let id = id.to_lowercase();
            if let Some(stored) = catalog.read::<Cache>(&id).await? {
                logs.extend(cache_logs(layout, &stored.record));
            }
            for stored in catalog.list::<Cluster>().await? {
                logs.extend(cluster_logs(layout, &id, &stored.id, &stored.record));
            }
            let Some(stored) = catalog.read::<Instance>(&id).await? else {
                continue;
            };
            for node in stored.record.topology.members.keys() {
                let folder = layout
                    .node(node)
                    .join("members")
                    .join(&stored.record.resource_id);
                logs.push((node.to_string(), folder.join("log/postgres.log")));
            }
        }
    }
    logs.retain(|(_, path)| path.exists());
    Ok(logs)
}

/// The logs of a cluster's members, or of one of them: those of their engines, and of the mounts below.
fn cluster_logs(layout: &Layout, of: &str, id: &str, cluster: &Cluster) -> Vec<(String, PathBuf)> {
    let mut logs = Vec::new();
    for (name, member) in &cluster.members {
        let Some(node) = member.node.as_ref().filter(|_| of == id || of == name) else {
            continue;
        };
        let folder = layout.node(node).join("clusters").join(&member.resource_id);
        for log in ["mount", "postgres", "mariadb", "slow"] {
            let path = folder.join("log").join(format!("{log}.log"));
            logs.push((format!("{node} {log}"), path));
        }
    }
    logs
}

/// The log of each member of a cache.
fn cache_logs(layout: &Layout, cache: &Cache) -> Vec<(String, PathBuf)> {
    let mut logs = Vec::new();
    for (shard, its) in &cache.topology.shards {
        for (number, member) in &its.members {
            let Some(node) = &member.node else {
                continue;
            };
            let folder = member_folder(&cache.resource_id, *shard, *number);
            let path = layout.node(node).join("caches").join(folder);
            logs.push((node.to_string(), path.join("log/server.log")));
        }
    }
    logs
}

/// Prints the last lines; returns where the log ended.
fn print_tail(name: &str, path: &PathBuf, lines: usize) -> anyhow::Result<u64> {
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let end = file.metadata()?.len();
    file.seek(SeekFrom::Start(end.saturating_sub(TAIL_BYTES_MAX)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    for line in &all[all.len().saturating_sub(lines)..] {
        say(&format!("{name}  {line}"));
    }
    Ok(end)
}

fn print_from(name: &str, path: &PathBuf, at: u64) -> anyhow::Result<u64> {
    let mut file = File::open(path)?;
    // A log that became shorter was begun anew.
    let at = if file.metadata()?.len() < at { 0 } else { at };
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    // Half a line waits for its other half.
    let whole = bytes
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |end| end + 1);
    for line in String::from_utf8_lossy(&bytes[..whole]).lines() {
        say(&format!("{name}  {line}"));
    }
    Ok(at + whole as u64)
}
