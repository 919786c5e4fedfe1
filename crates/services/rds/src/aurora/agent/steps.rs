//! The steps of a member, one function each. Each may be cut short anywhere and done again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::Rng;

use quorate_volume::Layout;
use quorate_volume::protocol::{VolumeEpoch, VolumeId};

use crate::agent::driver::{Progress, StepError};
use crate::agent::settings::{listen_address, prepare_folder};
use crate::aurora::agent::engine::{Part, Stop};
use crate::aurora::agent::host::MountHandle;
use crate::aurora::agent::layout::layout_of;
use crate::aurora::agent::look::Look;
use crate::aurora::agent::member::{Member, Mount};
use crate::aurora::agent::mount::{MountProcess, take_away};
use crate::aurora::agent::opened;
use crate::aurora::decide::member::MemberStep;
use crate::aurora::model::{AuroraEngineState, AuroraMemberReport, Cluster};
use crate::aurora::mount::{MountMode, MountSpec};
use crate::aurora::records;

/// How long an engine may take to recover and accept connections.
const START_TIMEOUT: Duration = Duration::from_secs(600);

impl Member {
    /// Does one step.
    pub(super) async fn perform(
        &mut self,
        look: &Look,
        step: MemberStep,
    ) -> Result<Progress, StepError> {
        match step {
            MemberStep::StopAll => self.end_all(Stop::AtOnce).await,
            MemberStep::StopInOrder => self.end_all(Stop::InOrder).await,
            MemberStep::NoteStopped => {
                self.tell_state(look, AuroraEngineState::Down, None);
                look.change(&self.host, records::member_stopped).await?;
                return Ok(Progress::Waiting);
            }
            MemberStep::LetGo => return self.let_go(look).await,
            MemberStep::GiveUp => self.give_up(look).await,
            MemberStep::MountWriter => self.mount_writer(look).await?,
            MemberStep::MountReader if self.rests() => {
                self.tell_waiting(look, "the last mount ended at once");
                return Ok(Progress::Waiting);
            }
            MemberStep::MountReader => self.mount_reader(look).await?,
            MemberStep::Initialize => self.initialize(look).await?,
            MemberStep::StartWriter => self.start_writer(look).await?,
            MemberStep::StartReader => self.start_reader(look).await?,
            MemberStep::Restart => self.restart(look).await?,
            MemberStep::Supervise if look.writes() => return self.supervise_writer(look).await,
            MemberStep::Supervise => return self.supervise_reader(look).await,
            MemberStep::Wait(why) => {
                self.tell_waiting(look, why);
                return Ok(Progress::Waiting);
            }
        }
        Ok(Progress::Done)
    }

    fn tell_waiting(&mut self, look: &Look, why: &str) {
        let opening = self.mount_state().and_then(|state| state.opening);
        let state = if self.mount.is_some() {
            AuroraEngineState::Mounting
        } else {
            AuroraEngineState::Down
        };
        let detail = opening.map_or_else(|| why.to_owned(), |opening| format!("{why}: {opening}"));
        self.tell_state(look, state, Some(detail));
    }

    /// The member is in no record, or placed elsewhere. Only when a quorum confirms that is what it left here removed.
    pub(super) async fn leave_when_gone(&mut self) -> Result<Progress, StepError> {
        let clusters = self.host.base.catalog.list::<Cluster>().await?;
        let node = &self.host.base.config.node;
        let mut members = clusters.iter().flat_map(|c| c.record.members.values());
        let here = |m: &crate::aurora::model::ClusterMember| {
            m.resource_id == self.resource_id && m.node.as_ref() == Some(node)
        };
        if members.any(here) {
            return Ok(Progress::Done);
        }
        tracing::info!(resource = %self.resource_id, "a member of a cluster is not here any more");
        self.remove().await?;
        Ok(Progress::Gone)
    }

    async fn remove(&mut self) -> Result<(), StepError> {
        self.end_all(Stop::AtOnce).await;
        // An earlier life of this node may have left one.
        take_away(&self.paths.data());
        self.paths.remove_all()?;
        let key = AuroraMemberReport::key(&self.resource_id);
        self.host.base.lease.observe(&key, None);
        Ok(())
    }

    async fn let_go(&mut self, look: &Look) -> Result<Progress, StepError> {
        self.remove().await?;
        let node = self.host.base.config.node.clone();
        look.change(&self.host, |cluster, at| {
            records::member_let_go(cluster, at.member, &node)
        })
        .await?;
        Ok(Progress::Waiting)
    }

    /// Ends what is left of the writer, and says so: the controller names another one, or another epoch.
    async fn give_up(&mut self, look: &Look) {
        let why = self.mount_state().and_then(|state| state.ended);
        let why = why.unwrap_or_else(|| String::from("the database engine has ended"));
        self.end_all(Stop::AtOnce).await;
        self.gave_up = Some(look.epoch());
        self.tell_state(look, AuroraEngineState::Down, Some(why));
    }

    pub(super) fn layout(&self, look: &Look) -> Result<Layout, StepError> {
        let volume = VolumeId(look.cluster().resource_id.clone());
        let layout = layout_of(self.host.base.catalog.view(), &volume)?;
        layout
            .ok_or_else(|| StepError::Host(String::from("the cluster's volume is not placed yet")))
    }

