//! An engine that writes: its first accounts, its parameters and passwords, what it reports.

use tokio::time::Instant;

use crate::agent::driver::{Progress, StepError};
use crate::aurora::agent::engine::{Part, Server};
use crate::aurora::agent::look::Look;
use crate::aurora::agent::member::Member;
use crate::aurora::model::{AuroraEngineState, AuroraMemberReport};
use crate::aurora::records;
use crate::model::ParametersApplied;

impl Member {
    pub(super) async fn start_writer(&mut self, look: &Look) -> Result<(), StepError> {
        self.start_engine(look, Part::Writes).await?;
        self.begin_to_serve(look).await
    }

    /// Makes sure of the accounts, then tells the catalog that the engine serves: endpoints open with that.
    async fn begin_to_serve(&mut self, look: &Look) -> Result<(), StepError> {
        let Some(server) = self.server() else {
            return Ok(());
        };
        let settings = &look.cluster().settings;
        let is_first = look.cluster().credentials_applied.is_none();
        if is_first && !self.bootstrapped {
            self.make_accounts(look, &server).await?;
        }
        self.bootstrapped = true;
        let address = server.address().await;
        let fingerprint = settings.master_verifier.fingerprint();
        let applied = ParametersApplied {
            digest: self
                .engine
                .as_ref()
                .map(|e| e.digest.clone())
                .unwrap_or_default(),
            pending_reboot: false,
        };
        look.change(&self.host, |cluster, at| {
            let mut record = records::writer_serves(cluster, at, address)?;
            record = records::parameters_taken(&record, at, &applied).unwrap_or(record);
            if is_first {
                record = records::credentials_taken(&record, at, &fingerprint).unwrap_or(record);
            }
            Some(record)
        })
        .await
    }

    /// One round of looking after it.
    pub(super) async fn supervise_writer(&mut self, look: &Look) -> Result<Progress, StepError> {
        let Some(server) = self.server() else {
            return Ok(Progress::Done);
        };
        if !look.cluster().runs(look.member()) || !look.cluster().is_serving() {
            self.begin_to_serve(look).await?;
        }
        let detail = self.storage_trouble();
        self.tell(AuroraMemberReport {
            engine: AuroraEngineState::Writing,
            epoch: look.epoch(),
            gave_up: false,
            lag_ms: None,
            detail,
        });
        if self.crash_on_order().await || self.keep_password(look, &server).await? {
            return Ok(Progress::Done);
        }
        self.keep_parameters(look, &server).await
    }

    /// Says that the volume takes no writes, while it does not.
    fn storage_trouble(&mut self) -> Option<String> {
        let status = self.mount_state()?.volume?;
        self.storage.look(&status, Instant::now())
    }

    async fn keep_password(&self, look: &Look, server: &Server) -> Result<bool, StepError> {
        let settings = &look.cluster().settings;
        let fingerprint = settings.master_verifier.fingerprint();
        if look.cluster().credentials_applied.as_ref() == Some(&fingerprint) {
            return Ok(false);
        }
        self.set_password(look, server).await?;
        look.change(&self.host, |cluster, at| {
            records::credentials_taken(cluster, at, &fingerprint)
        })
        .await?;
        Ok(true)
    }

    /// Gives the engine the parameters that are asked for, and says what it runs with.
    pub(super) async fn keep_parameters(
        &mut self,
        look: &Look,
        server: &Server,
    ) -> Result<Progress, StepError> {
        let wanted = look.parameters()?;
        let digest = wanted.digest.clone();
        let is_given = self.engine.as_ref().is_some_and(|e| e.digest == digest);
        if !is_given {
            self.give_parameters(look, server, wanted).await?;
            if let Some(engine) = &mut self.engine {
                engine.digest.clone_from(&digest);
            }
        }
        let applied = ParametersApplied {
            digest,
            pending_reboot: server.pending_restart().await?,
        };
        if look.member().parameters_applied == applied {
            return Ok(Progress::Steady);
        }
        look.change(&self.host, |cluster, at| {
            records::parameters_taken(cluster, at, &applied)
        })
        .await?;
        Ok(Progress::Done)
    }
}
