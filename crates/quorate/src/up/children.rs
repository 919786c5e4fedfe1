//! The node processes of a running `up`.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::Signal;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use quorate_base::{NodeId, ZoneName};

use crate::layout::Layout;
use crate::processes::{engines_below, is_stopped, kill_family, mounts_below, runs, signal_family};
use crate::shutdown::STOP_ENGINES;
use crate::up::control::ZoneRow;

/// Time between two looks for nodes that ended.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// First and longest pause before a node that ended by itself is started again.
const RESTART_PAUSE_MIN: Duration = Duration::from_secs(1);
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(30);

/// How long the last threads of a killed process may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the engines of all nodes may take to stop in order, and how often they are looked for.
const ENGINES_TIMEOUT: Duration = Duration::from_secs(45);
const ENGINES_LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a node may take to stop in order.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// When a node that ended by itself is started again.
#[derive(Debug, Clone, Copy, Default)]
struct Restart {
    /// When it was last started again.
    started: Option<Instant>,
    /// The pause before that.
    pause: Duration,
    /// When it is due next, once it has ended.
    due: Option<Instant>,
}

impl Restart {
    /// The pause before the next start: doubled each time, unless the node has run for a while since the last.
    fn pause_after_run(&mut self, now: Instant) -> Duration {
        let ran_well = self
            .started
            .is_none_or(|started| now.duration_since(started) > RESTART_PAUSE_MAX);
        self.pause = if ran_well {
            RESTART_PAUSE_MIN
        } else {
            (self.pause * 2).clamp(RESTART_PAUSE_MIN, RESTART_PAUSE_MAX)
        };
        self.pause
    }
}

/// Starts, signals and stops nodes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Children {
    layout: Layout,
    config: Option<PathBuf>,
    nodes: Arc<Mutex<BTreeMap<NodeId, Option<Child>>>>,
}

impl Children {
    pub(crate) fn new(layout: Layout, config: Option<PathBuf>, nodes: Vec<NodeId>) -> Children {
        let nodes = nodes.into_iter().map(|node| (node, None)).collect();
        Children {
            layout,
            config,
            nodes: Arc::new(Mutex::new(nodes)),
        }
    }

    /// Starts every node that does not run.
    pub(crate) async fn start_all(&self) -> anyhow::Result<()> {
        let mut nodes = self.nodes.lock().await;
        for (node, child) in nodes.iter_mut() {
            self.start_node(node, child).await?;
        }
        Ok(())
    }

    /// Starts a node unless it runs. One that was just killed is waited for: it shows as ended before its last
    /// thread has, and only then can it be reaped.
    async fn start_node(&self, node: &NodeId, slot: &mut Option<Child>) -> anyhow::Result<()> {
        if let (Some(pid), Some(child)) = (pid(slot), slot.as_mut()) {
            if runs(pid) {
                return Ok(());
            }
            let ended = tokio::time::timeout(END_TIMEOUT, child.wait()).await;
            ended.with_context(|| format!("the killed process of {node} does not end"))??;
        }
        *slot = Some(self.spawn(node)?);
        Ok(())
    }

