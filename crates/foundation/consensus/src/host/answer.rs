//! The answering side: messages of peers to the groups here.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::{ServerState, Snapshot};
use quorate_region::transport::{Requester, Router};
use tokio::task::JoinSet;

use crate::group::GroupError;
use crate::host::cell::Cell;
use crate::host::clock::Moment;
use crate::host::config::ANSWER_TIMEOUT;
use crate::host::hosting::Host;
use crate::host::messages::{
    Answer, Ask, BUNDLE, Bundle, BundleAnswer, INSTALL, Install, PIECE, PULSE, Piece, Pulse,
};
use crate::host::types::{AppendRequest, GroupId, Vote, VoteRequest, VoteResponse};

/// Longest time in which a replica that was told to lead tries to.
const CAMPAIGN_TIME: Duration = Duration::from_secs(3);

impl Host {
    /// Answers the messages of other hosts.
    pub fn route(self: &Arc<Self>, router: &mut Router) {
        let host = self.clone();
        router.on(PULSE, move |_: Requester, pulse: Pulse| {
            let host = host.clone();
            async move {
                host.note_heard(pulse)?;
                Ok(host.hub.pulse)
            }
        });
        let host = self.clone();
        router.on(BUNDLE, move |_: Requester, bundle: Bundle| {
            let host = host.clone();
            async move { host.answer(bundle).await }
        });
        let host = self.clone();
        router.on(PIECE, move |_: Requester, piece: Piece| {
            let host = host.clone();
            async move { host.take_piece(piece).await }
        });
        let host = self.clone();
        router.on(INSTALL, move |_: Requester, install: Install| {
            let host = host.clone();
            async move { host.install(install).await }
        });
    }

    /// Answers a question that a simulated network brought.
    ///
    /// # Errors
    /// What `Caller::call` gives as `Refused`.
    #[doc(hidden)]
    pub async fn receive(
        self: &Arc<Self>,
        method: &str,
        question: &[u8],
    ) -> Result<Vec<u8>, String> {
        fn read<Q: serde::de::DeserializeOwned>(question: &[u8]) -> Result<Q, String> {
            postcard::from_bytes(question).map_err(|e| format!("unreadable question: {e}"))
        }
        let answer = match method {
            PULSE => {
                self.note_heard(read(question)?)?;
                postcard::to_stdvec(&self.hub.pulse)
            }
            BUNDLE => postcard::to_stdvec(&self.answer(read(question)?).await?),
            PIECE => {
                self.take_piece(read(question)?).await?;
                postcard::to_stdvec(&())
            }
            INSTALL => postcard::to_stdvec(&self.install(read(question)?).await?),
            other => return Err(format!("no method {other}")),
        };
        Ok(answer.expect("answers are plain data"))
    }

    fn note_heard(&self, pulse: Pulse) -> Result<(), String> {
        if !self.hub.talks_to(pulse.from) {
            return Err(String::from("the link is cut, or this host has stopped"));
        }
        if self.hub.note_heard(pulse) {
            self.registry.greet(pulse.from);
        }
        Ok(())
    }

    async fn answer(self: &Arc<Self>, bundle: Bundle) -> Result<BundleAnswer, String> {
        let from = bundle.from;
        self.note_heard(from)?;
        let mut answers = Vec::with_capacity(bundle.asks.len());
        let mut working = JoinSet::new();
        for (at, (group, ask)) in bundle.asks.into_iter().enumerate() {
            answers.push(Answer::Refused(String::from("it took too long")));
            match self.registry.get(group) {
                // A peer's replica may be a moment ahead of this one, or behind; that is nothing to log.
                None => answers[at] = Answer::Refused(format!("{group} is not here")),
                Some(cell) => {
                    working.spawn(async move { (at, cell.answer(from, ask).await) });
                }
            }
        }
        let all = async {
            while let Some(done) = working.join_next().await {
                if let Ok((at, answer)) = done {
                    answers[at] = answer;
                }
            }
        };
        // What is not done by then is answered as refused: it may or may not be done later.
        let _ = tokio::time::timeout(ANSWER_TIMEOUT, all).await;
        let from = self.hub.pulse;
        // A host whose storage failed meanwhile answers nothing, not even what it had done before.
        self.poison.check().map_err(|e| e.to_string())?;
        Ok(BundleAnswer { from, answers })
    }

    async fn take_piece(&self, piece: Piece) -> Result<(), String> {
        self.check_snapshot(piece.from, piece.group)?;
        self.incoming.take(piece).await
    }

    async fn install(&self, install: Install) -> Result<Vote, String> {
        let cell = self.check_snapshot(install.from, install.group)?;
        let file = self
            .incoming
            .finish(install.group, install.transfer, install.length)?;
        let snapshot = Snapshot {
            meta: install.meta,
            snapshot: Box::new(file),
        };
        let installed = cell
            .raft
            .install_full_snapshot(install.vote, snapshot)
            .await;
        self.poison.check().map_err(|e| e.to_string())?;
        installed
            .map(|response| response.vote)
            .map_err(|e| e.to_string())
    }

