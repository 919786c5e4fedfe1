//! What an agent does to its disk, its engine and the catalog, one effect at a time: a node can die between any two.

use quorate_base::Epoch;

use crate::change::Change;
use crate::disk::{Data, Marker};
use crate::engine::{Engine, Exit, SyncName};
use crate::record::{database, node_id};
use crate::world::{Event, World};

/// How long the agent waits for its engine in one effect.
const BARRIER_TIMEOUT_MS: u64 = 10_000;
/// How long it waits for the catalog.
pub(crate) const PATIENCE_MS: u64 = 2_000;
/// Pause after an effect that failed.
const RETRY_MS: u64 = 200;

/// One effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Brings the view up to what is committed.
    Newest,
    Change(Change),
    /// Goes on only while the newest word is that this node leads at the epoch.
    CheckPrimary(u64),
    /// Removes the copy if the newest word is that nobody wants it.
    Leave,
    StopEngine,
    RemoveData,
    InitData,
    Copy(usize),
    /// Half of a rewind, then the whole: a crash between leaves a copy that is not whole.
    Rewind(usize),
    FinishRewind(usize),
    FinishCopy(usize),
    Mark(u64, bool),
    Fresh,
    LaunchLeader(u64),
    LaunchFollower(Option<usize>),
    Promote(u64),
    Fence(bool),
    Name(Option<SyncName>),
    AwaitStream(usize),
    AwaitSwitch,
    NoteBarrier,
    AwaitBarrier(usize),
    AwaitRelease,
    Waits(Option<(usize, u32)>),
    Promised,
    Denied,
}

/// How an effect ended.
enum Ended {
    /// The next one, after so long.
    Next(u64),
    /// The same again, after a moment: a condition does not hold yet.
    Again,
    /// An answer will come.
    Await,
    /// Not done; the agent looks again after a pause.
    Failed,
}

impl World {
    pub(crate) fn act(&mut self, node: usize, turn: u64) {
        if self.nodes[node].agent.turn != turn {
            return;
        }
        let Some(effect) = self.nodes[node].agent.queue.front().copied() else {
            self.nodes[node].agent.busy = false;
            self.look(node);
            return;
        };
        match self.perform(node, turn, effect) {
            Ended::Next(ms) => {
                self.nodes[node].agent.attempts = 0;
                self.nodes[node].agent.queue.pop_front();
                self.after(ms, Event::Act(node, turn));
            }
            Ended::Again => {
                self.nodes[node].agent.attempts += 1;
                if u64::from(self.nodes[node].agent.attempts) * 20 > BARRIER_TIMEOUT_MS {
                    self.abandon(node);
                } else {
                    self.after(20, Event::Act(node, turn));
                }
            }
            Ended::Await => self.after(PATIENCE_MS, Event::GiveUp(node, turn)),
            Ended::Failed => self.abandon(node),
        }
    }

    /// Drops the plan; what an interrupted barrier named is taken back, as its `Undo` does.
    pub(crate) fn abandon(&mut self, node: usize) {
        let agent = &mut self.nodes[node].agent;
        let in_barrier = agent
            .queue
            .iter()
            .any(|e| matches!(e, Effect::AwaitBarrier(_)));
        agent.queue.clear();
        agent.busy = false;
        agent.turn += 1;
        let named = agent
            .waits_for
            .map(|(standby, _)| SyncName::Standby(standby));
        if in_barrier {
            self.name(node, named);
        }
        self.wake(node, RETRY_MS);
    }

    pub(crate) fn give_up(&mut self, node: usize, turn: u64) {
        if self.nodes[node].agent.turn == turn {
            self.abandon(node);
        }
    }

