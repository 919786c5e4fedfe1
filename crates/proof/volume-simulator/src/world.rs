//! A world: nodes, hosts, readers, and the queue of what happens next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use quorate_volume::protocol::{GroupIndex, PageId, VolumeEpoch};

use crate::catalog::Catalog;
use crate::chance::Chance;
use crate::checks::{copy_is_sound, page_is_right};
use crate::host::Host;
use crate::ledger::Ledger;
use crate::message::{Body, Endpoint, Place};
use crate::network::Network;
use crate::node::Node;
use crate::reader::Reader;
use crate::rules::Rules;
use crate::stage::{Counts, Stage};

const HOSTS: usize = 3;
const READERS: usize = 2;
/// Numbers of a view: each of its rounds of questions takes one.
const VIEW_NUMBERS: u64 = 1_000;
/// In one of so many worlds all nodes crash at the same time.
const POWER_FAILS_EVERY: u64 = 10;

#[derive(Debug)]
pub(crate) enum Event {
    Deliver {
        from: Endpoint,
        to: Endpoint,
        body: Box<Body>,
    },
    SyncEnd {
        node: usize,
        boot: u64,
        up_to: u64,
    },
    Restart {
        node: usize,
    },
    NodeTick(usize),
    HostTick(usize),
    ReaderTick(usize),
    Control,
    Fault,
    Heal,
    /// Every node crashes.
    PowerFails,
    /// The nodes that were cut off are back, others are cut off, and another host opens.
    Swap {
        cut: BTreeSet<usize>,
        damaged: Vec<usize>,
    },
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) nodes: Vec<Node>,
    pub(crate) hosts: Vec<Host>,
    readers: Vec<Reader>,
    pub(crate) network: Network,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    next_event: u64,
    next_view: u64,
    pull_records_max: usize,
    fault_gap_ms: u64,
    /// How often a copy that lacks something asks for it when its node looks.
    pub(crate) pull_percent: u64,
    pub(crate) double_percent: u64,
    pub(crate) swap_percent: u64,
    pub(crate) grow_percent: u64,
    pub(crate) groups_max: u32,
    /// Whether anything breaks by itself.
    pub(crate) breaks: bool,
    pub(crate) hash: u64,
}

impl World {
    pub(crate) fn new(seed: u64, rules: Rules, with_story: bool) -> World {
        let mut chance = Chance::new(seed);
        let groups = chance.between(1, 3) as u32;
        let nodes = [3, 6, 6, 9][chance.below(4)];
        let network = Network::of_seed(&mut chance);
        let nodes = (0..nodes).map(|node| {
            let slowest = if chance.percent(20) { 60 } else { 4 };
            Node::new(node % 3, chance.between(1, slowest))
        });
        let nodes = nodes.collect();
        let pull_records_max = chance.between(2, 30) as usize;
        let fault_gap_ms = chance.between(30, 200);
        let double_percent = [3, 10, 25, 80][chance.below(4)];
        let swap_percent = [0, 5, 20, 70][chance.below(4)];
        let pull_percent = [3, 10, 40, 100][chance.below(4)];
        let stage = Stage {
            now: 0,
            rules,
            groups,
            pages_per_group: chance.between(2, 4),
            chance,
            catalog: Catalog::new(groups),
            ledger: Ledger::default(),
            places: BTreeMap::new(),
            damaged: BTreeMap::new(),
            lost: BTreeSet::new(),
            views: BTreeMap::new(),
            is_quiet: false,
            counts: Counts::default(),
            out: Vec::new(),
            breaches: Vec::new(),
            story: with_story.then(Vec::new),
        };
        let mut world = World {
            stage,
            nodes,
            hosts: (0..HOSTS).map(|_| Host::default()).collect(),
            readers: (0..READERS).map(|_| Reader::default()).collect(),
            network,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            next_event: 0,
            next_view: 0,
            pull_records_max,
            fault_gap_ms,
            pull_percent,
            double_percent,
            swap_percent,
            grow_percent: 2,
            groups_max: 4,
            breaks: true,
            hash: 0xcbf2_9ce4_8422_2325,
        };
        world.shape();
        world.populate();
        if seed % POWER_FAILS_EVERY == POWER_FAILS_EVERY - 1 {
            let at = 400 + seed / POWER_FAILS_EVERY * 37 % 1_400;
            world.schedule(at, Event::PowerFails);
        }
        world
    }

    /// Some rules show in few worlds only: those are made more often.
    fn shape(&mut self) {
        let rules = self.stage.rules;
        if rules.settles_unfilled {
            (self.pull_percent, self.double_percent) = (3, 80);
            (self.swap_percent, self.fault_gap_ms) = (5, 300);
        }
        if rules.uses_groups_of_others {
            (self.grow_percent, self.groups_max) = (30, 12);
            self.swap_percent = 0;
        }
    }

