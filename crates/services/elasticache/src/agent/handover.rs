//! A change of primary without loss: the Sentinels have let go, the primary hands over, the record follows.

use std::net::SocketAddr;
use std::time::Duration;

use quorate_base::UnixMillis;
use quorate_control::{CatalogError, Stored};

use crate::agent::driver::StepError;
use crate::agent::engine::Process;
use crate::agent::member::Member;
use crate::model::{Cache, Coordinated, Sentinel, Shard};

/// How long the Sentinels may take to let go; without Sentinels nobody is promoted, so it must end.
const RELEASE_MAX_MS: u64 = 10_000;
/// How long a primary holds writes back until its replica has everything.
const HAND_OVER_MAX: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl Member {
    /// Hands over, when this member is the primary that is to, and every Sentinel has let go.
    pub(crate) async fn hand_over(
        &mut self,
        cache: &Stored<Cache>,
        shard: &Shard,
    ) -> Result<(), StepError> {
        let own = shard.primary == Some(self.id.member);
        let Some(coordinated) = shard.coordinated.as_ref().filter(|_| own) else {
            return Ok(());
        };
        let to = shard.members.get(&coordinated.to);
        let Some(to) = to.and_then(|member| member.address) else {
            return self.end_coordination(cache, coordinated, false).await;
        };
        if !self.all_released(coordinated)? {
            let waited_ms = UnixMillis::now().millis_since(coordinated.since);
            if waited_ms > RELEASE_MAX_MS {
                tracing::warn!(cache = %cache.id, "a Sentinel does not let go: the primary stays");
                return self.end_coordination(cache, coordinated, false).await;
            }
            return Ok(());
        }
        let follows = self.turn(to).await;
        if let Err(e) = &follows {
            tracing::warn!(cache = %cache.id, error = %e, "the primary did not hand over");
        }
        let turned = follows.unwrap_or(false);
        self.end_coordination(cache, coordinated, turned).await
    }

    fn all_released(&self, coordinated: &Coordinated) -> Result<bool, CatalogError> {
        let sentinels = self.host.catalog.view().list::<Sentinel>()?;
        let mut nodes = sentinels.iter();
        Ok(nodes.all(|s| coordinated.released.iter().any(|n| n.as_str() == s.id)))
    }

    /// Whether the engine follows `to` in the end. `FAILOVER` gives up by itself after its timeout.
    async fn turn(&self, to: SocketAddr) -> Result<bool, StepError> {
        let Some(Process::Redis(redis)) = self.engine.as_ref().map(|e| &e.process) else {
            return Ok(false);
        };
        let follows = async || -> Result<bool, StepError> {
            let info = redis.client().info().await?;
            Ok(info.replica.is_some_and(|r| r.primary == Some(to)))
        };
        if follows().await? {
            return Ok(true);
        }
        let until = tokio::time::Instant::now() + HAND_OVER_MAX * 2;
        let mut refused = None;
        let mut begun = false;
        while tokio::time::Instant::now() < until {
            if !begun {
                // A replica whose link is up may not be one that its primary takes for online yet.
                let asked = redis.client().hand_over(to, HAND_OVER_MAX).await;
                begun = asked.is_ok();
                refused = asked.err();
            }
            if follows().await? {
                return Ok(true);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        match refused {
            Some(e) => Err(e.into()),
            None => Ok(false),
        }
    }

    async fn end_coordination(
        &self,
        cache: &Stored<Cache>,
        coordinated: &Coordinated,
        turned: bool,
    ) -> Result<(), StepError> {
        let change = |cache: &mut Cache| {
            let Some(shard) = cache.topology.shards.get_mut(&self.id.shard) else {
                return;
            };
            if shard.coordinated.as_ref().map(|c| c.to) != Some(coordinated.to) {
                return;
            }
            shard.coordinated = None;
            if turned {
                shard.primary = Some(coordinated.to);
                shard.epoch = shard.epoch.next();
            }
        };
        Ok(self.host.change(cache, None, change).await?)
    }
}
