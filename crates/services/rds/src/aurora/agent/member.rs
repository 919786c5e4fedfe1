//! One member as its agent holds it: mount, engine, and what was noticed of both.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::time::Instant;

use quorate_base::Epoch;
use quorate_engines::EngineError;
use quorate_engines::postgres::MemberPaths;

use crate::agent::member::MemberHandle;
use crate::aurora::agent::engine::{Engine, Server, Stop};
use crate::aurora::agent::host::AuroraHost;
use crate::aurora::agent::look::Look;
use crate::aurora::agent::mount::{MountProcess, MountState};
use crate::aurora::agent::opened;
use crate::aurora::agent::storage::StorageWatch;
use crate::aurora::decide::member::{EngineFacts, MemberFacts, MountFacts};
use crate::aurora::model::{AuroraEngineState, AuroraMemberReport};
use crate::aurora::records;

/// How long an engine may take to stop in order.
const STOP_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);
/// Pause before the next mount after one that ended by itself.
const REST: std::time::Duration = std::time::Duration::from_secs(1);

/// A mount, and what it was made for.
pub(super) struct Mount {
    pub(super) process: MountProcess,
    /// The epoch at which it writes; none when it reads.
    pub(super) at: Option<Epoch>,
}

/// A member and what its driver keeps in mind between two looks.
pub(super) struct Member {
    pub(super) host: Arc<AuroraHost>,
    pub(super) resource_id: String,
    pub(super) paths: MemberPaths,
    pub(super) mount: Option<Mount>,
    pub(super) engine: Option<Engine>,
    /// The engine ended by itself since the mount was made.
    crashed: bool,
    /// The last epoch at which mount or engine ended for good.
    pub(super) gave_up: Option<Epoch>,
    /// Whether roles and first database are known to be there.
    pub(super) bootstrapped: bool,
    /// Whether a reader has what was acknowledged when it was mounted, by its view or by the writer's log.
    pub(super) is_current: bool,
    /// Whether its view was found without a writer: it may have what the next writer cuts off.
    pub(super) is_alone: bool,
    /// Since when a reader does not stream though it could.
    pub(super) silent_since: Option<Instant>,
    /// What a writer saw of its volume's log.
    pub(super) storage: StorageWatch,
    /// No mount is tried before, as the last one ended by itself.
    rest_until: Option<Instant>,
    report: AuroraMemberReport,
}

impl Member {
    pub(super) fn new(host: Arc<AuroraHost>, resource_id: &str) -> Result<Member, EngineError> {
        let folder = host.config.folder.join(resource_id);
        let paths = MemberPaths::new(&folder, &host.base.account)?;
        // What an earlier life of this node opened is not opened again: its mount ended with it.
        let gave_up = opened::read(paths.root())?;
        Ok(Member {
            host,
            resource_id: resource_id.to_owned(),
            paths,
            mount: None,
            engine: None,
            crashed: false,
            gave_up,
            bootstrapped: false,
            is_current: false,
            is_alone: false,
            silent_since: None,
            rest_until: None,
            storage: StorageWatch::default(),
            report: AuroraMemberReport {
                engine: AuroraEngineState::Down,
                epoch: Epoch::default(),
                gave_up: false,
                lag_ms: None,
                detail: None,
            },
        })
    }

    /// The file that takes what a reader writes itself.
    pub(super) fn overlay(&self) -> PathBuf {
        self.paths.root().join("overlay")
    }

    pub(super) fn mount_state(&self) -> Option<MountState> {
        Some(self.mount.as_ref()?.process.state().borrow().clone())
    }

