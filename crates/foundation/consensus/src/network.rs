//! A single group's messages over the region's calls.

use std::sync::Arc;

use openraft::error::{Fatal, ReplicationClosed, StreamingError};
use openraft::error::{
    InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError, Unreachable,
};
use openraft::network::snapshot_transport::{Chunked, SnapshotTransport};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, Snapshot};
use serde::Serialize;
use serde::de::DeserializeOwned;

use quorate_region::transport::{CallError, Caller, Requester, Router};

use crate::types::{Raft, Types, Vote, Voter, VoterId};

/// Pause after an unreachable peer, before the next try.
const BACKOFF: std::time::Duration = std::time::Duration::from_millis(200);

const APPEND: &str = "raft.append";
const VOTE: &str = "raft.vote";
const SNAPSHOT: &str = "raft.snapshot";

/// Makes connections to peers.
pub(crate) struct Network {
    pub(crate) caller: Arc<Caller>,
}

/// The way to one peer.
pub(crate) struct Peer {
    caller: Arc<Caller>,
    id: VoterId,
    voter: Voter,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Peer;

    async fn new_client(&mut self, id: VoterId, voter: &Voter) -> Peer {
        Peer {
            caller: self.caller.clone(),
            id,
            voter: voter.clone(),
        }
    }
}

impl Peer {
    async fn ask<Q, A, E>(
        &self,
        method: &'static str,
        question: &Q,
        option: &RPCOption,
    ) -> Result<A, RPCError<VoterId, Voter, RaftError<VoterId, E>>>
    where
        Q: Serialize,
        A: DeserializeOwned,
        E: std::error::Error + DeserializeOwned,
    {
        let answer: Result<Result<A, RaftError<VoterId, E>>, CallError> = self
            .caller
            .call(
                &self.voter.node,
                self.voter.address,
                method,
                question,
                option.hard_ttl(),
            )
            .await;
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(refusal)) => Err(RPCError::RemoteError(RemoteError::new(self.id, refusal))),
            Err(e @ CallError::Unreachable { .. }) => {
                Err(RPCError::Unreachable(Unreachable::new(&e)))
            }
            Err(e) => Err(RPCError::Network(NetworkError::new(&e))),
        }
    }
}

impl RaftNetwork<Types> for Peer {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<VoterId>, RPCError<VoterId, Voter, RaftError<VoterId>>> {
        self.ask(APPEND, &rpc, &option).await
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<Types>,
        option: RPCOption,
    ) -> Result<
        InstallSnapshotResponse<VoterId>,
        RPCError<VoterId, Voter, RaftError<VoterId, InstallSnapshotError>>,
    > {
        self.ask(SNAPSHOT, &rpc, &option).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot<Types>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<VoterId>, StreamingError<Types, Fatal<VoterId>>> {
        Chunked::send_snapshot(self, vote, snapshot, cancel, option).await
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<VoterId>,
        option: RPCOption,
    ) -> Result<VoteResponse<VoterId>, RPCError<VoterId, Voter, RaftError<VoterId>>> {
        self.ask(VOTE, &rpc, &option).await
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(BACKOFF))
    }
}

/// Answers the messages of peers.
pub(crate) fn route(raft: &Raft, router: &mut Router) {
    let group = raft.clone();
    router.on(
        APPEND,
        move |_: Requester, rpc: AppendEntriesRequest<Types>| {
            let group = group.clone();
            async move { Ok(group.append_entries(rpc).await) }
        },
    );
    let group = raft.clone();
    router.on(VOTE, move |_: Requester, rpc: VoteRequest<VoterId>| {
        let group = group.clone();
        async move { Ok(group.vote(rpc).await) }
    });
    let group = raft.clone();
    router.on(
        SNAPSHOT,
        move |_: Requester, rpc: InstallSnapshotRequest<Types>| {
            let group = group.clone();
            #[allow(
                deprecated,
                reason = "openraft's own pieces are what this small group needs"
            )]
            async move {
                Ok(group.install_snapshot(rpc).await)
            }
        },
    );
}
