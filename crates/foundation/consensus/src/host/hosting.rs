//! A node's host of groups: opens, starts, watches and ends them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openraft::error::{InitializeError, RaftError};
use openraft::{Config, SnapshotPolicy};
use quorate_region::transport::Caller;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use crate::group::GroupError;
use crate::host::applied::{Applied, FlushPace, Mark};
use crate::host::blocking;
use crate::host::cell::{Cell, Parts, Probe};
use crate::host::clock::Moment;
use crate::host::config::{
    APPEND_ENTRIES_MAX, APPEND_TIMEOUT_MS, HostConfig, LOOK_EVERY, Origin, PROPOSALS_WAITING_MAX,
    VOTE_TIMEOUT_MS,
};
use crate::host::hosted_group::HostedGroup;
use crate::host::kept_snapshot::KeptSnapshots;
use crate::host::log::{GroupLog, LogDisk, SharedLog};
use crate::host::look::{Action, Look};
use crate::host::machine::DurableMachine;
use crate::host::network::Network;
use crate::host::poison::Poison;
use crate::host::post::Hub;
use crate::host::proposer;
use crate::host::receive_snapshot::Incoming;
use crate::host::registry::Registry;
use crate::host::send_snapshot::SnapshotSender;
use crate::host::types::{GroupId, LeaderId, Raft};
use crate::host::way::{self, Way};
use crate::types::{Voter, VoterId};

/// Time without an append after which a group's cached entries are given up.
const COOL_AFTER: Duration = Duration::from_secs(5);
/// How often such groups, left peers and given up transfers are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// Lag within which a learner counts as caught up.
pub(crate) const CAUGHT_UP_WITHIN: u64 = 64;

/// What a host sent since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Pulses, which stand for no group.
    pub pulses: u64,
    /// Calls that carried groups' messages.
    pub bundles: u64,
    /// Groups' messages.
    pub messages: u64,
}

/// All groups of one node, on one log.
pub struct Host {
    pub(crate) hub: Arc<Hub>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) poison: Arc<Poison>,
    pub(crate) incoming: Incoming,
    snapshots: Arc<SnapshotSender>,
    kept: KeptSnapshots,
    log: Arc<SharedLog>,
    config: HostConfig,
    raft_config: Arc<Config>,
    starting: Mutex<HashSet<GroupId>>,
    flush: Arc<Notify>,
    closed: AtomicBool,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
}

fn unavailable(e: impl std::fmt::Display) -> GroupError {
    GroupError::Unavailable(e.to_string())
}

/// openraft without a clock of its own: who asks for votes when is decided here, and a leader's life is told by the
/// pulse. `heartbeat_interval` is how long it waits for an append's answer, `election_timeout_min` for a vote's; by
/// `election_timeout_max` it refuses votes after each append.
fn raft_config() -> Config {
    Config {
        heartbeat_interval: APPEND_TIMEOUT_MS,
        election_timeout_min: VOTE_TIMEOUT_MS,
        election_timeout_max: VOTE_TIMEOUT_MS + 1,
        enable_tick: false,
        enable_heartbeat: false,
        enable_elect: false,
        snapshot_policy: SnapshotPolicy::Never,
        max_payload_entries: APPEND_ENTRIES_MAX,
        replication_lag_threshold: CAUGHT_UP_WITHIN,
        ..Config::default()
    }
}

/// Takes a group's number while it is being started.
struct Starting<'a>(&'a Mutex<HashSet<GroupId>>, GroupId);

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        self.0.lock().expect("no holder panics").remove(&self.1);
    }
}

impl Host {
    /// Opens the host whose log is in `folder`, or makes it there.
    ///
    /// # Errors
    /// `Unavailable` when the log cannot be read, or another process has it open.
    pub async fn open(
        own: Voter,
        folder: &Path,
        config: HostConfig,
        caller: Arc<Caller>,
    ) -> Result<Arc<Host>, GroupError> {
        let poison = Arc::new(Poison::default());
        let opened = open_folder(folder, &poison, &config).await?;
        let way = Way::Caller(caller);
        Ok(Host::begin(own, folder, config, way, poison, opened).await)
    }

