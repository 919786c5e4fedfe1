//! What an agent works with: its node, the engines found on its host, its way to the catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use rand::Rng;

use quorate_archive::Archive;
use quorate_base::NodeId;
use quorate_control::{Catalog, CatalogError, Lease, Txn};
use quorate_engines::guard::GuardProgram;
use quorate_engines::memcached::MemcachedHost;
use quorate_engines::redis::RedisHost;
use quorate_engines::{
    EngineAccount, EngineError, MemcachedInstall, RedisFlavour, RedisInstall, TlsPem,
};
use quorate_region::EngineIssuer;

use crate::agent::driver::StepError;
use crate::decide::cluster::bus_port;
use crate::model::{Cache, Engine, EngineVersion, Host, WATCH_KEY, WatchReport, Watched};

/// Engines listen on ports of this range: below the ports that systems give to outgoing connections.
const ENGINE_PORTS: std::ops::Range<u16> = 20_000..30_000;
/// Those of clusters: their buses have ports below, which are not to be those of nodes.
const CLUSTER_ENGINE_PORTS: std::ops::Range<u16> = 20_000..27_000;
const PORT_TRIES: u32 = 200;

/// The name in the certificates that engines of a cluster show to each other.
const CLUSTER_BUS: &str = "cluster-bus";

/// What an agent goes by.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// The node.
    pub node: NodeId,
    /// Where engines listen.
    pub engine_ip: IpAddr,
    /// The address on which clients reach endpoints.
    pub endpoint_address: IpAddr,
    /// Addresses and names under which gateways offer endpoints: they stand in the engines' certificates.
    pub endpoint_names: Vec<String>,
    /// The folder of this node's members.
    pub folder: PathBuf,
    /// Whether this node runs its zone's Sentinels.
    pub sentinels: bool,
}

/// The programs found on the host.
#[derive(Debug, Clone, Default)]
pub struct Installs {
    /// Redis and Valkey.
    pub redis: Vec<RedisInstall>,
    /// Memcached.
    pub memcached: Vec<MemcachedInstall>,
}

/// The agent's surroundings.
pub struct AgentHost {
    pub(crate) config: AgentConfig,
    pub(crate) catalog: Catalog,
    pub(crate) lease: Lease,
    pub(crate) account: EngineAccount,
    /// Where snapshots go and come from; none where none is configured.
    pub(crate) archive: Option<Archive>,
    issuer: EngineIssuer,
    guard: GuardProgram,
    installs: Installs,
    /// What this node's Sentinels say, by cache: where the primary is, and what else is told of it.
    elected: Mutex<BTreeMap<String, (SocketAddr, Watched)>>,
}

impl AgentHost {
    /// Puts an agent's surroundings together. `installs` may be empty: the node then runs no engines and says so.
    #[must_use]
    pub fn new(
        config: AgentConfig,
        catalog: Catalog,
        lease: Lease,
        issuer: EngineIssuer,
        account: EngineAccount,
        installs: Installs,
    ) -> AgentHost {
        AgentHost {
            config,
            catalog,
            lease,
            account,
            archive: None,
            issuer,
            guard: GuardProgram::own(),
            installs,
            elected: Mutex::default(),
        }
    }

    /// The same with an archive: without one, snapshots fail and say so.
    #[must_use]
    pub fn with_archive(self, archive: Option<Archive>) -> AgentHost {
        AgentHost { archive, ..self }
    }

    /// The Redis or Valkey server of a version.
    pub(crate) fn redis(&self, engine: Engine, version: &str) -> Option<RedisHost> {
        let flavour = match engine {
            Engine::Redis => RedisFlavour::Redis,
            Engine::Valkey => RedisFlavour::Valkey,
            Engine::Memcached => return None,
        };
        let mut installs = self.installs.redis.iter();
        let found = installs.find(|i| i.flavour == flavour && i.version == version)?;
        Some(self.redis_host(found))
    }

    /// The newest program that can be a Sentinel.
    pub(crate) fn sentinel(&self) -> Option<RedisHost> {
        self.installs.redis.first().map(|i| self.redis_host(i))
    }

    fn redis_host(&self, install: &RedisInstall) -> RedisHost {
        RedisHost {
            install: install.clone(),
            account: self.account.clone(),
            guard: self.guard.clone(),
        }
    }

    /// The Memcached server of a version.
    pub(crate) fn memcached(&self, version: &str) -> Option<MemcachedHost> {
        let mut installs = self.installs.memcached.iter();
        let install = installs.find(|i| i.version == version)?.clone();
        Some(MemcachedHost {
            install,
            account: self.account.clone(),
            guard: self.guard.clone(),
        })
    }