    fn perform(&mut self, node: usize, turn: u64, effect: Effect) -> Ended {
        match effect {
            Effect::Newest | Effect::Change(_) => {
                if let Some(leader) = self.region.leader {
                    let life = self.nodes[node].life;
                    self.send(node, leader, Event::AskNewest(node, life, turn));
                }
                Ended::Await
            }
            Effect::CheckPrimary(epoch) => self.check_primary(node, epoch),
            Effect::Leave => self.leave(node),
            Effect::StopEngine => {
                self.nodes[node].end_engine(Exit::Killed);
                self.forget_engine(node);
                Ended::Next(20)
            }
            Effect::RemoveData | Effect::InitData | Effect::Mark(..) | Effect::Fresh => {
                self.on_disk(node, effect)
            }
            Effect::Copy(from)
            | Effect::FinishCopy(from)
            | Effect::Rewind(from)
            | Effect::FinishRewind(from) => self.align(node, effect, from),
            Effect::LaunchLeader(epoch) => self.launch_leader(node, epoch),
            Effect::LaunchFollower(upstream) => {
                self.launch(node, Engine::new(0, false, 0, upstream))
            }
            Effect::Promote(epoch) => self.promote(node, epoch),
            Effect::Waits(waits_for) => {
                self.nodes[node].agent.waits_for = waits_for;
                Ended::Next(1)
            }
            Effect::Promised | Effect::Denied => {
                self.nodes[node].agent.promised = effect == Effect::Promised;
                Ended::Next(1)
            }
            _ => self.on_engine(node, effect),
        }
    }

    fn check_primary(&mut self, node: usize, epoch: u64) -> Ended {
        let topology = database(&self.nodes[node].view).map(|d| d.record.topology);
        let still = topology.is_some_and(|t| {
            t.epoch == Epoch(epoch) && t.primary == Some(node_id(node)) && !t.primary_down
        });
        if still { Ended::Next(1) } else { Ended::Failed }
    }

    fn leave(&mut self, node: usize) -> Ended {
        let wanted = database(&self.nodes[node].view)
            .is_some_and(|d| d.record.topology.members.contains_key(&node_id(node)));
        if wanted {
            return Ended::Failed;
        }
        self.nodes[node].end_engine(Exit::Killed);
        self.forget_engine(node);
        self.nodes[node].disk = crate::disk::Disk::default();
        Ended::Next(5)
    }

    fn on_disk(&mut self, node: usize, effect: Effect) -> Ended {
        let incarnation = database(&self.nodes[node].view).and_then(|d| {
            d.record
                .topology
                .members
                .get(&node_id(node))
                .map(|m| m.incarnation)
        });
        let state = &mut self.nodes[node];
        match effect {
            Effect::RemoveData => state.disk.remove_data(),
            Effect::InitData => state.disk.data = Some(Data::empty()),
            Effect::Mark(epoch, led) => {
                let incarnation = incarnation.unwrap_or_default();
                state.disk.marker = Some(Marker {
                    incarnation,
                    epoch,
                    led,
                });
            }
            _ => state.agent.realigned = 0,
        }
        Ended::Next(self.pick(5, 60))
    }

    fn align(&mut self, node: usize, effect: Effect, from: usize) -> Ended {
        let there = self.nodes[from].engine_runs() && self.linked(node, from) && node != from;
        let Some(source) = self.nodes[from].disk.data.clone().filter(|_| there) else {
            return Ended::Failed;
        };
        let state = &mut self.nodes[node];
        let then = match effect {
            Effect::Copy(_) => Effect::FinishCopy(from),
            Effect::Rewind(_) => {
                state.agent.realigned += 1;
                let Some(data) = &state.disk.data else {
                    return Ended::Failed;
                };
                if !data.needs_rewind(&source) {
                    return Ended::Next(100);
                }
                state.disk.half_rewound = true;
                Effect::FinishRewind(from)
            }
            _ => {
                state.disk.data = Some(source);
                state.disk.half_rewound = false;
                return Ended::Next(20);
            }
        };
        state.agent.queue.insert(1, then);
        Ended::Next(self.pick(150, 1_500))
    }