    fn spawn(&self, node: &NodeId) -> anyhow::Result<Child> {
        let log = self.layout.node_log(node);
        let out = OpenOptions::new().create(true).append(true).open(&log);
        let out = out.with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("quorate")
            .args(["node", "--child", "--folder"])
            .arg(self.layout.node(node))
            .arg("--archive")
            .arg(self.layout.archive());
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        // A group of its own: Ctrl-C reaches `up`, which then stops its nodes in order.
        command
            .stdin(Stdio::piped())
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0)
            .kill_on_drop(true);
        command
            .spawn()
            .with_context(|| format!("cannot start the node {node}"))
    }

    /// Starts nodes again that ended by themselves, until the future is dropped. One that was killed stays down:
    /// that is what a zone's death looks like.
    pub(crate) async fn watch(self) {
        let mut restarts: BTreeMap<NodeId, Restart> = BTreeMap::new();
        loop {
            tokio::time::sleep(WATCH_EVERY).await;
            let mut nodes = self.nodes.lock().await;
            for (node, child) in nodes.iter_mut() {
                let status = child
                    .as_mut()
                    .and_then(|child| child.try_wait().ok().flatten());
                if status.and_then(|status| status.code()).is_none() {
                    continue;
                }
                let restart = restarts.entry(node.clone()).or_default();
                let now = Instant::now();
                let due = match restart.due {
                    Some(due) => due,
                    None => {
                        tracing::error!(%node, "a node ended by itself: `quorate logs` tells why");
                        now + restart.pause_after_run(now)
                    }
                };
                restart.due = Some(due);
                if now < due {
                    continue;
                }
                *restart = Restart {
                    due: None,
                    started: Some(now),
                    ..*restart
                };
                match self.spawn(node) {
                    Ok(started) => *child = Some(started),
                    Err(e) => tracing::error!(%node, error = %e, "a node cannot be started"),
                }
            }
        }
    }

    /// The nodes of a zone, or of all.
    pub(crate) async fn rows(&self, zone: Option<&ZoneName>) -> Vec<ZoneRow> {
        let mut nodes = self.nodes.lock().await;
        nodes
            .iter_mut()
            .filter(|(node, _)| zone.is_none_or(|zone| node.zone() == *zone))
            .map(|(node, child)| {
                let pid = pid(child);
                ZoneRow {
                    zone: node.zone(),
                    node: node.clone(),
                    state: match pid {
                        None => "down",
                        Some(pid) if is_stopped(pid) => "paused",
                        Some(_) => "running",
                    }
                    .to_owned(),
                    pid,
                    engines: pid.map(engines_below).unwrap_or_default(),
                    mounts: pid.map(mounts_below).unwrap_or_default(),
                }
            })
            .collect()
    }

    /// SIGKILL to the zone's nodes and all their engines at once.
    pub(crate) async fn kill(&self, zone: &ZoneName) -> anyhow::Result<()> {
        let mut nodes = self.nodes.lock().await;
        for (node, child) in of_zone(&mut nodes, zone)? {
            if let Some(pid) = pid(child) {
                let gone = tokio::task::spawn_blocking(move || kill_family(pid)).await?;
                if !gone {
                    bail!("processes of {node} are still there");
                }
            }
            if let Some(mut child) = child.take() {
                child.wait().await?;
            }
        }
        Ok(())
    }

    /// Starts the zone's nodes that are down.
    pub(crate) async fn start(&self, zone: &ZoneName) -> anyhow::Result<()> {
        let mut nodes = self.nodes.lock().await;
        for (node, child) in of_zone(&mut nodes, zone)? {
            self.start_node(node, child).await?;
        }
        Ok(())
    }

    /// SIGSTOP or SIGCONT to the zone's nodes and all their engines.
    pub(crate) async fn signal(&self, zone: &ZoneName, signal: Signal) -> anyhow::Result<()> {
        let mut nodes = self.nodes.lock().await;
        for (_, child) in of_zone(&mut nodes, zone)? {
            if let Some(pid) = pid(child) {
                tokio::task::spawn_blocking(move || signal_family(pid, signal)).await?;
            }
        }
        Ok(())
    }

    /// Stops all nodes in order: engines first, everywhere. A cluster's engine writes its last checkpoint to segments of
    /// several nodes, so none ends before.
    pub(crate) async fn stop_all(&self) {
        let mut nodes = self.nodes.lock().await;
        for (node, child) in nodes.iter_mut() {
            if let Some(pid) = pid(child) {
                // A paused node could not hear.
                signal_family(pid, Signal::SIGCONT);
            }
            let pipe = child.as_mut().and_then(|child| child.stdin.as_mut());
            if let Some(pipe) = pipe
                && let Err(error) = pipe.write_all(STOP_ENGINES).await
            {
                tracing::debug!(%node, %error, "a node has ended already");
            }
        }
        let until = Instant::now() + ENGINES_TIMEOUT;
        while nodes.values_mut().any(runs_engines) && Instant::now() < until {
            tokio::time::sleep(ENGINES_LOOK_EVERY).await;
        }
        for child in nodes.values_mut() {
            // The end of its standard input tells the node to stop.
            drop(child.as_mut().and_then(|child| child.stdin.take()));
        }
        for (node, slot) in nodes.iter_mut() {
            let Some(child) = slot.as_mut() else { continue };
            if tokio::time::timeout(STOP_TIMEOUT, child.wait())
                .await
                .is_err()
            {
                tracing::warn!(%node, "a node did not stop in time and is killed");
                if let Some(pid) = pid(slot) {
                    kill_family(pid);
                }
            }
            *slot = None;
        }
    }
}

fn of_zone<'a>(
    nodes: &'a mut BTreeMap<NodeId, Option<Child>>,
    zone: &'a ZoneName,
) -> anyhow::Result<impl Iterator<Item = (&'a NodeId, &'a mut Option<Child>)>> {
    if !nodes.keys().any(|node| node.zone() == *zone) {
        let mut zones: Vec<String> = nodes.keys().map(|n| n.zone().to_string()).collect();
        zones.dedup();
        bail!(
            "there is no zone {zone}: the zones are {}",
            zones.join(", ")
        );
    }
    Ok(nodes
        .iter_mut()
        .filter(move |(node, _)| node.zone() == *zone))
}

/// Whether a node has engines, or files that they lie on.
fn runs_engines(child: &mut Option<Child>) -> bool {
    pid(child).is_some_and(|pid| !engines_below(pid).is_empty() || !mounts_below(pid).is_empty())
}

/// The process id of a child that runs.
fn pid(child: &mut Option<Child>) -> Option<i32> {
    let running = child.as_mut()?;
    match running.try_wait() {
        Ok(None) => running.id().and_then(|pid| i32::try_from(pid).ok()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_while_a_node_keeps_ending_and_begin_anew_after_a_good_run() {
        let mut restart = Restart::default();
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            pauses.push(restart.pause_after_run(now).as_secs());
            restart.started = Some(now);
            now += Duration::from_secs(1);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        now += RESTART_PAUSE_MAX;
        assert_eq!(restart.pause_after_run(now), RESTART_PAUSE_MIN);
    }
}
