//! The world: what is, and what happens next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use quorate_control::{LeaseConfig, Outcome, Store, Txn};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::catalog::Region;
use crate::engine::SyncName;
use crate::faults::Fault;
use crate::node::{Local, Node};
use crate::observe::Observed;
use crate::record::NODES;
use crate::rules::Rules;

/// A proposal to the catalog.
#[derive(Debug, Clone)]
pub(crate) struct Proposal {
    pub(crate) from: usize,
    pub(crate) life: u32,
    pub(crate) txn: Txn,
    /// Whom the answer is for: the agent's turn; none for the controller.
    pub(crate) turn: Option<u64>,
    /// The term in which it must be made, if that matters.
    pub(crate) term: Option<u64>,
    /// Until when it is tried while no quorum answers.
    pub(crate) until: u64,
}

/// What can happen.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// The agent of a node looks, if it has nothing else to do.
    Look(usize, u64),
    /// The agent carries out its next effect.
    Act(usize, u64),
    /// The agent has waited long enough.
    GiveUp(usize, u64),
    /// A read barrier's answer: the catalog as it was.
    Newest(usize, u64, Store),
    /// A read barrier's question reaches the leader.
    AskNewest(usize, u32, u64),
    /// A proposal reaches the catalog.
    Propose(Proposal),
    /// What became of an agent's proposal.
    Answered(usize, u64, Outcome, Store),
    /// What became of a controller's proposal.
    Decided(usize),
    /// A watch brings a newer catalog.
    Watch(usize, Store),
    /// A node renews its session.
    Renew(usize),
    /// A renewal reaches the leader: node, its life, when it was sent by its clock, to whom.
    Renewal(usize, u32, Local, usize),
    /// The leader asks its quorum: as above, when it was received by its clock, in which term.
    Confirm(usize, u32, Local, usize, Local, u64),
    /// The leader's answer: when the renewal was sent, and the catalog that the view must reach.
    Renewed(usize, Local, Store),
    /// The controller beside a leader looks.
    Control(usize),
    /// Voters look whether the leader still leads.
    Election,
    /// Followers connect, upstreams send.
    Stream(usize),
    /// A follower's request reaches its upstream: from, its run, to, connection.
    Connect(usize, u64, usize, u64),
    /// A log's part: from, to, connection, position, writes, timelines.
    Log(usize, usize, u64, usize, Vec<u64>, Vec<(u32, usize)>),
    /// A follower has flushed: from, to, connection, position.
    Flushed(usize, usize, u64, usize),
    /// A guard's timer: node and run.
    Guard(usize, u64),
    /// A reload takes effect: node, run, what it names.
    Reload(usize, u64, Option<SyncName>),
    /// A client writes.
    Write,
    /// The gateway's view catches up.
    Gateway(Store),
    /// Something breaks.
    Break,
    /// A node is killed, for so long.
    Kill(usize, u64),
    /// Something is whole again.
    Heal(Fault),
}

impl Event {
    /// The node whose process must run for it to happen.
    fn process(&self) -> Option<usize> {
        match self {
            Event::Look(n, _)
            | Event::Act(n, _)
            | Event::GiveUp(n, _)
            | Event::Newest(n, ..)
            | Event::Answered(n, ..)
            | Event::Decided(n)
            | Event::Watch(n, _)
            | Event::Renew(n)
            | Event::Renewed(n, ..)
            | Event::Control(n) => Some(*n),
            Event::Renewal(.., to) | Event::Confirm(_, _, _, to, ..) => Some(*to),
            _ => None,
        }
    }

    /// The node whose engine or guard must run for it to happen.
    fn zone(&self) -> Option<usize> {
        match self {
            Event::Guard(n, _) | Event::Reload(n, ..) | Event::Stream(n) => Some(*n),
            Event::Connect(_, _, to, _) | Event::Log(_, to, ..) | Event::Flushed(_, to, ..) => {
                Some(*to)
            }
            _ => None,
        }
    }
}

/// Everything that there is.
pub(crate) struct World {
    pub(crate) rules: Rules,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) now: u64,
    pub(crate) lease: LeaseConfig,
    pub(crate) nodes: Vec<Node>,
    pub(crate) region: Region,
    pub(crate) gateway: Store,
    /// Pairs of zones that do not reach each other.
    pub(crate) cut: BTreeMap<(usize, usize), u32>,
    /// Whether things break.
    pub(crate) faulty: bool,
    pub(crate) observed: Observed,
    /// Numbers for runs of engines and connections.
    pub(crate) serial: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<(u64, u64), Event>,
    order: u64,
}

