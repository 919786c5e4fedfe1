//! Three agents and the controller's decisions over one catalog, with real servers in cluster mode.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod client;
mod region;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};

use quorate_base::Epoch;
use quorate_elasticache::decide::slots::slots_of;
use quorate_elasticache::model::{
    Cache, Desired, Event, MemberNumber, MemberState, Order, Shard, ShardNumber, Status,
};
use tokio_util::sync::CancellationToken;

use client::ClusterClient;
use region::{Region, new_shard, record};

const FIRST: ShardNumber = ShardNumber(1);
/// Keys that are there before shards come and go.
const KEYS: usize = 3_000;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|arg| arg == "guard") {
        return quorate_engines::guard::main(args);
    }
    let mut arguments = Arguments::from_args();
    // Each has a region's engines to itself.
    arguments.test_threads.get_or_insert(1);
    macro_rules! trials {
        ($($test:ident),*) => {
            vec![$(Trial::test(stringify!($test), || {
                tokio::runtime::Runtime::new()?.block_on($test());
                Ok(())
            })),*]
        };
    }
    let trials = trials!(
        three_shards_form_and_elect,
        two_shards_are_taken_over_and_handed_over,
        one_shard_forms_and_is_taken_over_with_tls,
        shards_come_and_go_under_writes,
        slots_go_on_moving_when_primaries_die
    );
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn cli(at: SocketAddr, args: &[&str]) -> String {
    let (ip, port) = (at.ip().to_string(), at.port().to_string());
    let mut command = Command::new("redis-cli");
    command.args(["-c", "-h", &ip, "-p", &port]).args(args);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).trim().to_owned()
}

fn is_available(cache: &Cache) -> bool {
    cache.status == Status::Available
}

fn slot_counts(cache: &Cache) -> Vec<usize> {
    let shards = cache.topology.shards.values();
    shards.map(|shard| slots_of(&shard.slots).len()).collect()
}

async fn formed(shards: u16, tls: bool) -> Region {
    let region = Region::start().await;
    region.put(&record(shards, 1, tls)).await;
    let took = region.until("the cluster has formed", is_available).await;
    println!("{shards} shards formed in {} ms", took.as_millis());
    region
}

/// Kills a shard's primary under a client that writes to it, and waits until another member leads and clients are served.
async fn kill_and_wait(region: &Region, number: ShardNumber, client: &mut ClusterClient) {
    let before = region.shard(number);
    let old = before.primary.unwrap();
    let key = client.key_of(number.0, &before).await;
    client.set_and_wait(&key, "kept").await;
    region.kill_primary(number);
    let served = client.set(&key, "after").await;
    let turned = |cache: &Cache| cache.topology.shards[&number].primary != Some(old);
    let recorded = region.until("another member leads", turned).await;
    println!(
        "shard {}: first acknowledged write {} ms after the kill, record {} ms after that",
        number.0,
        served.as_millis(),
        recorded.as_millis()
    );
    let shard = region.shard(number);
    assert_eq!(shard.epoch, before.epoch.next());
    assert!(shard.elected > before.elected && shard.takeover.is_none());
    let name = format!(
        "Failover from master node orders-{:04}-{:03}",
        number.0, old.0
    );
    let events = region.catalog.view().list::<Event>().unwrap();
    assert!(events.iter().any(|e| e.record.message.starts_with(&name)));
    region
        .until_seen("the old primary follows", |report| {
            report
                .of(number, old)
                .is_some_and(|r| r.link.is_some_and(|l| l.up))
        })
        .await;
}

async fn three_shards_form_and_elect() {
    let region = formed(3, false).await;
    assert_eq!(slot_counts(&region.cache()), [5_462, 5_461, 5_461]);
    let any = region.shard(FIRST).members[&MemberNumber(2)]
        .address
        .unwrap();
    for at in 0..60 {
        let (key, value) = (format!("key-{at}"), format!("value-{at}"));
        assert_eq!(cli(any, &["SET", &key, &value]), "OK");
    }
    for (number, shard) in &region.cache().topology.shards {
        let primary = shard.primary_member().unwrap().address.unwrap();
        let size: usize = cli(primary, &["DBSIZE"]).parse().unwrap();
        assert!(size > 0, "shard {} has keys", number.0);
    }
    let mut client = region.client();
    kill_and_wait(&region, ShardNumber(2), &mut client).await;
    for at in 0..60 {
        let (key, value) = (format!("key-{at}"), format!("value-{at}"));
        assert_eq!(client.get(&key).await, Some(value));
    }
    members_restart_and_replicas_come_and_go(&region).await;
    region
        .change(|cache| {
            cache.desired = Desired::Deleted {
                final_snapshot: None,
            }
        })
        .await;
    region.until_gone().await;
    region.stop().await;
}