    /// Fresh certificates for an engine.
    pub(crate) fn certificates(&self) -> Result<TlsPem, EngineError> {
        let mut names = self.config.endpoint_names.clone();
        names.push(self.config.engine_ip.to_string());
        names.push(String::from("localhost"));
        names.dedup();
        let failed = |e| EngineError::io("make a certificate")(std::io::Error::other(e));
        let issued = self.issuer.server(names).map_err(failed)?;
        Ok(TlsPem {
            cert: issued.chain_pem,
            key: issued.key_pem,
            ca: issued.root_pem,
        })
    }

    /// What the engine of a cluster shows to the engines that it connects to.
    pub(crate) fn client_certificates(&self) -> Result<TlsPem, EngineError> {
        let failed = |e| EngineError::io("make a certificate")(std::io::Error::other(e));
        let issued = self.issuer.client(CLUSTER_BUS).map_err(failed)?;
        Ok(TlsPem {
            cert: issued.chain_pem,
            key: issued.key_pem,
            ca: issued.root_pem,
        })
    }

    /// A port on which nothing listens, and that no member here has that is down at the moment: other engines of its
    /// cluster would take a stranger there for it. With a free one for the bus of a cluster.
    pub(crate) fn free_port(&self, cluster_mode: bool) -> Result<u16, StepError> {
        let ip = self.config.engine_ip;
        let mut taken = BTreeSet::new();
        for cache in self.catalog.view().list::<Cache>()? {
            let shards = cache.record.topology.shards.values();
            let members = shards.flat_map(|shard| shard.members.values());
            taken.extend(members.filter_map(|member| member.address));
        }
        let ports = if cluster_mode {
            CLUSTER_ENGINE_PORTS
        } else {
            ENGINE_PORTS
        };
        let free = |port: u16| TcpListener::bind((ip, port)).is_ok();
        let fits = |port: &u16| {
            !taken.contains(&SocketAddr::new(ip, *port))
                && free(*port)
                && (!cluster_mode || free(bus_port(*port)))
        };
        let mut random = rand::rng();
        let mut tried = (0..PORT_TRIES).map(|_| random.random_range(ports.clone()));
        let found = tried.find(fits).ok_or(EngineError::PortInUse {
            address: SocketAddr::new(ip, ports.start),
        });
        Ok(found?)
    }

    /// Where this node's Sentinels say that a cache's primary is.
    pub(crate) fn elected(&self, cache: &str) -> Option<SocketAddr> {
        self.elections().get(cache).map(|(at, _)| *at)
    }

    /// Keeps what a Sentinel says of a cache, for members here and for the node's session.
    pub(crate) fn note_election(&self, cache: &str, primary: SocketAddr, seen: Watched) {
        let kept = self.elections().insert(cache.to_owned(), (primary, seen));
        if kept.map(|(_, seen)| seen) != Some(seen) {
            self.observe_elections();
        }
    }

    /// Forgets what a Sentinel said of a cache.
    pub(crate) fn forget_election(&self, cache: &str) {
        if self.elections().remove(cache).is_some() {
            self.observe_elections();
        }
    }

    fn observe_elections(&self) {
        let caches = self.elections().clone().into_iter();
        let report = WatchReport {
            caches: caches.map(|(cache, (_, seen))| (cache, seen)).collect(),
        };
        let bytes = serde_json::to_vec(&report).expect("reports are plain data");
        self.lease.observe(WATCH_KEY, Some(bytes));
    }

    fn elections(&self) -> MutexGuard<'_, BTreeMap<String, (SocketAddr, Watched)>> {
        self.elected.lock().expect("no holder of the lock panics")
    }

    /// Tells the catalog which engines this host has.
    ///
    /// # Errors
    /// As the catalog.
    pub(crate) async fn register(&self) -> Result<(), CatalogError> {
        let redis = self.installs.redis.iter().map(|i| EngineVersion {
            engine: match i.flavour {
                RedisFlavour::Redis => Engine::Redis,
                RedisFlavour::Valkey => Engine::Valkey,
            },
            version: i.version.clone(),
        });
        let memcached = self.installs.memcached.iter().map(|i| EngineVersion {
            engine: Engine::Memcached,
            version: i.version.clone(),
        });
        let host = Host {
            engines: redis.chain(memcached).collect(),
            sentinel: !self.installs.redis.is_empty(),
        };
        let txn = Txn::new().put(self.config.node.as_str(), &host);
        self.catalog.commit(txn).await.map(|_| ())
    }
}