impl World {
    pub(crate) fn new(seed: u64, rules: Rules) -> World {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // Two clocks differ by less than the margin allows: 2000/1800.
        let nodes = (0..NODES)
            .map(|_| Node::new(rng.random_range(955..=1_045)))
            .collect();
        let mut world = World {
            rules,
            rng,
            now: 10_000,
            lease: LeaseConfig::default(),
            nodes,
            region: Region::default(),
            gateway: Store::default(),
            cut: BTreeMap::new(),
            faulty: true,
            observed: Observed::default(),
            serial: 0,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            order: 0,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        self.found_catalog();
        for node in 0..NODES {
            self.after(node as u64, Event::Renew(node));
            self.wake(node, 10);
            self.after(20, Event::Control(node));
            self.after(15, Event::Stream(node));
        }
        self.after(100, Event::Election);
        self.after(3_000, Event::Write);
        self.after(8_000, Event::Break);
    }

    /// Something happens after so many milliseconds.
    pub(crate) fn after(&mut self, ms: u64, event: Event) {
        self.order += 1;
        let key = (self.now + ms.max(1), self.order);
        self.queue.push(Reverse(key));
        self.events.insert(key, event);
    }

    /// True with this chance in a thousand, while things break.
    pub(crate) fn unlucky(&mut self, of_thousand: u32) -> bool {
        self.faulty && self.rng.random_range(0..1_000) < of_thousand
    }

    /// A number from a range, both ends included.
    pub(crate) fn pick(&mut self, from: u64, to: u64) -> u64 {
        self.rng.random_range(from..=to)
    }

    pub(crate) fn new_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// Whether two zones reach each other.
    pub(crate) fn linked(&self, one: usize, other: usize) -> bool {
        let pair = (one.min(other), one.max(other));
        one == other || !self.cut.contains_key(&pair)
    }

    /// Sends a message between two processes: it may be lost, late or repeated.
    pub(crate) fn send(&mut self, from: usize, to: usize, event: Event) {
        if !self.linked(from, to) || self.unlucky(20) {
            return;
        }
        let mut delay = self.pick(1, 8);
        if self.unlucky(40) {
            delay += self.pick(10, 700);
        }
        if self.unlucky(10) {
            let again = delay + self.pick(1, 400);
            self.after(again, event.clone());
        }
        self.after(delay, event);
    }

    /// Lets the next thing happen.
    pub(crate) fn step(&mut self) {
        let Some(Reverse(key)) = self.queue.pop() else {
            return;
        };
        let event = self
            .events
            .remove(&key)
            .expect("each queued event is there");
        self.now = key.0;
        if let Some(node) = event.process() {
            let node = &mut self.nodes[node];
            if !node.up && !matches!(event, Event::Renew(_) | Event::Control(_)) {
                return;
            }
            if node.up && (node.process_paused || node.zone_paused) {
                node.deferred.push(event);
                return;
            }
        }
        if let Some(node) = event.zone() {
            let node = &mut self.nodes[node];
            if node.up && node.zone_paused {
                node.deferred.push(event);
                return;
            }
        }
        self.happen(event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Look(node, token) => self.look_due(node, token),
            Event::Act(node, turn) => self.act(node, turn),
            Event::GiveUp(node, turn) => self.give_up(node, turn),
            Event::Newest(node, turn, store) => self.newest(node, turn, store),
            Event::AskNewest(node, life, turn) => self.ask_newest(node, life, turn),
            Event::Propose(proposal) => self.propose(proposal),
            Event::Answered(node, turn, outcome, store) => {
                self.answered(node, turn, outcome, store)
            }
            Event::Decided(node) => self.decided(node),
            Event::Watch(node, store) => self.watched(node, store),
            Event::Renew(node) => self.renew(node),
            Event::Renewal(node, life, sent, to) => self.renewal(node, life, sent, to),
            Event::Confirm(node, life, sent, to, received, term) => {
                self.confirm(node, life, sent, to, (received, term));
            }
            Event::Renewed(node, sent, store) => self.renewed(node, sent, store),
            Event::Control(node) => self.control(node),
            Event::Election => self.election(),
            Event::Stream(node) => self.stream(node),
            Event::Connect(from, run, to, connection) => self.connect(from, run, to, connection),
            Event::Log(from, to, connection, at, writes, history) => {
                self.take_log(from, to, connection, at, (writes, history));
            }
            Event::Flushed(from, to, connection, at) => self.flushed(from, to, connection, at),
            Event::Guard(node, run) => self.guard(node, run),
            Event::Reload(node, run, names) => self.reload(node, run, names),
            Event::Write => self.write(),
            Event::Gateway(store) => self.gateway_sees(store),
            Event::Break => self.break_something(),
            Event::Kill(node, lasts) => self.kill_late(node, lasts),
            Event::Heal(fault) => self.heal(fault),
        }
    }
}
