//! Reads a volume's log from its segments, beside the writer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use quorate_base::{NodeId, UnixMillis};
use quorate_region::transport::Caller;

use crate::calls::{Keeps, Moment, PULL, PullFrom, Pulled, SegmentStatus, TIMES, TimesAbove};
use crate::finder::Finder;
use crate::layout::{Layout, Place};
use crate::protocol::{GroupIndex, Lsn, Pull, SegmentId, VolumeEpoch};
use crate::redo::file::RedoEntry;
use crate::redo::walk::{Step, Walk};

/// Longest wait for one segment's answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of records that are given out at once.
const GIVEN_BYTES_MAX: usize = 4 << 20;

/// Why the log cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No segment keeps the records that follow: they are in pages alone.
    #[error("the segments no longer keep the log that follows LSN {0}")]
    Gone(Lsn),
    /// They may be had later.
    #[error("the log cannot be read: {0}")]
    Unavailable(String),
}

/// A volume's segments, for whoever reads its log.
pub struct RedoSource {
    finder: Finder,
    own: NodeId,
}

/// A segment that has everything of its group up to a VDL.
#[derive(Debug, Clone)]
struct Holder {
    segment: SegmentId,
    place: Place,
    /// The group's last record that is complete.
    tail: Lsn,
}

/// What segments know to be complete.
#[derive(Debug, Clone)]
pub struct Complete {
    /// A VDL.
    pub vdl: Lsn,
    /// What no record lies above that was acknowledged before the segments were asked; none when three segments of some
    /// group did not answer.
    pub bound: Option<Lsn>,
    holders: BTreeMap<GroupIndex, Vec<Holder>>,
}

impl RedoSource {
    /// `own` is the node that reads: segments on it, then in its zone, are asked first. `id` names who reads among all that
    /// read the volume.
    #[must_use]
    pub fn new(caller: Arc<Caller>, layout: Layout, own: NodeId, id: u64) -> RedoSource {
        let finder = Finder::new(caller, layout, id);
        RedoSource { finder, own }
    }

    /// Goes by another layout.
    pub fn set_layout(&mut self, layout: Layout) {
        self.finder.layout = layout;
    }

    /// Has segments keep the records above an LSN, for a minute from each call on.
    pub async fn hold(&self, after: Lsn) {
        let finder = &self.finder;
        finder
            .hold_and_keep(Some(after), Keeps::Records, &BTreeSet::new())
            .await;
    }

    /// Lets go of what was held.
    pub async fn let_go(&self) {
        self.finder.hold(None, &BTreeSet::new()).await;
    }

    /// Asks how far the log is complete.
    ///
    /// # Errors
    /// `Unavailable` when some group has no segment that answers and has all that it was told to be complete.
    pub async fn complete(&self) -> Result<Complete, ReadError> {
        let statuses = self.finder.statuses().await;
        let mut known: BTreeMap<GroupIndex, Lsn> = BTreeMap::new();
        for (segment, status) in statuses.iter().filter(|(_, status)| is_whole(status)) {
            let vdl = known.entry(segment.group).or_default();
            *vdl = status.complete.vdl.max(*vdl);
        }
        let missing = self.finder.layout.groups.keys();
        if let Some(group) = missing.into_iter().find(|group| !known.contains_key(group)) {
            let why = format!("no segment of protection group {group} that has everything answers");
            return Err(ReadError::Unavailable(why));
        }
        let vdl = known.values().copied().min().unwrap_or_default();
        let mut holders: BTreeMap<GroupIndex, Vec<Holder>> = BTreeMap::new();
        for (segment, status) in &statuses {
            let place = self.finder.layout.place(segment.group, segment.copy);
            if let Some(place) = place
                && is_whole(status)
                && status.complete.vdl >= vdl
            {
                holders.entry(segment.group).or_default().push(Holder {
                    segment: segment.clone(),
                    place: place.clone(),
                    tail: status.complete.tail,
                });
            }
        }
        for of_group in holders.values_mut() {
            of_group.sort_by_key(|holder| {
                let node = &holder.place.node;
                (*node != self.own, node.zone() != self.own.zone())
            });
        }
        let bound = self.finder.bound(&statuses);
        Ok(Complete {
            vdl,
            bound,
            holders,
        })
    }

