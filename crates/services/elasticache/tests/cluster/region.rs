//! A region in one process: a catalog in memory, three agents, and the controller's decisions.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quorate_base::{Epoch, NodeId, RegionName, UnixMillis};
use quorate_control::{Catalog, CatalogError, Lease, LeaseConfig, Session, Sessions, Txn};
use quorate_elasticache::agent::{AgentConfig, AgentHost, Installs, run_agent};
use quorate_elasticache::controller::{ControllerConfig, plan_changes};
use quorate_elasticache::decide::slots::decide_slots;
use quorate_elasticache::model::{
    Auth, Cache, CacheKind, Desired, Engine, Host, Member, MemberNumber, MemberReport,
    PendingChanges, Settings, Shard, ShardNumber, SlotRange, Status, Topology,
};
use quorate_engines::{EngineAccount, find_redis};
use quorate_region::{CertificateAuthority, Identity, NodeInfo, RegionMap};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::client::ClusterClient;

const DEADLINE: Duration = Duration::from_secs(120);
const NODES: [&str; 3] = ["us-east-1a-1", "us-east-1b-1", "us-east-1c-1"];
const NAME: &str = "orders";
const PASSWORD: &str = "inner";

pub(crate) struct Region {
    folder: tempfile::TempDir,
    pub catalog: Catalog,
    leases: Vec<(NodeId, Lease)>,
    ca_pem: String,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

/// What the agents report of members.
pub(crate) struct Reports(BTreeMap<String, Vec<u8>>);

impl Reports {
    pub(crate) fn of(&self, shard: ShardNumber, member: MemberNumber) -> Option<MemberReport> {
        let key = MemberReport::key(RESOURCE, shard, member);
        serde_json::from_slice(self.0.get(&key)?).ok()
    }
}

const RESOURCE: &str = "cache-cluster";

impl Region {
    pub(crate) async fn start() -> Region {
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
        let mut made = Region {
            folder,
            catalog: Catalog::in_memory(),
            leases: Vec::new(),
            ca_pem: String::new(),
            stop: CancellationToken::new(),
            tasks: Vec::new(),
        };
        for node in &map.nodes {
            let identity = Identity::for_node(&ca, &map, &node.id).unwrap();
            made.run_node(node, &identity);
        }
        let leases = made.leases.clone();
        let controller = control(made.catalog.clone(), leases, made.stop.clone());
        made.tasks.push(tokio::spawn(controller));
        let since = Instant::now();
        while made.catalog.view().list::<Host>().unwrap().len() < NODES.len() {
            assert!(since.elapsed() < DEADLINE, "the hosts are not registered");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        made
    }

    fn run_node(&mut self, node: &NodeInfo, identity: &Identity) {
        let config = AgentConfig {
            node: node.id.clone(),
            engine_ip: node.address.ip(),
            endpoint_address: [127, 0, 0, 1].into(),
            endpoint_names: vec![String::from("localhost")],
            folder: self.folder.path().join(node.id.as_str()),
            sentinels: false,
        };
        let lease = Lease::new(LeaseConfig {
            lease_ms: 3_000,
            margin_ms: 500,
        });
        let issuer = identity.engine_issuer().unwrap();
        self.ca_pem = issuer.client("test").unwrap().root_pem;
        let host = AgentHost::new(
            config,
            self.catalog.clone(),
            lease.clone(),
            issuer,
            EngineAccount::resolve(None).unwrap(),
            Installs {
                redis: find_redis(&[]).unwrap(),
                memcached: Vec::new(),
            },
        );
        self.leases.push((node.id.clone(), lease));
        let agent = run_agent(Arc::new(host), self.stop.clone());
        self.tasks.push(tokio::spawn(agent));
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
    }

    pub(crate) async fn put(&self, cache: &Cache) {
        let txn = Txn::new().put(NAME, cache);
        self.catalog.commit(txn).await.unwrap();
    }

    pub(crate) fn cache(&self) -> Cache {
        self.find().expect("the cache is there")
    }

    /// The cache; none once its controller has removed it.
    fn find(&self) -> Option<Cache> {
        let read = self.catalog.view().read::<Cache>(NAME).unwrap();
        read.map(|stored| stored.record)
    }

    /// Waits until no member is left, or not even the record.
    pub(crate) async fn until_gone(&self) {
        let since = Instant::now();
        let is_left = |cache: Cache| {
            cache
                .topology
                .shards
                .values()
                .any(|s| !s.members.is_empty())
        };
        while self.find().is_some_and(is_left) {
            assert!(since.elapsed() < DEADLINE, "members are left");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn shard(&self, number: ShardNumber) -> Shard {
        self.cache().topology.shards[&number].clone()
    }

    pub(crate) async fn change(&self, change: impl Fn(&mut Cache)) {
        let done = self.catalog.update::<Cache>(NAME, |cache| {
            change(cache);
            true
        });
        done.await.unwrap();
    }

    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Cache) -> bool) -> Duration {
        let since = Instant::now();
        while !holds(&self.cache()) {
            if since.elapsed() > DEADLINE {
                let now = self.cache().topology;
                panic!("{what}: not yet: {now:#?} {:#?}", self.reports().readable());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        since.elapsed()
    }

    pub(crate) async fn until_seen(&self, what: &str, holds: impl Fn(&Reports) -> bool) {
        self.until(what, |_| holds(&self.reports())).await;
    }

    fn reports(&self) -> Reports {
        let leases = self.leases.iter();
        Reports(leases.flat_map(|(_, lease)| lease.observed()).collect())
    }

    pub(crate) fn client(&self) -> ClusterClient {
        let cache = self.cache();
        let shards = cache.topology.shards.values();
        let seeds = shards.flat_map(|shard| shard.members.values());
        let seeds = seeds.filter_map(|member| member.address).collect();
        let tls = cache.settings.transit_encryption;
        let ca_pem = tls.then(|| self.ca_pem.clone());
        ClusterClient::new(seeds, ca_pem, PASSWORD.to_owned())
    }

    pub(crate) fn kill_primary(&self, number: ShardNumber) {
        let shard = self.shard(number);
        let member = shard.primary.unwrap();
        let node = shard.members[&member].node.clone().unwrap();
        let folder = format!("{RESOURCE}-{:04}-{:03}", number.0, member.0);
        let data = self
            .folder
            .path()
            .join(node.as_str())
            .join(folder)
            .join("data");
        let mut killed = 0;
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let workdir = std::fs::read_link(entry.path().join("cwd"));
            if workdir.is_ok_and(|dir| dir == data) {
                let pid = entry.file_name().into_string().unwrap();
                let done = Command::new("kill").args(["-9", &pid]).status().unwrap();
                assert!(done.success());
                killed += 1;
            }
        }
        assert!(killed > 0, "nothing runs in {}", data.display());
    }
}

impl Reports {
    fn readable(&self) -> Vec<String> {
        let line = |(key, value): (&String, &Vec<u8>)| {
            format!("{key}: {}", String::from_utf8_lossy(value))
        };
        self.0.iter().map(line).collect()
    }
}

/// Takes the controller's decisions, as the catalog's leader does.
async fn control(catalog: Catalog, leases: Vec<(NodeId, Lease)>, stop: CancellationToken) {
    let config = ControllerConfig {
        replace_after_ms: 60_000,
        endpoint_address: [127, 0, 0, 1].into(),
    };
    while !stop.is_cancelled() {
        let session = |(node, lease): &(NodeId, Lease)| Session {
            node: node.clone(),
            alive: true,
            silent_ms: None,
            observed: lease.observed(),
        };
        let sessions = Sessions {
            leader: leases[0].0.clone(),
            term: 1,
            sessions: leases.iter().map(session).collect(),
        };
        let silent_since = BTreeMap::new();
        for plan in plan_changes(&catalog, sessions, &silent_since, &config).unwrap() {
            match catalog.commit(plan.txn).await {
                Ok(_) | Err(CatalogError::Conflict { .. }) => {}
                Err(e) => panic!("{}: {e}", plan.what),
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A shard that was just asked for.
pub(crate) fn new_shard(number: u16, replicas: u16) -> Shard {
    let mut shard = Shard {
        primary: Some(MemberNumber(1)),
        epoch: Epoch(1),
        last_member: replicas + 1,
        ..Shard::default()
    };
    for member in 1..=replicas + 1 {
        let port = 7_000 + number * 10 + member;
        let record = Member::asked(port, None, UnixMillis::now());
        shard.members.insert(MemberNumber(member), record);
    }
    shard
}

/// A group with cluster mode as the API writes it.
pub(crate) fn record(shards: u16, replicas: u16, tls: bool) -> Cache {
    let version = find_redis(&[]).unwrap().remove(0).version;
    let all = SlotRange {
        first: 0,
        last: 16_383,
    };
    let numbers = (1..=shards).map(ShardNumber);
    let mut has: BTreeMap<_, _> = numbers.map(|number| (number, Vec::new())).collect();
    has.insert(ShardNumber(1), vec![all]);
    let spread = decide_slots(&has, &[]).into_iter();
    let topology = spread.map(|(number, slots)| {
        let shard = new_shard(number.0, replicas);
        (number, Shard { slots, ..shard })
    });
    Cache {
        kind: CacheKind::ReplicationGroup,
        resource_id: RESOURCE.to_owned(),
        created_at: UnixMillis::now(),
        settings: settings(version, shards, replicas, tls),
        pending: PendingChanges::default(),
        orders: Vec::new(),
        desired: Desired::Running,
        status: Status::Creating,
        status_detail: None,
        topology: Topology {
            shards: topology.collect(),
        },
        endpoint_port: 7000,
        reader_port: None,
        inner_password: PASSWORD.to_owned(),
        restore_from: None,
        configuration_version: 1,
        parameters_applied: String::new(),
        pending_reboot: false,
        tags: Vec::new(),
    }
}

fn settings(engine_version: String, shards: u16, replicas: u16, tls: bool) -> Settings {
    Settings {
        description: String::new(),
        engine: Engine::Redis,
        engine_version,
        node_type: String::from("cache.t3.micro"),
        cluster_mode: true,
        shards,
        replicas,
        automatic_failover: true,
        multi_az: true,
        zones: Vec::new(),
        port_asked: 6379,
        auth: Auth::None,
        transit_encryption: tls,
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
    }
}
