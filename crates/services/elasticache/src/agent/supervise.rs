//! A member whose engine runs as it should: settings, accounts and the record are kept up, and what is seen is told.

use std::net::SocketAddr;

use quorate_control::Stored;

use crate::agent::cluster::Tended;
use crate::agent::driver::{Progress, StepError};
use crate::agent::engine::Process;
use crate::agent::marker::Marker;
use crate::agent::member::{Member, millis};
use crate::agent::wanted;
use crate::model::{
    Cache, EngineState, Member as MemberRecord, MemberReport, MemberState, ReplicationLink, Shard,
};

impl Member {
    /// Looks after an engine that runs as it should: settings, accounts, the record, the report.
    pub(crate) async fn supervise(
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