    fn populate(&mut self) {
        for group in self.stage.group_indices() {
            self.place_group(group);
        }
        for node in 0..self.nodes.len() {
            self.schedule(5 + node as u64, Event::NodeTick(node));
        }
        for host in 0..HOSTS {
            self.schedule(1 + host as u64, Event::HostTick(host));
        }
        for reader in 0..READERS {
            self.schedule(50, Event::ReaderTick(reader));
        }
        self.schedule(1, Event::Control);
        self.schedule(100, Event::Fault);
    }

    /// Six copies, two in each zone.
    pub(crate) fn place_group(&mut self, group: GroupIndex) {
        for copy in 0..6 {
            let place = Place { group, copy };
            let node = copy as usize % self.nodes.len();
            self.stage.places.insert(place, node);
            self.nodes[node].place(place);
        }
    }

    pub(crate) fn endpoints(&self) -> usize {
        self.nodes.len() + HOSTS + READERS
    }

    /// Nodes and hosts: readers come after them.
    pub(crate) fn without_readers(&self) -> usize {
        self.nodes.len() + HOSTS
    }

    pub(crate) fn host_endpoint(&self, host: usize) -> Endpoint {
        self.nodes.len() + host
    }

    pub(crate) fn schedule(&mut self, after_ms: u64, event: Event) {
        let key = (self.stage.now + after_ms, self.next_event);
        self.queue.push(Reverse(key));
        self.events.insert(self.next_event, event);
        self.next_event += 1;
    }

    /// Sends what is in the outbox.
    pub(crate) fn flush(&mut self, from: Endpoint) {
        for (to, body) in std::mem::take(&mut self.stage.out) {
            let is_quiet = self.stage.is_quiet;
            let chance = &mut self.stage.chance;
            for delay in self.network.arrivals(from, to, chance, is_quiet) {
                let body = Box::new(body.clone());
                self.schedule(delay, Event::Deliver { from, to, body });
            }
        }
    }

    /// The next thing happens. False when nothing is left to happen.
    pub(crate) fn step(&mut self) -> bool {
        let Some(Reverse((now, number))) = self.queue.pop() else {
            return false;
        };
        let Some(event) = self.events.remove(&number) else {
            return false;
        };
        self.stage.now = now;
        match event {
            Event::Deliver { from, to, body } => self.deliver(from, to, body),
            Event::SyncEnd { node, boot, up_to } => self.sync_end(node, boot, up_to),
            Event::Restart { node } => self.restart(node),
            Event::NodeTick(node) => self.node_tick(node),
            Event::HostTick(host) => self.host_tick(host),
            Event::ReaderTick(reader) => self.reader_tick(reader),
            Event::Control => {
                self.control();
                self.schedule(40, Event::Control);
            }
            Event::Fault if self.stage.is_quiet || !self.breaks => {}
            Event::Fault => {
                self.fault();
                let after = self.stage.chance.between(5, 2 * self.fault_gap_ms);
                self.schedule(after, Event::Fault);
            }
            Event::Heal => self.network.heal(),
            Event::PowerFails if !self.breaks => {}
            Event::PowerFails => self.crash_all(),
            Event::Swap { .. } if self.stage.is_quiet => {}
            Event::Swap { cut, damaged } => self.swap(&cut, &damaged),
        }
        true
    }

    fn deliver(&mut self, from: Endpoint, to: Endpoint, body: Box<Body>) {
        for number in [self.stage.now, from as u64, to as u64] {
            self.hash = (self.hash ^ number).wrapping_mul(0x0100_0000_01b3);
        }
        self.stage.counts.messages += 1;
        if let Some(node) = self.nodes.get_mut(to) {
            if !node.up {
                return;
            }
            let copies =
                matches!(&*body, Body::Pulled { followers, .. } if followers.pages.is_some());
            self.stage.counts.copied += u64::from(copies);
            let rules = self.stage.rules;
            let out = &mut self.stage.out;
            let handled = node.handle(from, *body, self.pull_records_max, rules, out);
            if let Some((place, voided)) = handled {
                self.stage.counts.voided += voided as u64;
                self.check_copy(to, place);
            }
            self.after_node(to);
            return;
        }
        let host = to - self.nodes.len();
        if let Some(host) = self.hosts.get_mut(host) {
            if host.paused_until > self.stage.now {
                let after = host.paused_until - self.stage.now + self.stage.chance.between(0, 5);
                self.schedule(after, Event::Deliver { from, to, body });
                return;
            }
            if host.handle(*body, &mut self.stage) {
                self.check_recovered(to - self.nodes.len());
            }
        } else if let Some(reader) = self.readers.get_mut(host - HOSTS) {
            reader.handle(*body, &mut self.stage);
        }
        self.flush(to);
    }

