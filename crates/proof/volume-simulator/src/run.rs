//! One seed: a time with faults, then a quiet time in which everything has to come right.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::checks::Breach;
use crate::rules::Rules;
use crate::stage::Counts;
use crate::world::World;

/// How long faults go on, in simulated ms.
const FAULTS_MS: u64 = 2_000;
/// How long the volume may take to come right afterwards.
const QUIET_MS: u64 = 4_000;

/// What became of a seed.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Promises that were broken; the run ends with the first.
    pub breaches: Vec<Breach>,
    /// What happened, when it was asked for.
    pub story: Vec<String>,
    /// How much of it.
    pub counts: Counts,
    /// The same for the same run.
    pub hash: u64,
    /// How long the volume took to come right, in simulated ms.
    pub quiet_ms: u64,
}

/// Runs a seed.
#[must_use]
pub fn run_seed(seed: u64, rules: Rules, with_story: bool) -> Ran {
    let mut world = World::new(seed, rules, with_story);
    let ran = catch_unwind(AssertUnwindSafe(|| world.run()));
    let mut breaches = std::mem::take(&mut world.stage.breaches);
    let quiet_ms = ran.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        breaches.push(Breach::Panicked(said.unwrap_or_default()));
        0
    });
    Ran {
        breaches,
        story: world.stage.story.take().unwrap_or_default(),
        counts: world.stage.counts,
        hash: world.hash,
        quiet_ms,
    }
}

impl World {
    fn run(&mut self) -> u64 {
        while self.stage.now < FAULTS_MS && self.stage.breaches.is_empty() && self.step() {}
        if !self.stage.breaches.is_empty() {
            return 0;
        }
        self.calm();
        let from = self.stage.now;
        while self.stage.breaches.is_empty() && self.step() {
            if self.is_right() {
                self.check_all_pages();
                return self.stage.now - from;
            }
            if self.stage.now > from + QUIET_MS {
                let why = self.why_not();
                self.stage.check(Err(Breach::Stuck(why)));
            }
        }
        0
    }

    /// Faults end: everybody is up, hears everybody and is quick.
    fn calm(&mut self) {
        self.stage.tell(|| "quiet".to_owned());
        self.stage.is_quiet = true;
        self.network.heal();
        for host in &mut self.hosts {
            host.paused_until = 0;
        }
        for index in 0..self.nodes.len() {
            self.nodes[index].sync_ms = 1;
            if !self.nodes[index].up {
                self.schedule(10, crate::world::Event::Restart { node: index });
            }
        }
    }

    /// The writer of the last epoch, when all that it wrote is acknowledged.
    fn writer(&self) -> Option<usize> {
        let is_writer = |host: &crate::host::Host| {
            host.is_last(&self.stage) && host.session().is_some_and(|s| s.is_done())
        };
        self.hosts.iter().position(is_writer)
    }

    fn is_right(&self) -> bool {
        let Some(writer) = self.writer() else {
            return false;
        };
        self.stage.group_indices().all(|group| {
            let session = self.hosts[writer].session();
            let tail = session.map(|s| s.writer.complete(group).tail);
            let sets = self.stage.catalog.groups.get(&group).map(|m| m.sets.len());
            sets == Some(1)
                && self.stage.members(group).iter().all(|place| {
                    let node = self.stage.places.get(place);
                    let copy = node.and_then(|node| self.nodes[*node].copies.get(place));
                    copy.is_some_and(|copy| {
                        Some(copy.segment.scl()) == tail && !copy.segment.lacks_records()
                    })
                })
        })
    }

    fn check_all_pages(&mut self) {
        let Some(writer) = self.writer() else { return };
        let Some(epoch) = self.hosts[writer].session().map(|s| s.epoch()) else {
            return;
        };
        for group in self.stage.group_indices() {
            self.check_pages(writer, group, epoch);
        }
    }

    fn why_not(&self) -> String {
        let mut why = match self.writer() {
            Some(writer) => format!("host {writer} writes"),
            None => "nobody writes".to_owned(),
        };
        for session in self.hosts.iter().filter_map(|host| host.session()) {
            why += &format!("\n{}", session.told());
        }
        for (place, node) in &self.stage.places {
            if let Some(copy) = self.nodes[*node].copies.get(place) {
                let (segment, state) = (&copy.segment, copy.segment.state());
                why += &format!(
                    "\n{place:?} on {node}: SCL {} base {} promised {} history {} membership {} lacks {}",
                    segment.scl(),
                    copy.base,
                    state.promised,
                    state.history.epoch(),
                    state.membership,
                    segment.lacks_records()
                );
            }
        }
        why + &format!("\n{:?}", self.stage.catalog)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Network;

    /// A world of six nodes in which nothing breaks by itself.
    fn sound_world() -> World {
        let worlds = (1..).map(|seed| World::new(seed, Rules::default(), false));
        let mut world = worlds
            .into_iter()
            .find(|world| world.nodes.len() == 6 && world.stage.groups > 1)
            .expect("some seed has six nodes");
        world.breaks = false;
        world.pull_percent = 50;
        world.network = Network::default();
        world
    }

    fn run_for(world: &mut World, ms: u64) -> Counts {
        let until = world.stage.now + ms;
        while world.stage.now < until && world.step() {}
        assert_eq!(world.stage.breaches, []);
        world.stage.counts
    }

    #[test]
    fn without_a_zone_and_one_more_node_views_go_on_and_writes_wait_for_a_fourth_copy() {
        let mut world = sound_world();
        run_for(&mut world, 500);
        // Nodes 0 and 3 are a zone.
        for node in [0, 3, 1] {
            world.nodes[node].crash(&mut world.stage.chance);
        }
        let before = run_for(&mut world, 100);
        let during = run_for(&mut world, 600);
        assert_eq!(during.acknowledgements, before.acknowledgements);
        assert!(during.found_views > before.found_views);
        assert!(during.reads > before.reads + 10);
        world.nodes[1].restart();
        let after = run_for(&mut world, 600);
        assert!(after.acknowledgements > during.acknowledgements + 5);
    }

    #[test]
    fn without_a_zone_the_volume_opens_and_writes() {
        let mut world = sound_world();
        run_for(&mut world, 500);
        for node in [0, 3] {
            world.nodes[node].crash(&mut world.stage.chance);
        }
        let before = run_for(&mut world, 100);
        world.hosts[0].open(&mut world.stage);
        let after = run_for(&mut world, 1_500);
        assert!(after.recoveries > before.recoveries);
        assert!(after.acknowledgements > before.acknowledgements + 5);
    }
}
