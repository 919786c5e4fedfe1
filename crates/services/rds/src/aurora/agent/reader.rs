//! An engine that reads: over a view of the volume, with the writer's log from there on.
//!
//! A new writer goes on in the same log. So a reader follows it without being made anew; only one that cannot get the log
//! that it needs is, or one that began without a writer. While the volume takes no writes it goes by its view alone,
//! whether there is a writer or not.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::agent::driver::{Progress, StepError};
use crate::aurora::agent::engine::{Part, Server, Stop};
use crate::aurora::agent::look::Look;
use crate::aurora::agent::member::Member;
use crate::aurora::model::{AuroraEngineState, AuroraMemberReport};
use crate::aurora::records;

/// How long a reader may be without a stream from a writer that serves before it is made anew.
const STREAM_TIMEOUT: Duration = Duration::from_secs(10);

impl Member {
    pub(super) async fn start_reader(&mut self, look: &Look) -> Result<(), StepError> {
        self.start_engine(look, Part::Reads(writer_address(look)))
            .await
    }

    /// One round of looking after it.
    pub(super) async fn supervise_reader(&mut self, look: &Look) -> Result<Progress, StepError> {
        let Some(server) = self.server() else {
            return Ok(Progress::Done);
        };
        let following = server.following().await?;
        self.tell(AuroraMemberReport {
            engine: AuroraEngineState::Reading,
            epoch: look.epoch(),
            gave_up: false,
            lag_ms: following.lag_ms,
            detail: following.trouble,
        });
        if self.crash_on_order().await {
            return Ok(Progress::Done);
        }
        let writer = writer_address(look);
        if self.is_alone && writer.is_some() {
            tracing::info!(member = %look.name(), "there is a writer again: the reader begins again over its volume");
            look.change(&self.host, records::member_builds).await?;
            self.end_all(Stop::AtOnce).await;
            return Ok(Progress::Done);
        }
        if let Some(writer) = writer
            && self.keep_source(&server, writer).await?
        {
            return Ok(Progress::Done);
        }
        self.is_current |= following.streams;
        if look.cluster().unwritable.is_some() && !following.streams {
            return self.read_alone(look, &server).await;
        }
        if writer.is_none() {
            return Ok(Progress::Waiting);
        }
        if following.paused && self.is_outgrown(look, &server).await? {
            tracing::info!(member = %look.name(), "the writer was given more than the reader has: it starts again");
            look.change(&self.host, records::member_builds).await?;
            self.end_engine(Stop::InOrder).await;
            return Ok(Progress::Done);
        }
        if self.is_overlay_full() && self.leave_for_a_newer_view(look).await? {
            return Ok(Progress::Done);
        }
        if !following.streams {
            return self.watch_stream(look).await;
        }
        self.silent_since = None;
        self.keep_reading(look, &server).await
    }

    /// While the volume takes no writes and there is nobody to follow. It stays as it is, for a newer view has nothing more;
    /// one that stands on an old moment begins again.
    async fn read_alone(&mut self, look: &Look, server: &Server) -> Result<Progress, StepError> {
        self.silent_since = None;
        if self.is_current {
            return self.keep_reading(look, server).await;
        }
        if look.cluster().writer_runs() {
            return Ok(Progress::Waiting);
        }
        tracing::info!(member = %look.name(), "nobody to follow from an old moment: the reader begins again");
        self.end_all(Stop::AtOnce).await;
        Ok(Progress::Done)
    }

    /// Tells the catalog that it answers, and keeps its parameters.
    async fn keep_reading(&mut self, look: &Look, server: &Server) -> Result<Progress, StepError> {
        if !look.cluster().runs(look.member()) {
            let address = server.address().await;
            look.change(&self.host, |cluster, at| {
                records::reader_runs(cluster, at, address)
            })
            .await?;
            return Ok(Progress::Done);
        }
        self.keep_parameters(look, server).await
    }

    fn overlay_bytes(&self) -> u64 {
        self.mount_state().map_or(0, |state| state.overlay_bytes)
    }

    fn is_overlay_full(&self) -> bool {
        self.overlay_bytes() > self.host.config.overlay_bytes_max
    }

    /// A reader whose own pages take much room begins again over a newer view, which has them. One after the other does, for
    /// the sake of those who read, until a reader takes twice as much as it should. True when this one has ended.
    async fn leave_for_a_newer_view(&mut self, look: &Look) -> Result<bool, StepError> {
        let bytes = self.overlay_bytes();
        let cannot_wait = bytes / 2 > self.host.config.overlay_bytes_max;
        let ours = AtomicBool::new(false);
        look.change(&self.host, |cluster, at| {
            let mut others = cluster.members.iter().filter(|(id, _)| *id != at.member);
            let may = cannot_wait || others.all(|(_, member)| cluster.runs(member));
            ours.store(may, Ordering::Relaxed);
            may.then(|| records::member_builds(cluster, at)).flatten()
        })
        .await?;
        if !ours.into_inner() {
            return Ok(false);
        }
        tracing::info!(member = %look.name(), bytes, "a reader's own pages take much room: it begins again over a newer view");
        self.end_all(Stop::AtOnce).await;
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
        self.end_all(Stop::AtOnce).await;
        Ok(Progress::Done)
    }
}

/// Where the writer is followed, once it serves at the present epoch and while its node is not silent.
fn writer_address(look: &Look) -> Option<SocketAddr> {
    let cluster = look.cluster();
    cluster
        .writer_member()
        .filter(|_| cluster.writer_runs())?
        .address
}
