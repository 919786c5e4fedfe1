//! Looking after an engine that leads.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use quorate_engines::postgres::{
    Bootstrap, RunningPostgres, bootstrap, create_slot, drop_slot, pending_restart,
    replication_peers, server_state, set_master_password, slots,
};

use crate::agent::driver::{Progress, StepError};
use crate::agent::facts::{Look, lineage};
use crate::agent::member::Member;
use crate::agent::settings::{replica_slot, standby_slot};
use crate::model::{
    EngineState, EventCategory, Instance, MemberReport, MemberState, Order, ParametersApplied,
};

impl Member {
    /// One round: serve, keep slots, parameters and credentials as asked, keep in step with the standby.
    pub(crate) async fn supervise_leader(&mut self, look: &Look) -> Result<Progress, StepError> {
        let Some(server) = self.server() else {
            return Ok(Progress::Done);
        };
        self.note_address(look, server.config().await.listen)
            .await?;
        let instance = look.instance();
        if !instance.topology.is_serving() || self.rebooting {
            self.begin_to_serve(look, &server).await?;
            return Ok(Progress::Done);
        }
        if instance.order == Some(Order::Reboot) {
            self.restart(instance.order.as_ref()).await?;
            return Ok(Progress::Done);
        }
        let admin = server.admin().await?;
        if !instance.topology.is_followable() {
            self.become_followable(look, &server).await?;
            return Ok(Progress::Done);
        }
        keep_slots(&admin, &wanted_slots(look)).await?;
        self.storage_full = has_no_room(&self.paths.data());
        self.tell_leading(look);
        let state = server_state(&admin).await?;
        let peers = replication_peers(&admin).await?;
        if self.keep_in_step(look, &peers, state.position()).await? {
            return Ok(Progress::Done);
        }
        if self.keep_parameters(look, &server).await? || self.keep_password(look, &server).await? {
            return Ok(Progress::Done);
        }
        Ok(Progress::Steady)
    }

    pub(crate) fn server(&self) -> Option<Arc<RunningPostgres>> {
        self.engine.as_ref().map(|engine| engine.server.clone())
    }

    fn tell_leading(&mut self, look: &Look) {
        self.tell(MemberReport {
            engine: EngineState::Leading,
            epoch: look.instance().topology.epoch,
            streaming: false,
            lag_bytes: None,
            lag_ms: None,
            storage_full: self.storage_full,
            detail: None,
        });
    }

