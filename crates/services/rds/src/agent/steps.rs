//! The steps of a member, one function each. Each may be cut short anywhere and done again.

use std::time::Duration;

use quorate_base::UnixMillis;
use quorate_engines::Limits;
use quorate_engines::postgres::{
    MemberRole, PostgresServer, PostgresTools, RewindOutcome, StopMode,
};

use crate::agent::driver::{Progress, StepError};
use crate::agent::facts::Look;
use crate::agent::member::{Engine, Member, deadline};
use crate::agent::sync::StandbyLife;
use crate::catalogue::find_class;
use crate::decide::member::{MemberFacts, MemberStep, UpstreamFacts};
use crate::model::{
    Desired, EngineState, EventCategory, Instance, MemberReport, MemberState, Order,
};

/// How long an engine may take to stop in order.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an engine may take to recover and accept connections.
const START_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a promotion may take.
const PROMOTE_TIMEOUT: Duration = Duration::from_secs(600);

impl Member {
    /// Does one step.
    pub(crate) async fn perform(
        &mut self,
        look: &Look,
        facts: &MemberFacts,
        step: MemberStep,
    ) -> Result<Progress, StepError> {
        match step {
            MemberStep::Stop => self.stop_engine(look, facts).await?,
            MemberStep::Remove => return self.remove(look, facts).await,
            MemberStep::Initialize => self.initialize(look, facts).await?,
            MemberStep::Copy(upstream) => self.copy_from(look, &upstream).await?,
            MemberStep::Realign(upstream) => self.realign(look, facts, &upstream).await?,
            MemberStep::StartLeader => self.start_leader(look, facts).await?,
            MemberStep::StartFollower(upstream) => self.start_follower(look, upstream).await?,
            MemberStep::Promote => self.promote(look, facts).await?,
            MemberStep::ReportDown => self.report_down(look, facts).await?,
            MemberStep::Supervise if facts.leads => return self.supervise_leader(look).await,
            MemberStep::Supervise => return self.supervise_follower(look, facts).await,
            MemberStep::Wait(why) => {
                self.note_stopped(look, facts).await?;
                self.tell_state(EngineState::Down, facts, Some(why));
                return Ok(Progress::Waiting);
            }
            MemberStep::Lost(why) => {
                self.tell_state(EngineState::Down, facts, Some(why));
                self.set_state(
                    look,
                    MemberState::Failed,
                    Some((why, EventCategory::Failure)),
                )
                .await?;
                return Ok(Progress::Waiting);
            }
        }
        Ok(Progress::Done)
    }

    /// The member is in no record. Only when a quorum confirms that is its copy removed.
    pub(crate) async fn leave_when_gone(&mut self) -> Result<Progress, StepError> {
        let instances = self.host.catalog.list::<Instance>().await?;
        let node = &self.host.config.node;
        let wanted = instances.iter().any(|i| {
            i.record.resource_id == self.resource_id && i.record.topology.members.contains_key(node)
        });
        if wanted {
            return Ok(Progress::Done);
        }
        tracing::info!(resource = %self.resource_id, "nobody wants this copy: it is removed");
        self.kill_engine().await;
        self.paths.remove_all()?;
        self.host
            .lease
            .observe(&MemberReport::key(&self.resource_id), None);
        Ok(Progress::Gone)
    }

    async fn stop_engine(&mut self, look: &Look, facts: &MemberFacts) -> Result<(), StepError> {
        // A leader that was replaced has nothing left to say; one that is stopped on request says it all.
        let mode = if facts.desired == Desired::Running {
            StopMode::Immediate
        } else {
            StopMode::Fast
        };
        self.end_engine(mode).await;
        self.note_stopped(look, facts).await
    }

    async fn note_stopped(&mut self, look: &Look, facts: &MemberFacts) -> Result<(), StepError> {
        if facts.desired == Desired::Stopped && self.engine.is_none() {
            self.set_state(look, MemberState::Stopped, None).await?;
        }
        Ok(())
    }

    /// Stops the engine, if there is one; kills it when it does not stop in time.
    async fn end_engine(&mut self, mode: StopMode) {
        if let Some(engine) = &self.engine
            && engine.server.stop(mode, STOP_TIMEOUT).await.is_err()
        {
            engine.server.kill().await;
        }
        self.drop_engine();
    }

    /// Kills the engine, if there is one, and waits for its end.
    pub(crate) async fn kill_engine(&mut self) {
        if let Some(engine) = &self.engine {
            engine.server.kill().await;
        }
        self.drop_engine();
    }