    /// As `open`, in a thread with a simulated clock: the log is on `disk`, calls go through `network`.
    ///
    /// # Errors
    /// `Unavailable` when the folder, for snapshots on their way, cannot be used.
    #[doc(hidden)]
    pub async fn open_simulated(
        own: Voter,
        folder: &Path,
        config: HostConfig,
        network: Arc<dyn way::Network>,
        disk: Arc<dyn LogDisk>,
    ) -> Result<Arc<Host>, GroupError> {
        let poison = Arc::new(Poison::default());
        let incoming = Incoming::open(&snapshot_folder(folder)).map_err(unavailable)?;
        let kept = KeptSnapshots::open(&kept_folder(folder)).map_err(unavailable)?;
        let log = SharedLog::simulated(disk, poison.clone(), config.faults.clone());
        let way = Way::Simulated(network);
        Ok(Host::begin(own, folder, config, way, poison, (log, incoming, kept)).await)
    }

    async fn begin(
        own: Voter,
        folder: &Path,
        config: HostConfig,
        way: Way,
        poison: Arc<Poison>,
        (log, incoming, kept): (SharedLog, Incoming, KeptSnapshots),
    ) -> Arc<Host> {
        let registry = Arc::new(Registry::default());
        let silence = Duration::from_millis(config.silence_ms_min);
        let hub = Arc::new(Hub::new(
            own,
            rand::random(),
            way,
            config.faults.clone(),
            registry.clone(),
            poison.clone(),
            silence,
        ));
        let raft_config = Config {
            max_in_snapshot_log_to_keep: config.keep_entries,
            ..raft_config()
        };
        let snapshots = SnapshotSender::new(&hub, snapshot_folder(folder));
        let host = Arc::new(Host {
            hub,
            registry,
            poison,
            incoming,
            snapshots: Arc::new(snapshots),
            kept,
            log: Arc::new(log),
            config,
            raft_config: Arc::new(raft_config),
            starting: Mutex::default(),
            flush: Arc::default(),
            closed: AtomicBool::new(false),
            tasks: tokio::sync::Mutex::default(),
        });
        let mut tasks = host.tasks.lock().await;
        tasks.spawn(pulse(host.hub.clone(), host.config.pulse_ms));
        tasks.spawn(look(host.hub.clone(), host.poison.clone()));
        tasks.spawn(sweep(host.hub.clone(), host.incoming.clone()));
        tasks.spawn(flush(host.registry.clone(), host.flush.clone()));
        drop(tasks);
        host
    }

    /// Opens this node's replica of a group, or first forms it. All voters of a group that is being made call it with
    /// the same origin; a node that joins a running group calls it without one.
    ///
    /// # Errors
    /// `Unavailable` when the group runs here already, or its log or machine cannot be read.
    pub async fn start_group(
        self: &Arc<Self>,
        id: GroupId,
        machine: Arc<dyn DurableMachine>,
        origin: Option<Origin>,
    ) -> Result<HostedGroup, GroupError> {
        self.start(id, machine, origin, None).await
    }

    /// As `start_group`, for a group whose machine was made with a state, the same at all of these voters: as by a split
    /// of another group. Its log begins behind that state, so a replica that was not made with it gets a snapshot and
    /// never the entries alone. A replica that has no such state is started by `start_group` without origin.
    ///
    /// # Errors
    /// As `start_group`.
    pub async fn start_born_group(
        self: &Arc<Self>,
        id: GroupId,
        machine: Arc<dyn DurableMachine>,
        origin: Origin,
    ) -> Result<HostedGroup, GroupError> {
        let birth = Mark::of_birth(&origin.voters);
        self.start(id, machine, Some(origin), Some(birth)).await
    }

