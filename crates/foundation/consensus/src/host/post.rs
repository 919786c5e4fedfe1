//! The way to one peer: bundles of messages from all groups, and when the peer was last heard.
//!
//! A few bundles are on their way at a time; what comes meanwhile goes into the next ones. That a group committed
//! something is told after a short wait for company, unless entries of the group tell it earlier.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use quorate_region::transport::CallError;

use crate::host::clock::Moment;
use crate::host::config::{
    APPEND_BYTES_MAX, APPEND_TIMEOUT_MS, BUNDLE_MESSAGES_MAX, BUNDLES_IN_FLIGHT_MAX,
    MESSAGES_WAITING_MAX, NOTICE_AGAIN_AFTER, NOTICE_DELAY,
};
use crate::host::faults::Faults;
use crate::host::log::entries_size;
use crate::host::messages::{Answer, Ask, BUNDLE, Bundle, BundleAnswer, PULSE, Pulse};
use crate::host::poison::Poison;
use crate::host::registry::Registry;
use crate::host::types::{AppendRequest, AppendResponse, GroupId};
use crate::host::way::Way;
use crate::types::{Voter, VoterId};

/// Longest wait for the answer to a pulse.
const PULSE_TIMEOUT: Duration = Duration::from_millis(1_000);

/// What a host sent since its start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) pulses: AtomicU64,
    pub(crate) bundles: AtomicU64,
    pub(crate) messages: AtomicU64,
}

/// When a peer was heard, and which start of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) at: Moment,
    pub(crate) incarnation: Option<u64>,
    /// When this start of it was first heard.
    pub(crate) started: Moment,
}

/// What all ways of a host share.
pub(crate) struct Hub {
    pub(crate) own: Voter,
    pub(crate) pulse: Pulse,
    pub(crate) way: Way,
    pub(crate) faults: Arc<Faults>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) poison: Arc<Poison>,
    pub(crate) counters: Counters,
    /// Silence after which nothing but votes and pulses is sent to a peer.
    pub(crate) silence: Duration,
    posts: Mutex<BTreeMap<VoterId, Arc<Post>>>,
}

impl Hub {
    pub(crate) fn new(
        own: Voter,
        incarnation: u64,
        way: Way,
        faults: Arc<Faults>,
        registry: Arc<Registry>,
        poison: Arc<Poison>,
        silence: Duration,
    ) -> Hub {
        let from = own.id();
        Hub {
            own,
            pulse: Pulse { from, incarnation },
            way,
            faults,
            registry,
            poison,
            counters: Counters::default(),
            silence,
            posts: Mutex::default(),
        }
    }

    /// The way to a voter; made when there is none, or when its address changed.
    pub(crate) fn post(self: &Arc<Self>, voter: &Voter) -> Arc<Post> {
        let mut posts = self.posts.lock().expect("no holder panics");
        let kept = posts.get(&voter.id()).filter(|post| post.peer == *voter);
        if let Some(post) = kept {
            return post.clone();
        }
        let post = Arc::new(Post {
            hub: Arc::downgrade(self),
            peer: voter.clone(),
            queue: Mutex::default(),
            heard: watch::Sender::new(Heard::default()),
            pulsing: AtomicBool::new(false),
        });
        posts.insert(voter.id(), post.clone());
        post
    }

    pub(crate) fn known(&self, id: VoterId) -> Option<Arc<Post>> {
        let posts = self.posts.lock().expect("no holder panics");
        posts.get(&id).cloned()
    }

    pub(crate) fn posts(&self) -> Vec<Arc<Post>> {
        let posts = self.posts.lock().expect("no holder panics");
        posts.values().cloned().collect()
    }

    /// Gives up ways to voters that share no group any more.
    pub(crate) fn keep_only(&self, wanted: impl Fn(VoterId) -> bool) {
        let mut posts = self.posts.lock().expect("no holder panics");
        posts.retain(|id, _| wanted(*id));
    }

    /// Whether this host has anything to do with `peer`: not by a link that is cut, and with nobody once its storage
    /// has failed, so that the others take it for dead.
    pub(crate) fn talks_to(&self, peer: VoterId) -> bool {
        !self.faults.is_cut(peer) && !self.poison.is_set()
    }

    /// Notes that a peer was heard; whether it is another start of it than before.
    pub(crate) fn note_heard(&self, pulse: Pulse) -> bool {
        self.known(pulse.from)
            .is_some_and(|post| post.note_heard(pulse.incarnation))
    }
}

struct Outgoing {
    group: GroupId,
    ask: Ask,
    bytes: usize,
    waiting: Waiting,
}