    fn after_node(&mut self, node: usize) {
        if let Some((takes, up_to)) = self.nodes[node].begin_sync() {
            let boot = self.nodes[node].boot;
            self.schedule(takes, Event::SyncEnd { node, boot, up_to });
        }
        self.flush(node);
    }

    fn sync_end(&mut self, node: usize, boot: u64, up_to: u64) {
        if self.nodes[node].up && self.nodes[node].boot == boot {
            self.nodes[node].end_sync(up_to, &mut self.stage.out);
            self.after_node(node);
        }
    }

    fn restart(&mut self, node: usize) {
        if self.nodes[node].up {
            return;
        }
        self.nodes[node].restart();
        self.stage.tell(|| format!("node {node} starts"));
        let places: Vec<Place> = self.nodes[node].copies.keys().copied().collect();
        for place in places {
            self.check_copy(node, place);
        }
    }

    fn node_tick(&mut self, node: usize) {
        let after = self.stage.chance.between(15, 30);
        self.schedule(after, Event::NodeTick(node));
        if !self.nodes[node].up {
            return;
        }
        let places: Vec<Place> = self.nodes[node].copies.keys().copied().collect();
        for place in places {
            if self.stage.chance.percent(25) && self.nodes[node].coalesce(place, self.stage.rules) {
                self.stage.counts.coalesced += 1;
                self.check_copy(node, place);
            }
            let lacks = self.nodes[node].copies[&place].segment.lacks_records();
            let peers = self.stage.members(place.group);
            let asks = match (lacks, self.stage.is_quiet) {
                (true, true) => 100,
                (true, false) => self.pull_percent,
                (false, _) => self.pull_percent / 10,
            };
            if !self.stage.chance.percent(asks) {
                continue;
            }
            let Some(to) = self.stage.chance.pick(&peers).filter(|to| *to != place) else {
                continue;
            };
            let pull = self.nodes[node].copies[&place].segment.pull();
            let boot = self.nodes[node].boot;
            let body = Body::Pull {
                to,
                asker: place,
                boot,
                pull,
            };
            self.stage.send(to, body);
        }
        self.after_node(node);
    }

    fn host_tick(&mut self, host: usize) {
        let after = self.stage.chance.between(6, 12);
        self.schedule(after, Event::HostTick(host));
        if self.hosts[host].paused_until <= self.stage.now {
            self.hosts[host].tick(&mut self.stage);
            self.flush(self.host_endpoint(host));
        }
    }

    fn reader_tick(&mut self, reader: usize) {
        self.schedule(20, Event::ReaderTick(reader));
        self.forget_repaired();
        self.next_view += VIEW_NUMBERS;
        let writers: Vec<usize> = (0..HOSTS)
            .filter(|host| self.hosts[*host].session().is_some())
            .collect();
        let chosen = self.stage.chance.pick(&writers);
        let session = chosen.and_then(|host| self.hosts[host].session());
        let writer = session.map(|session| &session.writer);
        self.readers[reader].tick(self.next_view, writer, &mut self.stage);
        self.flush(self.nodes.len() + HOSTS + reader);
    }

    pub(crate) fn check_copy(&mut self, node: usize, place: Place) {
        let Some(copy) = self.nodes[node].copies.get(&place) else {
            return;
        };
        let promised = self.nodes[node].promised.get(&place).copied();
        let checked = copy_is_sound(
            copy.segment.state(),
            copy.base,
            copy.segment.scl(),
            &copy.records,
            promised.unwrap_or_default(),
        );
        self.stage.check(checked);
    }

    fn check_recovered(&mut self, host: usize) {
        let Some(session) = self.hosts[host].session() else {
            return;
        };
        let epoch = session.epoch();
        for group in self.stage.group_indices() {
            self.check_pages(host, group, epoch);
        }
    }

    /// Copies that have adopted the writer's history and reach its tail hold its volume.
    pub(crate) fn check_pages(&mut self, host: usize, group: GroupIndex, epoch: VolumeEpoch) {
        let Some(session) = self.hosts[host].session() else {
            return;
        };
        let (history, tail) = (
            session.writer.history().clone(),
            session.writer.complete(group).tail,
        );
        let per_group = self.stage.pages_per_group;
        let first = u64::from(group.0) * per_group;
        for place in self.stage.members(group) {
            let node = self.stage.places.get(&place).copied();
            let copy = node.and_then(|node| self.nodes[node].copies.get(&place));
            let Some(copy) = copy.filter(|copy| {
                copy.segment.state().history.epoch() == epoch && copy.segment.reaches(tail)
            }) else {
                continue;
            };
            for page in (first..first + per_group).map(PageId) {
                let (_, value) = copy.build(page, tail);
                let checked = page_is_right(&self.stage.ledger, page, &history, tail, &value);
                self.stage.check(checked);
            }
        }
    }
}
