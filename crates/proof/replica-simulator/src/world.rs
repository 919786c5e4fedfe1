//! A world: nodes in one thread, each with a clock of its own, time in small steps.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quorate_consensus::{Host, HostConfig, simulate_clock};
use quorate_region::transport::CallError;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::catalog::Catalog;
use crate::client::Outside;
use crate::disk::SimulatedDisk;
use crate::items::ItemsDisk;
use crate::observe::{Breach, Observed};
use crate::rules::Rules;
use crate::site::{Site, Wire};
use crate::stage::{ASK, Message, Stage, node_id, voter};

/// A step of the world.
const STEP_US: u64 = 2_000;
const CLIENTS: u32 = 5;

/// A runtime with a clock of its own.
pub(crate) struct Clocked {
    pub(crate) runtime: Runtime,
    base: Instant,
    /// How much of its time has passed.
    own_us: u64,
    /// Steps of its clock to a thousand of the world's.
    rate: u64,
    carry: u64,
}

impl Clocked {
    fn new(rate: u64) -> io::Result<Clocked> {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()?;
        let base = {
            let _inside = runtime.enter();
            Instant::now()
        };
        Ok(Clocked {
            runtime,
            base,
            own_us: 0,
            rate,
            carry: 0,
        })
    }

    fn pass(&mut self, world_us: u64) {
        let whole = world_us * self.rate + self.carry;
        self.own_us += whole / 1_000;
        self.carry = whole % 1_000;
    }

    /// Lets it run for a step of the world.
    fn run(&mut self, world_us: u64) {
        self.pass(world_us);
        simulate_clock(self.base);
        let until = self.base + Duration::from_micros(self.own_us);
        self.runtime
            .block_on(async { tokio::time::sleep_until(until).await });
    }

    /// Time has passed in which it did not run.
    fn jump(&mut self, world_us: u64) {
        self.pass(world_us);
        simulate_clock(self.base);
        let to = self.base + Duration::from_micros(self.own_us);
        self.runtime.block_on(async {
            let by = to.saturating_duration_since(Instant::now());
            tokio::time::advance(by).await;
        });
    }

    pub(crate) fn within<T>(&self, look: impl FnOnce() -> T) -> T {
        simulate_clock(self.base);
        let _inside = self.runtime.enter();
        look()
    }
}

/// A life of a node. Its parts end in this order.
pub(crate) struct Life {
    pub(crate) clock: Clocked,
    pub(crate) site: Arc<Site>,
}

/// A node and what outlives its processes.
pub(crate) struct Node {
    pub(crate) disk: Arc<SimulatedDisk>,
    items: Arc<ItemsDisk>,
    pub(crate) life: Option<Life>,
    lives: u32,
    rate: u64,
    /// Since when it is stopped like a process by a signal, and until when.
    pub(crate) paused: Option<(u64, u64)>,
    /// When a node that is down starts again.
    pub(crate) starts_us: u64,
}

/// Everything.
pub(crate) struct World {
    pub(crate) rules: Rules,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) stage: Stage,
    pub(crate) nodes: Vec<Node>,
    pub(crate) outside: Outside,
    pub(crate) people: Clocked,
    pub(crate) catalog: Arc<Mutex<Catalog>>,
    pub(crate) observed: Arc<Mutex<Observed>>,
    /// Cuts that end, and when.
    pub(crate) cuts: Vec<(u64, usize, usize)>,
    pub(crate) next_fault_us: u64,
    pub(crate) weather_until_us: u64,
    pub(crate) slow_until_us: u64,
    folder: TempDir,
}

/// Where files in memory are, if there are.
fn new_folder() -> io::Result<TempDir> {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() {
        return TempDir::new_in(memory);
    }
    TempDir::new()
}