/// What an answer is for.
enum Waiting {
    /// Somebody waits for it.
    Asker(oneshot::Sender<Result<Answer, CallError>>),
    /// Nobody does: it is a notice, which goes again if it did not arrive.
    Notice(Box<AppendRequest>),
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Outgoing>,
    notices: BTreeMap<GroupId, AppendRequest>,
    notices_due: bool,
    lanes: usize,
}

/// The way to one peer.
pub(crate) struct Post {
    hub: Weak<Hub>,
    pub(crate) peer: Voter,
    queue: Mutex<Queue>,
    heard: watch::Sender<Heard>,
    pulsing: AtomicBool,
}

impl Post {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no holder panics")
    }

    pub(crate) fn heard(&self) -> Heard {
        *self.heard.borrow()
    }

    fn note_heard(&self, incarnation: u64) -> bool {
        let now = Moment::now();
        let mut restarted = false;
        self.heard.send_modify(|heard| {
            heard.at = now;
            if heard.incarnation != Some(incarnation) {
                restarted = true;
                heard.incarnation = Some(incarnation);
                heard.started = now;
            }
        });
        restarted
    }

    /// Waits until the peer is heard; at once when it was not long ago, or never yet.
    pub(crate) async fn reachable(&self, silence: Duration) {
        let fresh =
            |heard: &Heard| heard.incarnation.is_none() || Moment::now().since(heard.at) < silence;
        // The sender lives as long as this.
        let _ = self.heard.subscribe().wait_for(fresh).await;
    }

    /// Sends a message and waits for its answer.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        group: GroupId,
        ask: Ask,
    ) -> Result<Answer, CallError> {
        let (answer, waiting) = oneshot::channel();
        let bytes = match &ask {
            Ask::Append(append) => entries_size(&append.entries),
            _ => 0,
        };
        {
            let mut queue = self.queue();
            if queue.waiting.len() >= MESSAGES_WAITING_MAX {
                return Err(self.unreachable("too many messages wait for it"));
            }
            if let Ask::Append(append) = &ask
                && let Some(notice) = queue.notices.get(&group)
                && notice.leader_commit <= append.leader_commit
            {
                queue.notices.remove(&group);
            }
            queue.waiting.push_back(Outgoing {
                group,
                ask,
                bytes,
                waiting: Waiting::Asker(answer),
            });
            self.start_lane(&mut queue);
        }
        waiting
            .await
            .unwrap_or_else(|_| Err(self.unreachable("the host stops")))
    }

    /// Tells the peer before long what the group committed; the answer matters only when it is a refusal.
    pub(crate) fn notice(self: &Arc<Self>, group: GroupId, append: AppendRequest) {
        let mut queue = self.queue();
        queue.notices.insert(group, append);
        if queue.notices_due {
            return;
        }
        queue.notices_due = true;
        drop(queue);
        self.send_notices_after(NOTICE_DELAY);
    }

    fn send_notices_after(self: &Arc<Self>, delay: Duration) {
        let post = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            let mut queue = post.queue();
            queue.notices_due = false;
            if !queue.notices.is_empty() {
                post.start_lane(&mut queue);
            }
        });
    }

    fn unreachable(&self, why: &str) -> CallError {
        CallError::Unreachable {
            node: self.peer.node.clone(),
            why: why.to_owned(),
        }
    }

    fn start_lane(self: &Arc<Self>, queue: &mut Queue) {
        if queue.lanes < BUNDLES_IN_FLIGHT_MAX {
            queue.lanes += 1;
            tokio::spawn(self.clone().run_lane());
        }
    }

    async fn run_lane(self: Arc<Self>) {
        loop {
            let taken = {
                let mut queue = self.queue();
                let taken = take_bundle(&mut queue);
                if taken.is_empty() {
                    queue.lanes -= 1;
                    return;
                }
                taken
            };
            self.send(taken).await;
        }
    }

    async fn send(self: &Arc<Self>, taken: Vec<Outgoing>) {
        let mut answers = Vec::with_capacity(taken.len());
        let mut asks = Vec::with_capacity(taken.len());
        for outgoing in taken {
            // Who gave up waiting does not want it sent any more.
            let wanted = match &outgoing.waiting {
                Waiting::Asker(asker) => !asker.is_closed(),
                Waiting::Notice(_) => true,
            };
            if wanted {
                answers.push((outgoing.group, outgoing.waiting));
                asks.push((outgoing.group, outgoing.ask));
            }
        }
        if asks.is_empty() {
            return;
        }
        let sent = self.exchange(asks).await;
        let (mut received, error) = match sent {
            Ok(received) => (received.into_iter(), None),
            Err(e) => (Vec::new().into_iter(), Some(e)),
        };
        for (group, waiting) in answers {
            let answer = match (&error, received.next()) {
                (Some(e), _) => Err(e.clone()),
                (None, Some(answer)) => Ok(answer),
                (None, None) => Err(self.unreachable("it left out an answer")),
            };
            match waiting {
                Waiting::Asker(asker) => drop(asker.send(answer)),
                Waiting::Notice(append) => self.check_notice(group, *append, &answer),
            }
        }
    }

    async fn exchange(&self, asks: Vec<(GroupId, Ask)>) -> Result<Vec<Answer>, CallError> {
        let hub = self.hub.upgrade();
        let hub = hub.ok_or_else(|| self.unreachable("the host stops"))?;
        if !hub.talks_to(self.peer.id()) {
            return Err(self.unreachable("the link is cut, or this host has stopped"));
        }
        hub.counters.bundles.fetch_add(1, Ordering::Relaxed);
        let messages = asks.len() as u64;
        hub.counters.messages.fetch_add(messages, Ordering::Relaxed);
        let bundle = Bundle {
            from: hub.pulse,
            asks,
        };
        let answer: BundleAnswer = hub
            .way
            .call(
                &self.peer,
                BUNDLE,
                &bundle,
                Duration::from_millis(APPEND_TIMEOUT_MS),
            )
            .await?;
        if hub.note_heard(answer.from) {
            hub.registry.greet(answer.from.from);
        }
        Ok(answer.answers)
    }

    /// A follower that refuses a notice follows another leader, or lacks entries: the group has to hear it itself.
    /// One that did not hear it hears it again: without writes nothing else would ever tell it.
    fn check_notice(
        self: &Arc<Self>,
        group: GroupId,
        append: AppendRequest,
        answer: &Result<Answer, CallError>,
    ) {
        let Some(hub) = self.hub.upgrade() else {
            return;
        };
        let Some(cell) = hub.registry.get(group) else {
            return;
        };
        match answer {
            Ok(Answer::Append(AppendResponse::HigherVote(_) | AppendResponse::Conflict)) => {
                cell.probe();
            }
            Ok(Answer::Append(_)) => {}
            _ if hub.poison.is_set() || !cell.leads_as(append.vote.leader_id) => {}
            _ => self.notice_again(group, append),
        }
    }

    fn notice_again(self: &Arc<Self>, group: GroupId, append: AppendRequest) {
        let mut queue = self.queue();
        queue.notices.entry(group).or_insert(append);
        if !queue.notices_due {
            queue.notices_due = true;
            drop(queue);
            self.send_notices_after(NOTICE_AGAIN_AFTER);
        }
    }

    /// The peer has more of the group's log than this replica, which asked for its vote: it should lead instead.
    pub(crate) fn note_outranked(&self, group: GroupId) {
        if let Some(hub) = self.hub.upgrade()
            && let Some(cell) = hub.registry.get(group)
        {
            let mut look = cell.look.lock().expect("no holder panics");
            look.note_outranked();
        }
    }

    /// Sends one pulse, unless the last one is still on its way.
    pub(crate) fn pulse(self: &Arc<Self>) {
        let Some(hub) = self.hub.upgrade() else {
            return;
        };
        if !hub.talks_to(self.peer.id()) || self.pulsing.swap(true, Ordering::AcqRel) {
            return;
        }
        let post = self.clone();
        hub.counters.pulses.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            let answer: Result<Pulse, CallError> = hub
                .way
                .call(&post.peer, PULSE, &hub.pulse, PULSE_TIMEOUT)
                .await;
            post.pulsing.store(false, Ordering::Release);
            if let Ok(pulse) = answer
                && hub.talks_to(pulse.from)
                && hub.note_heard(pulse)
            {
                hub.registry.greet(pulse.from);
            }
        });
    }
}

fn take_bundle(queue: &mut Queue) -> Vec<Outgoing> {
    let mut taken = Vec::new();
    let mut bytes = 0;
    while taken.len() < BUNDLE_MESSAGES_MAX
        && let Some(next) = queue.waiting.front()
    {
        bytes += next.bytes;
        if bytes > 2 * APPEND_BYTES_MAX && !taken.is_empty() {
            return taken;
        }
        taken.extend(queue.waiting.pop_front());
    }
    // The rest of the wait for company is spared when something goes anyway.
    while taken.len() < BUNDLE_MESSAGES_MAX
        && let Some((group, append)) = queue.notices.pop_first()
    {
        taken.push(Outgoing {
            group,
            waiting: Waiting::Notice(Box::new(append.clone())),
            ask: Ask::Append(append),
            bytes: 0,
        });
    }
    taken
}
