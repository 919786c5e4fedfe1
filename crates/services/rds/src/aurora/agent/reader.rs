//! An engine that reads: a hot standby over a view of the volume, streaming from the writer.
//!
//! A new writer goes on in the same log, and has sent nobody more than is durable. So a reader follows it without being made
//! anew; only one that cannot get the log that it needs is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use quorate_engines::postgres::{RunningPostgres, StopMode, follower_lag};

use crate::agent::driver::{Progress, StepError};
use crate::aurora::agent::look::Look;
use crate::aurora::agent::member::Member;
use crate::aurora::model::{AuroraEngineState, AuroraMemberReport};
use crate::aurora::records;

/// How long a reader may be without a stream from a writer that serves before it is made anew.
const STREAM_TIMEOUT: Duration = Duration::from_secs(10);

impl Member {
    pub(super) async fn start_reader(&mut self, look: &Look) -> Result<(), StepError> {
        let Some(writer) = writer_address(look) else {
            return Ok(());
        };
        self.start_engine(look, Some(self.upstream(writer))).await
    }

    /// One round of looking after it.
    pub(super) async fn supervise_reader(&mut self, look: &Look) -> Result<Progress, StepError> {
        let Some(server) = self.server() else {
            return Ok(Progress::Done);
        };
        let lag = follower_lag(&*server.admin().await?).await?;
        let streaming = lag.is_some_and(|lag| lag.streaming);
        let seconds = lag.and_then(|lag| lag.seconds);
        self.tell(AuroraMemberReport {
            engine: AuroraEngineState::Reading,
            epoch: look.epoch(),
            gave_up: false,
            lag_ms: seconds.map(|seconds| (seconds.max(0.0) * 1_000.0) as u64),
            detail: None,
        });
        let Some(writer) = writer_address(look) else {
            return Ok(Progress::Waiting);
        };
        if self.keep_upstream(&server, writer).await? {
            return Ok(Progress::Done);
        }
        if !streaming {
            return self.watch_stream(look).await;
        }
        self.silent_since = None;
        if !look.cluster().runs(look.member()) {
            let address = server.config().await.listen;
            look.change(&self.host, |cluster, at| {
                records::reader_runs(cluster, at, address)
            })
            .await?;
            return Ok(Progress::Done);
        }
        self.keep_parameters(look, &server).await
    }

    /// Points the engine at the writer's present address. True when it had another.
    async fn keep_upstream(
        &self,
        server: &Arc<RunningPostgres>,
        writer: SocketAddr,
    ) -> Result<bool, StepError> {
        let wanted = self.upstream(writer);
        let mut config = server.config().await;
        if config.upstream.as_ref() == Some(&wanted) {
            return Ok(false);
        }
        config.upstream = Some(wanted);
        server.reload(config).await?;
        Ok(true)
    }

    /// A reader that gets no stream from a writer that serves lacks log that is gone: it begins again over a newer view.
    async fn watch_stream(&mut self, look: &Look) -> Result<Progress, StepError> {
        let now = Instant::now();
        let since = *self.silent_since.get_or_insert(now);
        if now.saturating_duration_since(since) < STREAM_TIMEOUT {
            return Ok(Progress::Waiting);
        }
        tracing::warn!(member = %look.name(), "no stream from a writer that serves: the reader is made anew");
        look.change(&self.host, records::member_builds).await?;
        self.end_all(StopMode::Immediate).await;
        Ok(Progress::Done)
    }
}

/// Where the writer is followed, once it serves at the present epoch.
fn writer_address(look: &Look) -> Option<SocketAddr> {
    let cluster = look.cluster();
    cluster
        .writer_member()
        .filter(|_| cluster.is_serving())?
        .address
}
