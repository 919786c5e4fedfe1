//! A node's agent: facts, the product's decisions, and which effects a step is made of.

use quorate_base::Epoch;
use quorate_rds::decide::member::{
    CopyFacts, EngineFacts, Lineage, MemberFacts, MemberStep, UpstreamFacts, decide_member,
};
use quorate_rds::decide::sync::{SyncFacts, SyncStep, decide_sync};
use quorate_rds::model::{Desired, MemberState, Role};

use crate::change::Change;
use crate::effects::Effect;
use crate::engine::{Exit, SyncName};
use crate::record::{Database, ID, database, index_of, node_id};
use crate::world::{Event, World};

/// Times of the agent, as in `rds::agent`.
const LOOK_EVERY_MS: u64 = 500;
const STANDBY_LOSS_MS: u64 = 1_500;
const STREAM_TIMEOUT_MS: u64 = 12_000;
const REALIGN_MAX: u32 = 2;
/// Lag that counts as caught up, in writes.
const CAUGHT_UP_WRITES: usize = 40;

impl World {
    /// The agent looks after so many milliseconds, or earlier when it is to anyway.
    pub(crate) fn wake(&mut self, node: usize, ms: u64) {
        let at = self.now + ms.max(1);
        let agent = &mut self.nodes[node].agent;
        if agent.look_at.is_some_and(|due| due <= at) {
            return;
        }
        agent.look_at = Some(at);
        agent.look_token += 1;
        let token = agent.look_token;
        self.after(ms, Event::Look(node, token));
    }

    pub(crate) fn look_due(&mut self, node: usize, token: u64) {
        let agent = &mut self.nodes[node].agent;
        if agent.look_token == token {
            agent.look_at = None;
            self.look(node);
        }
    }

    /// A look: what is next is put into the queue.
    pub(crate) fn look(&mut self, node: usize) {
        if self.nodes[node].agent.busy || !self.nodes[node].up {
            return;
        }
        self.notice_exit(node);
        let Some(database) = database(&self.nodes[node].view).map(|stored| stored.record) else {
            self.wake(node, LOOK_EVERY_MS);
            return;
        };
        let effects = match database.topology.role_of(&node_id(node)) {
            None => vec![Effect::Newest, Effect::Leave],
            Some(role) => self.effects_of(node, &database, role),
        };
        if effects.is_empty()
            || self.nodes[node].disk.data.is_none() && effects.contains(&Effect::Leave)
        {
            let pause = self.pick(50, LOOK_EVERY_MS);
            self.wake(node, pause);
            return;
        }
        self.set_out(node, effects);
    }

    fn set_out(&mut self, node: usize, effects: Vec<Effect>) {
        let agent = &mut self.nodes[node].agent;
        agent.queue = effects.into();
        agent.busy = true;
        agent.attempts = 0;
        agent.turn += 1;
        let turn = agent.turn;
        self.after(1, Event::Act(node, turn));
    }

    fn notice_exit(&mut self, node: usize) {
        let state = &mut self.nodes[node];
        let there = state.engine.as_ref().map(|e| e.run);
        if state.agent.engine.is_some() && state.agent.engine != there {
            state.agent.crashed = state.last_exit == Exit::Crashed;
            self.forget_engine(node);
        }
    }

    /// As `Member::drop_engine`.
    pub(crate) fn forget_engine(&mut self, node: usize) {
        let agent = &mut self.nodes[node].agent;
        agent.engine = None;
        agent.waits_for = None;
        agent.promised = false;
        agent.well_at = None;
        agent.seen_flushed = None;
    }

    /// The upstream's epoch and node, when it can be followed.
    fn upstream(database: &Database) -> Option<(usize, UpstreamFacts)> {
        let topology = &database.topology;
        let address = topology
            .primary_member()?
            .address
            .filter(|_| topology.is_followable())?;
        let lineage = own(topology.epoch);
        Some((
            index_of(topology.primary.as_ref()?),
            UpstreamFacts { address, lineage },
        ))
    }

