//! Three agents over one catalog, with real servers and Sentinels.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};

use quorate_base::{Epoch, NodeId, RegionName, UnixMillis};
use quorate_control::{Catalog, Lease, LeaseConfig, Txn};
use quorate_elasticache::agent::{AgentConfig, AgentHost, Installs, run_agent};
use quorate_elasticache::model::{
    Auth, Cache, CacheKind, Coordinated, Desired, Engine, Event, Host, Member, MemberNumber,
    MemberState, Order, PendingChanges, Sentinel, Settings, Shard, ShardNumber, Status, Topology,
};
use quorate_engines::{EngineAccount, find_memcached, find_redis};
use quorate_region::{CertificateAuthority, Identity, NodeInfo, RegionMap};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(60);
const SHARD: ShardNumber = ShardNumber(1);
const NODES: [&str; 3] = ["us-east-1a-1", "us-east-1b-1", "us-east-1c-1"];

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
        a_group_fails_over_hands_over_and_goes,
        a_memcached_cluster_runs_and_restarts
    );
    libtest_mimic::run(&arguments, trials).exit_code()
}

struct World {
    folder: tempfile::TempDir,
    catalog: Catalog,
    stop: CancellationToken,
    agents: Vec<JoinHandle<()>>,
}

impl World {
    fn start() -> World {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let region: RegionName = "us-east-1".parse().unwrap();
        let ca = CertificateAuthority::create(&region).unwrap();
        let info = |at: usize| NodeInfo {
            id: NODES[at].parse().unwrap(),
            address: SocketAddr::from(([127, 0, u8::try_from(at).unwrap() + 1, 1], 1)),
            voter: true,
        };
        let map = RegionMap {
            region,
            nodes: (0..3).map(info).collect(),
        };
        let mut world = World {
            folder,
            catalog: Catalog::in_memory(),
            stop: CancellationToken::new(),
            agents: Vec::new(),
        };
        for node in &map.nodes {
            let identity = Identity::for_node(&ca, &map, &node.id).unwrap();
            let config = AgentConfig {
                node: node.id.clone(),
                engine_ip: node.address.ip(),
                endpoint_address: [127, 0, 0, 1].into(),
                endpoint_names: vec![String::from("localhost")],
                folder: world.folder.path().join(node.id.as_str()),
                sentinels: true,
            };
            let host = AgentHost::new(
                config,
                world.catalog.clone(),
                Lease::new(LeaseConfig {
                    lease_ms: 3_000,
                    margin_ms: 500,
                }),
                identity.engine_issuer().unwrap(),
                EngineAccount::resolve(None).unwrap(),
                Installs {
                    redis: find_redis(&[]).unwrap(),
                    memcached: find_memcached(&[]).unwrap(),
                },
            );
            let agent = run_agent(Arc::new(host), world.stop.clone());
            world.agents.push(tokio::spawn(agent));
        }
        world
    }

    async fn stop(self) {
        self.stop.cancel();
        for agent in self.agents {
            agent.await.unwrap();
        }
    }

    async fn put(&self, cache: &Cache) {
        self.catalog
            .commit(Txn::new().put("orders", cache))
            .await
            .unwrap();
    }

    fn cache(&self) -> Cache {
        let read = self.catalog.view().read::<Cache>("orders").unwrap();
        read.unwrap().record
    }

    fn shard(&self) -> Shard {
        self.cache().topology.shards[&SHARD].clone()
    }

    async fn change(&self, change: impl Fn(&mut Cache)) {
        let done = self.catalog.update::<Cache>("orders", |cache| {
            change(cache);
            true
        });
        done.await.unwrap();
    }

