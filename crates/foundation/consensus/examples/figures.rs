//! Prints what hosting groups costs: `cargo run --release -p quorate-consensus --example figures`, with the names of
//! the parts to run (`proposals`, `reads`, `idling`, `failing-over`) or none for all.

// It ends where it unwraps, and prints what it is for.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/world/mod.rs"]
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use quorate_consensus::HostConfig;
use world::{CALL, Trio, World};

fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(us.unsigned_abs())
}

async fn load(trios: &[Trio], clients: usize, time: Duration) {
    let done = Arc::new(AtomicU64::new(0));
    let latencies = Arc::new(std::sync::Mutex::new(Vec::new()));
    let started = Instant::now();
    let cpu_before = cpu();
    let mut running = tokio::task::JoinSet::new();
    for client in 0..clients {
        let trio = &trios[client % trios.len()];
        let group = trio.group(trio.leader().await).clone();
        let (done, latencies) = (done.clone(), latencies.clone());
        running.spawn(async move {
            let mut own = Vec::new();
            let mut n = 0;
            while started.elapsed() < time {
                n += 1;
                let command = format!("c{client}k{}={:0>200}", n % 50, n);
                let asked = Instant::now();
                group.propose(command.into_bytes(), CALL).await.unwrap();
                own.push(asked.elapsed());
                done.fetch_add(1, Ordering::Relaxed);
            }
            latencies.lock().unwrap().extend(own);
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    let took = started.elapsed().as_secs_f64();
    let cores = (cpu() - cpu_before).as_secs_f64() / took;
    let mut latencies = latencies.lock().unwrap().clone();
    latencies.sort();
    let at = |share: f64| latencies[(latencies.len() as f64 * share) as usize].as_secs_f64() * 1e3;
    let rate = done.load(Ordering::Relaxed) as f64 / took;
    println!(
        "{} groups, {clients} clients: {rate:.0} proposals/s, p50 {:.1} ms, p99 {:.1} ms, {cores:.2} cores",
        trios.len(),
        at(0.5),
        at(0.99),
    );
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let wants = |part: &str| asked.is_empty() || asked.iter().any(|name| name == part);
    if wants("proposals") {
        proposals().await;
    }
    if wants("reads") {
        reads().await;
    }
    if wants("idling") {
        idling().await;
    }
    if wants("failing-over") {
        failing_over().await;
    }
}

async fn proposals() {
    let world = World::start(3, HostConfig::default()).await;
    let mut trios = Vec::new();
    for id in 0..16 {
        trios.push(Trio::start(&world, id, (id % 3) as usize).await);
    }
    for trio in &trios {
        trio.leader().await;
    }
    let time = Duration::from_secs(5);
    load(&trios[..1], 1, time).await;
    load(&trios[..1], 64, time).await;
    load(&trios, 16, time).await;
    load(&trios, 64, time).await;
    load(&trios, 256, time).await;
    for at in 0..3 {
        println!("host {at}: {:?}", world.host(at).traffic());
    }
    drop(trios);
    world.stop().await;
}

async fn reads() {
    let world = World::start(3, HostConfig::default()).await;
    let trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    let group = trio.group(0);
    let started = Instant::now();
    let mut slowest = Duration::ZERO;
    let mut count = 0_u64;
    while started.elapsed() < Duration::from_secs(3) {
        let asked = Instant::now();
        let permit = group.read_permit(CALL).await.unwrap();
        assert!(permit.still_valid());
        slowest = slowest.max(asked.elapsed());
        count += 1;
        if count.is_multiple_of(1_000) {
            tokio::task::yield_now().await;
        }
    }
    let rate = count as f64 / started.elapsed().as_secs_f64();
    println!("reads: {rate:.0}/s by one client, slowest {slowest:?}");
    world.stop().await;
}

async fn idling() {
    const GROUPS: u64 = 500;
    let world = World::start(3, HostConfig::default()).await;
    let started = Instant::now();
    let one = Trio::start(&world, 1_000_000, 0).await;
    one.leader().await;
    println!("one group formed in {:?}", started.elapsed());
    let started = Instant::now();
    let mut trios = vec![one];
    for id in 1..GROUPS {
        trios.push(Trio::start(&world, id, (id % 3) as usize).await);
    }
    for trio in &trios {
        trio.leader().await;
        trio.write("k=1").await;
    }
    println!("{GROUPS} groups formed in {:?}", started.elapsed());
    tokio::time::sleep(Duration::from_secs(8)).await;
    let (cpu_before, before) = (cpu(), Instant::now());
    tokio::time::sleep(Duration::from_secs(10)).await;
    let share = 100.0 * (cpu() - cpu_before).as_secs_f64() / before.elapsed().as_secs_f64();
    println!("{GROUPS} idle groups on 3 hosts: {share:.1} % of a core");
    drop(trios);
    world.stop().await;
}

async fn failing_over() {
    const GROUPS: u64 = 500;
    let mut world = World::start(3, HostConfig::default()).await;
    let mut trios = Vec::new();
    for id in 0..GROUPS {
        trios.push(Trio::start(&world, id, 0).await);
    }
    for trio in &mut trios {
        trio.leader().await;
        trio.groups[0] = None;
    }
    world.kill(0).await;
    let started = Instant::now();
    for trio in &trios {
        trio.leader().await;
    }
    println!(
        "{GROUPS} groups have another leader after {:?}",
        started.elapsed()
    );
    let cpu_before = cpu();
    let before = Instant::now();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let share = 100.0 * (cpu() - cpu_before).as_secs_f64() / before.elapsed().as_secs_f64();
    println!("{GROUPS} idle groups with one host dead: {share:.1} % of a core");
    drop(trios);
    world.stop().await;
}