    fn facts(&self, node: usize, database: &Database, role: Role) -> MemberFacts {
        let topology = &database.topology;
        let state = &self.nodes[node];
        let incarnation = topology.members[&node_id(node)].incarnation;
        let whole = state.disk.data.is_some() && !state.disk.half_rewound;
        let copy = match state.disk.marker.filter(|_| whole) {
            None => CopyFacts::None,
            Some(marker) if marker.incarnation != incarnation => CopyFacts::Outdated,
            Some(marker) if marker.led => CopyFacts::Led(own(Epoch(marker.epoch))),
            Some(marker) => CopyFacts::Followed(own(Epoch(marker.epoch))),
        };
        let engine = match &state.engine {
            None => EngineFacts::Down,
            Some(engine) if engine.leads => EngineFacts::Leads,
            Some(_) => EngineFacts::Follows,
        };
        let leads = role == Role::Primary;
        MemberFacts {
            desired: Desired::Running,
            leads,
            own: own(topology.epoch),
            ever_served: topology.serving.is_some(),
            primary_down: topology.primary_down,
            in_sync: topology.in_sync,
            upstream: World::upstream(database)
                .filter(|_| !leads)
                .map(|(_, facts)| facts),
            copy,
            engine,
            crashed: state.agent.crashed,
            lease_held: state.lease_held(self.now),
        }
    }

    fn effects_of(&mut self, node: usize, database: &Database, role: Role) -> Vec<Effect> {
        let facts = self.facts(node, database, role);
        let known = database.topology.members[&node_id(node)].address.is_some();
        if facts.engine != EngineFacts::Down && !known && !self.rules.write_address_once {
            return vec![Effect::Change(Change::Address)];
        }
        let step = decide_member(&facts);
        let epoch = facts.own.epoch.0;
        let upstream =
            World::upstream(database).map(|(index, facts)| (index, facts.lineage.epoch.0));
        let building = Effect::Change(Change::State(MemberState::Building));
        let running = Effect::Change(Change::State(MemberState::Running));
        match step {
            MemberStep::Supervise if facts.leads => self.supervise_leader(node, database),
            MemberStep::Supervise => self.supervise_follower(node, database),
            MemberStep::Stop => vec![Effect::StopEngine],
            MemberStep::Remove => vec![Effect::StopEngine, Effect::RemoveData],
            MemberStep::Initialize => {
                vec![
                    building,
                    Effect::RemoveData,
                    Effect::InitData,
                    Effect::Mark(epoch, true),
                ]
            }
            MemberStep::Copy(from) => {
                let from_epoch = from.lineage.epoch.0;
                let index = upstream.map_or(0, |(index, _)| index);
                let copy = Effect::Copy(index);
                vec![
                    building,
                    Effect::RemoveData,
                    copy,
                    Effect::Mark(from_epoch, false),
                    Effect::Fresh,
                ]
            }
            MemberStep::Realign(_) => self.realign(node, database),
            MemberStep::StartLeader => self.start_leader(epoch),
            MemberStep::StartFollower(from) => {
                let index = from.and(upstream).map(|(index, _)| index);
                vec![
                    Effect::LaunchFollower(index),
                    Effect::Change(Change::Address),
                    running,
                ]
            }
            MemberStep::Promote => vec![
                Effect::Newest,
                Effect::CheckPrimary(epoch),
                Effect::Promote(epoch),
                Effect::Mark(epoch, true),
            ],
            MemberStep::ReportDown => vec![Effect::Change(Change::Down(epoch))],
            MemberStep::Wait(_) | MemberStep::Lost(_) => Vec::new(),
        }
    }

    fn start_leader(&self, epoch: u64) -> Vec<Effect> {
        let claim = if self.rules.start_without_claim {
            Effect::Newest
        } else {
            Effect::Change(Change::Claim)
        };
        vec![
            claim,
            Effect::CheckPrimary(epoch),
            Effect::LaunchLeader(epoch),
            Effect::Change(Change::Address),
        ]
    }

    fn realign(&mut self, node: usize, database: &Database) -> Vec<Effect> {
        let Some((from, facts)) = World::upstream(database) else {
            return Vec::new();
        };
        let tried = self.nodes[node].agent.realigned;
        let align = if tried >= REALIGN_MAX {
            Effect::RemoveData
        } else {
            Effect::Rewind(from)
        };
        let mut effects = vec![
            Effect::StopEngine,
            Effect::Change(Change::State(MemberState::Building)),
            align,
        ];
        if align != Effect::RemoveData {
            effects.push(Effect::Mark(facts.lineage.epoch.0, false));
        }
        effects
    }

    fn supervise_leader(&mut self, node: usize, database: &Database) -> Vec<Effect> {
        let topology = &database.topology;
        let epoch = topology.epoch.0;
        self.nodes[node].agent.engine = self.nodes[node].engine.as_ref().map(|e| e.run);
        if !topology.is_serving() {
            return vec![Effect::Change(Change::Serving(epoch))];
        }
        if !topology.is_followable() {
            return vec![Effect::Change(Change::Followable(epoch))];
        }
        self.keep_in_step(node, database)
    }