    async fn until(&self, what: &str, holds: impl Fn(&World) -> bool) -> Duration {
        let since = Instant::now();
        while !holds(self) {
            let now = self.cache().topology;
            assert!(since.elapsed() < DEADLINE, "{what}: not yet: {now:#?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        since.elapsed()
    }
}

fn record(kind: CacheKind, engine: Engine, version: &str) -> Cache {
    let mut shard = Shard {
        primary: (kind != CacheKind::Memcached).then_some(MemberNumber(1)),
        epoch: Epoch(1),
        last_member: 3,
        ..Shard::default()
    };
    for (number, node) in (1..).zip(NODES) {
        let mut member = Member::asked(7100 + number, None, UnixMillis::now());
        member.node = Some(node.parse::<NodeId>().unwrap());
        shard.members.insert(MemberNumber(number), member);
    }
    Cache {
        kind,
        resource_id: format!("cache-{engine}"),
        created_at: UnixMillis::now(),
        settings: Settings {
            description: String::new(),
            engine,
            engine_version: version.to_owned(),
            node_type: String::from("cache.t3.micro"),
            cluster_mode: false,
            shards: 1,
            replicas: 2,
            automatic_failover: kind == CacheKind::ReplicationGroup,
            multi_az: true,
            zones: Vec::new(),
            port_asked: 6379,
            auth: Auth::None,
            transit_encryption: false,
            at_rest_encryption: false,
            kms_key: None,
            parameter_group: String::from("default"),
            subnet_group: String::from("default"),
            security_groups: Vec::new(),
            snapshot_retention_days: 0,
            snapshot_window: String::from("04:00-05:00"),
            maintenance_window: String::from("sun:05:00-sun:06:00"),
            auto_minor_version_upgrade: true,
            notification_topic_arn: None,
        },
        pending: PendingChanges::default(),
        orders: Vec::new(),
        desired: Desired::Running,
        status: Status::Creating,
        status_detail: None,
        topology: Topology {
            shards: BTreeMap::from([(SHARD, shard)]),
        },
        endpoint_port: 7000,
        reader_port: Some(7001),
        inner_password: String::from("inner"),
        restore_from: None,
        configuration_version: 1,
        parameters_applied: String::new(),
        pending_reboot: false,
        tags: Vec::new(),
    }
}

fn cli(at: SocketAddr, args: &[&str]) -> String {
    let (ip, port) = (at.ip().to_string(), at.port().to_string());
    let mut command = Command::new("redis-cli");
    command.args(["-h", &ip, "-p", &port]).args(args);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).trim().to_owned()
}

/// Sets `k`, and says how many replicas have that.
fn set_and_wait(at: SocketAddr, value: &str) -> String {
    let script = format!("SET k {value}\nWAIT 2 10000\n");
    let (ip, port) = (at.ip().to_string(), at.port().to_string());
    let mut asked = Command::new("redis-cli")
        .args(["-h", &ip, "-p", &port])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = asked.stdin.take().unwrap();
    stdin.write_all(script.as_bytes()).unwrap();
    drop(stdin);
    let output = asked.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn all_run(shard: &Shard) -> bool {
    let mut members = shard.members.values();
    members.all(|member| member.state == MemberState::Running)
}

fn kill_server(folder: &Path, node: &str, member: &str) {
    let data = folder.join(node).join(member).join("data");
    let mut killed = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let workdir = std::fs::read_link(entry.path().join("cwd"));
        if workdir.is_ok_and(|dir| dir == data) {
            let pid = entry.file_name().into_string().unwrap();
            assert!(
                Command::new("kill")
                    .args(["-9", &pid])
                    .status()
                    .unwrap()
                    .success()
            );
            killed += 1;
        }
    }
    assert!(killed > 0, "nothing runs in {}", data.display());
}

fn replicates(at: SocketAddr) -> bool {
    let said = cli(at, &["INFO", "replication"]);
    said.contains("role:slave") && said.contains("master_link_status:up")
}

async fn a_group_fails_over_hands_over_and_goes() {
    let world = World::start();
    world.until_registered().await;
    let version = find_redis(&[]).unwrap().remove(0).version;
    world
        .put(&record(
            CacheKind::ReplicationGroup,
            Engine::Redis,
            &version,
        ))
        .await;
    world
        .until("all members run", |w| all_run(&w.shard()))
        .await;
    world
        .until("the replicas follow", |w| {
            (2..=3).all(|n| replicates(w.address(n)))
        })
        .await;
    assert_eq!(set_and_wait(world.address(1), "v"), "OK\n2");
    a_killed_primary_is_replaced(&world).await;
    a_hand_over_loses_nothing(&world).await;
    a_test_failover_is_carried_out(&world).await;
    members_restart_and_go(&world).await;
    world.stop().await;
}

async fn a_killed_primary_is_replaced(world: &World) {
    world.until_guarded().await;
    kill_server(world.folder.path(), NODES[0], "cache-redis-0001-001");
    let took = world
        .until("another member leads", |w| {
            w.shard().primary != Some(MemberNumber(1))
        })
        .await;
    println!("record turned {} ms after the kill", took.as_millis());
    let shard = world.shard();
    assert_eq!(shard.epoch, Epoch(2));
    assert!(shard.elected > 0);
    let leader = shard.primary_member().unwrap().address.unwrap();
    assert_eq!(cli(leader, &["GET", "k"]), "v");
    assert!(set_and_wait(leader, "w").starts_with("OK\n"));
    let events = world.catalog.view().list::<Event>().unwrap();
    assert!(events.iter().any(|e| {
        e.record
            .message
            .starts_with("Failover from master node orders-001")
    }));
    world
        .until("the old primary follows", |w| replicates(w.address(1)))
        .await;
}

async fn a_hand_over_loses_nothing(world: &World) {
    world
        .change(|cache| {
            let shard = cache.topology.shards.get_mut(&SHARD).unwrap();
            shard.coordinated = Some(Coordinated {
                to: MemberNumber(1),
                released: std::collections::BTreeSet::new(),
                since: UnixMillis::now(),
            });
        })
        .await;
    world
        .until("the hand-over has ended", |w| {
            w.shard().coordinated.is_none()
        })
        .await;
    assert_eq!(world.shard().primary, Some(MemberNumber(1)), "handed over");
    assert_eq!(cli(world.address(1), &["GET", "k"]), "w");
    world
        .until("the others follow", |w| {
            (2..=3).all(|n| replicates(w.address(n)))
        })
        .await;
    assert_eq!(set_and_wait(world.address(1), "x"), "OK\n2");
}

async fn a_test_failover_is_carried_out(world: &World) {
    world.until_guarded().await;
    world
        .change(|cache| cache.orders.push(Order::TestFailover(SHARD)))
        .await;
    world
        .until("the test has failed over", |w| {
            w.shard().primary != Some(MemberNumber(1))
        })
        .await;
    assert!(world.cache().orders.is_empty());
    let leader = world.shard().primary_member().unwrap().address.unwrap();
    assert_eq!(cli(leader, &["GET", "k"]), "x");
}

async fn members_restart_and_go(world: &World) {
    world
        .change(|cache| {
            let shard = cache.topology.shards.get_mut(&SHARD).unwrap();
            shard.members.get_mut(&MemberNumber(1)).unwrap().restarts = 1;
        })
        .await;
    world
        .until("the member has restarted", |w| {
            w.shard().members[&MemberNumber(1)].started == 1
        })
        .await;
    world
        .change(|cache| {
            cache.desired = Desired::Deleted {
                final_snapshot: None,
            }
        })
        .await;
    world
        .until("all members are gone", |w| w.shard().members.is_empty())
        .await;
}

async fn a_memcached_cluster_runs_and_restarts() {
    let world = World::start();
    world.until_registered().await;
    let version = find_memcached(&[]).unwrap().remove(0).version;
    world
        .put(&record(CacheKind::Memcached, Engine::Memcached, &version))
        .await;
    world.until("all nodes run", |w| all_run(&w.shard())).await;
    let before = world.shard().members[&MemberNumber(2)].address.unwrap();
    world
        .change(|cache| {
            let shard = cache.topology.shards.get_mut(&SHARD).unwrap();
            shard.members.get_mut(&MemberNumber(2)).unwrap().restarts = 1;
        })
        .await;
    world
        .until("the node has restarted", |w| {
            w.shard().members[&MemberNumber(2)].started == 1
        })
        .await;
    let after = world.shard().members[&MemberNumber(2)].address;
    assert_eq!(after, Some(before), "it kept its port");
    world.stop().await;
}

impl World {
    fn address(&self, number: u16) -> SocketAddr {
        self.shard().members[&MemberNumber(number)].address.unwrap()
    }

    /// Waits until each Sentinel knows the two others and both replicas: before, they promote nobody.
    async fn until_guarded(&self) {
        let knows = |sentinel: &Sentinel| {
            let said = cli(
                sentinel.plain.unwrap(),
                &[
                    "--user",
                    "client",
                    "--pass",
                    &sentinel.client_password,
                    "--no-auth-warning",
                    "SENTINEL",
                    "MASTER",
                    "orders",
                ],
            );
            let lines: Vec<&str> = said.lines().collect();
            let field = |name: &str| {
                let at = lines.iter().position(|line| *line == name)?;
                lines.get(at + 1).copied()
            };
            field("num-slaves") == Some("2") && field("num-other-sentinels") == Some("2")
        };
        self.until("the Sentinels know each other and the replicas", |w| {
            let sentinels = w.catalog.view().list::<Sentinel>().unwrap();
            sentinels.len() == NODES.len() && sentinels.iter().all(|s| knows(&s.record))
        })
        .await;
    }

    async fn until_registered(&self) {
        let since = Instant::now();
        while self.catalog.view().list::<Host>().unwrap().len() < NODES.len() {
            assert!(since.elapsed() < DEADLINE, "the hosts are not registered");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
