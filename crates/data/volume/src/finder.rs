//! Finds out what a volume's segments have, without a writer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use quorate_region::transport::Caller;

use crate::calls::{HOLD, HoldAt, Keeps, STATUS, SegmentStatus, TAIL, TailAt};
use crate::layout::{Layout, Place};
use crate::protocol::{GroupIndex, Lsn, READ_QUORUM, SegmentId};

/// Longest wait for one segment's answer.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// How long is waited for further answers once each group has given one.
pub(crate) const MORE_ANSWERS: Duration = Duration::from_millis(50);

/// Asks a volume's segments how far they are, and holds what is read.
pub(crate) struct Finder {
    pub(crate) caller: Arc<Caller>,
    pub(crate) layout: Layout,
    /// Names who holds among all of the volume's.
    pub(crate) view: u64,
}

impl Finder {
    pub(crate) fn new(caller: Arc<Caller>, layout: Layout, view: u64) -> Finder {
        Finder {
            caller,
            layout,
            view,
        }
    }

    /// A complete LSN that is held, with each group's last record at or below it.
    pub(crate) async fn find(&self) -> Option<(Lsn, BTreeMap<GroupIndex, Lsn>)> {
        let mut known: BTreeMap<GroupIndex, Lsn> = BTreeMap::new();
        let mut answering = BTreeSet::new();
        for (segment, status) in self.statuses().await {
            let vdl = known.entry(segment.group).or_default();
            *vdl = status.complete.vdl.max(*vdl);
            answering.extend(self.layout.place(segment.group, segment.copy).cloned());
        }
        if known.len() < self.layout.groups.len() {
            return None;
        }
        let at = known.values().copied().min()?;
        self.hold(Some(at), &answering).await;
        let mut tails = BTreeMap::new();
        for (index, group) in &self.layout.groups {
            let places = group.places.iter();
            let places = places.filter(|(_, place)| answering.contains(place));
            tails.insert(*index, self.tail(*index, places, at).await?);
        }
        Some((at, tails))
    }

    /// What no acknowledged record lies above: the highest record that one of a read quorum has, of all groups. Every
    /// acknowledged record is on four copies of six, so any three have one of them. None when three of a group's present
    /// set do not answer.
    pub(crate) async fn reached(&self) -> Option<Lsn> {
        self.bound(&self.statuses().await)
    }

    /// What [`Finder::reached`] makes of these answers.
    pub(crate) fn bound(&self, statuses: &[(SegmentId, SegmentStatus)]) -> Option<Lsn> {
        let mut bound = Lsn(0);
        for (index, group) in &self.layout.groups {
            let present = group.membership.sets.first()?;
            let answers = statuses.iter().filter(|(segment, status)| {
                segment.group == *index
                    && present.contains(&segment.copy)
                    && status.trouble.is_none()
            });
            let reached: Vec<Lsn> = answers.map(|(_, status)| status.scl).collect();
            if reached.len() < READ_QUORUM {
                return None;
            }
            bound = bound.max(reached.into_iter().max()?);
        }
        Some(bound)
    }

    /// What segments say of themselves: one of each group at least, where any answers.
    pub(crate) async fn statuses(&self) -> Vec<(SegmentId, SegmentStatus)> {
        let mut asked = JoinSet::new();
        for (index, group) in &self.layout.groups {
            for (copy, place) in &group.places {
                let (caller, place) = (self.caller.clone(), place.clone());
                let segment = self.segment(*index, *copy);
                asked.spawn(async move {
                    let call =
                        caller.call(&place.node, place.address, STATUS, &segment, CALL_TIMEOUT);
                    let status: Option<SegmentStatus> = call.await.ok().flatten();
                    Some((segment, status?))
                });
            }
        }
        let mut answers = Vec::new();
        let mut heard = BTreeSet::new();
        loop {
            let next = asked.join_next();
            let answer = if heard.len() < self.layout.groups.len() {
                next.await
            } else {
                let in_time = tokio::time::timeout(MORE_ANSWERS, next).await;
                in_time.unwrap_or_default()
            };
            let Some(answer) = answer else {
                return answers;
            };
            let answer: Option<(SegmentId, SegmentStatus)> = answer.ok().flatten();
            if let Some((segment, status)) = answer {
                heard.insert(segment.group);
                answers.push((segment, status));
            }
        }
    }

    async fn tail(
        &self,
        group: GroupIndex,
        places: impl Iterator<Item = (&u32, &Place)>,
        lsn: Lsn,
    ) -> Option<Lsn> {
        for (copy, place) in places {
            let question = TailAt {
                segment: self.segment(group, *copy),
                lsn,
            };
            let call = self
                .caller
                .call(&place.node, place.address, TAIL, &question, CALL_TIMEOUT);
            let tail: Result<Option<Lsn>, _> = call.await;
            if let Ok(Some(tail)) = tail {
                return Some(tail);
            }
        }
        None
    }

    /// Tells every node what is read, and waits for those that answer. What the others still keep, nobody knows.
    pub(crate) async fn hold(&self, at: Option<Lsn>, answering: &BTreeSet<Place>) {
        self.hold_and_keep(at, Keeps::Pages, answering).await;
    }

    /// As `hold`, and says what is kept.
    pub(crate) async fn hold_and_keep(
        &self,
        at: Option<Lsn>,
        keeps: Keeps,
        answering: &BTreeSet<Place>,
    ) {
        let places = self.layout.groups.values().flat_map(|g| g.places.values());
        let places: BTreeSet<Place> = places.cloned().collect();
        let mut waited_for = JoinSet::new();
        for place in places {
            let caller = self.caller.clone();
            let hold = HoldAt {
                volume: self.layout.volume.clone(),
                view: self.view,
                at,
                keeps,
            };
            let is_waited_for = answering.contains(&place);
            let held = async move {
                let call = caller.call(&place.node, place.address, HOLD, &hold, CALL_TIMEOUT);
                let held: Result<(), _> = call.await;
                if let Err(e) = held {
                    tracing::debug!(error = %e, "a node does not hold a view's pages");
                }
            };
            if is_waited_for {
                waited_for.spawn(held);
            } else {
                tokio::spawn(held);
            }
        }
        waited_for.join_all().await;
    }

    pub(crate) fn segment(&self, group: GroupIndex, copy: u32) -> SegmentId {
        SegmentId {
            volume: self.layout.volume.clone(),
            group,
            copy,
        }
    }
}