    async fn remove(&mut self, look: &Look, facts: &MemberFacts) -> Result<Progress, StepError> {
        self.kill_engine().await;
        if facts.desired != Desired::Deleted {
            self.paths.remove_data()?;
            return Ok(Progress::Done);
        }
        self.paths.remove_all()?;
        let node = self.host.config.node.clone();
        look.change(&self.host, None, |instance| {
            instance.topology.members.remove(&node);
        })
        .await?;
        self.host
            .lease
            .observe(&MemberReport::key(&self.resource_id), None);
        Ok(Progress::Gone)
    }

    async fn initialize(&mut self, look: &Look, facts: &MemberFacts) -> Result<(), StepError> {
        self.tell_state(EngineState::Building, facts, None);
        self.set_state(look, MemberState::Building, None).await?;
        self.prepare_folder()?;
        self.paths.remove_data()?;
        self.tools(look)?.initdb().await?;
        self.mark(look, &facts.own, MemberRole::Primary)?;
        Ok(())
    }

    async fn copy_from(&mut self, look: &Look, from: &UpstreamFacts) -> Result<(), StepError> {
        let state = EngineState::Building;
        self.tell(MemberReport {
            engine: state,
            streaming: false,
            ..self.report.clone()
        });
        self.set_state(look, MemberState::Building, None).await?;
        self.prepare_folder()?;
        self.paths.remove_data()?;
        let upstream = self.upstream(look.instance(), from);
        self.tools(look)?.base_backup(&upstream).await?;
        self.mark(look, &from.lineage, MemberRole::Standby)?;
        self.realigned = 0;
        Ok(())
    }

    pub(crate) async fn realign(
        &mut self,
        look: &Look,
        facts: &MemberFacts,
        to: &UpstreamFacts,
    ) -> Result<(), StepError> {
        self.tell_state(EngineState::Building, facts, None);
        self.end_engine(StopMode::Fast).await;
        self.set_state(look, MemberState::Building, None).await?;
        self.prepare_folder()?;
        let upstream = self.upstream(look.instance(), to);
        let listen = self.listen_address(None)?;
        let config = self.configuration(
            look.instance(),
            &look.wanted()?,
            listen,
            Some(upstream.clone()),
            None,
        );
        let tools = self.tools(look)?;
        self.realigned += 1;
        let outcome = if self.realigned > REALIGN_MAX {
            RewindOutcome::Impossible(String::from("it was tried too often"))
        } else {
            tools.rewind(&upstream, &config).await?
        };
        tracing::info!(instance = %look.id(), ?outcome, "realigned");
        match outcome {
            RewindOutcome::Rewound | RewindOutcome::NotNeeded => {
                self.mark(look, &to.lineage, MemberRole::Standby)?;
            }
            RewindOutcome::Impossible(why) => {
                tracing::warn!(instance = %look.id(), why, "a copy cannot be rewound: it is made afresh");
                self.paths.remove_data()?;
            }
        }
        Ok(())
    }

    async fn start_leader(&mut self, look: &Look, facts: &MemberFacts) -> Result<(), StepError> {
        // A leader is started on the newest word of the catalog only, and after what an earlier life of this node still
        // had on its way: a late "in sync" must not meet an engine that does not wait.
        look.claim(&self.host).await?;
        let Some(look) = &Look::at(&self.host.catalog, &self.resource_id)? else {
            return Ok(());
        };
        let topology = &look.instance().topology;
        if topology.epoch != facts.own.epoch
            || topology.primary.as_ref() != Some(&self.host.config.node)
            || topology.primary_down
        {
            return Ok(());
        }
        self.tell_state(EngineState::Starting, facts, None);
        let waits_for = StandbyLife::of(topology).filter(|_| topology.in_sync);
        let fenced = waits_for.is_some();
        let name = waits_for.as_ref().map(|standby| standby.name.clone());
        self.start_engine(look, None, name, fenced).await?;
        self.sync.waits_for = waits_for;
        Ok(())
    }

    async fn start_follower(
        &mut self,
        look: &Look,
        upstream: Option<UpstreamFacts>,
    ) -> Result<(), StepError> {
        let upstream = match upstream {
            Some(facts) => self.upstream(look.instance(), &facts),
            None => self.no_upstream(),
        };
        self.start_engine(look, Some(upstream), None, false).await?;
        let state = MemberState::Running;
        self.set_state(look, state, None).await
    }

