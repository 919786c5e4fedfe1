//! Proposals of one group on their way into its log: what waits shares an entry.
//!
//! Openraft writes a leader's entries one by one, each with its own sync. While one is on its way the commands that
//! come wait, and go together: the more there are, the fewer syncs each one costs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use openraft::error::ClientWriteError;
use openraft::impls::OneshotResponder;
use openraft::raft::ClientWriteResult;
use openraft::raft::responder::Responder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::group::GroupError;
use crate::host::cell::Cell;
use crate::host::config::{COMMANDS_PER_ENTRY_MAX, ENTRIES_IN_FLIGHT_MAX, ENTRY_BYTES_MAX};
use crate::host::types::{Payload, Types};

type Written = <OneshotResponder<Types> as Responder<Types>>::Receiver;
type Waiting = oneshot::Sender<Result<Vec<u8>, GroupError>>;

/// A command, and who waits for its answer.
pub(crate) struct Proposal {
    pub(crate) command: Vec<u8>,
    pub(crate) answer: Waiting,
}

/// Takes proposals until the group is stopped.
pub(crate) async fn run(cell: Weak<Cell>, mut proposals: mpsc::Receiver<Proposal>) {
    let places = Arc::new(Semaphore::new(ENTRIES_IN_FLIGHT_MAX));
    let mut held = None;
    loop {
        let first = match held.take() {
            Some(proposal) => proposal,
            None => match proposals.recv().await {
                Some(proposal) => proposal,
                None => return,
            },
        };
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let (batch, over) = gather(first, &mut proposals);
        held = over;
        let Some(cell) = cell.upgrade() else { return };
        submit(&cell, batch, place).await;
    }
}

/// What waits, up to the bounds of an entry, and the proposal that did not fit any more.
fn gather(
    first: Proposal,
    proposals: &mut mpsc::Receiver<Proposal>,
) -> (Vec<Proposal>, Option<Proposal>) {
    let mut bytes = first.command.len();
    let mut batch = vec![first];
    while batch.len() < COMMANDS_PER_ENTRY_MAX
        && let Ok(next) = proposals.try_recv()
    {
        bytes += next.command.len();
        if bytes > ENTRY_BYTES_MAX {
            return (batch, Some(next));
        }
        batch.push(next);
    }
    (batch, None)
}

async fn submit(cell: &Arc<Cell>, batch: Vec<Proposal>, place: OwnedSemaphorePermit) {
    let mut commands = Vec::with_capacity(batch.len());
    let mut waiting = Vec::with_capacity(batch.len());
    for proposal in batch {
        // Who gave up before it was written is spared the command.
        if !proposal.answer.is_closed() {
            commands.push(proposal.command);
            waiting.push(proposal.answer);
        }
    }
    if commands.is_empty() {
        return;
    }
    if let Err(e) = cell.leading() {
        return refuse(waiting, &e);
    }
    let (payload, logged) = Payload::of(&commands).tracked();
    match cell.raft.client_write_ff(payload).await {
        Ok(written) => {
            tokio::spawn(answer(written, logged, waiting, place));
        }
        Err(e) => refuse(waiting, &GroupError::Unavailable(e.to_string())),
    }
}

async fn answer(
    written: Written,
    logged: Arc<AtomicBool>,
    waiting: Vec<Waiting>,
    _place: OwnedSemaphorePermit,
) {
    let written: Result<ClientWriteResult<Types>, _> = written.await;
    let error = match written {
        Ok(Ok(response)) => {
            for (waiting, answer) in waiting.into_iter().zip(response.data.0) {
                // Its time may have run out.
                let _ = waiting.send(Ok(answer));
            }
            return;
        }
        // Once it was in the log another leader may find it on another replica, and commit it.
        Ok(Err(ClientWriteError::ForwardToLeader(to))) if !logged.load(Ordering::SeqCst) => {
            GroupError::NotLeader(to.leader_node)
        }
        Ok(Err(e)) => GroupError::Unavailable(e.to_string()),
        Err(_) => GroupError::Unavailable(String::from("the replica stopped")),
    };
    refuse(waiting, &error);
}

fn refuse(waiting: Vec<Waiting>, e: &GroupError) {
    for waiting in waiting {
        // Its time may have run out.
        let _ = waiting.send(Err(e.clone()));
    }
}
