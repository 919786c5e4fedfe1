//! Moves slots from the own engine, which leads, to the primary of another shard.
//!
//! Invariants
//! - A slot is given to the other engine only when a moment ago no key was left in it here, while it was on its way: then
//!   nobody can have put one here since. Too late a look is taken again, as another primary may have been elected meanwhile.
//! - Each step can be done again: an interrupted move begins anew with what both engines say.
//!
//! Source: "Live resharding" in the cluster specification of Redis's documentation; the page of CLUSTER SETSLOT. The
//! engine that gets a slot tells all others at once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use quorate_control::Stored;
use quorate_engines::redis::{AGENT_ACCOUNT, ClusterNode, ClusterNodeId, RedisClient, SlotOrder};

use crate::agent::driver::StepError;
use crate::agent::engine::Process;
use crate::agent::member::Member;
use crate::model::Cache;

/// Keys that are carried over at once: as long as that takes, neither engine serves anybody.
const KEYS_MAX: u16 = 16;
/// How old the look that found a slot empty may be: less than engines wait before they hold one another for gone.
const LOOK_AGE_MAX: Duration = Duration::from_millis(700);

/// The engine that gets slots.
pub(crate) struct Target {
    address: SocketAddr,
    client: RedisClient,
}

/// One move.
struct Move<'a> {
    from: &'a RedisClient,
    from_id: &'a ClusterNodeId,
    to: &'a Target,
    to_id: &'a ClusterNodeId,
    password: &'a str,
}

impl Member {
    /// Moves these slots, one after another.
    pub(crate) async fn move_slots(
        &mut self,
        cache: &Stored<Cache>,
        nodes: &[ClusterNode],
        slots: &[u16],
        to: &ClusterNodeId,
        address: SocketAddr,
    ) -> Result<(), StepError> {
        let kept = self.cluster.target.take().filter(|t| t.address == address);
        let target = match kept {
            Some(target) => target,
            None => self.reach(&cache.record, address)?,
        };
        let Some(Process::Redis(redis)) = self.engine.as_ref().map(|e| &e.process) else {
            return Ok(());
        };
        let Some(own) = nodes.iter().find(|node| node.myself) else {
            return Ok(());
        };
        let step = Move {
            from: redis.client(),
            from_id: &own.id,
            to: &target,
            to_id: to,
            password: &cache.record.inner_password,
        };
        let there = target.client.cluster_nodes().await?;
        let Some(there) = there.iter().find(|node| node.myself && node.id == *to) else {
            return Err(StepError::Host(format!(
                "the engine at {address} is not the one that is to get slots"
            )));
        };
        for slot in slots {
            // One that the other engine has is empty here: it was given before the last step could be done.
            if !there.has_slot(*slot) {
                step.carry_over(*slot).await?;
            }
            step.from.set_slot(*slot, SlotOrder::Node(to)).await?;
        }
        tracing::info!(cache = %cache.id, member = %self.id.folder(), first = slots.first(), count = slots.len(), %address, "slots moved");
        self.cluster.target = Some(target);
        Ok(())
    }

    fn reach(&self, cache: &Cache, address: SocketAddr) -> Result<Target, StepError> {
        let root = match cache.settings.transit_encryption {
            true => Some(self.host.client_certificates()?.ca),
            false => None,
        };
        let password = &cache.inner_password;
        let client = RedisClient::remote(address, root.as_deref(), AGENT_ACCOUNT, password)?;
        Ok(Target { address, client })
    }
}

impl Move<'_> {
    /// Carries a slot's keys over, and gives the slot to the other engine.
    async fn carry_over(&self, slot: u16) -> Result<(), StepError> {
        let (from, to) = (self.from, &self.to.client);
        to.set_slot(slot, SlotOrder::Importing(self.from_id))
            .await?;
        from.set_slot(slot, SlotOrder::Migrating(self.to_id))
            .await?;
        let looked = loop {
            let looked = Instant::now();
            let keys = from.keys_in_slot(slot, KEYS_MAX).await?;
            if keys.is_empty() {
                break looked;
            }
            from.migrate(&keys, self.to.address, self.password).await?;
        };
        if looked.elapsed() > LOOK_AGE_MAX {
            return Err(StepError::Host(format!(
                "the look at slot {slot} took too long to be relied on"
            )));
        }
        Ok(to.set_slot(slot, SlotOrder::Node(self.to_id)).await?)
    }
}