    async fn start(
        self: &Arc<Self>,
        id: GroupId,
        machine: Arc<dyn DurableMachine>,
        origin: Option<Origin>,
        birth: Option<Mark>,
    ) -> Result<HostedGroup, GroupError> {
        self.poison.check().map_err(unavailable)?;
        let _starting = self.begin_start(id)?;
        let (own, shared, opening) = (self.hub.pulse.from, self.log.clone(), machine.clone());
        let kept = self.kept.clone();
        let opened = move || open_replica(id, own, shared, &kept, &*opening, birth);
        let opened = blocking::run(opened).await;
        let (log, mark) = opened.map_err(unavailable)??;
        let cell = self.make_cell(id, machine, origin, log, mark).await?;
        if self.closed.load(Ordering::SeqCst) {
            cell.stop().await;
            return Err(unavailable("the host has stopped"));
        }
        self.registry.insert(cell.clone());
        for voter in cell.nodes().into_values() {
            self.hub.post(&voter);
        }
        if let Some(origin) = &cell.origin {
            for voter in &origin.voters {
                self.hub.post(voter);
            }
            if origin.preferred_leader == own && !cell.log.has_voted() {
                if cell.log.is_fresh() {
                    cell.form().await?;
                } else {
                    cell.campaign().await;
                }
            }
        }
        Ok(HostedGroup { cell })
    }

    fn begin_start(&self, id: GroupId) -> Result<Starting<'_>, GroupError> {
        let mut starting = self.starting.lock().expect("no holder panics");
        if self.registry.get(id).is_some() || !starting.insert(id) {
            return Err(unavailable(format!("{id} runs here already")));
        }
        Ok(Starting(&self.starting, id))
    }

    async fn make_cell(
        &self,
        id: GroupId,
        machine: Arc<dyn DurableMachine>,
        origin: Option<Origin>,
        log: GroupLog,
        mark: Mark,
    ) -> Result<Arc<Cell>, GroupError> {
        let applied = Arc::new(watch::Sender::new(mark.last));
        let pace = Arc::new(FlushPace::new(
            self.config.flush_every_entries,
            self.config.flush_every_bytes,
            self.flush.clone(),
        ));
        let state_machine = Applied {
            group: id,
            kept: self.kept.clone(),
            machine: machine.clone(),
            log: log.clone(),
            mark,
            told: applied.clone(),
            poison: self.poison.clone(),
            pace: pace.clone(),
        };
        let probe = Arc::new(Probe::default());
        let network = Network {
            hub: self.hub.clone(),
            group: id,
            probe: probe.clone(),
            snapshots: self.snapshots.clone(),
        };
        let own = self.hub.pulse.from;
        let config = self.raft_config.clone();
        let raft = Raft::new(own, config, network, log.clone(), state_machine)
            .await
            .map_err(unavailable)?;
        let preferred = origin.as_ref().is_some_and(|o| o.preferred_leader == own);
        let forms = preferred && !log.has_voted();
        let (proposals, waiting) = mpsc::channel(PROPOSALS_WAITING_MAX);
        let cell = Arc::new(Cell::new(Parts {
            id,
            hub: self.hub.clone(),
            look: Look::new(own, raft.server_metrics(), &self.config, forms),
            raft,
            log,
            machine,
            poison: self.poison.clone(),
            applied,
            pace,
            origin,
            probe,
            proposals,
        }));
        let proposer = tokio::spawn(proposer::run(Arc::downgrade(&cell), waiting));
        *cell.proposer.lock().expect("no holder panics") = Some(proposer.abort_handle());
        Ok(cell)
    }

    /// The group, if it runs here.
    #[must_use]
    pub fn group(&self, id: GroupId) -> Option<HostedGroup> {
        self.registry.get(id).map(|cell| HostedGroup { cell })
    }

    /// The groups that the log has votes or marks of, whether they run here or not. Blocks.
    ///
    /// # Errors
    /// `Unavailable` when the log cannot be read.
    pub fn logged_groups(&self) -> Result<BTreeSet<GroupId>, GroupError> {
        let keys = self.log.disk.meta_keys().map_err(unavailable)?;
        let group = |key: Vec<u8>| key.first_chunk().copied().map(u64::from_be_bytes);
        Ok(keys.into_iter().filter_map(group).map(GroupId).collect())
    }

    /// Ends this node's replica of a group; its log stays. When it leads another voter is told to, because the pulse
    /// of this host goes on.
    pub async fn stop_group(&self, id: GroupId) {
        if let Some(cell) = self.registry.remove(id) {
            let led = cell.leading().is_ok();
            cell.stop().await;
            if led {
                cell.leave_to_others().await;
            }
        }
        self.incoming.forget(id);
    }

    /// Ends this node's replica of a group and deletes its log. Its machine is the caller's.
    ///
    /// # Errors
    /// `Unavailable` when the log cannot be written.
    pub async fn remove_group(&self, id: GroupId) -> Result<(), GroupError> {
        self.stop_group(id).await;
        let _starting = self.begin_start(id)?;
        let (own, shared) = (self.hub.pulse.from, self.log.clone());
        let opened = blocking::run(move || GroupLog::open(id, own, shared)).await;
        let log = opened.map_err(unavailable)?.map_err(unavailable)?;
        log.forget().await.map_err(unavailable)?;
        self.kept.drop_kept(id).map_err(unavailable)
    }

    /// Waits until storage has failed; returns why. Nothing is acknowledged from then on: the node should end.
    pub async fn stopped(&self) -> String {
        self.poison.wait().await
    }

    /// What this host sent since its start.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let counters = &self.hub.counters;
        Traffic {
            pulses: counters.pulses.load(Ordering::Relaxed),
            bundles: counters.bundles.load(Ordering::Relaxed),
            messages: counters.messages.load(Ordering::Relaxed),
        }
    }

    /// Ends all replicas, and the log once it is written.
    pub async fn shutdown(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.tasks.lock().await.shutdown().await;
        let mut stopping = JoinSet::new();
        for cell in self.registry.all() {
            self.registry.remove(cell.id);
            stopping.spawn(async move { cell.stop().await });
        }
        while stopping.join_next().await.is_some() {}
        let log = self.log.clone();
        if let Err(e) = blocking::run(move || log.stop()).await {
            tracing::warn!(error = %e, "the groups' log did not stop in order");
        }
    }
}

