//! A whole run: faults for a while, then calm, then judgement.

use quorate_rds::model::Topology;

use crate::observe::Breach;
use crate::record::{database, index_of};
use crate::rules::Rules;
use crate::world::World;

/// How long things break, in milliseconds of the world.
const FAULTS_MS: u64 = 60_000;
/// How long the database may take to be available and in sync once they do not.
const RECOVERY_MS: u64 = 90_000;
/// How long writers go on after that.
const AFTERWARDS_MS: u64 = 2_000;

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Broken promises; none when all were kept.
    pub breaches: Vec<Breach>,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Promotions.
    pub promotions: u64,
    /// From the end of the faults until the database was available and in sync.
    pub recovered_ms: u64,
    /// The last lines of what happened.
    pub story: Vec<String>,
}

/// Runs the world of a seed by the given rules. The same seed and rules give the same run.
#[must_use]
pub fn run_seed(seed: u64, rules: Rules) -> Ran {
    let mut world = World::new(seed, rules);
    while world.now < FAULTS_MS {
        world.step();
    }
    world.calm();
    let calm_at = world.now;
    let written = world.observed.endpoint_writes;
    while !(is_whole(&world) && world.observed.endpoint_writes > written) {
        world.step();
        if world.now - calm_at > RECOVERY_MS {
            let state = state_of(&world);
            world.breach(Breach::Stuck(state));
            break;
        }
    }
    let recovered_ms = world.now - calm_at;
    let end = world.now + AFTERWARDS_MS;
    while world.now < end {
        world.step();
    }
    world.judge();
    Ran {
        breaches: world.observed.breaches.clone(),
        acknowledged: world.observed.acknowledged(),
        promotions: world.observed.promotions,
        recovered_ms,
        story: world.observed.story,
    }
}

fn is_whole(world: &World) -> bool {
    let Some(database) = database(&world.region.store) else {
        return false;
    };
    let topology: &Topology = &database.record.topology;
    let leads = topology.primary.as_ref().map(index_of).is_some_and(|node| {
        world.nodes[node]
            .engine
            .as_ref()
            .is_some_and(|e| e.leads && e.epoch == topology.epoch.0)
    });
    leads && topology.is_serving() && topology.in_sync
}

/// Why nothing goes on: what the catalog says, and each node in a line.
fn state_of(world: &World) -> String {
    let mut text = format!("{:?}", database(&world.region.store).map(|d| d.record));
    for (index, node) in world.nodes.iter().enumerate() {
        let agent = &node.agent;
        text += &format!(
            "\nnode {index}: runs {} view {} lease {} busy {} next {:?} look {:?} marker {:?} engine {:?} waits for {:?}",
            node.runs(),
            node.view.revision(),
            node.lease_held(world.now),
            agent.busy,
            agent.queue.front(),
            agent.look_at,
            node.disk.marker,
            node.engine
                .as_ref()
                .map(|e| (e.leads, e.epoch, e.sync, e.waiting.len())),
            agent.waits_for,
        );
    }
    text
}