    async fn start_engine(
        &mut self,
        look: &Look,
        upstream: Option<quorate_engines::postgres::Upstream>,
        waits_for: Option<String>,
        fenced: bool,
    ) -> Result<(), StepError> {
        self.prepare_folder()?;
        let instance = look.instance();
        let known = instance
            .topology
            .members
            .get(&self.host.config.node)
            .and_then(|m| m.address);
        let listen = self.listen_address(known)?;
        let mut wanted = look.wanted()?;
        let digest = wanted.digest();
        let leads = upstream.is_none();
        if !leads {
            wanted.raise_to(&self.tools(look)?.controldata().await?.floors);
        }
        let config = self.configuration(instance, &wanted, listen, upstream, waits_for);
        let server =
            PostgresServer::new(self.postgres(look)?, self.paths.clone(), limits(instance));
        let lease = fenced.then(|| deadline(*self.host.lease.watch().borrow()));
        let running = server.launch(config, lease).await?;
        let engine = Engine::new(running, leads, digest, fenced, &self.host.lease);
        let ready = engine.server.wait_ready(START_TIMEOUT).await;
        if let Err(e) = ready {
            engine.server.kill().await;
            return Err(e.into());
        }
        self.adopt(engine);
        self.note_address(look, listen).await
    }

    async fn promote(&mut self, look: &Look, facts: &MemberFacts) -> Result<(), StepError> {
        self.host.catalog.read::<Instance>(look.id()).await?;
        let Some(fresh) = Look::at(&self.host.catalog, &self.resource_id)? else {
            return Ok(());
        };
        let topology = &fresh.instance().topology;
        let still = topology.epoch == facts.own.epoch
            && topology.primary.as_ref() == Some(&self.host.config.node);
        let Some(engine) = self.engine.as_mut().filter(|_| still) else {
            return Ok(());
        };
        engine.server.promote(PROMOTE_TIMEOUT).await?;
        engine.leads = true;
        self.sync = crate::agent::sync::SyncWatch::default();
        // Roles came with the copy.
        self.bootstrapped = true;
        self.mark(&fresh, &facts.own, MemberRole::Primary)?;
        Ok(())
    }

    async fn report_down(&mut self, look: &Look, facts: &MemberFacts) -> Result<(), StepError> {
        let node = self.host.config.node.clone();
        let epoch = facts.own.epoch;
        look.change(&self.host, None, |instance| {
            let topology = &mut instance.topology;
            if topology.epoch == epoch && topology.primary.as_ref() == Some(&node) {
                topology.primary_down = topology.in_sync;
            }
        })
        .await
    }

    /// Writes how far the member is, when that is news.
    pub(crate) async fn set_state(
        &self,
        look: &Look,
        state: MemberState,
        told: Option<(&str, EventCategory)>,
    ) -> Result<(), StepError> {
        let node = self.host.config.node.clone();
        let known = look.instance().topology.members.get(&node).map(|m| m.state);
        if known == Some(state) {
            return Ok(());
        }
        look.change(&self.host, told, |instance| {
            if let Some(member) = instance.topology.members.get_mut(&node)
                && member.state != state
            {
                member.state = state;
                member.since = UnixMillis::now();
            }
        })
        .await
    }

    pub(crate) fn tell_state(
        &mut self,
        engine: EngineState,
        facts: &MemberFacts,
        detail: Option<&str>,
    ) {
        self.tell(MemberReport {
            engine,
            epoch: facts.own.epoch,
            streaming: false,
            lag_bytes: None,
            lag_ms: None,
            storage_full: self.storage_full,
            detail: detail.map(str::to_owned),
        });
    }

    /// Restarts the engine as it is, on order.
    pub(crate) async fn restart(&mut self, order: Option<&Order>) -> Result<(), StepError> {
        tracing::info!(resource = %self.resource_id, ?order, "restart");
        self.end_engine(StopMode::Fast).await;
        self.rebooting = order.is_some();
        Ok(())
    }

    fn postgres(&self, look: &Look) -> Result<quorate_engines::postgres::PostgresHost, StepError> {
        let version = &look.instance().settings.engine_version;
        self.host.postgres(version).ok_or_else(|| {
            StepError::Host(format!(
                "PostgreSQL {version} is not on this host: install the package `postgresql-{}`",
                version.split('.').next().unwrap_or(version)
            ))
        })
    }

    pub(crate) fn tools(&self, look: &Look) -> Result<PostgresTools, StepError> {
        Ok(PostgresTools::new(self.postgres(look)?, self.paths.clone()))
    }
}

/// How often a copy is realigned without coming to stream before a fresh one is made.
const REALIGN_MAX: u32 = 2;

fn limits(instance: &Instance) -> Limits {
    let class = find_class(&instance.settings.class);
    Limits {
        cpu: class.as_ref().map(|class| f64::from(class.vcpus)),
        memory_bytes: class.map(|class| class.memory_bytes),
    }
}
