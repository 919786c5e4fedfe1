//! What breaks, within what the quorums bear.

use std::collections::BTreeSet;

use quorate_volume::protocol::GroupIndex;

use crate::message::Place;
use crate::stage::Damage;
use crate::world::{Event, World};

/// Copies of each set of a group that may be lost with their disks at a time.
const LOST_MAX: usize = 2;

impl World {
    pub(crate) fn fault(&mut self) {
        if self.stage.chance.percent(self.swap_percent) {
            self.begin_swap();
            return;
        }
        match self.stage.chance.below(20) {
            0..=6 => {
                let node = self.stage.chance.below(self.nodes.len());
                self.crash(node, 400, 40);
            }
            7 => self.crash_zone(),
            8..=11 => self.partition(),
            12 | 13 => self.leave_alone(),
            14 => self.pause(),
            15 | 16 => {
                let node = self.stage.chance.below(self.nodes.len());
                let slow = self.stage.chance.between(10, 100);
                self.nodes[node].sync_ms = slow;
                let quick = self.stage.chance.below(self.nodes.len());
                self.nodes[quick].sync_ms = 1;
            }
            17 => self.lose(),
            _ => {
                let chosen = self.stage.chance.below(self.hosts.len());
                self.hosts[chosen].open(&mut self.stage);
            }
        }
    }

    fn crash(&mut self, node: usize, down_ms_max: u64, flips_percent: u64) {
        if !self.nodes[node].up {
            return;
        }
        self.stage.counts.crashes += 1;
        self.nodes[node].crash(&mut self.stage.chance);
        self.stage.tell(|| format!("node {node} crashes"));
        let down = self.stage.chance.between(5, down_ms_max);
        self.schedule(down, Event::Restart { node });
        if self.stage.chance.percent(flips_percent) {
            self.forget_repaired();
            let places: Vec<Place> = self.nodes[node].disks.keys().copied().collect();
            for place in places {
                if self.stage.chance.percent(60) {
                    self.flip(node, place);
                }
            }
        }
    }

    pub(crate) fn crash_all(&mut self) {
        for node in 0..self.nodes.len() {
            self.crash(node, 200, 30);
        }
    }

    fn crash_zone(&mut self) {
        let zone = self.stage.chance.below(3);
        let nodes = 0..self.nodes.len();
        let of_zone: Vec<usize> = nodes.filter(|n| self.nodes[*n].zone == zone).collect();
        for node in of_zone {
            self.crash(node, 600, 40);
        }
        if self.stage.chance.percent(50) {
            let one_more = self.stage.chance.below(self.nodes.len());
            self.crash(one_more, 600, 40);
        }
    }

    fn partition(&mut self) {
        let all = self.endpoints();
        let without_readers = self.without_readers();
        let chance = &mut self.stage.chance;
        let others = if chance.percent(50) {
            all
        } else {
            without_readers
        };
        let mut inside = BTreeSet::new();
        for _ in 0..chance.between(1, 3) {
            inside.insert(chance.below(all));
        }
        let both_ways = chance.percent(60);
        let lasts = chance.between(30, 600);
        self.network.cut(&inside, others, both_ways);
        self.stage
            .tell(|| format!("{inside:?} are cut off, both ways: {both_ways}"));
        self.schedule(lasts, Event::Heal);
    }

    /// A third of the nodes, counted from `first`.
    fn third(&self, first: usize) -> BTreeSet<usize> {
        let nodes = self.nodes.len();
        (0..nodes / 3).map(|i| (first + i) % nodes).collect()
    }

    /// A third of the nodes is cut off while the writer goes on with the others. Then they are back, another third is cut
    /// off, and another host opens: its quorum meets the writer's where it is smallest, and there copies are damaged.
    fn begin_swap(&mut self) {
        let nodes = self.nodes.len();
        let first = self.stage.chance.below(nodes);
        let next = first + nodes / 3 * (1 + self.stage.chance.below(2));
        let (one, other) = (self.third(first), self.third(next));
        let both_ways = self.stage.chance.percent(70);
        let lasts = self.stage.chance.between(30, 300);
        let meets = (0..nodes).filter(|n| !one.contains(n) && !other.contains(n));
        let damages_max = self.stage.chance.below(3);
        let damaged = meets.take(damages_max).collect();
        self.network.heal();
        self.network.cut(&one, self.without_readers(), both_ways);
        self.stage
            .tell(|| format!("{one:?} are cut off, {other:?} afterwards"));
        let cut = other;
        self.schedule(lasts, Event::Swap { cut, damaged });
    }

    pub(crate) fn swap(&mut self, cut: &BTreeSet<usize>, damaged: &[usize]) {
        self.network.heal();
        self.network.cut(cut, self.without_readers(), true);
        self.stage.tell(|| format!("{cut:?} are cut off"));
        for node in damaged {
            self.crash(*node, 10, 100);
        }
        let chosen = self.stage.chance.below(self.hosts.len());
        self.hosts[chosen].open(&mut self.stage);
        let lasts = self.stage.chance.between(100, 600);
        self.schedule(lasts, Event::Heal);
    }

