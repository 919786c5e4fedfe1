//! What one Sentinel watches, brought to what the catalog says, and what it says back.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use quorate_control::{CatalogError, Stored};
use quorate_engines::redis::RedisTls;
use quorate_engines::sentinel::{RunningSentinel, SentinelEvents, WatchedMaster, Watching};

use crate::agent::driver::StepError;
use crate::agent::election::Election;
use crate::agent::host::AgentHost;
use crate::agent::member::is_watched;
use crate::model::{Cache, Desired, MemberState, Shard, ShardNumber, Watched};

/// Longest time between two looks at the Sentinel; it tells of elections by itself.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Pause after something failed.
const RETRY: Duration = Duration::from_millis(500);
const STOP_TIMEOUT: Duration = Duration::from_secs(3);
/// Sentinels that must agree that a primary is gone: two of the three zones'.
const QUORUM: u16 = 2;

/// Runs this node's Sentinels while there is something to watch, until `stop`.
pub(crate) async fn run_sentinels(host: Arc<AgentHost>, stop: CancellationToken) {
    tokio::join!(
        run_sentinel(host.clone(), RedisTls::Off, stop.clone()),
        run_sentinel(host, RedisTls::Only, stop),
    );
}

async fn run_sentinel(host: Arc<AgentHost>, tls: RedisTls, stop: CancellationToken) {
    let mut bell = host.catalog.view().subscribe();
    let mut keeper = Keeper {
        host,
        tls,
        running: None,
        events: None,
        watching: BTreeMap::new(),
    };
    loop {
        bell.mark_unchanged();
        let pause = match keeper.look_once().await {
            Ok(()) => LOOK_EVERY,
            Err(e) => {
                tracing::warn!(error = %e, "looking after the Sentinel failed and is tried again");
                tokio::select! {
                    () = tokio::time::sleep(RETRY) => continue,
                    () = stop.cancelled() => break,
                }
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = keeper.turned() => {}
            _ = bell.changed() => {}
            () = stop.cancelled() => break,
        }
    }
    if let Some(sentinel) = keeper.running
        && sentinel.stop(STOP_TIMEOUT).await.is_err()
    {
        sentinel.kill().await;
    }
}

/// What is to be watched, under the name of a cache.
pub(super) struct Wanted {
    pub(super) cache: Stored<Cache>,
    pub(super) shard: ShardNumber,
    primary: SocketAddr,
}

/// One Sentinel's keeper.
pub(super) struct Keeper {
    pub(super) host: Arc<AgentHost>,
    pub(super) tls: RedisTls,
    running: Option<RunningSentinel>,
    events: Option<SentinelEvents>,
    /// The caches that the Sentinel was told to watch, by name, with their resource ids.
    watching: BTreeMap<String, String>,
}

impl Keeper {
    async fn look_once(&mut self) -> Result<(), StepError> {
        if let Some(exit) = self.running.as_ref().and_then(RunningSentinel::exit) {
            tracing::warn!(?exit, "the Sentinel has ended");
            self.running = None;
        }
        let wanted = self.wanted()?;
        if self.running.is_none() {
            for name in std::mem::take(&mut self.watching).into_keys() {
                self.host.forget_election(&name);
            }
            self.events = None;
            if wanted.is_empty() {
                return self.release().await;
            }
            self.running = Some(self.start().await?);
        }
        if let (Some(sentinel), None) = (&self.running, &self.events) {
            self.events = Some(sentinel.events().await?);
        }
        self.watch(&wanted).await?;
        self.release().await
    }

    /// Waits until the Sentinel says that another server is the primary; for ever when none runs.
    async fn turned(&mut self) {
        match &mut self.events {
            Some(events) => {
                if !events.turned().await {
                    self.events = None;
                }
            }
            None => std::future::pending().await,
        }
    }

    /// Brings what the Sentinel watches to what it is to watch, and takes its elections over.
    async fn watch(&mut self, wanted: &BTreeMap<String, Wanted>) -> Result<(), StepError> {
        let Some(sentinel) = &self.running else {
            return Ok(());
        };
        let masters = sentinel.client().watched().await?;
        let is_stale = |master: &&WatchedMaster| {
            let known = self.watching.get(&master.name);
            let wanted = wanted.get(&master.name);
            known.is_none() || known != wanted.map(|w| &w.cache.record.resource_id)
        };
        let stale: Vec<&WatchedMaster> = masters.iter().filter(is_stale).collect();
        for master in stale {
            sentinel.client().unwatch(&master.name).await?;
            self.watching.remove(&master.name);
            self.host.forget_election(&master.name);
        }
        for (name, wanted) in wanted {
            if self.watching.contains_key(name) {
                continue;
            }
            let watching = Watching {
                name: name.clone(),
                primary: wanted.primary,
                quorum: QUORUM,
                password: wanted.cache.record.inner_password.clone(),
            };
            sentinel.client().watch(&watching).await?;
            let resource_id = wanted.cache.record.resource_id.clone();
            self.watching.insert(name.clone(), resource_id);
        }
        for master in &masters {
            if let Some(wanted) = wanted.get(&master.name)
                && self.watching.contains_key(&master.name)
            {
                let seen = Watched {
                    others: master.other_sentinels,
                    replicas: master.replicas,
                    down: master.down,
                };
                self.host.note_election(&master.name, master.address, seen);
                let shard = wanted.cache.record.topology.shards.get(&wanted.shard);
                if let Some(leader) = shard.and_then(|shard| shard.member_at(master.address)) {
                    let election = Election {
                        shard: wanted.shard,
                        leader,
                        config_epoch: master.config_epoch,
                    };
                    self.host.take_over(&wanted.cache, election).await?;
                }
                self.test_failover(sentinel, wanted).await?;
            }
        }
        Ok(())
    }

    /// Says of the shards whose primary is about to change without loss that this Sentinel has let go of them.
    async fn release(&self) -> Result<(), StepError> {
        let node = &self.host.config.node;
        for cache in self.host.catalog.view().list::<Cache>()? {
            if self.watching.contains_key(&cache.id) || !self.is_in_charge(&cache.record) {
                continue;
            }
            let mut shards = cache.record.topology.shards.values();
            let waited_for = |shard: &Shard| {
                let coordinated = shard.coordinated.as_ref();
                coordinated.is_some_and(|c| !c.released.contains(node))
            };
            if !shards.any(waited_for) {
                continue;
            }
            let change = |cache: &mut Cache| {
                for shard in cache.topology.shards.values_mut() {
                    if let Some(coordinated) = &mut shard.coordinated {
                        coordinated.released.insert(node.clone());
                    }
                }
            };
            self.host.change(&cache, None, change).await?;
        }
        Ok(())
    }

    /// Whether caches like this one are this Sentinel's.
    fn is_in_charge(&self, cache: &Cache) -> bool {
        cache.settings.transit_encryption == (self.tls == RedisTls::Only)
    }

    /// The shards that this Sentinel is to watch.
    fn wanted(&self) -> Result<BTreeMap<String, Wanted>, CatalogError> {
        let mut wanted = BTreeMap::new();
        for cache in self.host.catalog.view().list::<Cache>()? {
            let record = &cache.record;
            let served = record.desired == Desired::Running && self.is_in_charge(record);
            let Some((number, shard)) = record.topology.shards.iter().next().filter(|_| served)
            else {
                continue;
            };
            let primary = shard.primary_member();
            let primary = primary.filter(|member| member.state == MemberState::Running);
            let watched = is_watched(record, shard) && shard.coordinated.is_none();
            let (Some(primary), shard) = (primary.and_then(|m| m.address), *number) else {
                continue;
            };
            if watched {
                let entry = Wanted {
                    cache: cache.clone(),
                    shard,
                    primary,
                };
                wanted.insert(cache.id.clone(), entry);
            }
        }
        Ok(wanted)
    }
}