async fn members_restart_and_replicas_come_and_go(region: &Region) {
    region.until("it is well", is_available).await;
    region
        .change(|cache| {
            let primary = cache.topology.shards[&FIRST].primary.unwrap();
            let other = MemberNumber(3 - primary.0);
            cache.orders = vec![
                Order::Reboot(FIRST, vec![other]),
                Order::MakePrimary(FIRST, other),
                Order::Reboot(FIRST, vec![primary]),
            ];
            cache.status = Status::Rebooting;
        })
        .await;
    region.until("both have restarted", is_available).await;
    let shard = region.shard(FIRST);
    assert_eq!(shard.epoch, Epoch(2), "led by the other since");
    assert!(shard.members.values().all(|member| member.started == 1));
    let (victim, _) = shard.replicas().next().unwrap();
    region
        .change(|cache| {
            let shard = cache.topology.shards.get_mut(&FIRST).unwrap();
            let member = shard.members[&victim].clone();
            let mut replaced = member.clone();
            replaced.incarnation += 1;
            replaced.state = MemberState::Placed;
            replaced.address = None;
            replaced.started = 0;
            shard.members.insert(victim, replaced);
            cache.status = Status::Modifying;
        })
        .await;
    region.until("a replica was made anew", is_available).await;
    let primary = region
        .shard(FIRST)
        .primary_member()
        .unwrap()
        .address
        .unwrap();
    region
        .until("everybody forgot the old one", |_| {
            cli(primary, &["CLUSTER", "NODES"]).lines().count() == 6
        })
        .await;
}

async fn two_shards_are_taken_over_and_handed_over() {
    let region = formed(2, false).await;
    let mut client = region.client();
    kill_and_wait(&region, FIRST, &mut client).await;
    region.until("it is well again", is_available).await;
    let before = region.shard(FIRST);
    region
        .change(|cache| {
            cache.orders.push(Order::TestFailover(FIRST));
            cache.status = Status::Modifying;
        })
        .await;
    region
        .until("the test has failed over", |cache| {
            cache.topology.shards[&FIRST].primary != before.primary && is_available(cache)
        })
        .await;
    assert_eq!(client.get("missing").await, None);
    region.stop().await;
}

async fn one_shard_forms_and_is_taken_over_with_tls() {
    let region = formed(1, true).await;
    let mut client = region.client();
    kill_and_wait(&region, FIRST, &mut client).await;
    add_shard(&region, 2).await;
    assert_eq!(slot_counts(&region.cache()), [8_192, 8_192]);
    region.stop().await;
}

async fn ask_for_shard(region: &Region, number: u16) {
    region
        .change(|cache| {
            let shard: Shard = new_shard(number, 1);
            cache.topology.shards.insert(ShardNumber(number), shard);
            cache.settings.shards += 1;
            cache.status = Status::Modifying;
        })
        .await;
}

async fn add_shard(region: &Region, number: u16) {
    ask_for_shard(region, number).await;
    let took = region.until("the slots have moved", is_available).await;
    println!("a shard came in {} ms", took.as_millis());
}

async fn ask_to_remove(region: &Region, number: u16) {
    region
        .change(|cache| {
            cache.orders = vec![Order::RemoveShards(vec![ShardNumber(number)])];
            cache.settings.shards -= 1;
            cache.status = Status::Modifying;
        })
        .await;
}

async fn remove_shard(region: &Region, number: u16) {
    ask_to_remove(region, number).await;
    let took = region.until("the shard is gone", is_available).await;
    println!("a shard went in {} ms", took.as_millis());
}

/// Sets keys that replicas have.
async fn fill(client: &mut ClusterClient) {
    for at in 0..KEYS {
        client.set(&format!("kept-{at}"), &at.to_string()).await;
    }
    // The last ones are of all shards: what came before them on the same connection is with the replicas, too.
    for at in KEYS - 20..KEYS {
        let key = format!("kept-{at}");
        client.set_and_wait(&key, &at.to_string()).await;
    }
}

async fn check_kept(client: &mut ClusterClient) {
    for at in 0..KEYS {
        let value = client.get(&format!("kept-{at}")).await;
        assert_eq!(value, Some(at.to_string()), "kept-{at}");
    }
}

