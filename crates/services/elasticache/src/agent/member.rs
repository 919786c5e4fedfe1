//! One member as its agent holds it: folder, engine, what was noticed of both, and the steps that it takes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use quorate_control::Stored;
use quorate_engines::redis::RedisPaths;
use quorate_engines::{EngineError, ExitKind};

use crate::agent::cluster::ClusterNotes;
use crate::agent::driver::{Progress, StepError};
use crate::agent::engine::{Engine, Process};
use crate::agent::host::AgentHost;
use crate::agent::look::MemberId;
use crate::agent::marker::Marker;
use crate::agent::snapshot::Taking;
use crate::decide::cluster::wait_to_start;
use crate::decide::member::{EngineFacts, MemberFacts, MemberStep};
use crate::model::{
    Cache, CacheKind, Desired, EngineState, Member as MemberRecord, MemberReport, MemberState,
    Shard,
};

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
    pub(crate) down_since: Instant,
    /// Since when the engine's role is not the record's.
    contradicts_since: Option<Instant>,
    pub(crate) told: Option<MemberReport>,
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

    pub(crate) fn note_whole(&self, is_whole: bool) -> Result<(), EngineError> {
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
}

/// Whether writes that a member acknowledged may not be on its disk.
pub(crate) fn may_lack(record: &MemberRecord, marker: Option<&Marker>) -> bool {
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

pub(crate) fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