    fn check_snapshot(&self, from: u64, group: GroupId) -> Result<Arc<Cell>, String> {
        if !self.hub.talks_to(from) {
            return Err(String::from("the link is cut, or this host has stopped"));
        }
        let cell = self.registry.get(group);
        cell.ok_or_else(|| format!("{group} is not here"))
    }
}

/// Whether entries come before which there is none.
fn is_from_the_beginning(rpc: &AppendRequest) -> bool {
    rpc.prev_log_id.is_none() && !rpc.entries.is_empty()
}

impl Cell {
    /// Whether this replica joined a group that runs, and has nothing yet. What a group's machine begins with is known to
    /// the voters that form it alone, so the entries alone would not give the same state here.
    fn needs_a_state(&self) -> bool {
        self.origin.is_none() && self.log.is_empty()
    }

    async fn answer(self: &Arc<Self>, from: Pulse, ask: Ask) -> Answer {
        if self.loading.load(Ordering::Acquire) && matches!(ask, Ask::Append(_) | Ask::Vote(_)) {
            return Answer::Refused(String::from("a snapshot is being loaded"));
        }
        match ask {
            Ask::Append(rpc) if self.needs_a_state() && is_from_the_beginning(&rpc) => {
                Answer::Refused(String::from("a replica that joins begins with a snapshot"))
            }
            Ask::Append(rpc) => {
                let leader = rpc.vote.leader_id;
                match self.raft.append_entries(rpc).await {
                    Ok(answer) => {
                        if answer.is_success() {
                            let mut look = self.look.lock().expect("no holder panics");
                            look.note_followed(leader, from.incarnation);
                            // It gave way, and another leads.
                            self.stay();
                        }
                        Answer::Append(answer)
                    }
                    Err(e) => Answer::Refused(e.to_string()),
                }
            }
            Ask::Vote(rpc) => self.answer_vote(rpc).await,
            Ask::Confirm(leader) => {
                if self.log.guard().promise(leader, Moment::now()) {
                    Answer::Done
                } else {
                    Answer::Refused(String::from("another leader is followed"))
                }
            }
            Ask::Yield(to) => {
                if self.leading().is_ok() {
                    self.give_way(Some(to));
                }
                Answer::Done
            }
            Ask::Campaign => {
                let cell = self.clone();
                tokio::spawn(async move {
                    if let Err(e) = cell.elect(CAMPAIGN_TIME).await {
                        tracing::debug!(group = %cell.id, error = %e, "leadership was not taken over");
                    }
                });
                Answer::Done
            }
        }
    }

    async fn answer_vote(self: &Arc<Self>, rpc: VoteRequest) -> Answer {
        let candidate = rpc.vote.leader_id;
        // A candidate above this leader takes nothing from it any more: hear of it, and lead anew.
        if candidate > self.log.vote().leader_id && self.leading().is_ok() {
            self.probe();
        }
        // `save_vote` keeps the promise too; refusing here spares the wait.
        if !self
            .log
            .guard()
            .vote_waits(candidate, Moment::now())
            .is_zero()
        {
            return Answer::Vote(VoteResponse {
                vote: self.log.vote(),
                vote_granted: false,
                last_log_id: None,
            });
        }
        match self.raft.vote(rpc).await {
            Ok(answer) => Answer::Vote(answer),
            Err(e) => Answer::Refused(e.to_string()),
        }
    }

    /// Has this replica lead: the leader gives way, promises run out, this one asks for votes.
    ///
    /// # Errors
    /// `Unavailable` when it does not lead after `timeout`.
    pub(crate) async fn elect(self: &Arc<Self>, timeout: Duration) -> Result<(), GroupError> {
        let failed = || GroupError::Unavailable(String::from("this replica was not elected"));
        tokio::time::timeout(timeout, self.elect_until_led())
            .await
            .map_err(|_| failed())?
    }

    async fn elect_until_led(self: &Arc<Self>) -> Result<(), GroupError> {
        /// Longest wait for the leader to give way.
        const ASIDE: Duration = Duration::from_millis(100);
        /// Wait for votes, more at each try: a try ends the one before, and disks may be slow.
        const VOTES: Duration = Duration::from_millis(80);
        let mut tries = 0;
        self.stay();
        while let Err(not_leading) = self.leading() {
            match not_leading {
                GroupError::NotLeader(leader) => {
                    if let Some(leader) = leader {
                        let post = self.hub.post(&leader);
                        // A leader that does not answer is deposed all the same.
                        let give_way = post.ask(self.id, Ask::Yield(self.hub.own.clone()));
                        let _ = tokio::time::timeout(ASIDE, give_way).await;
                    }
                    self.campaign().await;
                }
                stopped @ GroupError::Unavailable(_) => return Err(stopped),
            }
            tries += 1;
            let mut server = self.server();
            let led = server.wait_for(|server| server.state == ServerState::Leader);
            // Time running out is what the loop is for.
            let _ = tokio::time::timeout(VOTES * tries, led).await;
        }
        Ok(())
    }
}
