//! Looking after an engine that follows: a standby, or the engine of a read replica.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use quorate_engines::postgres::{RunningPostgres, follower_lag, pending_restart};

use crate::agent::driver::{Progress, StepError};
use crate::agent::facts::Look;
use crate::agent::leader::{has_no_room_to_lead, keep_slots, wanted_slots};
use crate::agent::member::Member;
use crate::decide::member::{MemberFacts, UpstreamFacts};
use crate::model::{EngineState, MemberReport, MemberState, Order, ParametersApplied, Role};
use crate::parameters::falls_short;

/// How long a follower may be without a stream from a primary that serves before it is realigned.
const STREAM_TIMEOUT: Duration = Duration::from_secs(12);

impl Member {
    /// One round: follow the right upstream, with the right parameters, and say how far behind.
    pub(crate) async fn supervise_follower(
        &mut self,
        look: &Look,
        facts: &MemberFacts,
    ) -> Result<Progress, StepError> {
        let Some(server) = self.server() else {
            return Ok(Progress::Done);
        };
        self.note_address(look, server.config().await.listen)
            .await?;
        let admin = server.admin().await?;
        let lag = follower_lag(&admin).await?;
        let streaming = lag.is_some_and(|lag| lag.streaming);
        self.storage_full = has_no_room_to_lead(&self.paths.data());
        self.tell(MemberReport {
            engine: EngineState::Following,
            epoch: facts.own.epoch,
            streaming,
            lag_bytes: lag.map(|lag| lag.bytes),
            lag_ms: lag.and_then(|lag| lag.seconds).map(millis),
            storage_full: self.storage_full,
            detail: None,
        });
        if let Some(upstream) = &facts.upstream
            && self.keep_upstream(look, &server, upstream).await?
        {
            return Ok(Progress::Done);
        }
        if lag.is_some_and(|lag| lag.paused) && self.is_outgrown(look, &server).await? {
            tracing::info!(instance = %look.id(), "the primary was given more than its follower has: it starts again");
            self.restart(None).await?;
            return Ok(Progress::Done);
        }
        self.set_state(look, MemberState::Running, None).await?;
        let is_replica =
            look.instance().topology.role_of(&self.host.config.node) == Some(Role::Primary);
        if is_replica {
            if self.keep_replica(look, &server).await? {
                return Ok(Progress::Done);
            }
            keep_slots(&admin, &wanted_slots(look)).await?;
        } else if self.keep_standby_parameters(look, &server).await? {
            return Ok(Progress::Done);
        }
        self.watch_stream(look, facts, streaming).await
    }

    /// Points the engine at its upstream's present address. True when it had another.
    async fn keep_upstream(
        &mut self,
        look: &Look,
        server: &Arc<RunningPostgres>,
        facts: &UpstreamFacts,
    ) -> Result<bool, StepError> {
        let wanted = self.upstream(look.instance(), facts);
        let mut config = server.config().await;
        if config.upstream.as_ref() == Some(&wanted) {
            return Ok(false);
        }
        config.upstream = Some(wanted);
        server.reload(config).await?;
        Ok(true)
    }

    /// Whether the engine cannot go on, as its primary has been given more of something than it has. Started again it has as
    /// much.
    async fn is_outgrown(&self, look: &Look, server: &RunningPostgres) -> Result<bool, StepError> {
        let floors = self.tools(look)?.controldata().await?.floors;
        Ok(falls_short(&server.config().await.parameters, &floors))
    }

    /// A read replica's own instance: open its endpoint, take in its parameters, restart on order.
    async fn keep_replica(
        &mut self,
        look: &Look,
        server: &Arc<RunningPostgres>,
    ) -> Result<bool, StepError> {
        let instance = look.instance();
        let epoch = instance.topology.epoch;
        if !instance.topology.is_serving() || !instance.topology.is_followable() || self.rebooting {
            let digest = self
                .engine
                .as_ref()
                .map(|e| e.digest.clone())
                .unwrap_or_default();
            let rebooted = self.rebooting;
            look.change(&self.host, None, |instance| {
                if instance.topology.epoch != epoch {
                    return;
                }
                instance.topology.serving = Some(epoch);
                instance.topology.followable = Some(epoch);
                if rebooted && instance.order == Some(Order::Reboot) {
                    instance.order = None;
                }
                instance.parameters_applied = ParametersApplied {
                    digest: digest.clone(),
                    pending_reboot: false,
                };
            })
            .await?;
            self.rebooting = false;
            return Ok(true);
        }
        if instance.order == Some(Order::Reboot) {
            self.restart(instance.order.as_ref()).await?;
            return Ok(true);
        }
        self.keep_parameters(look, server).await
    }

    /// A standby takes static parameters in when its primary runs with them.
    async fn keep_standby_parameters(
        &mut self,
        look: &Look,
        server: &Arc<RunningPostgres>,
    ) -> Result<bool, StepError> {
        let digest = self.give_parameters(look, server).await?;
        let applied = &look.instance().parameters_applied;
        let primary_runs_with_them = applied.digest == digest && !applied.pending_reboot;
        if primary_runs_with_them && !pending_restart(&*server.admin().await?).await?.is_empty() {
            self.restart(None).await?;
            return Ok(true);
        }
        Ok(false)
    }

    /// A follower that gets no stream from a primary that serves cannot follow it any more: the log that it needs
    /// is gone, or it is ahead of the fork.
    async fn watch_stream(
        &mut self,
        look: &Look,
        facts: &MemberFacts,
        streaming: bool,
    ) -> Result<Progress, StepError> {
        let Some(upstream) = facts.upstream.as_ref().filter(|_| !streaming) else {
            self.silent_since = None;
            if streaming {
                self.realigned = 0;
            }
            return Ok(Progress::Steady);
        };
        let now = Instant::now();
        let since = *self.silent_since.get_or_insert(now);
        if now.saturating_duration_since(since) < STREAM_TIMEOUT {
            return Ok(Progress::Waiting);
        }
        tracing::warn!(instance = %look.id(), "no stream from a primary that serves: realigning");
        self.realign(look, facts, upstream).await?;
        Ok(Progress::Done)
    }
}

fn millis(seconds: f64) -> u64 {
    // Lags are small and not negative; what does not fit is as good as the largest.
    Duration::try_from_secs_f64(seconds)
        .ok()
        .and_then(|lag| u64::try_from(lag.as_millis()).ok())
        .unwrap_or(u64::MAX)
}
