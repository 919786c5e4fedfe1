//! A whole run: faults for a while, then calm, then judgement.

use std::io;

use crate::observe::Breach;
use crate::randomness;
use crate::rules::Rules;
use crate::world::World;

/// How long things break, in the world's time.
const FAULTS_US: u64 = 16_000_000;
/// How long it may take until all is quiet once they do not.
const RECOVERY_US: u64 = 60_000_000;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Broken promises; none when all were kept.
    pub breaches: Vec<Breach>,
    /// A number that stands for every message and everything told.
    pub hash: u64,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Operations on registers, with the reads.
    pub operations: u64,
    /// Leaderships of all partitions.
    pub leaderships: u64,
    /// Snapshots that were loaded.
    pub snapshots: u64,
    /// Partitions at the end.
    pub partitions: u64,
    /// Messages.
    pub messages: u64,
    /// From the end of the faults until all was quiet.
    pub recovered_ms: u64,
    /// What happened.
    pub story: Vec<String>,
}

/// Runs the world of a seed. The same seed and rules give the same run, in a process that has run nothing else.
///
/// # Errors
/// When a folder or a thread cannot be made.
pub fn run_seed(seed: u64, rules: Rules) -> io::Result<Ran> {
    let simulated = std::thread::Builder::new()
        .name(String::from("world"))
        .stack_size(16 << 20)
        .spawn(move || {
            randomness::follow(seed);
            run(seed, rules)
        })?;
    simulated
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the world ended in a panic")))
}

fn run(seed: u64, rules: Rules) -> io::Result<Ran> {
    let mut world = World::new(seed, rules)?;
    while world.now_us() < FAULTS_US && !world.is_broken() {
        world.step()?;
    }
    if !world.is_broken() {
        world.calm();
    }
    let calm_us = world.now_us();
    world.outside.history().stops = true;
    let mut reads = false;
    loop {
        if world.is_broken() {
            break;
        }
        if world.now_us() - calm_us > RECOVERY_US {
            let state = world.state();
            world.stage.scene().breach(Breach::Stuck(state));
            break;
        }
        // Looking at everything is not for each step.
        for _ in 0..20 {
            world.step()?;
        }
        let idle = world.outside.history().at_work == 0;
        if !idle || !world.is_quiet() {
            continue;
        }
        if reads {
            break;
        }
        reads = true;
        let read = world.outside.clone().read_all(seed);
        world.people.runtime.spawn(read);
        world.step()?;
    }
    let recovered_ms = (world.now_us() - calm_us) / 1_000;
    world.judge();
    Ok(report(&world, recovered_ms))
}

fn report(world: &World, recovered_ms: u64) -> Ran {
    let scene = world.stage.scene();
    let history = world.outside.history();
    let observed = world.observed.lock().expect("no holder panics");
    let catalog = world.catalog.lock().expect("no holder panics");
    Ran {
        breaches: scene.breaches.clone(),
        hash: scene.hash(),
        acknowledged: history.acknowledged,
        operations: history.operations.len() as u64,
        leaderships: observed.leaderships.len() as u64,
        snapshots: observed.snapshots,
        partitions: catalog.partitions.len() as u64,
        messages: scene.messages,
        recovered_ms,
        story: scene.story.clone(),
    }
}
