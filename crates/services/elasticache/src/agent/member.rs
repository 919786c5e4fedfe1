//! One member as its agent holds it: folder, engine, what was noticed of both, and the steps that it takes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quorate_base::UnixMillis;
use quorate_control::Stored;
use quorate_engines::memcached::{MemcachedConfig, MemcachedServer};
use quorate_engines::redis::{ClusterMode, RedisConfig, RedisPaths, RedisServer, RedisTls};
use quorate_engines::{EngineError, ExitKind, Limits};

use crate::agent::cluster::{ClusterNotes, Tended};
use crate::agent::driver::{Progress, StepError};
use crate::agent::engine::{Engine, Process};
use crate::agent::host::AgentHost;
use crate::agent::look::MemberId;
use crate::agent::marker::Marker;
use crate::agent::restore::begins_with;
use crate::agent::snapshot::Taking;
use crate::agent::wanted;
use crate::catalogue::Directive;
use crate::decide::cluster::{bus_port, wait_to_start};
use crate::decide::member::{EngineFacts, MemberFacts, MemberStep};
use crate::model::{
    Cache, CacheKind, Desired, Engine as EngineKind, EngineState, Member as MemberRecord,
    MemberReport, MemberState, ReplicationLink, Shard,
};

/// How long an engine may take to load its data and answer.
const START_TIMEOUT: Duration = Duration::from_secs(300);

/// A member and what its driver keeps in mind between two looks.
pub(crate) struct Member {
    pub(crate) host: Arc<AgentHost>,
    pub(crate) id: MemberId,
    pub(crate) engine: Option<Engine>,
    pub(crate) root: PathBuf,
    /// The snapshot that is being taken of it.
    pub(crate) taking: Option<Taking>,
    /// How often it could not begin with the data of a snapshot.
    pub(crate) restore_failures: u32,
    /// Since when there is no engine.
    down_since: Instant,
    /// Since when the engine's role is not the record's.
    contradicts_since: Option<Instant>,
    told: Option<MemberReport>,
    pub(crate) cluster: ClusterNotes,
}

impl Member {
    pub(crate) fn new(host: Arc<AgentHost>, id: MemberId) -> Member {
        let root = host.config.folder.join(id.folder());
        Member {
            host,
            id,
            engine: None,
            root,
            taking: None,
            restore_failures: 0,
            down_since: Instant::now(),
            contradicts_since: None,
            told: None,
            cluster: ClusterNotes::default(),
        }
    }

    /// Takes note of an engine that has ended.
    pub(crate) fn notice_exit(&mut self) {
        if let Some(exit) = self.engine.as_ref().and_then(Engine::exit) {
            tracing::warn!(member = %self.id.folder(), ?exit, "an engine has ended");
            self.drop_engine();
        }
    }

    pub(crate) fn drop_engine(&mut self) {
        self.engine = None;
        self.down_since = Instant::now();
        self.contradicts_since = None;
        self.cluster = ClusterNotes::default();
    }

    /// Asks the engine how it is; what is next is decided on that.
    pub(crate) async fn facts(
        &mut self,
        cache: &Stored<Cache>,
        shard: &Shard,
        record: &MemberRecord,
    ) -> Result<MemberFacts, StepError> {
        if let Some(engine) = &mut self.engine
            && let Process::Redis(redis) = &engine.process
        {
            let info = redis.client().info().await?;
            engine.note_info(info, shard.epoch);
        }
        let is_primary = shard.primary == Some(self.id.member);
        let primary = shard.primary_member().filter(|_| !is_primary);
        let primary = primary.and_then(|member| member.address);
        let engine = self.engine.as_ref().map(|engine| EngineFacts::Runs {
            started: engine.started,
            follows: engine.role,
        });
        let wanted = if is_primary { None } else { primary };
        let contradicts = self
            .engine
            .as_ref()
            .is_some_and(|engine| engine.role != wanted);
        self.contradicts_since =
            contradicts.then(|| self.contradicts_since.unwrap_or_else(Instant::now));
        let marker = Marker::read(&self.root)?;
        let lives = |m: &Marker| m.incarnation == record.incarnation;
        let settings = &cache.record.settings;
        let moved = self.engine.as_ref().and_then(|engine| engine.moved);
        let lacks = may_lack(record, marker.as_ref());
        let down_ms = millis(self.down_since);
        Ok(MemberFacts {
            leaving: record.state == MemberState::Leaving
                || matches!(
                    cache.record.desired,
                    Desired::Deleted {
                        final_snapshot: None
                    }
                ),
            outdated: self.root.exists() && !marker.as_ref().is_some_and(lives),
            // The engines of a cluster say among themselves who follows whom.
            alone: cache.record.kind == CacheKind::Memcached || settings.cluster_mode,
            is_primary,
            primary,
            own: record.address,
            watched: is_watched(&cache.record, shard),
            coordinated: shard.coordinated.is_some(),
            sentinel: self
                .host
                .elected(&cache.id)
                .filter(|_| settings.automatic_failover),
            may_lack: match &self.engine {
                Some(engine) => !engine.is_whole,
                None => lacks,
            },
            cluster_waits: settings
                .cluster_mode
                .then(|| wait_to_start(shard, self.id.member, lacks, down_ms))
                .flatten(),
            down_ms,
            contradicts_ms: self.contradicts_since.map_or(0, millis),
            moved_ms: moved
                .filter(|(_, epoch)| *epoch == shard.epoch)
                .map(|(at, _)| millis(at)),
            restarts: record.restarts,
            engine: engine.unwrap_or(EngineFacts::Down),
        })
    }