    /// Begins to read what follows an LSN, up to what is complete. The last moment is `now`, by which that was so; those
    /// before are the segments'.
    pub async fn read<'a>(
        &'a self,
        complete: &'a Complete,
        after: Lsn,
        now: UnixMillis,
    ) -> RedoReading<'a> {
        let to = complete.vdl.max(after);
        let mut moments = self.moments(complete, after).await;
        moments.retain(|moment| moment.lsn < to && moment.at <= now);
        moments.push(Moment { lsn: to, at: now });
        moments.reverse();
        RedoReading {
            source: self,
            complete,
            walk: Walk::new(after, to),
            asked: BTreeMap::new(),
            turn: 0,
            moments,
        }
    }

    /// When VDLs above an LSN were told, by the segment that knows most of it: clocks of several do not mix.
    async fn moments(&self, complete: &Complete, above: Lsn) -> Vec<Moment> {
        let mut most = Vec::new();
        let Some(holders) = complete.holders.values().next() else {
            return most;
        };
        for Holder { segment, place, .. } in holders {
            let question = TimesAbove {
                segment: segment.clone(),
                above,
            };
            let caller = &self.finder.caller;
            let call = caller.call(&place.node, place.address, TIMES, &question, CALL_TIMEOUT);
            let moments: Result<Vec<Moment>, _> = call.await;
            let moments = moments.unwrap_or_default();
            if moments.len() > most.len() {
                most = moments;
            }
        }
        most
    }
}

/// Whether a segment has all of its group that it was told to be complete.
fn is_whole(status: &SegmentStatus) -> bool {
    status.trouble.is_none() && status.scl >= status.complete.tail
}

/// A walk along the log that is under way.
pub struct RedoReading<'a> {
    source: &'a RedoSource,
    complete: &'a Complete,
    walk: Walk,
    /// The last record that came of each group.
    asked: BTreeMap<GroupIndex, Lsn>,
    /// Which of a group's holders is asked first.
    turn: usize,
    /// Moments to come, the next one last.
    moments: Vec<Moment>,
}

impl RedoReading<'_> {
    /// How far it has come.
    #[must_use]
    pub fn at(&self) -> Lsn {
        self.walk.at()
    }

    /// The next entries of the log, some megabytes at most; none at the end. The last one of all is a moment.
    ///
    /// # Errors
    /// When the records that follow cannot be had. What was given out before is sound.
    pub async fn next_entries(&mut self) -> Result<Vec<RedoEntry>, ReadError> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        while bytes < GIVEN_BYTES_MAX {
            let at = self.walk.at();
            if let Some(moment) = self.moments.pop_if(|moment| moment.lsn <= at) {
                if moment.lsn == at {
                    entries.push(RedoEntry::Moment(moment));
                }
                continue;
            }
            match self.walk.step() {
                Step::Record(record) => {
                    bytes += record.change.payload_bytes() + size_of::<RedoEntry>();
                    entries.push(RedoEntry::Record(record));
                }
                Step::Missing => self.ask().await?,
                Step::End => break,
            }
        }
        Ok(entries)
    }

    /// Asks every group of which nothing is ahead; all of them anew, and other segments first, when nothing came of that.
    async fn ask(&mut self) -> Result<(), ReadError> {
        let mut came = false;
        for (group, holders) in &self.complete.holders {
            if self.walk.is_offered(*group) {
                continue;
            }
            let after = self.asked.get(group).copied();
            let after = after.unwrap_or(self.walk.at()).max(self.walk.at());
            if holders.iter().all(|holder| holder.tail <= after) {
                continue;
            }
            came |= self.ask_group(*group, holders, after).await?;
        }
        if came {
            return Ok(());
        }
        let most = self.complete.holders.values().map(Vec::len).max();
        self.turn += 1;
        self.walk.forget();
        self.asked.clear();
        if self.turn > most.unwrap_or_default() {
            let why = format!("no segment has what follows LSN {}", self.walk.at());
            return Err(ReadError::Unavailable(why));
        }
        Ok(())
    }

    /// Whether records of the group came.
    async fn ask_group(
        &mut self,
        group: GroupIndex,
        holders: &[Holder],
        after: Lsn,
    ) -> Result<bool, ReadError> {
        let mut gone = 0;
        let turns = (0..holders.len()).map(|n| &holders[(n + self.turn) % holders.len()]);
        for Holder { segment, place, .. } in turns {
            let question = PullFrom {
                segment: segment.clone(),
                pull: Pull {
                    history: VolumeEpoch(0),
                    scl: after,
                },
            };
            let caller = &self.source.finder.caller;
            let call = caller.call(&place.node, place.address, PULL, &question, CALL_TIMEOUT);
            match call.await {
                Ok(Pulled::Ok(pulled)) if pulled.coalesced => gone += 1,
                Ok(Pulled::Ok(pulled)) => {
                    if let Some(history) = &pulled.history {
                        self.walk.learn(history);
                    }
                    let Some(last) = pulled.records.last().map(|record| record.header.lsn) else {
                        continue;
                    };
                    self.asked.insert(group, last);
                    self.walk.offer(group, pulled.records);
                    return Ok(true);
                }
                Ok(Pulled::Err(e)) => tracing::debug!(%segment, error = %e, "no records of a log"),
                Err(e) => tracing::debug!(%segment, error = %e, "no records of a log"),
            }
        }
        if gone == holders.len() {
            return Err(ReadError::Gone(after));
        }
        Ok(false)
    }
}