    fn launch_leader(&mut self, node: usize, epoch: u64) -> Ended {
        let Some(topology) = database(&self.nodes[node].view).map(|d| d.record.topology) else {
            return Ended::Failed;
        };
        let standby = topology.standby().filter(|_| topology.in_sync);
        let standby = standby.map(|(id, member)| (crate::record::index_of(id), member.incarnation));
        let mut engine = Engine::new(0, true, epoch, None);
        engine.sync_named = standby.map(|(index, _)| SyncName::Standby(index));
        engine.sync = engine.sync_named;
        engine.fenced = standby.is_some();
        engine.deadline = self.nodes[node].lease_until.unwrap_or_default();
        let first = topology.serving.is_none();
        let ended = self.launch(node, engine);
        self.nodes[node].agent.waits_for = standby;
        self.wind_guard(node);
        if first {
            self.observe_beginning(node, epoch, false);
        }
        ended
    }

    fn launch(&mut self, node: usize, mut engine: Engine) -> Ended {
        engine.run = self.new_serial();
        engine.heard_at = self.now;
        let what = if engine.leads { "leader" } else { "follower" };
        let state = &mut self.nodes[node];
        state.agent.engine = Some(engine.run);
        state.agent.crashed = false;
        state.agent.silent_since = None;
        state.engine = Some(engine);
        self.observed
            .note(self.now, || format!("{node} starts its engine as {what}"));
        Ended::Next(self.pick(20, 300))
    }

    fn promote(&mut self, node: usize, epoch: u64) -> Ended {
        let failover = database(&self.nodes[node].view).and_then(|d| d.record.topology.failover);
        let silent = failover.is_some_and(|f| f.reason.contains("does not answer"));
        let state = &mut self.nodes[node];
        let (Some(engine), Some(data)) = (state.engine.as_mut(), state.disk.data.as_mut()) else {
            return Ended::Failed;
        };
        data.promote();
        engine.leads = true;
        engine.epoch = epoch;
        engine.upstream = None;
        engine.connection = None;
        state.agent.waits_for = None;
        state.agent.promised = false;
        state.agent.well_at = None;
        state.agent.seen_flushed = None;
        self.observed
            .note(self.now, || format!("{node} is promoted at epoch {epoch}"));
        self.observe_beginning(node, epoch, silent);
        Ended::Next(self.pick(5, 100))
    }

    /// Names the standby in the configuration; it takes effect a moment later.
    fn name(&mut self, node: usize, names: Option<SyncName>) {
        let delay = self.pick(1, 60);
        if let Some(engine) = self.nodes[node].engine.as_mut() {
            engine.sync_named = names;
            let run = engine.run;
            self.after(delay, Event::Reload(node, run, names));
        }
    }

    fn on_engine(&mut self, node: usize, effect: Effect) -> Ended {
        if let Effect::Name(names) = effect {
            self.name(node, names);
        }
        let state = &mut self.nodes[node];
        let (Some(engine), Some(data)) = (state.engine.as_mut(), state.disk.data.as_ref()) else {
            return Ended::Failed;
        };
        let when = |holds: bool| if holds { Ended::Next(1) } else { Ended::Again };
        match effect {
            Effect::Fence(fenced) => {
                engine.fenced = fenced;
                engine.deadline = state.lease_until.unwrap_or_default();
                self.wind_guard(node);
                Ended::Next(1)
            }
            Effect::AwaitStream(standby) => when(
                engine
                    .peers
                    .get(&standby)
                    .is_some_and(|p| p.flushed.is_some()),
            ),
            Effect::AwaitSwitch => when(engine.sync == Some(SyncName::Nobody)),
            Effect::NoteBarrier => {
                engine.barrier = data.log.len();
                Ended::Next(1)
            }
            Effect::AwaitBarrier(standby) => {
                let named = engine.sync == Some(SyncName::Standby(standby));
                let flushed = engine.peers.get(&standby).and_then(|peer| peer.flushed);
                when(named && flushed.is_some_and(|at| at >= engine.barrier))
            }
            Effect::AwaitRelease => when(engine.sync.is_none()),
            _ => Ended::Next(1),
        }
    }
}
