//! A member's engine, started on its folder with what the record says of the moment.

use std::net::SocketAddr;
use std::time::Duration;

use quorate_base::UnixMillis;
use quorate_control::Stored;
use quorate_engines::memcached::{MemcachedConfig, MemcachedServer};
use quorate_engines::redis::{ClusterMode, RedisConfig, RedisServer, RedisTls};
use quorate_engines::{EngineError, Limits};

use crate::agent::driver::StepError;
use crate::agent::engine::{Engine, Process};
use crate::agent::marker::Marker;
use crate::agent::member::{Member, may_lack};
use crate::agent::restore::begins_with;
use crate::agent::wanted;
use crate::catalogue::Directive;
use crate::decide::cluster::bus_port;
use crate::model::{
    Cache, CacheKind, Engine as EngineKind, EngineState, Member as MemberRecord, MemberState, Shard,
};

/// How long an engine may take to load its data and answer.
const START_TIMEOUT: Duration = Duration::from_secs(300);

impl Member {
    pub(crate) async fn start(
        &mut self,
        cache: &Stored<Cache>,
        shard: &Shard,
        record: &MemberRecord,
        primary: Option<SocketAddr>,
    ) -> Result<(), StepError> {
        self.tell(shard, EngineState::Starting, None);
        let cluster_mode = cache.record.settings.cluster_mode;
        let listen = self.settle(record, cluster_mode)?;
        let directives = wanted::directives(self.host.catalog.view(), &cache.record)?;
        let is_whole = !may_lack(record, Marker::read(&self.root)?.as_ref());
        self.note_whole(false)?;
        let leads = primary.is_none() && shard.primary == Some(self.id.member);
        let restores = begins_with(&cache.record, record, leads);
        if let Some(name) = restores
            && !self.restore(cache, name).await?
        {
            return Ok(());
        }
        let started = if cache.record.kind == CacheKind::Memcached {
            let running = self
                .start_memcached(&cache.record, listen, &directives)
                .await;
            running.map(|process| (process, String::new()))
        } else {
            self.start_redis(&cache.record, listen, &directives, primary)
                .await
        };
        let (process, acl) = match started {
            Err(StepError::Engine(EngineError::PortInUse { .. })) => {
                // Somebody else has the port: the next start gets another.
                let port = self.host.free_port(cluster_mode)?;
                Marker::new(record.incarnation, port).write(&self.root)?;
                return Ok(());
            }
            Err(StepError::Engine(e)) if restores.is_some() => {
                return self.note_restore_failure(cache, e.into()).await;
            }
            other => other?,
        };
        self.engine = Some(Engine {
            process,
            started: record.restarts,
            directives,
            acl,
            info: None,
            role: primary,
            moved: None,
            is_whole,
        });
        self.note_started(cache, listen, record.restarts).await
    }

    /// Makes the folder; says where the engine listens, for the life of the member.
    fn settle(&self, record: &MemberRecord, cluster_mode: bool) -> Result<SocketAddr, StepError> {
        self.paths()?.prepare(&self.host.account)?;
        let port = match Marker::read(&self.root)? {
            Some(marker) if marker.incarnation == record.incarnation => marker.port,
            _ => {
                let port = self.host.free_port(cluster_mode)?;
                Marker::new(record.incarnation, port).write(&self.root)?;
                port
            }
        };
        Ok(SocketAddr::new(self.host.config.engine_ip, port))
    }

    async fn start_redis(
        &self,
        cache: &Cache,
        listen: SocketAddr,
        directives: &[Directive],
        primary: Option<SocketAddr>,
    ) -> Result<(Process, String), StepError> {
        let settings = &cache.settings;
        let missing = || missing(settings.engine, &settings.engine_version);
        let host = self
            .host
            .redis(settings.engine, &settings.engine_version)
            .ok_or_else(missing)?;
        let paths = self.paths()?;
        let tls = if settings.transit_encryption {
            paths.write_tls(&self.host.account, &self.host.certificates()?)?;
            if settings.cluster_mode {
                let shown = self.host.client_certificates()?;
                paths.write_client_tls(&self.host.account, &shown)?;
            }
            RedisTls::Only
        } else {
            RedisTls::Off
        };
        let acl = wanted::accounts(self.host.catalog.view(), cache)?;
        let pairs = directives.iter().map(|d| (d.name.clone(), d.value.clone()));
        let config = RedisConfig {
            listen,
            tls,
            primary,
            cluster: settings.cluster_mode.then(|| ClusterMode {
                bus_port: bus_port(listen.port()),
            }),
            inner_password: cache.inner_password.clone(),
            parameters: pairs.collect(),
        };
        let server = RedisServer::new(host, paths, Limits::default());
        let running = server.launch(&config, &acl, None).await?;
        if let Err(e) = running.wait_ready(START_TIMEOUT).await {
            running.kill().await;
            return Err(e.into());
        }
        Ok((Process::Redis(Box::new(running)), acl))
    }

    async fn start_memcached(
        &self,
        cache: &Cache,
        listen: SocketAddr,
        directives: &[Directive],
    ) -> Result<Process, StepError> {
        let version = &cache.settings.engine_version;
        let host = self.host.memcached(version);
        let host = host.ok_or_else(|| missing(EngineKind::Memcached, version))?;
        let number = |name: &str, otherwise: u64| {
            let directive = directives.iter().find(|d| d.name == name);
            let value = directive.and_then(|d| d.value.parse().ok());
            value.unwrap_or(otherwise)
        };
        let others = directives
            .iter()
            .filter(|d| d.name != "-m" && d.name != "-c");
        let words = others.flat_map(|d| [d.name.clone(), d.value.clone()]);
        let config = MemcachedConfig {
            listen,
            memory_mb: number("-m", 64),
            connections_max: number("-c", 1_024),
            arguments: words.filter(|word| !word.is_empty()).collect(),
        };
        let server = MemcachedServer::new(host, &self.root)?;
        Ok(Process::Memcached(
            server.start(&config, START_TIMEOUT).await?,
        ))
    }

    /// Writes where the engine listens and that it runs, when the record has it otherwise.
    pub(crate) async fn note_started(
        &self,
        cache: &Stored<Cache>,
        listen: SocketAddr,
        restarts: u32,
    ) -> Result<(), StepError> {
        let id = self.id.clone();
        let change = |cache: &mut Cache| {
            let Some(member) = id.in_cache_mut(cache) else {
                return;
            };
            member.address = Some(listen);
            member.started = restarts;
            if member.state != MemberState::Running && member.state != MemberState::Leaving {
                member.state = MemberState::Running;
                member.since = UnixMillis::now();
            }
        };
        Ok(self.host.change(cache, None, change).await?)
    }
}

fn missing(engine: EngineKind, version: &str) -> StepError {
    let package = match engine {
        EngineKind::Redis => "redis-server",
        EngineKind::Valkey => "valkey-server",
        EngineKind::Memcached => "memcached",
    };
    StepError::Host(format!(
        "{engine} {version} is not on this host: install the package `{package}`"
    ))
}
