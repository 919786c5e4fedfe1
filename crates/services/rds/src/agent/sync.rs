//! What the primary's agent notices of its standby, and the steps of waiting for it.

use std::time::Duration;

use tokio::time::Instant;

use quorate_engines::EngineError;
use quorate_engines::postgres::{ReplicationPeer, WalPosition};

use crate::agent::driver::StepError;
use crate::agent::facts::Look;
use crate::agent::member::Member;
use crate::agent::settings::application_name;
use crate::decide::sync::{SyncFacts, SyncStep, decide_sync};
use crate::model::{Role, Topology};

/// Lag below which waiting for the standby costs no more than a moment.
const CAUGHT_UP_BYTES: u64 = 16 << 20;
/// Longest time that the barrier may take.
const BARRIER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time until nobody waits any more.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(10);

/// One life of a standby: a copy made afresh is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StandbyLife {
    /// What PostgreSQL knows it by.
    pub(crate) name: String,
    incarnation: u32,
}

impl StandbyLife {
    /// The standby that a topology has, if it has one.
    pub(crate) fn of(topology: &Topology) -> Option<StandbyLife> {
        topology.standby().map(|(node, member)| StandbyLife {
            name: application_name(node),
            incarnation: member.incarnation,
        })
    }
}

/// The standby as it was last seen.
#[derive(Debug, Default)]
pub(crate) struct SyncWatch {
    /// Whom PostgreSQL waits for.
    pub(crate) waits_for: Option<StandbyLife>,
    /// "In sync" was sent to the catalog, and nothing that denies it was written since.
    declared: bool,
    flushed: Option<WalPosition>,
    /// When it last had everything, or came further.
    well_at: Option<Instant>,
}

impl SyncWatch {
    /// Takes in what the primary sees of its standby. `head` is the end of the primary's log.
    pub(crate) fn see(&mut self, peer: Option<&ReplicationPeer>, head: WalPosition, now: Instant) {
        let flushed = peer.and_then(|peer| peer.flush);
        let came_further = flushed > self.flushed;
        let has_all = flushed.is_some_and(|flushed| flushed >= head);
        if came_further || has_all || self.well_at.is_none() {
            self.well_at = Some(now);
        }
        self.flushed = flushed.or(self.flushed);
    }

    /// How long the standby has not answered.
    pub(crate) fn silent_for(&self, now: Instant) -> Duration {
        self.well_at
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at))
    }
}

impl Member {
    /// Looks at the standby and takes the step that is due. True when one was taken.
    pub(crate) async fn keep_in_step(
        &mut self,
        look: &Look,
        peers: &[ReplicationPeer],
        head: WalPosition,
    ) -> Result<bool, StepError> {
        let topology = &look.instance().topology;
        let standby = StandbyLife::of(topology);
        let peer = peers
            .iter()
            .find(|p| Some(&p.application_name) == standby.as_ref().map(|s| &s.name));
        let now = Instant::now();
        self.sync.see(peer, head, now);
        // Waiting for one standby says nothing of the one that took its place.
        let waits_for_another = self.sync.waits_for.is_some() && self.sync.waits_for != standby;
        let facts = SyncFacts {
            in_sync: topology.in_sync,
            declared: self.sync.declared,
            waits: self.sync.waits_for.is_some(),
            wanted: look.instance().settings.multi_az && standby.is_some(),
            caught_up: peer.is_some_and(|peer| {
                peer.state == "streaming"
                    && peer
                        .flush
                        .is_some_and(|at| head.bytes_since(at) < CAUGHT_UP_BYTES)
            }),
            lost: waits_for_another || self.sync.silent_for(now) >= self.host.config.standby_loss,
        };
        let step = decide_sync(facts);
        if step == SyncStep::Keep {
            return Ok(false);
        }
        tracing::info!(instance = %look.id(), ?step, "standby");
        match (step, standby) {
            (SyncStep::StartWaiting, Some(standby)) => self.start_waiting(standby).await?,
            (SyncStep::DeclareInSync, _) => {
                self.sync.declared = true;
                self.declare(look, true).await?;
            }
            (SyncStep::DeclareNotInSync, _) => {
                self.declare(look, false).await?;
                self.sync.declared = false;
            }
            (SyncStep::StopWaiting, _) => self.stop_waiting().await?,
            (SyncStep::StartWaiting | SyncStep::Keep, _) => {}
        }
        Ok(true)
    }

    async fn start_waiting(&mut self, standby: StandbyLife) -> Result<(), EngineError> {
        let Some(engine) = &self.engine else {
            return Ok(());
        };
        // Fenced before the catalog can say that the standby may be promoted.
        engine.fence(true);
        engine
            .server
            .establish_sync_standby(&standby.name, BARRIER_TIMEOUT)
            .await?;
        self.sync.waits_for = Some(standby);
        Ok(())
    }

    async fn stop_waiting(&mut self) -> Result<(), EngineError> {
        let Some(engine) = &self.engine else {
            return Ok(());
        };
        engine.server.release_sync_standby(RELEASE_TIMEOUT).await?;
        self.sync.waits_for = None;
        engine.fence(false);
        Ok(())
    }

    /// Writes whether the standby may be promoted, if the topology is still the one that was looked at. That it may not
    /// is written even when the catalog says so already: a declaration still on its way fails after that.
    async fn declare(&self, look: &Look, in_sync: bool) -> Result<(), StepError> {
        let seen = look.instance().topology.clone();
        let node = self.host.config.node.clone();
        let (message, category) = if in_sync {
            (
                "The standby is in sync",
                crate::model::EventCategory::Recovery,
            )
        } else {
            (
                "The standby does not answer: the primary goes on without it",
                crate::model::EventCategory::Notification,
            )
        };
        let told = look
            .instance()
            .settings
            .multi_az
            .then_some((message, category));
        look.write(&self.host, told, !in_sync, |instance| {
            let topology = &mut instance.topology;
            let same = topology.epoch == seen.epoch
                && topology.role_of(&node) == Some(Role::Primary)
                && topology.standby().map(|(n, m)| (n, m.incarnation))
                    == seen.standby().map(|(n, m)| (n, m.incarnation));
            if same || (!in_sync && topology.epoch == seen.epoch) {
                topology.in_sync = in_sync;
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(flush: u64) -> ReplicationPeer {
        ReplicationPeer {
            application_name: String::from("b"),
            pid: 1,
            state: String::from("streaming"),
            sync_state: String::from("sync"),
            sent: None,
            write: None,
            flush: Some(WalPosition(flush)),
            replay: None,
            reply_age: None,
        }
    }

    #[test]
    fn a_standby_is_silent_from_when_it_last_came_further_or_had_all() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut watch = SyncWatch::default();
        watch.see(Some(&peer(100)), WalPosition(100), at(0));
        watch.see(Some(&peer(100)), WalPosition(100), at(5_000));
        assert_eq!(
            watch.silent_for(at(5_000)),
            Duration::ZERO,
            "idle is not silent"
        );
        watch.see(Some(&peer(150)), WalPosition(200), at(6_000));
        watch.see(Some(&peer(150)), WalPosition(300), at(7_000));
        assert_eq!(watch.silent_for(at(7_500)), Duration::from_millis(1_500));
        watch.see(None, WalPosition(300), at(8_000));
        assert_eq!(watch.silent_for(at(8_000)), Duration::from_secs(2));
    }
}