fn keys_of(shard: &Shard) -> usize {
    let primary = shard.primary_member().and_then(|member| member.address);
    let said = primary.map(|at| cli(at, &["DBSIZE"]));
    said.and_then(|said| said.parse().ok()).unwrap_or(0)
}

async fn slots_go_on_moving_when_primaries_die() {
    const THIRD: ShardNumber = ShardNumber(3);
    let region = formed(2, false).await;
    let mut client = region.client();
    fill(&mut client).await;
    ask_for_shard(&region, THIRD.0).await;
    let moving = |cache: &Cache| keys_of(&cache.topology.shards[&THIRD]) > 100;
    region.until("keys are moving", moving).await;
    region.kill_primary(FIRST);
    let took = region.until("the slots have moved", is_available).await;
    println!(
        "source killed: all slots moved {} ms later",
        took.as_millis()
    );
    assert_eq!(slot_counts(&region.cache()), [5_462, 5_461, 5_461]);
    assert!(region.shard(FIRST).epoch > Epoch(1), "another member led");
    check_kept(&mut client).await;

    region.until("all is well", is_well).await;
    let before = keys_of(&region.shard(THIRD));
    ask_to_remove(&region, THIRD.0).await;
    let moving = |cache: &Cache| keys_of(&cache.topology.shards[&THIRD]) + 100 < before;
    region.until("keys are moving back", moving).await;
    region.kill_primary(ShardNumber(2));
    let took = region.until("the shard is gone", is_available).await;
    println!(
        "target killed: the shard was gone {} ms later",
        took.as_millis()
    );
    assert_eq!(slot_counts(&region.cache()), [8_192, 8_192]);
    check_kept(&mut client).await;
    println!("the client saw: {:?}", client.other_errors);
    region.stop().await;
}

/// Whether every replica's link is up, as its own engine says.
fn is_well(cache: &Cache) -> bool {
    let mut shards = cache.topology.shards.values();
    shards.all(|shard| {
        shard.replicas().all(|(_, member)| {
            let said = member.address.map(|at| cli(at, &["INFO", "replication"]));
            said.is_some_and(|said| said.contains("master_link_status:up"))
        })
    })
}

async fn shards_come_and_go_under_writes() {
    let region = formed(2, false).await;
    let mut client = region.client();
    fill(&mut client).await;
    let stop = CancellationToken::new();
    let region = Arc::new(region);
    let writer = tokio::spawn(write_on(region.client(), stop.clone()));
    add_shard(&region, 3).await;
    assert_eq!(slot_counts(&region.cache()), [5_462, 5_461, 5_461]);
    remove_shard(&region, 3).await;
    let cache = region.cache();
    assert_eq!(slot_counts(&cache), [8_192, 8_192]);
    let shards = cache.topology.shards.values();
    let all: BTreeSet<u16> = shards.flat_map(|shard| slots_of(&shard.slots)).collect();
    assert_eq!(all.len(), 16_384);
    stop.cancel();
    let (writes, longest) = writer.await.unwrap();
    println!(
        "{writes} writes, the longest took {} ms",
        longest.as_millis()
    );
    check_kept(&mut client).await;
    println!("a cluster-aware client saw: {:?}", client.other_errors);
    Arc::into_inner(region).unwrap().stop().await;
}

/// Writes one key after another, each a counter; each must be what was acknowledged last.
async fn write_on(mut client: ClusterClient, stop: CancellationToken) -> (u64, Duration) {
    const COUNTERS: u64 = 500;
    let (mut writes, mut longest) = (0, Duration::ZERO);
    while !stop.is_cancelled() {
        let key = format!("counter-{}", writes % COUNTERS);
        let round = writes / COUNTERS;
        let before = client.get(&key).await;
        let expected = round.checked_sub(1).map(|last| last.to_string());
        assert_eq!(before, expected, "{key} lost a write");
        let took = client.set(&key, &round.to_string()).await;
        longest = longest.max(took);
        writes += 1;
    }
    for at in 0..COUNTERS {
        let key = format!("counter-{at}");
        let rounds = writes / COUNTERS + u64::from(at < writes % COUNTERS);
        let expected = rounds.checked_sub(1).map(|last| last.to_string());
        assert_eq!(client.get(&key).await, expected, "{key}");
    }
    println!("the writer saw: {:?}", client.other_errors);
    (writes, longest)
}
