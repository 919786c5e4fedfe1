//! openraft's network, over the ways to peers.

use std::sync::Arc;
use std::time::Duration;

use openraft::error::{
    Fatal, InstallSnapshotError, NetworkError, RPCError, RaftError, ReplicationClosed,
    StreamingError, Unreachable,
};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{InstallSnapshotRequest, InstallSnapshotResponse, SnapshotResponse};
use openraft::{AnyError, OptionalSend, Snapshot};

use crate::host::cell::Probe;
use crate::host::config::APPEND_TIMEOUT_MS;
use crate::host::messages::{Answer, Ask};
use crate::host::post::{Hub, Post};
use crate::host::send_snapshot::SnapshotSender;
use crate::host::types::{
    AppendRequest, AppendResponse, GroupId, Types, Vote, VoteRequest, VoteResponse,
};
use crate::types::{Voter, VoterId};

type AskError = RPCError<VoterId, Voter, RaftError<VoterId>>;

/// Longest wait for a silent peer; then openraft is told, and asks again.
const SILENT_WAIT: Duration = Duration::from_millis(APPEND_TIMEOUT_MS - 200);
/// Shortest and longest pause after an error.
const BACKOFF_MS: (u64, u64) = (20, 640);

/// Makes the ways of one group.
pub(crate) struct Network {
    pub(crate) hub: Arc<Hub>,
    pub(crate) group: GroupId,
    pub(crate) probe: Arc<Probe>,
    pub(crate) snapshots: Arc<SnapshotSender>,
}

/// One group's way to one peer.
pub(crate) struct Peer {
    post: Arc<Post>,
    silence: Duration,
    group: GroupId,
    probe: Arc<Probe>,
    snapshots: Arc<SnapshotSender>,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Peer;

    async fn new_client(&mut self, _: VoterId, voter: &Voter) -> Peer {
        Peer {
            post: self.hub.post(voter),
            silence: self.hub.silence,
            group: self.group,
            probe: self.probe.clone(),
            snapshots: self.snapshots.clone(),
        }
    }
}

/// Openraft repeats at once after every other kind of error.
fn unreachable(e: &(impl std::error::Error + 'static)) -> AskError {
    RPCError::Unreachable(Unreachable::new(e))
}

fn refused(why: String) -> AskError {
    unreachable(&AnyError::error(why))
}

impl RaftNetwork<Types> for Peer {
    async fn append_entries(
        &mut self,
        rpc: AppendRequest,
        _: RPCOption,
    ) -> Result<AppendResponse, AskError> {
        let reachable = self.post.reachable(self.silence);
        if tokio::time::timeout(SILENT_WAIT, reachable).await.is_err() {
            return Err(refused(format!("{} is silent", self.post.peer)));
        }
        // Without entries it tells a commit, or that the leader is alive, which is the pulse's business.
        if rpc.entries.is_empty() && !self.probe.is_wanted() {
            self.post.notice(self.group, rpc);
            return Ok(AppendResponse::Success);
        }
        match self.post.ask(self.group, Ask::Append(rpc)).await {
            Ok(Answer::Append(answer)) => Ok(answer),
            Ok(Answer::Refused(why)) => Err(refused(why)),
            Ok(_) => Err(refused(String::from("an answer to something else"))),
            Err(e) => Err(unreachable(&e)),
        }
    }

    async fn install_snapshot(
        &mut self,
        _: InstallSnapshotRequest<Types>,
        _: RPCOption,
    ) -> Result<
        InstallSnapshotResponse<VoterId>,
        RPCError<VoterId, Voter, RaftError<VoterId, InstallSnapshotError>>,
    > {
        let e = AnyError::error("snapshots go whole");
        Err(RPCError::Network(NetworkError::new(&e)))
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        _: Snapshot<Types>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<VoterId>, StreamingError<Types, Fatal<VoterId>>> {
        // What openraft calls a snapshot only says that the machine is flushed. The bytes are written here, from the
        // machine as it is, which is no older.
        let sent = tokio::select! {
            sent = self.snapshots.send(self.group, &self.post.peer, vote) => sent,
            closed = cancel => return Err(closed.into()),
        };
        sent.map(SnapshotResponse::new)
            .map_err(|why| StreamingError::Unreachable(Unreachable::new(&AnyError::error(why))))
    }

    async fn vote(&mut self, rpc: VoteRequest, _: RPCOption) -> Result<VoteResponse, AskError> {
        let own_last = rpc.last_log_id;
        match self.post.ask(self.group, Ask::Vote(rpc)).await {
            Ok(Answer::Vote(answer)) => {
                if !answer.vote_granted && answer.last_log_id > own_last {
                    self.post.note_outranked(self.group);
                }
                Ok(answer)
            }
            Ok(Answer::Refused(why)) => Err(refused(why)),
            Ok(_) => Err(refused(String::from("an answer to something else"))),
            Err(e) => Err(unreachable(&e)),
        }
    }

    fn backoff(&self) -> Backoff {
        let (shortest, longest) = BACKOFF_MS;
        let pauses = std::iter::successors(Some(shortest), move |ms| Some((ms * 2).min(longest)));
        Backoff::new(pauses.map(Duration::from_millis))
    }
}