    /// Makes sure of the roles, then tells the catalog that the engine serves: endpoints open with that.
    async fn begin_to_serve(
        &mut self,
        look: &Look,
        server: &Arc<RunningPostgres>,
    ) -> Result<(), StepError> {
        let settings = &look.instance().settings;
        let first_start = look.instance().credentials_applied.is_none();
        if first_start && !self.bootstrapped {
            let version = self
                .host
                .installs
                .postgres
                .iter()
                .map(quorate_engines::PostgresInstall::version)
                .find(|version| version.to_string() == settings.engine_version)
                .ok_or_else(|| StepError::Host(String::from("the engine's version is gone")))?;
            let want = Bootstrap {
                version,
                master_user: settings.master_username.clone(),
                master_verifier: settings.master_verifier.expose().to_owned(),
                database: settings.db_name.clone(),
                in_each_database: "",
            };
            bootstrap(server, &want).await?;
        }
        self.bootstrapped = true;
        let digest = self
            .engine
            .as_ref()
            .map(|e| e.digest.clone())
            .unwrap_or_default();
        let fingerprint = settings.master_verifier.fingerprint();
        let node = self.host.config.node.clone();
        let epoch = look.instance().topology.epoch;
        let rebooted = self.rebooting;
        let completed = look.instance().topology.failover.is_some();
        let told = completed.then_some((
            "Multi-AZ instance failover completed",
            EventCategory::Failover,
        ));
        look.change(&self.host, told, |instance| {
            let topology = &mut instance.topology;
            if topology.epoch != epoch || topology.primary.as_ref() != Some(&node) {
                return;
            }
            topology.serving = Some(epoch);
            topology.failover = None;
            if let Some(member) = topology.members.get_mut(&node) {
                member.state = MemberState::Running;
            }
            if first_start {
                instance.credentials_applied = Some(fingerprint.clone());
            }
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
        Ok(())
    }

    /// Writes the checkpoint that others rewind to, and the slots that they follow through.
    async fn become_followable(
        &mut self,
        look: &Look,
        server: &Arc<RunningPostgres>,
    ) -> Result<(), StepError> {
        server.checkpoint().await?;
        keep_slots(&*server.admin().await?, &wanted_slots(look)).await?;
        let own = lineage(look.instance());
        look.change(&self.host, None, |instance| {
            if instance.topology.epoch == own.epoch {
                instance.topology.followable = Some(own.epoch);
            }
        })
        .await
    }

    /// Gives the engine the parameters that are asked for. True when something was written.
    pub(crate) async fn keep_parameters(
        &mut self,
        look: &Look,
        server: &Arc<RunningPostgres>,
    ) -> Result<bool, StepError> {
        let digest = self.give_parameters(look, server).await?;
        let pending = pending_restart(&*server.admin().await?).await?;
        let applied = ParametersApplied {
            digest,
            pending_reboot: !pending.is_empty(),
        };
        if look.instance().parameters_applied == applied {
            return Ok(false);
        }
        look.change(&self.host, None, |instance| {
            instance.parameters_applied = applied.clone()
        })
        .await?;
        Ok(true)
    }

    /// Has the engine read the parameters that are asked for, if it was last given others. Returns their digest.
    pub(crate) async fn give_parameters(
        &mut self,
        look: &Look,
        server: &Arc<RunningPostgres>,
    ) -> Result<String, StepError> {
        let wanted = look.wanted()?;
        let digest = wanted.digest();
        let Some(engine) = self
            .engine
            .as_mut()
            .filter(|engine| engine.digest != digest)
        else {
            return Ok(digest);
        };
        let mut config = server.config().await;
        config.parameters = wanted.settings;
        config.force_ssl = wanted.force_ssl;
        server.reload_and_see(config, RELOAD_TIMEOUT).await?;
        engine.digest.clone_from(&digest);
        Ok(digest)
    }

    async fn keep_password(
        &mut self,
        look: &Look,
        server: &Arc<RunningPostgres>,
    ) -> Result<bool, StepError> {
        let instance: &Instance = look.instance();
        let settings = &instance.settings;
        let fingerprint = settings.master_verifier.fingerprint();
        if instance.credentials_applied.as_ref() == Some(&fingerprint) {
            return Ok(false);
        }
        let verifier = settings.master_verifier.expose();
        set_master_password(server, &settings.master_username, verifier).await?;
        look.change(&self.host, None, |instance| {
            instance.credentials_applied = Some(fingerprint.clone());
        })
        .await?;
        Ok(true)
    }
}

/// How long a server may take to read its configuration again.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The slots that this instance's followers need.
pub(crate) fn wanted_slots(look: &Look) -> BTreeSet<String> {
    let standby = look
        .instance()
        .topology
        .standby()
        .map(|(node, _)| standby_slot(node));
    standby
        .into_iter()
        .chain(look.replicas.iter().map(|id| replica_slot(id)))
        .collect()
}

/// Makes the slots that are missing and drops those that nobody follows through any more.
pub(crate) async fn keep_slots(
    admin: &tokio_postgres::Client,
    wanted: &BTreeSet<String>,
) -> Result<(), StepError> {
    let present = slots(admin).await?;
    let lost = |name: &String| {
        present
            .iter()
            .any(|s| s.name == *name && s.wal_status.as_deref() == Some("lost"))
    };
    for name in wanted {
        if lost(name) {
            drop_slot(admin, name).await?;
        }
        if lost(name) || !present.iter().any(|slot| slot.name == *name) {
            create_slot(admin, name).await?;
        }
    }
    for slot in present
        .iter()
        .filter(|s| s.physical && !wanted.contains(&s.name))
    {
        // A copy under way has temporary slots of its own.
        if slot.name.starts_with("quorate_") || slot.name.starts_with("replica_") {
            drop_slot(admin, &slot.name).await?;
        }
    }
    Ok(())
}

/// Least room on the file system of the data: PostgreSQL needs a log segment to go on.
const ROOM_BYTES_MIN: u64 = 24 << 20;

/// A follower counts as full earlier: a primary without room must not hand over to a disk that is about to be
/// full too, least of all to the same one.
const ROOM_BYTES_TO_LEAD: u64 = 4 * ROOM_BYTES_MIN;

/// Whether the file system that holds `path` has no room left for another log segment.
pub(crate) fn has_no_room(path: &std::path::Path) -> bool {
    room_is_below(path, ROOM_BYTES_MIN)
}

/// Whether the file system that holds `path` has too little room for a primary to move there.
pub(crate) fn has_no_room_to_lead(path: &std::path::Path) -> bool {
    room_is_below(path, ROOM_BYTES_TO_LEAD)
}

fn room_is_below(path: &std::path::Path, bytes: u64) -> bool {
    nix::sys::statvfs::statvfs(path)
        .is_ok_and(|fs| fs.blocks_available() * fs.fragment_size() < bytes)
}