    /// Waits until the mount is there, or has ended; from what it is at the moment.
    pub(super) fn mount_changed(&self) -> impl Future<Output = ()> + use<> {
        let state = self.mount.as_ref().map(|mount| mount.process.state());
        async move {
            let Some(mut state) = state else {
                return std::future::pending().await;
            };
            let stage = |state: &MountState| (state.mounted.is_some(), state.ended.is_some());
            let known = stage(&state.borrow());
            if known.1 || state.wait_for(|state| stage(state) != known).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    pub(super) fn server(&self) -> Option<Server> {
        Some(self.engine.as_ref()?.server.clone())
    }

    /// Takes note of an engine that has ended.
    pub(super) fn notice_exit(&mut self) {
        let Some(exit) = self.engine.as_ref().and_then(|engine| engine.server.exit()) else {
            return;
        };
        tracing::warn!(resource = %self.resource_id, ?exit, "an engine over a volume has ended");
        self.crashed = true;
        self.drop_engine();
    }

    pub(super) fn facts(&self, look: &Look) -> MemberFacts {
        let cluster = look.cluster();
        let mount = self.mount.as_ref().map_or(MountFacts::None, |mount| {
            let state = mount.process.state();
            let state = state.borrow();
            if state.ended.is_some() {
                MountFacts::Ended
            } else if state.mounted.is_some() {
                MountFacts::Mounted { at: mount.at }
            } else {
                MountFacts::Opening { at: mount.at }
            }
        });
        MemberFacts {
            desired: cluster.desired,
            deleted: records::may_let_go(cluster, look.name()),
            writes: look.writes(),
            epoch: cluster.epoch,
            created: cluster.created,
            writer_serves: cluster.writer_runs(),
            unwritable: cluster.unwritable.is_some(),
            mount,
            engine: match &self.engine {
                None => EngineFacts::Down,
                Some(engine) if engine.leads => EngineFacts::Writes,
                Some(_) => EngineFacts::Reads,
            },
            crashed: self.crashed,
            gave_up: self.gave_up,
            reboot: look.member().order.is_some(),
        }
    }

    pub(super) fn adopt(&mut self, engine: Engine) {
        if let Server::Postgres(server) = &engine.server {
            let handle = MemberHandle {
                server: server.clone(),
            };
            let mut members = self.host.base.members.lock().expect("no holder panics");
            members.insert(self.resource_id.clone(), handle);
        }
        self.engine = Some(engine);
        self.silent_since = None;
    }

    fn drop_engine(&mut self) {
        let mut members = self.host.base.members.lock().expect("no holder panics");
        members.remove(&self.resource_id);
        drop(members);
        self.engine = None;
    }

    /// Stops the engine, if there is one. One that does not stop in time is killed, and the mount goes with it.
    pub(super) async fn end_engine(&mut self, how: Stop) {
        if !self.stop_engine(how).await {
            self.end_files().await;
            self.kill_engine().await;
        }
    }

    /// False when there is an engine that did not stop in time.
    async fn stop_engine(&mut self, how: Stop) -> bool {
        if let Some(engine) = &self.engine
            && !engine.server.stop(how, STOP_TIMEOUT).await
        {
            tracing::warn!(resource = %self.resource_id, "an engine does not stop in time");
            return false;
        }
        self.drop_engine();
        true
    }

    /// A process that waits for one of its files cannot be killed: the mount has to be gone before.
    async fn kill_engine(&mut self) {
        if let Some(engine) = &self.engine {
            engine.server.kill().await;
            self.drop_engine();
        }
    }

    async fn end_files(&mut self) {
        self.host.mounts().remove(&self.resource_id);
        if let Some(mount) = self.mount.take() {
            mount.process.end().await;
        }
    }

    /// Ends engine and mount.
    pub(super) async fn end_all(&mut self, how: Stop) {
        let serves_files = self
            .mount_state()
            .is_some_and(|state| state.ended.is_none());
        if serves_files {
            self.stop_engine(how).await;
        } else if self.mount.is_some() {
            self.rest_until = Some(Instant::now() + REST);
        }
        self.end_files().await;
        self.kill_engine().await;
        self.crashed = false;
        self.bootstrapped = false;
        self.is_current = false;
        self.silent_since = None;
    }

    /// Whether a mount has just ended by itself: the next one would, too.
    pub(super) fn rests(&self) -> bool {
        self.rest_until.is_some_and(|until| until > Instant::now())
    }

    /// Sends what is seen of the member with the next renewal; at once when it cannot wait.
    pub(super) fn tell(&mut self, report: AuroraMemberReport) {
        let urgent = report.engine != self.report.engine
            || report.epoch != self.report.epoch
            || report.gave_up != self.report.gave_up;
        let bytes = serde_json::to_vec(&report).expect("reports are plain data");
        let key = AuroraMemberReport::key(&self.resource_id);
        let lease = &self.host.base.lease;
        lease.observe(&key, Some(bytes));
        if urgent {
            lease.renew_now();
        }
        self.report = report;
    }

    /// As [`Member::tell`], of a member that does not answer queries.
    pub(super) fn tell_state(
        &mut self,
        look: &Look,
        engine: AuroraEngineState,
        detail: Option<String>,
    ) {
        let epoch = look.epoch();
        self.tell(AuroraMemberReport {
            engine,
            epoch,
            gave_up: self.gave_up == Some(epoch),
            lag_ms: None,
            detail,
        });
    }

    pub(super) fn tell_trouble(&mut self, trouble: String) {
        let report = AuroraMemberReport {
            detail: Some(trouble),
            ..self.report.clone()
        };
        self.tell(report);
    }
}
