//! One member as its agent holds it: folder, engine, and what was noticed of both.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use quorate_control::Lease;
use quorate_engines::Deadline;
use quorate_engines::postgres::{ExitKind, MemberPaths, RunningPostgres};

use crate::agent::host::AgentHost;
use crate::agent::sync::SyncWatch;
use crate::model::{EngineState, MemberReport};

/// The running engine of a member.
pub(crate) struct Engine {
    pub(crate) server: Arc<RunningPostgres>,
    /// Whether it leads: takes writes.
    pub(crate) leads: bool,
    /// Digest of the parameters that it was last given.
    pub(crate) digest: String,
    /// Whether it may only run while the node holds its lease.
    fenced: watch::Sender<bool>,
    keeper: AbortHandle,
}

impl Engine {
    /// Takes over a started server. Fenced from the start where `fenced` says so.
    pub(crate) fn new(
        server: RunningPostgres,
        leads: bool,
        digest: String,
        fenced: bool,
        lease: &Lease,
    ) -> Engine {
        let server = Arc::new(server);
        let (sender, receiver) = watch::channel(fenced);
        let keeper = tokio::spawn(hand_on_lease(server.clone(), lease.clone(), receiver));
        Engine {
            server,
            leads,
            digest,
            fenced: sender,
            keeper: keeper.abort_handle(),
        }
    }

    /// From here on the engine is killed when the node's lease runs out; or no longer is.
    pub(crate) fn fence(&self, fenced: bool) {
        self.fenced
            .send_if_modified(|now| std::mem::replace(now, fenced) != fenced);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// The guard's deadline for a lease that ends at `until`.
pub(crate) fn deadline(until: Option<Instant>) -> Deadline {
    let left = until.map_or(Duration::ZERO, |until| {
        until.saturating_duration_since(Instant::now())
    });
    Deadline::after(left)
}

/// Tells the guard each new end of the lease, in a task of its own: a slow step must not let the lease run out.
async fn hand_on_lease(
    server: Arc<RunningPostgres>,
    lease: Lease,
    mut fenced: watch::Receiver<bool>,
) {
    let mut until = lease.watch();
    loop {
        let wanted = *fenced.borrow_and_update();
        let end = *until.borrow_and_update();
        server.set_lease(wanted.then(|| deadline(end)));
        tokio::select! {
            changed = until.changed() => if changed.is_err() { return },
            changed = fenced.changed() => if changed.is_err() { return },
            _ = server.exited() => return,
        }
    }
}

/// What others of the node may do with a running member.
#[derive(Clone)]
pub(crate) struct MemberHandle {
    pub(crate) server: Arc<RunningPostgres>,
}

/// A member and what its driver keeps in mind between two looks.
pub(crate) struct Member {
    pub(crate) host: Arc<AgentHost>,
    pub(crate) resource_id: String,
    pub(crate) paths: MemberPaths,
    pub(crate) engine: Option<Engine>,
    /// The engine ended by itself since it was last started.
    pub(crate) crashed: bool,
    /// Why the last start failed for want of room.
    pub(crate) storage_full: bool,
    pub(crate) sync: SyncWatch,
    /// Since when a follower does not stream though it could.
    pub(crate) silent_since: Option<Instant>,
    /// How often it was realigned since it last streamed.
    pub(crate) realigned: u32,
    /// A restart that was ordered is under way.
    pub(crate) rebooting: bool,
    /// Whether roles and first database are known to be there.
    pub(crate) bootstrapped: bool,
    pub(crate) report: MemberReport,
}

impl Member {
    pub(crate) fn new(host: Arc<AgentHost>, resource_id: &str, paths: MemberPaths) -> Member {
        let report = MemberReport {
            engine: EngineState::Down,
            epoch: quorate_base::Epoch::default(),
            streaming: false,
            lag_bytes: None,
            lag_ms: None,
            storage_full: false,
            detail: None,
        };
        Member {
            host,
            resource_id: resource_id.to_owned(),
            paths,
            engine: None,
            crashed: false,
            storage_full: false,
            sync: SyncWatch::default(),
            silent_since: None,
            realigned: 0,
            rebooting: false,
            bootstrapped: false,
            report,
        }
    }

    /// Takes note of an engine that has ended.
    pub(crate) fn notice_exit(&mut self) {
        let Some(exit) = self.engine.as_ref().and_then(|engine| engine.server.exit()) else {
            return;
        };
        tracing::warn!(resource = %self.resource_id, ?exit, "an engine has ended");
        self.crashed = matches!(exit, ExitKind::Crashed(_) | ExitKind::NoSpace(_));
        self.storage_full |= matches!(exit, ExitKind::NoSpace(_));
        self.drop_engine();
    }

    /// Takes over a started engine.
    pub(crate) fn adopt(&mut self, engine: Engine) {
        let handle = MemberHandle {
            server: engine.server.clone(),
        };
        self.members().insert(self.resource_id.clone(), handle);
        self.engine = Some(engine);
        self.crashed = false;
        self.storage_full = false;
        self.silent_since = None;
    }

    /// Forgets an engine that has ended.
    pub(crate) fn drop_engine(&mut self) {
        self.members().remove(&self.resource_id);
        self.engine = None;
        self.sync = SyncWatch::default();
    }

    /// Sends what is seen of the member with the next renewal; at once when it cannot wait.
    pub(crate) fn tell(&mut self, report: MemberReport) {
        let urgent = report.engine != self.report.engine || report.epoch != self.report.epoch;
        let bytes = serde_json::to_vec(&report).expect("reports are plain data");
        self.host
            .lease
            .observe(&MemberReport::key(&self.resource_id), Some(bytes));
        if urgent {
            self.host.lease.renew_now();
        }
        self.report = report;
    }

    fn members(
        &self,
    ) -> std::sync::MutexGuard<'_, std::collections::BTreeMap<String, MemberHandle>> {
        self.host
            .members
            .lock()
            .expect("no holder of the lock panics")
    }
}