    /// A writer is left alone with a third of the nodes, and another host opens. Readers reach everybody.
    fn leave_alone(&mut self) {
        let hosts = self.hosts.len();
        let writes = |host: &usize| self.hosts[*host].session().is_some();
        let writers: Vec<usize> = (0..hosts).filter(writes).collect();
        let Some(alone) = self.stage.chance.pick(&writers) else {
            return;
        };
        let first = self.stage.chance.below(self.nodes.len());
        let mut inside = self.third(first);
        inside.insert(self.host_endpoint(alone));
        self.network.cut(&inside, self.without_readers(), true);
        self.stage
            .tell(|| format!("host {alone} is left alone with {inside:?}"));
        let other = (alone + 1 + self.stage.chance.below(hosts - 1)) % hosts;
        self.hosts[other].open(&mut self.stage);
        let lasts = self.stage.chance.between(100, 600);
        self.schedule(lasts, Event::Heal);
    }

    fn pause(&mut self) {
        let host = self.stage.chance.below(self.hosts.len());
        let lasts = self.stage.chance.between(30, 700);
        self.hosts[host].paused_until = self.stage.now + lasts;
        self.stage
            .tell(|| format!("host {host} stands still for {lasts} ms"));
    }

    /// A copy's disk is lost for good.
    fn lose(&mut self) {
        let stage = &mut self.stage;
        let group = GroupIndex(stage.chance.below(stage.groups as usize) as u32);
        let members = stage.members(group);
        let Some(place) = stage.chance.pick(&members) else {
            return;
        };
        let sets = stage.catalog.groups.get(&group).map(|m| m.sets.clone());
        let is_too_many = sets.into_iter().flatten().any(|set| {
            let is_lost = |copy: &&u32| {
                let other = Place {
                    group,
                    copy: **copy,
                };
                other == place || stage.lost.contains(&other)
            };
            set.iter().filter(is_lost).count() > LOST_MAX
        });
        if is_too_many {
            return;
        }
        stage.counts.lost += 1;
        stage.tell(|| format!("{place:?} is lost"));
        stage.lost.insert(place);
        stage.damaged.remove(&place);
        if let Some(node) = stage.places.remove(&place) {
            self.nodes[node].remove(place);
        }
    }

    /// A copy on a node that is down loses what was synced: one record, or its log from some entry on, promises and
    /// histories with it. One copy of a group at a time: four copies that sealed meet four that wrote in two.
    fn flip(&mut self, node: usize, place: Place) {
        let stage = &mut self.stage;
        let others = stage.damaged.keys().filter(|d| d.group == place.group);
        let most = if stage.rules.damages_two { 2 } else { 1 };
        if others.count() >= most || stage.damaged.contains_key(&place) {
            return;
        }
        let Some(disk) = self.nodes[node].disks.get_mut(&place) else {
            return;
        };
        let before = disk.content();
        if !disk.flip(&mut stage.chance) {
            return;
        }
        let after = disk.content();
        let lost = before.records.iter();
        let lost = lost.filter(|(lsn, _)| !after.records.contains_key(lsn));
        let damage = Damage {
            records: lost.map(|(lsn, r)| (*lsn, r.header.epoch)).collect(),
            promised: before.state.promised,
            history: before.state.history.epoch(),
        };
        stage.counts.damaged += 1;
        stage.tell(|| format!("{place:?} on node {node} is damaged: {damage:?}"));
        self.nodes[node]
            .promised
            .insert(place, after.state.promised);
        let stage = &mut self.stage;
        if stage.places.get(&place) == Some(&node) && stage.members(place.group).contains(&place) {
            stage.damaged.insert(place, damage);
        }
    }

    /// Copies that have again what they had lost are as good as the others.
    pub(crate) fn forget_repaired(&mut self) {
        let (nodes, places) = (&self.nodes, &self.stage.places);
        self.stage.damaged.retain(|place, damage| {
            let node = places.get(place).and_then(|node| nodes.get(*node));
            let Some(copy) = node.and_then(|node| node.copies.get(place)) else {
                return true;
            };
            let state = copy.segment.state();
            let is_back = |(lsn, epoch): &(_, _)| {
                let cuts = state.history.cuts().iter();
                let is_void = cuts.into_iter().any(|c| *epoch < c.epoch && *lsn > c.at);
                let held = copy.records.get(lsn);
                *lsn <= copy.base || is_void || held.is_some_and(|r| r.header.epoch == *epoch)
            };
            let is_repaired = state.promised >= damage.promised
                && state.history.epoch() >= damage.history
                && damage.records.iter().all(is_back);
            !is_repaired
        });
    }
}
