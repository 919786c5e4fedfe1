//! One member of a cluster: what its engine says of the cluster, brought to what the record says of it.

use std::time::{Duration, Instant};

use quorate_base::UnixMillis;
use quorate_control::{CatalogError, Stored, Txn};
use quorate_engines::redis::{ClusterNode, Promotion, RedisClient};

use crate::agent::driver::StepError;
use crate::agent::election::Election;
use crate::agent::engine::Process;
use crate::agent::member::Member;
use crate::agent::resharding::Target;
use crate::decide::cluster::{
    ClusterFacts, ClusterStep, bus_port, decide_cluster, is_formed, is_primary_lost, knows_all,
};
use crate::events;
use crate::model::{Cache, Order, Shard, SlotRange, Status};

/// How long a change of primary without loss may take once the engine was told: it gives up by itself after five seconds.
const PROMOTION_MAX: Duration = Duration::from_secs(6);
/// How long the record asks for such a change before the primary stays what it is.
const COORDINATED_MAX_MS: u64 = 20_000;
/// How often an engine is told to carry a user's failover out: it gives up when its primary is slow to stand still.
const TEST_FAILOVER_TRIES_MAX: u32 = 5;

/// What a member's driver keeps in mind of the cluster while its engine runs.
#[derive(Default)]
pub(crate) struct ClusterNotes {
    /// Since when its engine knows all members.
    known_since: Option<Instant>,
    /// When its engine was last told to lead.
    promoted_at: Option<Instant>,
    /// How often its engine was told to carry out a user's failover that is not in the record any more.
    test_failover_tries: Option<u32>,
    /// Whether clients were served by the cluster once.
    formed: bool,
    /// Since when its engine, which has all that its primary had, holds that one for gone.
    pub(crate) lost_since: Option<Instant>,
    /// The engine that slots were last moved to.
    pub(crate) target: Option<Target>,
}

/// What a look at the cluster came to.
pub(crate) enum Tended {
    /// A step was done.
    Busy,
    /// The engine does not play its part yet.
    Joins,
    /// It does.
    Formed,
}

impl Member {
    /// Looks at the cluster with the eyes of the own engine, and does what is next.
    pub(crate) async fn tend_cluster(
        &mut self,
        cache: &Stored<Cache>,
        shard: &Shard,
    ) -> Result<Tended, StepError> {
        let Some(engine) = &self.engine else {
            return Ok(Tended::Joins);
        };
        let Process::Redis(redis) = &engine.process else {
            return Ok(Tended::Joins);
        };
        let record = &cache.record;
        let nodes = redis.client().cluster_nodes().await?;
        let notes = &mut self.cluster;
        let lost = engine.is_whole && is_primary_lost(&nodes);
        notes.lost_since = lost.then(|| notes.lost_since.unwrap_or_else(Instant::now));
        notes.known_since = knows_all(&record.topology, &nodes)
            .then(|| notes.known_since.unwrap_or_else(Instant::now));
        if nodes.iter().any(|node| node.myself && node.leads) {
            notes.test_failover_tries = None;
        }
        let replica = engine.info.as_ref().and_then(|info| info.replica.as_ref());
        let order = Order::TestFailover(self.id.shard);
        let facts = ClusterFacts {
            topology: &record.topology,
            forming: record.status == Status::Creating,
            own: (self.id.shard, self.id.member),
            nodes: &nodes,
            linked: replica.is_some_and(|replica| replica.linked && !replica.copying),
            known_ms: notes.known_since.map_or(0, millis),
            promoting: notes
                .promoted_at
                .is_some_and(|at| at.elapsed() < PROMOTION_MAX),
            test_failover: notes.test_failover_tries.is_some()
                || record.orders.first() == Some(&order),
        };
        if let Some(step) = decide_cluster(&facts) {
            self.do_cluster_step(cache, &nodes, step).await?;
            return Ok(Tended::Busy);
        }
        if notes.formed || (is_formed(&facts) && serves(redis.client()).await?) {
            notes.formed = true;
            self.end_late_change(cache, shard).await?;
            return Ok(if is_formed(&facts) {
                Tended::Formed
            } else {
                Tended::Joins
            });
        }
        Ok(Tended::Joins)
    }