    /// Does one step.
    pub(crate) async fn perform(
        &mut self,
        cache: &Stored<Cache>,
        shard: &Shard,
        record: &MemberRecord,
        step: MemberStep,
    ) -> Result<Progress, StepError> {
        match step {
            MemberStep::Leave => return self.leave(cache).await,
            MemberStep::Discard => self.discard().await?,
            MemberStep::Start(primary) => self.start(cache, shard, record, primary).await?,
            MemberStep::Stop => self.end_engine().await?,
            MemberStep::Replicate(primary) => {
                if let Some(engine) = &mut self.engine
                    && let Process::Redis(redis) = &engine.process
                {
                    redis.client().replicate(primary).await?;
                    engine.note_role(primary);
                }
            }
            MemberStep::Supervise => return self.supervise(cache, shard, record).await,
            MemberStep::Wait(why) => {
                self.tell(shard, EngineState::Down, Some(why.to_owned()));
                return Ok(Progress::Waiting);
            }
        }
        Ok(Progress::Done)
    }

    /// The member is in no record. Only when a quorum confirms that is its folder removed.
    pub(crate) async fn leave_when_gone(&mut self) -> Result<Progress, StepError> {
        let caches = self.host.catalog.list::<Cache>().await?;
        if caches.iter().any(|c| self.host.has(&c.record, &self.id)) {
            return Ok(Progress::Done);
        }
        tracing::info!(member = %self.id.folder(), "nobody wants this member: it is removed");
        self.discard().await?;
        self.forget();
        Ok(Progress::Gone)
    }

    async fn leave(&mut self, cache: &Stored<Cache>) -> Result<Progress, StepError> {
        self.discard().await?;
        let id = self.id.clone();
        let change = |cache: &mut Cache| {
            if let Some(shard) = cache.topology.shards.get_mut(&id.shard) {
                shard.members.remove(&id.member);
            }
        };
        self.host.change(cache, None, change).await?;
        self.forget();
        Ok(Progress::Gone)
    }

    fn forget(&self) {
        let key = MemberReport::key(&self.id.resource_id, self.id.shard, self.id.member);
        self.host.lease.observe(&key, None);
    }

    /// Ends the engine and removes the folder.
    async fn discard(&mut self) -> Result<(), StepError> {
        if let Some(engine) = &self.engine {
            engine.kill().await;
        }
        self.drop_engine();
        Ok(self.paths()?.remove_all()?)
    }

    /// Ends the engine in order, and notes whether it wrote down everything.
    pub(crate) async fn end_engine(&mut self) -> Result<(), EngineError> {
        let Some(engine) = &self.engine else {
            return Ok(());
        };
        let ended = engine.end().await;
        self.drop_engine();
        self.note_whole(ended == ExitKind::Stopped)
    }