    async fn mount_writer(&mut self, look: &Look) -> Result<(), StepError> {
        let mode = MountMode::Writer {
            epoch: VolumeEpoch(look.epoch().0),
            format: !look.cluster().created,
            cache_bytes: self.host.config.cache_bytes,
        };
        prepare_folder(&self.host.base, &self.paths)?;
        opened::write(self.paths.root(), look.epoch())?;
        self.start_mount(look, mode, Some(look.epoch())).await
    }

    /// Segments that were restarted know of an old moment to be complete. Beside a writer that runs its log leads on from
    /// there, and nobody is led here before it does.
    async fn mount_reader(&mut self, look: &Look) -> Result<(), StepError> {
        let alone = !look.cluster().writer_runs();
        let mode = MountMode::Reader {
            view: rand::rng().random(),
            overlay: self.overlay(),
            cache_bytes: self.host.config.cache_bytes,
            alone,
        };
        look.change(&self.host, records::member_builds).await?;
        prepare_folder(&self.host.base, &self.paths)?;
        self.start_mount(look, mode, None).await?;
        self.is_alone = alone;
        self.is_current = alone;
        Ok(())
    }

    async fn start_mount(
        &mut self,
        look: &Look,
        mode: MountMode,
        at: Option<quorate_base::Epoch>,
    ) -> Result<(), StepError> {
        self.tell_state(look, AuroraEngineState::Mounting, None);
        let base = &self.host.base;
        let mountpoint = self.paths.data();
        std::fs::create_dir_all(&mountpoint)
            .map_err(quorate_engines::EngineError::io("make a mount point"))
            .or_else(|e| if mountpoint.exists() { Ok(()) } else { Err(e) })?;
        let layout = self.layout(look)?;
        let spec = MountSpec {
            identity: self.host.config.identity.clone(),
            node: base.config.node.clone(),
            mountpoint,
            owner: (base.account.uid(), base.account.gid()),
            layout: layout.clone(),
            mode,
        };
        let log = self.paths.root().join("log/mount.log");
        let process = MountProcess::start(&spec, &log).await?;
        let handle = MountHandle {
            volume: layout.volume.clone(),
            at,
            orders: process.orders(),
            state: process.state(),
            told: Arc::new(Mutex::new(Some(layout))),
        };
        self.host.mounts().insert(self.resource_id.clone(), handle);
        self.mount = Some(Mount { process, at });
        Ok(())
    }

    async fn initialize(&mut self, look: &Look) -> Result<(), StepError> {
        if self.paths.data().join(INITIALIZED).exists() {
            return self.start_writer(look).await;
        }
        self.tell_state(
            look,
            AuroraEngineState::Starting,
            Some(String::from("an empty database is made")),
        );
        self.make_files(look).await?;
        std::fs::write(self.paths.data().join(INITIALIZED), b"")
            .map_err(quorate_engines::EngineError::io("mark the volume as made"))?;
        Ok(())
    }

    /// Starts the engine over the mount.
    pub(super) async fn start_engine(&mut self, look: &Look, part: Part) -> Result<(), StepError> {
        self.tell_state(look, AuroraEngineState::Starting, None);
        let listen = listen_address(&self.host.base, look.member().address)?;
        let engine = self.launch(look, listen, part).await?;
        let is_beside_writer = matches!(part, Part::Reads(Some(_)));
        let ready = tokio::select! {
            ready = engine.server.wait_ready(START_TIMEOUT) => ready,
            () = self.writer_is_gone(look), if is_beside_writer => {
                tracing::info!(member = %look.name(), "nobody to follow: the reader begins again without a writer");
                self.engine = Some(engine);
                self.end_all(Stop::AtOnce).await;
                return Ok(());
            }
        };
        if let Err(e) = ready {
            engine.server.kill().await;
            return Err(e.into());
        }
        self.adopt(engine);
        Ok(())
    }

    /// Waits until the volume takes no writes and its writer does not run: what a reader was to follow from an old moment
    /// does not come.
    async fn writer_is_gone(&self, look: &Look) {
        let catalog = &self.host.base.catalog;
        let mut bell = catalog.view().subscribe();
        let is_gone = |cluster: &Cluster| cluster.unwritable.is_some() && !cluster.writer_runs();
        loop {
            bell.mark_unchanged();
            match Look::at(catalog, &self.resource_id) {
                Ok(Some(now)) if is_gone(now.cluster()) => return,
                Ok(_) => {}
                Err(e) => {
                    tracing::warn!(member = %look.name(), error = %e, "a reader's cluster cannot be read")
                }
            }
            if bell.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    async fn restart(&mut self, look: &Look) -> Result<(), StepError> {
        tracing::info!(member = %look.name(), "restart on order");
        look.change(&self.host, records::member_builds).await?;
        self.end_engine(Stop::InOrder).await;
        look.change(&self.host, records::member_rebooted).await
    }
}

/// Says that an empty database was made to its end.
const INITIALIZED: &str = "quorate.initialized";