/// Reads a replica's log and how far its machine is, after a snapshot whose loading was cut short is loaded. Blocks.
fn open_replica(
    id: GroupId,
    own: VoterId,
    shared: Arc<SharedLog>,
    kept: &KeptSnapshots,
    machine: &dyn DurableMachine,
    birth: Option<Mark>,
) -> Result<(GroupLog, Mark), GroupError> {
    let log = GroupLog::open(id, own, shared).map_err(unavailable)?;
    if let Err(e) = kept.load(id, machine) {
        // With its old state still there, the replica is sent another one.
        tracing::error!(group = %id, error = %e, "a snapshot that was kept cannot be loaded");
    }
    if !machine.is_whole() {
        let why = "its state was given up for a snapshot that cannot be loaded";
        return Err(unavailable(why));
    }
    let mark = match (machine.mark().map_err(unavailable)?, birth) {
        (Some(bytes), _) => Mark::from_bytes(&bytes).map_err(unavailable)?,
        (None, Some(birth)) => {
            // Who is sent this state before the first entry is applied has to be told what it stands for.
            machine.apply(&[], &birth.to_bytes()).map_err(unavailable)?;
            birth
        }
        (None, None) => Mark::default(),
    };
    // The machine is ahead of the log by a snapshot, or by what it was born with.
    if !log.reaches(mark.last).map_err(unavailable)? {
        machine.flush().map_err(unavailable)?;
        log.note_flushed(&mark.meta()).map_err(unavailable)?;
        log.begin_behind(mark.last).map_err(unavailable)?;
    }
    kept.drop_kept(id).map_err(unavailable)?;
    Ok((log, mark))
}