    fn note_whole(&self, is_whole: bool) -> Result<(), EngineError> {
        match Marker::read(&self.root)? {
            Some(marker) if marker.is_whole != is_whole => {
                marker.with_whole(is_whole).write(&self.root)
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn paths(&self) -> Result<RedisPaths, EngineError> {
        RedisPaths::new(&self.root, &self.host.account)
    }

    async fn start(
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
    async fn note_started(
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

    /// Looks after an engine that runs as it should: settings, accounts, the record, the report.
    async fn supervise(
        &mut self,
        cache: &Stored<Cache>,
        shard: &Shard,
        record: &MemberRecord,
    ) -> Result<Progress, StepError> {
        if let Some(marker) = Marker::read(&self.root)? {
            let listen = SocketAddr::new(self.host.config.engine_ip, marker.port);
            let started = self.engine.as_ref().map_or(record.started, |e| e.started);
            let noted = record.address == Some(listen)
                && record.state == MemberState::Running
                && record.started == started;
            if !noted {
                self.note_started(cache, listen, started).await?;
            }
        }
        let mut joins = false;
        if cache.record.settings.cluster_mode {
            match self.tend_cluster(cache, shard).await? {
                Tended::Busy => return Ok(Progress::Done),
                Tended::Joins => joins = true,
                Tended::Formed => {}
            }
        } else {
            self.hand_over(cache, shard).await?;
        }
        self.take_snapshot(cache, shard).await?;
        let detail = self.apply(&cache.record).await?;
        let state = match self.engine.as_ref().and_then(|e| e.info.as_ref()) {
            _ if joins => EngineState::Starting,
            Some(info) if info.replica.is_some() => EngineState::Following,
            _ => EngineState::Leading,
        };
        self.tell(shard, state, detail);
        Ok(Progress::Steady)
    }

    /// Gives the engine the settings and accounts of the moment; what it refuses comes back as a sentence.
    async fn apply(&mut self, cache: &Cache) -> Result<Option<String>, StepError> {
        let view = self.host.catalog.view();
        let Some(engine) = &mut self.engine else {
            return Ok(None);
        };
        let Process::Redis(redis) = &engine.process else {
            return Ok(None);
        };
        let mut refused = None;
        let acl = wanted::accounts(view, cache)?;
        if acl != engine.acl {
            match redis.set_accounts(&acl).await {
                Ok(()) => engine.acl = acl,
                Err(e) => refused = Some(format!("the accounts are refused: {e}")),
            }
        }
        let directives = wanted::directives(view, cache)?;
        if directives != engine.directives {
            for directive in &directives {
                if directive.live && !engine.directives.contains(directive) {
                    let set = redis.client().set_config(&directive.name, &directive.value);
                    if let Err(e) = set.await {
                        refused = Some(format!("{} is refused: {e}", directive.name));
                    }
                }
            }
            engine.directives = directives;
        }
        Ok(refused)
    }

    /// Sends what is seen of the member with the next renewal; at once when it cannot wait.
    pub(crate) fn tell(&mut self, shard: &Shard, state: EngineState, detail: Option<String>) {
        let info = self.engine.as_ref().and_then(|engine| engine.info.as_ref());
        let report = MemberReport {
            engine: state,
            epoch: shard.epoch,
            started: self.engine.as_ref().map_or(0, |engine| engine.started),
            link: info
                .and_then(|info| info.replica.as_ref())
                .map(|replica| ReplicationLink {
                    up: replica.linked,
                    copying: replica.copying,
                    lag_bytes: None,
                }),
            offset: info.map_or(0, |info| info.offset),
            memory_bytes: info.map_or(0, |info| info.memory_bytes),
            primary_lost: self.cluster.lost_since.is_some(),
            primary_lost_ms: self.cluster.lost_since.map_or(0, millis),
            detail,
        };
        let urgent = self.told.as_ref().is_none_or(|told| {
            told.engine != report.engine
                || told.link.map(|l| l.up) != report.link.map(|l| l.up)
                || told.started != report.started
                || told.primary_lost != report.primary_lost
        });
        let key = MemberReport::key(&self.id.resource_id, self.id.shard, self.id.member);
        let bytes = serde_json::to_vec(&report).expect("reports are plain data");
        self.host.lease.observe(&key, Some(bytes));
        if urgent {
            self.host.lease.renew_now();
        }
        self.told = Some(report);
    }
}

/// Whether writes that a member acknowledged may not be on its disk.
fn may_lack(record: &MemberRecord, marker: Option<&Marker>) -> bool {
    record.state == MemberState::Running && !marker.is_some_and(|marker| marker.is_whole)
}

/// Whether Sentinels are to watch a shard, with somebody that they could promote.
pub(crate) fn is_watched(cache: &Cache, shard: &Shard) -> bool {
    let replica = |member: &MemberRecord| member.state == MemberState::Running;
    cache.kind == CacheKind::ReplicationGroup
        && cache.settings.automatic_failover
        && !cache.settings.cluster_mode
        && shard.replicas().any(|(_, member)| replica(member))
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

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
