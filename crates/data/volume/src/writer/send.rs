//! Senders: one for each protection group and node, with several calls under way.
//!
//! A node answers with how far each of its copies reaches on disk. After a failure a sender begins again where its copies
//! stand; segments take what they have already for granted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use quorate_region::transport::CallError;

use crate::calls::{ADOPT, APPEND, AdoptBy, AppendTo, Reached, SegmentError};
use crate::layout::Place;
use crate::pages::PagesError;
use crate::protocol::{Adopt, Append, GroupIndex, Lsn, Refusal, SegmentId, VolumeId};
use crate::writer::volume::{Sender, Shared};

/// Calls under way to one node for one group.
const CALLS_MAX: usize = 6;
/// Bytes of records in one call.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// Time between two calls to a node when there is nothing to send: it learns what is complete, and tells how far it is.
const HEARTBEAT: Duration = Duration::from_millis(250);
/// Longest wait for an answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// Pause after a failure.
const PAUSE: Duration = Duration::from_millis(100);

/// What one call came to.
type Answer = Result<Vec<Reached>, CallError>;

struct Task {
    shared: Arc<Shared>,
    volume: VolumeId,
    group: GroupIndex,
    place: Place,
    copies: Vec<u32>,
    bell: Arc<Notify>,
    sent: Lsn,
}

/// Starts senders for segments that have none, and ends those whose segments are gone or have company.
pub(super) fn arrange(shared: &Arc<Shared>) {
    let layout = shared.reading.layout();
    let mut inner = shared.lock();
    let mut wanted: BTreeMap<(GroupIndex, Place), Vec<u32>> = BTreeMap::new();
    for (index, group) in &layout.groups {
        for (place, copies) in group.by_node() {
            wanted.insert((*index, place), copies);
        }
    }
    inner.senders.retain(|key, sender| {
        let stays = wanted.get(key) == Some(&sender.copies);
        if !stays {
            sender.task.abort();
        }
        stays
    });
    for ((group, place), copies) in wanted {
        let key = (group, place.clone());
        if inner.senders.contains_key(&key) {
            continue;
        }
        let bell = Arc::new(Notify::new());
        let task = Task {
            shared: shared.clone(),
            volume: layout.volume.clone(),
            group,
            place,
            copies: copies.clone(),
            bell: bell.clone(),
            sent: Lsn(0),
        };
        let task = tokio::spawn(task.run()).abort_handle();
        inner.senders.insert(key, Sender { copies, bell, task });
    }
}

impl Task {
    async fn run(mut self) {
        let mut calls: JoinSet<Answer> = JoinSet::new();
        let mut beat = tokio::time::interval(HEARTBEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.sent = self.stand();
        loop {
            while calls.len() < CALLS_MAX
                && let Some(append) = self.next(false)
            {
                self.send(&mut calls, append);
            }
            tokio::select! {
                Some(answer) = calls.join_next(), if !calls.is_empty() => {
                    let answer = answer.expect("a call neither panics nor is ended");
                    if !self.heard(answer, calls.is_empty()).await {
                        calls = JoinSet::new();
                        self.sent = self.stand();
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                () = self.bell.notified() => {}
                _ = beat.tick() => {
                    if calls.is_empty()
                        && let Some(append) = self.next(true)
                    {
                        self.send(&mut calls, append);
                    }
                }
            }
        }
    }

    /// Where the copy that has least stands.
    fn stand(&self) -> Lsn {
        let inner = self.shared.lock();
        let reached = self
            .copies
            .iter()
            .map(|c| inner.core.reach_of(self.group, *c));
        reached.min().unwrap_or_default()
    }

    /// The next records for this node; with `even_empty` also when there are none.
    fn next(&mut self, even_empty: bool) -> Option<AppendTo> {
        let inner = self.shared.lock();
        let log = inner.logs.get(&self.group);
        let records = match log {
            Some(log) if log.has_after(self.sent) => log.after(self.sent, BATCH_BYTES_MAX),
            _ if even_empty => Vec::new(),
            _ => return None,
        };
        if let Some(last) = records.last() {
            self.sent = last.header.lsn;
        }
        Some(AppendTo {
            volume: self.volume.clone(),
            group: self.group,
            copies: self.copies.clone(),
            append: Append {
                speaker: inner.core.speaker(self.group)?,
                complete: inner.core.complete(self.group),
                records,
            },
        })
    }

    fn send(&self, calls: &mut JoinSet<Answer>, append: AppendTo) {
        let (shared, place) = (self.shared.clone(), self.place.clone());
        let payload: usize = append
            .append
            .records
            .iter()
            .map(|r| r.change.payload_bytes())
            .sum();
        let copies = self.copies.len() as u64;
        calls.spawn(async move {
            let call =
                shared
                    .caller
                    .call(&place.node, place.address, APPEND, &append, CALL_TIMEOUT);
            let answer: Answer = call.await;
            // A node that is away is tried again and again: what nobody took was not sent.
            if answer.is_ok() {
                let bytes = payload as u64 * copies;
                shared.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
            }
            answer
        });
    }

    /// Takes an answer in; `alone` when no other call was under way. False when it is to be begun again.
    async fn heard(&self, answer: Answer, alone: bool) -> bool {
        let answers = match answer {
            Ok(answers) if answers.len() == self.copies.len() => answers,
            Ok(_) => return false,
            Err(e) => {
                tracing::debug!(group = %self.group, error = %e, "records were not taken");
                return false;
            }
        };
        let mut sound = true;
        for (copy, reached) in self.copies.iter().zip(answers) {
            match reached {
                Ok(scl) => self.reached(*copy, scl, alone),
                Err(SegmentError::Refused(Refusal::Epoch(_))) => {
                    self.shared.end(PagesError::Fenced);
                }
                Err(SegmentError::Refused(Refusal::NotAdopted)) => {
                    sound = false;
                    self.have_adopted(*copy).await;
                }
                Err(e) => {
                    tracing::debug!(group = %self.group, copy, error = %e, "records were not taken");
                    sound = false;
                }
            }
        }
        sound
    }

    fn reached(&self, copy: u32, scl: Lsn, alone: bool) {
        let mut inner = self.shared.lock();
        // Answers of several calls may overtake each other; a single one that is lower tells of records lost to a bad disk.
        if alone && scl < inner.core.reach_of(self.group, copy) {
            inner.core.fell_back(self.group, copy, scl);
        }
        if inner.reached(self.group, copy, scl) {
            drop(inner);
            self.shared.ring();
        }
    }

    async fn have_adopted(&self, copy: u32) {
        let adopt = {
            let inner = self.shared.lock();
            let Some(speaker) = inner.core.speaker(self.group) else {
                return;
            };
            Adopt {
                speaker,
                history: inner.core.history().clone(),
                tail: inner.core.complete(self.group).tail,
            }
        };
        let segment = SegmentId {
            volume: self.volume.clone(),
            group: self.group,
            copy,
        };
        let question = AdoptBy { segment, adopt };
        let Place { node, address } = &self.place;
        let call = self
            .shared
            .caller
            .call(node, *address, ADOPT, &question, CALL_TIMEOUT);
        match call.await {
            Ok(Reached::Ok(scl)) => self.reached(copy, scl, false),
            Ok(Reached::Err(SegmentError::Refused(Refusal::Epoch(_)))) => {
                self.shared.end(PagesError::Fenced);
            }
            Ok(Reached::Err(e)) => tracing::debug!(copy, error = %e, "a history was not adopted"),
            Err(e) => tracing::debug!(copy, error = %e, "a history was not adopted"),
        }
    }
}