fn snapshot_folder(folder: &Path) -> PathBuf {
    folder.join("snapshots")
}

fn kept_folder(folder: &Path) -> PathBuf {
    folder.join("kept")
}

async fn open_folder(
    folder: &Path,
    poison: &Arc<Poison>,
    config: &HostConfig,
) -> Result<(SharedLog, Incoming, KeptSnapshots), GroupError> {
    let (folder, poison, faults) = (folder.to_owned(), poison.clone(), config.faults.clone());
    let open = move || {
        std::fs::create_dir_all(&folder).map_err(unavailable)?;
        let log = SharedLog::open(&folder.join("log"), poison, faults).map_err(unavailable)?;
        let incoming = Incoming::open(&snapshot_folder(&folder)).map_err(unavailable)?;
        let kept = KeptSnapshots::open(&kept_folder(&folder)).map_err(unavailable)?;
        Ok((log, incoming, kept))
    };
    blocking::run(open).await.map_err(unavailable)?
}

/// Tells each peer that this host is there.
async fn pulse(hub: Arc<Hub>, every_ms: u64) {
    let mut ticks = tokio::time::interval(Duration::from_millis(every_ms));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for post in hub.posts() {
            if post.peer.id() != hub.pulse.from {
                post.pulse();
            }
        }
    }
}

/// Looks for groups whose leader is gone.
async fn look(hub: Arc<Hub>, poison: Arc<Poison>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !poison.is_set() {
        ticks.tick().await;
        let now = Moment::now();
        let heard: BTreeMap<_, _> = hub
            .posts()
            .into_iter()
            .map(|post| (post.peer.id(), post.heard()))
            .collect();
        for cell in hub.registry.all() {
            let action = {
                let mut look = cell.look.lock().expect("no holder panics");
                look.look(now, |id: VoterId| heard.get(&id).copied())
            };
            match action {
                Action::Rest => {}
                Action::Campaign => cell.campaign().await,
                Action::Form => {
                    if let Err(e) = cell.form().await {
                        tracing::warn!(group = %cell.id, error = %e, "the group is not formed");
                    }
                }
            }
        }
    }
}

/// Gives up what is not needed any more.
async fn sweep(hub: Arc<Hub>, incoming: Incoming) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    loop {
        ticks.tick().await;
        let now = Moment::now();
        incoming.sweep(now);
        let mut wanted = BTreeSet::new();
        for cell in hub.registry.all() {
            cell.log.cool(now - COOL_AFTER);
            for (id, voter) in cell.nodes() {
                hub.post(&voter);
                wanted.insert(id);
            }
            let origin = cell.origin.iter().flat_map(|origin| &origin.voters);
            wanted.extend(origin.map(Voter::id));
        }
        hub.keep_only(|id| wanted.contains(&id));
    }
}

/// Flushes the machines whose log has grown.
async fn flush(registry: Arc<Registry>, bell: Arc<Notify>) {
    loop {
        bell.notified().await;
        for cell in registry.all() {
            cell.flush_if_due().await;
        }
    }
}

impl Cell {
    /// Asks for votes, unless this replica promised not to.
    pub(crate) async fn campaign(&self) {
        let another = LeaderId::new(u64::MAX, self.own());
        if !self
            .log
            .guard()
            .vote_waits(another, Moment::now())
            .is_zero()
        {
            return;
        }
        // It fails when the replica has stopped.
        let _ = self.raft.trigger().elect().await;
    }

    /// Writes the first membership, which every voter knows alike, and asks for votes.
    async fn form(&self) -> Result<(), GroupError> {
        let Some(origin) = &self.origin else {
            return Ok(());
        };
        let voters: BTreeMap<_, _> = origin.voters.iter().map(|v| (v.id(), v.clone())).collect();
        match self.raft.initialize(voters).await {
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
            Err(e) => Err(unavailable(e)),
        }
    }
}