    async fn do_cluster_step(
        &mut self,
        cache: &Stored<Cache>,
        nodes: &[ClusterNode],
        step: ClusterStep,
    ) -> Result<(), StepError> {
        if !matches!(step, ClusterStep::Move { .. }) {
            tracing::info!(cache = %cache.id, member = %self.id.folder(), ?step, "cluster");
        }
        let promotion = match &step {
            ClusterStep::TakeOver => Some(Promotion::TakeOver),
            ClusterStep::FailOver | ClusterStep::TestFailover => Some(Promotion::Coordinated),
            _ => None,
        };
        if let Some(how) = promotion {
            return self
                .promote(cache, how, step == ClusterStep::TestFailover)
                .await;
        }
        if let ClusterStep::Move { slots, to, address } = &step {
            return self.move_slots(cache, nodes, slots, to, *address).await;
        }
        let Some(Process::Redis(redis)) = self.engine.as_ref().map(|e| &e.process) else {
            return Ok(());
        };
        let client = redis.client();
        match step {
            ClusterStep::Elected(config_epoch) => {
                let election = Election {
                    shard: self.id.shard,
                    leader: self.id.member,
                    config_epoch,
                };
                self.host.take_over(cache, election).await?;
            }
            ClusterStep::SetEpoch(epoch) => client.set_config_epoch(epoch).await?,
            ClusterStep::Meet(at) => client.meet(at, bus_port(at.port())).await?,
            ClusterStep::Forget(node) => client.forget(&node).await?,
            ClusterStep::Follow(primary) => client.follow(&primary).await?,
            ClusterStep::AddSlots(ranges) => {
                let ranges: Vec<(u16, u16)> = ranges.iter().map(|r| (r.first, r.last)).collect();
                client.add_slots(&ranges).await?;
            }
            ClusterStep::NoteSlots(slots) => self.note_slots(cache, &slots).await?,
            ClusterStep::TakeOver
            | ClusterStep::FailOver
            | ClusterStep::TestFailover
            | ClusterStep::Move { .. } => {}
        }
        Ok(())
    }

    async fn note_slots(
        &self,
        cache: &Stored<Cache>,
        slots: &[SlotRange],
    ) -> Result<(), CatalogError> {
        let change = |cache: &mut Cache| {
            if let Some(shard) = cache.topology.shards.get_mut(&self.id.shard)
                && shard.slots_wanted.as_deref() == Some(slots)
            {
                shard.slots = slots.to_vec();
            }
        };
        self.host.change(cache, None, change).await
    }

    /// Has the own engine come to lead. A user's order is carried out by who takes it out of the record.
    async fn promote(
        &mut self,
        cache: &Stored<Cache>,
        how: Promotion,
        ordered: bool,
    ) -> Result<(), StepError> {
        if ordered && !self.begins_test_failover(cache).await? {
            return Ok(());
        }
        let Some(Process::Redis(redis)) = self.engine.as_ref().map(|e| &e.process) else {
            return Ok(());
        };
        let promoted = redis.client().promote(how).await;
        self.cluster.promoted_at = Some(Instant::now());
        match promoted {
            Err(e) if ordered => {
                tracing::info!(cache = %cache.id, error = %e, "a test failover is refused");
                Ok(())
            }
            other => Ok(other?),
        }
    }

    /// Whether the engine is to be told to carry out a user's failover. Told often enough, it is over, and an event says so.
    async fn begins_test_failover(&mut self, cache: &Stored<Cache>) -> Result<bool, StepError> {
        let tries = self.cluster.test_failover_tries;
        if tries.is_none() && !self.take_order(cache).await? {
            return Ok(false);
        }
        let tries = tries.unwrap_or(0);
        if tries < TEST_FAILOVER_TRIES_MAX {
            self.cluster.test_failover_tries = Some(tries + 1);
            return Ok(true);
        }
        self.cluster.test_failover_tries = None;
        let message = format!(
            "Test failover could not be carried out: the replica gave up {TEST_FAILOVER_TRIES_MAX} times"
        );
        let now = UnixMillis::now();
        let txn = events::tell(Txn::new(), now, &cache.id, &cache.record, &message);
        self.host.catalog.commit(txn).await?;
        Ok(false)
    }

    async fn take_order(&self, cache: &Stored<Cache>) -> Result<bool, CatalogError> {
        let order = Order::TestFailover(self.id.shard);
        let catalog = &self.host.catalog;
        let read = catalog.read::<Cache>(&cache.id).await?;
        let Some(read) = read.filter(|r| r.record.orders.first() == Some(&order)) else {
            return Ok(false);
        };
        let mut record = read.record.clone();
        record.orders.remove(0);
        match catalog.commit(Txn::new().replace(&read, &record)).await {
            Ok(_) => Ok(true),
            Err(CatalogError::Conflict { .. }) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Ends a change of primary that did not come about.
    async fn end_late_change(
        &self,
        cache: &Stored<Cache>,
        shard: &Shard,
    ) -> Result<(), CatalogError> {
        let late = shard.coordinated.as_ref().filter(|coordinated| {
            let waited_ms = UnixMillis::now().millis_since(coordinated.since);
            shard.primary == Some(self.id.member) && waited_ms > COORDINATED_MAX_MS
        });
        let Some(late) = late else {
            return Ok(());
        };
        tracing::warn!(cache = %cache.id, shard = self.id.shard.0, to = late.to.0, "nobody took over: the primary stays");
        let change = |cache: &mut Cache| {
            if let Some(shard) = cache.topology.shards.get_mut(&self.id.shard)
                && shard.coordinated.as_ref() == Some(late)
            {
                shard.coordinated = None;
            }
        };
        self.host.change(cache, None, change).await
    }
}

/// Whether the engine serves clients: after a start it waits for two seconds, lest it be one that others have replaced.
async fn serves(client: &RedisClient) -> Result<bool, StepError> {
    let info: String = client.ask(&["CLUSTER", "INFO"]).await?;
    Ok(info.lines().any(|line| line.trim() == "cluster_state:ok"))
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