    /// As `SyncWatch::see` and `Member::keep_in_step`.
    fn keep_in_step(&mut self, node: usize, database: &Database) -> Vec<Effect> {
        let (now, rules) = (self.now, self.rules);
        let topology = &database.topology;
        let standby = topology
            .standby()
            .map(|(id, member)| (index_of(id), member.incarnation));
        let state = &mut self.nodes[node];
        let head = state.disk.data.as_ref().map_or(0, |data| data.log.len());
        let peer = standby.and_then(|(index, _)| state.engine.as_ref()?.peers.get(&index).copied());
        let flushed = peer.and_then(|peer| peer.flushed);
        let agent = &mut state.agent;
        let has_all = flushed.is_some_and(|at| at >= head);
        if flushed > agent.seen_flushed || has_all || agent.well_at.is_none() {
            agent.well_at = Some(now);
        }
        agent.seen_flushed = flushed.or(agent.seen_flushed);
        let silent_ms = agent.well_at.map_or(0, |at| now - at);
        let waits_for_another = agent.waits_for.is_some() && agent.waits_for != standby;
        let facts = SyncFacts {
            in_sync: topology.in_sync,
            declared: agent.promised,
            waits: agent.waits_for.is_some(),
            wanted: standby.is_some(),
            caught_up: flushed.is_some_and(|at| head - at.min(head) < CAUGHT_UP_WRITES),
            lost: silent_ms >= STANDBY_LOSS_MS || waits_for_another && !rules.wait_for_any,
        };
        let step = decide_sync(facts);
        if let (SyncStep::StartWaiting, Some((standby, _))) = (step, standby)
            && self.unlucky(150)
        {
            self.ambush_barrier(node, standby);
            return Vec::new();
        }
        self.sync_effects(step, standby, topology.epoch.0)
    }

    fn sync_effects(
        &self,
        step: SyncStep,
        standby: Option<(usize, u32)>,
        epoch: u64,
    ) -> Vec<Effect> {
        let rules = self.rules;
        let stop = [
            Effect::Name(None),
            Effect::AwaitRelease,
            Effect::Waits(None),
            Effect::Fence(false),
        ];
        let deny = [Effect::Change(Change::NotInSync(epoch)), Effect::Denied];
        match (step, standby) {
            (SyncStep::StartWaiting, Some(standby)) if rules.no_barrier => vec![
                Effect::Fence(true),
                Effect::Name(Some(SyncName::Standby(standby.0))),
                Effect::Waits(Some(standby)),
            ],
            (SyncStep::StartWaiting, Some(standby)) => vec![
                Effect::Fence(true),
                Effect::AwaitStream(standby.0),
                Effect::Name(Some(SyncName::Nobody)),
                Effect::AwaitSwitch,
                Effect::NoteBarrier,
                Effect::Name(Some(SyncName::Standby(standby.0))),
                Effect::AwaitBarrier(standby.0),
                Effect::Waits(Some(standby)),
            ],
            (SyncStep::DeclareInSync, Some(standby)) if rules.forget_unknown_declaration => {
                vec![Effect::Change(Change::InSync(epoch, standby))]
            }
            (SyncStep::DeclareInSync, Some(standby)) => {
                vec![
                    Effect::Promised,
                    Effect::Change(Change::InSync(epoch, standby)),
                ]
            }
            (SyncStep::DeclareNotInSync, _) if rules.stop_before_declaring => {
                stop.into_iter().chain(deny).collect()
            }
            (SyncStep::DeclareNotInSync, _) => deny.into(),
            (SyncStep::StopWaiting, _) => stop.into(),
            _ => Vec::new(),
        }
    }

    fn supervise_follower(&mut self, node: usize, database: &Database) -> Vec<Effect> {
        let now = self.now;
        let upstream = World::upstream(database);
        let state = &mut self.nodes[node];
        let Some(engine) = state.engine.as_mut() else {
            return Vec::new();
        };
        state.agent.engine = Some(engine.run);
        if let Some((index, _)) = upstream
            && engine.upstream != Some(index)
        {
            engine.upstream = Some(index);
            engine.connection = None;
        }
        let streaming = engine.connection.is_some();
        if streaming || upstream.is_none() {
            state.agent.silent_since = None;
            if streaming {
                state.agent.realigned = 0;
            }
            return vec![];
        }
        let since = *state.agent.silent_since.get_or_insert(now);
        if now - since < STREAM_TIMEOUT_MS {
            return Vec::new();
        }
        state.agent.silent_since = None;
        self.realign(node, database)
    }
}

/// The database's own lineage at an epoch.
fn own(epoch: Epoch) -> Lineage {
    Lineage {
        resource_id: ID.to_owned(),
        epoch,
    }
}
