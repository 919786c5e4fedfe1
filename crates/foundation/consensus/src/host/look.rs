//! What a replica remembers between two looks at its group, to tell when the leader is gone.

use std::time::Duration;

use openraft::ServerState;
use rand::Rng;
use tokio::sync::watch;

use crate::host::cell::ServerMetrics;
use crate::host::clock::Moment;
use crate::host::config::{
    FORM_RETRY_MS, FORM_TRIES_MAX, HostConfig, OUTRANKED_FACTOR, REELECT_MS,
};
use crate::host::election::{Patience, Seen, decide_to_campaign};
use crate::host::post::Heard;
use crate::host::types::{LeaderId, Vote};
use crate::types::VoterId;

/// What openraft's metrics say, kept until they change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Leads, or may not vote.
    Idle,
    /// No membership is known: the group is not formed here.
    Unformed,
    /// A voter without a leader.
    Alone,
    /// A voter that follows; whether its leader is a voter.
    Follows(VoterId, bool),
}

/// What a look finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Rest,
    /// Ask for votes.
    Campaign,
    /// Write the first membership, and ask for votes.
    Form,
}

/// A replica's memory of its leader.
pub(crate) struct Look {
    own: VoterId,
    server: watch::Receiver<ServerMetrics>,
    role: Role,
    vote: Vote,
    /// When the role or the vote became what it is.
    since: Moment,
    /// The start of the leader's host that the leader was heard from.
    followed: Option<(LeaderId, u64)>,
    asked: Moment,
    /// Another voter was seen to have more of the log since this replica last asked.
    outranked: bool,
    patience: Patience,
    silence_ms: std::ops::Range<u64>,
    /// Tries left at the pace of a group that is being formed.
    form_tries: u32,
}

impl Look {
    pub(crate) fn new(
        own: VoterId,
        server: watch::Receiver<ServerMetrics>,
        config: &HostConfig,
        forms: bool,
    ) -> Look {
        let silence_ms =
            config.silence_ms_min..config.silence_ms_max.max(config.silence_ms_min + 1);
        let mut look = Look {
            own,
            server,
            role: Role::Unformed,
            vote: Vote::default(),
            since: Moment::now(),
            followed: None,
            asked: Moment::default(),
            outranked: false,
            patience: Patience {
                silence: Duration::ZERO,
                restart: Duration::ZERO,
            },
            silence_ms,
            form_tries: if forms { FORM_TRIES_MAX } else { 0 },
        };
        look.read_role();
        look.draw_patience();
        look
    }

    /// The leader was heard itself, from this start of its host.
    pub(crate) fn note_followed(&mut self, leader: LeaderId, incarnation: u64) {
        self.followed = Some((leader, incarnation));
    }

    /// A voter refused this replica its vote because it has more of the log. That one can be elected, and is not if this
    /// one keeps ahead of it with higher votes: it waits longer until it asks again than any other does.
    pub(crate) fn note_outranked(&mut self) {
        if !self.outranked {
            self.outranked = true;
            self.patience.silence *= OUTRANKED_FACTOR;
            self.patience.restart *= OUTRANKED_FACTOR;
        }
    }

    /// Looks at the group. `heard` tells when the host of a voter was last heard.
    pub(crate) fn look(&mut self, now: Moment, heard: impl Fn(VoterId) -> Option<Heard>) -> Action {
        if self.server.has_changed().unwrap_or(false) {
            self.read_role();
        }
        if self.role == Role::Idle {
            self.form_tries = 0;
            return Action::Rest;
        }
        let seen = self.seen(heard);
        if !decide_to_campaign(&seen, self.asked, self.patience, now) {
            return Action::Rest;
        }
        self.asked = now;
        self.form_tries = self.form_tries.saturating_sub(1);
        self.draw_patience();
        match self.role {
            Role::Unformed => Action::Form,
            _ => Action::Campaign,
        }
    }

    fn seen(&self, heard: impl Fn(VoterId) -> Option<Heard>) -> Seen {
        let since = self.since;
        match self.role {
            Role::Idle => Seen::NotMine,
            Role::Unformed | Role::Alone => Seen::Nobody { since },
            Role::Follows(_, false) => Seen::Leaving { since },
            Role::Follows(leader, true) => {
                let heard = heard(leader).unwrap_or_default();
                let incarnation = self
                    .followed
                    .filter(|(followed, _)| *followed == self.vote.leader_id)
                    .map(|(_, incarnation)| incarnation);
                let restarted = incarnation.is_some() && heard.incarnation != incarnation;
                Seen::Leader {
                    leader,
                    heard: heard.at.max(since),
                    restarted: restarted.then_some(heard.started.max(since)),
                }
            }
        }
    }

    fn read_role(&mut self) {
        let server = self.server.borrow_and_update();
        let membership = server.membership_config.membership();
        let votes = |id: VoterId| {
            membership
                .get_joint_config()
                .iter()
                .any(|c| c.contains(&id))
        };
        let role = if membership.get_joint_config().iter().all(|c| c.is_empty()) {
            Role::Unformed
        } else if server.state == ServerState::Leader || !votes(self.own) {
            Role::Idle
        } else {
            match server.current_leader {
                Some(leader) if leader != self.own => Role::Follows(leader, votes(leader)),
                _ => Role::Alone,
            }
        };
        let vote = server.vote;
        drop(server);
        if role != self.role || vote != self.vote {
            self.role = role;
            self.vote = vote;
            self.since = Moment::now();
        }
    }

    /// Another patience for each try: replicas that asked at the same time do not again.
    fn draw_patience(&mut self) {
        self.outranked = false;
        let mut random = rand::rng();
        let silence_ms = if self.form_tries > 0 {
            let tried = u64::from(FORM_TRIES_MAX - self.form_tries);
            random.random_range(FORM_RETRY_MS) * (1 + tried)
        } else {
            random.random_range(self.silence_ms.clone())
        };
        self.patience = Patience {
            silence: Duration::from_millis(silence_ms),
            restart: Duration::from_millis(random.random_range(REELECT_MS)),
        };
    }
}