impl World {
    pub(crate) fn new(seed: u64, rules: Rules) -> io::Result<World> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let folder = new_folder()?;
        let stage = Stage::new(seed);
        let count = rng.random_range(3..=5);
        let nodes = (0..count).map(|index| {
            let rate = match (rules.clocks_apart, index) {
                (false, _) => rng.random_range(955..=1_045),
                (true, 0) => 500,
                (true, _) => 2_000,
            };
            let items = folder.path().join(format!("node-{index}"));
            Node {
                disk: Arc::new(SimulatedDisk::new(rng.random(), rules.syncs_lie)),
                items: Arc::new(ItemsDisk::new(items, rules.flushes_lie)),
                life: None,
                lives: 0,
                rate,
                paused: None,
                starts_us: 0,
            }
        });
        let nodes: Vec<Node> = nodes.collect();
        let mut catalog = Catalog::default();
        let preferred = rng.random_range(0..3);
        // A slow clock at the leader is what makes its lease long.
        let preferred = if rules.clocks_apart { 0 } else { preferred };
        catalog.create(BTreeSet::from([0, 1, 2]), preferred);
        let catalog = Arc::new(Mutex::new(catalog));
        let mut world = World {
            rules,
            rng,
            outside: Outside::new(stage.clone(), catalog.clone()),
            people: Clocked::new(1_000)?,
            stage,
            nodes,
            catalog,
            observed: Arc::default(),
            cuts: Vec::new(),
            next_fault_us: 2_000_000,
            weather_until_us: 0,
            slow_until_us: 0,
            folder,
        };
        for node in 0..world.nodes.len() {
            world.start(node)?;
        }
        for client in 0..CLIENTS {
            let run = world.outside.clone().run_client(client, seed);
            world.people.runtime.spawn(run);
        }
        let control = world.outside.clone().control(world.nodes.len(), seed);
        world.people.runtime.spawn(control);
        Ok(world)
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.stage.now_us()
    }

    /// Starts a node's process.
    pub(crate) fn start(&mut self, index: usize) -> io::Result<()> {
        let node = &mut self.nodes[index];
        node.lives += 1;
        let life = node.lives;
        let clock = Clocked::new(node.rate)?;
        let items = node.items.open()?;
        let wire = Wire {
            node: index,
            stage: self.stage.clone(),
        };
        let config = HostConfig {
            flush_every_entries: 40,
            keep_entries: 12,
            ..HostConfig::default()
        };
        let folder = self.folder.path().join(format!("host-{index}"));
        simulate_clock(clock.base);
        let opened = Host::open_simulated(
            voter(index),
            &folder,
            config,
            Arc::new(wire),
            node.disk.clone(),
        );
        let groups = clock.runtime.block_on(opened).map_err(io::Error::other)?;
        let (splits, done) = mpsc::unbounded_channel();
        let site = Arc::new(Site {
            node: index,
            life,
            groups,
            items,
            stage: self.stage.clone(),
            catalog: self.catalog.clone(),
            observed: self.observed.clone(),
            rules: self.rules,
            replicas: Mutex::default(),
            splits,
        });
        clock.runtime.spawn(site.clone().run(done));
        clock.runtime.spawn(site.clone().watch());
        clock.runtime.spawn(site.clone().hold_leases());
        self.stage.note(format!("{index}: starts, life {life}"));
        node.life = Some(Life { clock, site });
        Ok(())
    }

    /// Ends a node's process at once: what was not synced or flushed is lost.
    pub(crate) fn crash(&mut self, index: usize, down_us: u64) {
        let now_us = self.now_us();
        let node = &mut self.nodes[index];
        let Some(life) = node.life.take() else {
            return;
        };
        let Life { clock, site } = life;
        simulate_clock(clock.base);
        if self.rng.random_range(0..4) == 0 {
            // Everything had reached the disk.
            if let Err(e) = site.items.flush() {
                self.stage.note(format!("{index}: {e}"));
            }
        }
        drop(clock);
        drop(site);
        let lost = node.disk.crash();
        node.paused = None;
        node.starts_us = now_us + down_us;
        self.stage
            .note(format!("{index}: is killed, {lost} writes lost"));
    }

    /// One step of everything.
    pub(crate) fn step(&mut self) -> io::Result<()> {
        let now_us = {
            let mut scene = self.stage.scene();
            scene.now_us += STEP_US;
            scene.now_us
        };
        self.deliver();
        for index in 0..self.nodes.len() {
            let node = &mut self.nodes[index];
            if node.life.is_none() {
                if node.starts_us <= now_us {
                    self.start(index)?;
                }
                continue;
            }
            let paused = node.paused;
            let Some(life) = &mut node.life else { continue };
            match paused {
                Some((_, until_us)) if until_us > now_us => continue,
                Some((since_us, _)) => {
                    life.clock.jump(now_us - since_us);
                    node.paused = None;
                    self.stage.note(format!("{index}: goes on"));
                }
                None => life.clock.run(STEP_US),
            }
        }
        self.people.run(STEP_US);
        self.look(now_us);
        Ok(())
    }

    fn deliver(&mut self) {
        loop {
            let Some(message) = self.stage.scene().due() else {
                return;
            };
            match message {
                Message::Question {
                    from,
                    to,
                    method,
                    bytes,
                    reply,
                } => {
                    let Some(life) = self.nodes.get(to).and_then(|n| n.life.as_ref()) else {
                        let message = Message::Question {
                            from,
                            to,
                            method,
                            bytes,
                            reply,
                        };
                        self.stage.scene().refuse_some(message);
                        continue;
                    };
                    let site = life.site.clone();
                    life.clock.runtime.spawn(async move {
                        let answer = if method == ASK {
                            site.serve(&bytes).await
                        } else {
                            site.groups.receive(method, &bytes).await
                        };
                        let answer = answer.map_err(|why| CallError::Refused {
                            node: node_id(to),
                            why,
                        });
                        site.stage.scene().send(Message::Answer {
                            from: to,
                            to: from,
                            answer,
                            reply,
                        });
                    });
                }
                Message::Answer { answer, reply, .. } => {
                    let waiting = reply.lock().expect("no holder panics").take();
                    if let Some(waiting) = waiting {
                        // Who gave up waiting hears nothing.
                        let _ = waiting.send(answer);
                    }
                }
            }
        }
    }

    /// What is never to be seen at any moment.
    fn look(&mut self, now_us: u64) {
        let mut leases: Vec<(u64, usize)> = Vec::new();
        let mut breaches = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let Some(life) = &node.life else { continue };
            if node.paused.is_some() {
                continue;
            }
            let replicas = life.site.replicas();
            life.clock.within(|| {
                for (number, replica) in &replicas {
                    let leadership = replica.group().leadership();
                    if !leadership.own {
                        continue;
                    }
                    let mut observed = self.observed.lock().expect("no holder panics");
                    observed.leads(*number, leadership.term, index);
                    if replica.group().holds_lease() {
                        leases.push((*number, index));
                    }
                }
            });
        }
        for (at, (number, node)) in leases.iter().enumerate() {
            let other = leases[..at].iter().find(|(other, _)| other == number);
            breaches.extend(other.map(|(_, other)| Breach::TwoLeases {
                partition: *number,
                nodes: (*other, *node),
            }));
        }
        let mut scene = self.stage.scene();
        for breach in breaches {
            if !scene.breaches.contains(&breach) {
                scene.breach(breach);
            }
        }
        let stopped = std::mem::take(&mut scene.stopped);
        drop(scene);
        for (index, life) in stopped {
            if self.nodes[index].lives == life && self.nodes[index].life.is_some() {
                let down_us = self.rng.random_range(100_000..2_000_000);
                self.crash(index, down_us);
            }
        }
        self.faults(now_us);
    }
}
