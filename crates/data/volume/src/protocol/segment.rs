//! One segment: how far its chain reaches, what it has promised, what it takes and what it refuses. Pure.
//!
//! It reckons with headers; the records themselves lie in the store. Whoever drives it stores what `Stored` says and lets
//! an answer out only when the store has synced everything that was handed to it before.
//!
//! Invariants
//! - `promised` and the history's epoch never fall; a record is taken only from the writer whose history is adopted.
//! - No record that is held is void by the history.
//! - `scl` is the end of the unbroken chain of previous LSNs that begins at `base`.
//! - `base` is at or below the VDL that a writer told: what is coalesced is never cut off.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::messages::{Adopt, Append, Complete, Pull, Refusal, Sealed, Speaker};
use super::{History, Lsn, MembershipEpoch, RecordHeader, VolumeEpoch};

/// What a segment must not forget beside its records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentState {
    /// No record of a lower epoch is taken.
    pub promised: VolumeEpoch,
    /// What recoveries have cut off.
    pub history: History,
    /// No speaker with an older membership is heard.
    pub membership: MembershipEpoch,
    /// What a writer last told to be complete, when the state was last written.
    pub complete: Complete,
}

/// What has to be stored before the answer goes out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Whether `Segment::state` has changed.
    pub state: bool,
    /// Cuts that made records void: those above the LSN whose epoch is lower are to be dropped, of those that are stored
    /// already. A later history may bring some of them back.
    pub discard: Vec<(Lsn, VolumeEpoch)>,
    /// Which of the records that came are to be kept, by their place in the message.
    pub records: Vec<usize>,
}

/// One segment.
#[derive(Debug, Clone)]
pub struct Segment {
    state: SegmentState,
    base: Lsn,
    held: BTreeMap<Lsn, RecordHeader>,
    /// Held records beyond a gap, by what they follow.
    beyond: BTreeMap<Lsn, Lsn>,
    scl: Lsn,
    /// How far the group's log is known to reach.
    tail: Lsn,
}

impl Segment {
    /// A segment as its store found it: the state last written, the LSN up to which pages have everything, and the headers
    /// above it. Headers below it, or void, are left out: a store may be behind with dropping them.
    #[must_use]
    pub fn found(
        state: SegmentState,
        base: Lsn,
        headers: impl IntoIterator<Item = RecordHeader>,
    ) -> Segment {
        let mut segment = Segment {
            tail: state.complete.tail,
            state,
            base,
            held: BTreeMap::new(),
            beyond: BTreeMap::new(),
            scl: base,
        };
        for header in headers {
            segment.take(header);
        }
        segment
    }

    /// What has to survive.
    #[must_use]
    pub fn state(&self) -> &SegmentState {
        &self.state
    }

    /// How far the chain reaches.
    #[must_use]
    pub fn scl(&self) -> Lsn {
        self.scl
    }

    /// What is complete, as far as the writer has told.
    #[must_use]
    pub fn complete(&self) -> Complete {
        self.state.complete
    }

    /// Whether records are known to exist that are missing here.
    #[must_use]
    pub fn lacks_records(&self) -> bool {
        self.scl < self.tail || !self.beyond.is_empty()
    }

    /// Whether a page may be read here as it is when the group's log ends at `need`. It is to be read as of `need`, not of the
    /// volume's VDL: a segment that has not heard of the last recovery may hold void records between the two.
    #[must_use]
    pub fn reaches(&self, need: Lsn) -> bool {
        self.scl >= need
    }

    /// Takes records of the writer.
    ///
    /// # Errors
    /// When the speaker is not the one whose history is adopted, or goes by an older membership.
    pub fn append(&mut self, message: &Append) -> Result<Stored, Refusal> {
        self.listen(message.speaker)?;
        if self.state.history.epoch() != message.speaker.epoch {
            return Err(Refusal::NotAdopted);
        }
        let mut stored = self.agree(message.speaker);
        for (index, record) in message.records.iter().enumerate() {
            if self.take(record.header) {
                stored.records.push(index);
            }
        }
        self.learn(message.complete);
        Ok(stored)
    }

    /// Promises to take nothing of lower epochs, and tells what is here.
    ///
    /// # Errors
    /// When a higher epoch, or this one by another history, was promised already.
    pub fn seal(&mut self, speaker: Speaker) -> Result<(Sealed, Stored), Refusal> {
        self.listen(speaker)?;
        let stored = self.agree(speaker);
        Ok((self.has(), stored))
    }

    /// Tells what is here, as `seal` does, and promises nothing.
    ///
    /// # Errors
    /// When whoever asks goes by an older membership.
    pub fn survey(&self, membership: MembershipEpoch) -> Result<Sealed, Refusal> {
        if membership < self.state.membership {
            return Err(Refusal::Membership(self.state.membership));
        }
        Ok(self.has())
    }

    fn has(&self) -> Sealed {
        let complete = self.state.complete;
        let above = (
            std::ops::Bound::Excluded(complete.vdl),
            std::ops::Bound::Unbounded,
        );
        Sealed {
            scl: self.scl,
            history: self.state.history.clone(),
            complete,
            headers: self.held.range(above).map(|(_, header)| *header).collect(),
        }
    }

    /// Takes a writer's history over.
    ///
    /// # Errors
    /// As `append`.
    pub fn adopt(&mut self, message: &Adopt) -> Result<Stored, Refusal> {
        self.listen(message.speaker)?;
        let mut stored = self.agree(message.speaker);
        self.take_over(&message.history, &mut stored);
        self.tail = self.tail.max(message.tail);
        Ok(stored)
    }

    /// How far records may become pages while views at `read_point` and above are read: the last record of the chain
    /// at or below it that is complete.
    #[must_use]
    pub fn coalescible(&self, read_point: Lsn) -> Lsn {
        let up_to = read_point.min(self.state.complete.vdl).min(self.scl);
        let last = self.held.range(..=up_to).next_back();
        last.map_or(self.base, |(lsn, _)| *lsn)
    }

    /// The group's last record at or below an LSN that is complete; none when that is not known here, or not any more.
    #[must_use]
    pub fn tail_at(&self, lsn: Lsn) -> Option<Lsn> {
        if lsn > self.state.complete.vdl || self.scl < self.state.complete.tail {
            return None;
        }
        let last = self.held.range(..=lsn).next_back();
        let last = last.map(|(lsn, _)| *lsn);
        last.or((self.base <= lsn).then_some(self.base))
    }

    /// Up to which record pages have everything.
    #[must_use]
    pub fn base(&self) -> Lsn {
        self.base
    }

    /// What to ask a peer.
    #[must_use]
    pub fn pull(&self) -> Pull {
        Pull {
            history: self.state.history.epoch(),
            scl: self.scl,
        }
    }

    /// The history, for a peer that has an older one.
    #[must_use]
    pub fn history_for(&self, pull: Pull) -> Option<History> {
        let history = &self.state.history;
        (history.epoch() > pull.history).then(|| history.clone())
    }

    /// Takes what a peer sent: a newer history first, then the records that it does not make void. `reached` is the peer's own
    /// knowledge of what is complete. It has to answer a question that was asked since the segment was found: what it leaves
    /// out because the asker knew it may have been lost since.
    pub fn pulled<'a>(
        &mut self,
        history: Option<&History>,
        headers: impl IntoIterator<Item = &'a RecordHeader>,
        reached: Complete,
    ) -> Stored {
        let mut stored = Stored::default();
        if let Some(history) = history {
            self.take_over(history, &mut stored);
        }
        for (index, header) in headers.into_iter().enumerate() {
            let is_known = header.epoch <= self.state.history.epoch();
            if is_known && self.take(*header) {
                stored.records.push(index);
            }
        }
        self.learn(reached);
        stored
    }

    /// Pages hold everything up to `base`: headers at or below it are forgotten. A copy of a peer's pages may bring it above
    /// the own chain. The state has to be stored with the pages: a segment that comes back with a base above the VDL that it
    /// knows cannot say what lies between.
    pub fn rebase(&mut self, base: Lsn) {
        self.base = self.base.max(base);
        self.held = self.held.split_off(&self.base.next());
        if self.scl < self.base {
            self.scl = self.base;
        }
        self.relink();
    }

    /// Forgets records that turned out to be damaged: everything above `sound`.
    pub fn forget_above(&mut self, sound: Lsn) {
        self.held.split_off(&sound.next());
        self.relink();
    }

    fn listen(&self, speaker: Speaker) -> Result<(), Refusal> {
        if speaker.epoch < self.state.promised {
            return Err(Refusal::Epoch(self.state.promised));
        }
        if speaker.membership < self.state.membership {
            return Err(Refusal::Membership(self.state.membership));
        }
        Ok(())
    }

    fn agree(&mut self, speaker: Speaker) -> Stored {
        let changed =
            speaker.epoch > self.state.promised || speaker.membership > self.state.membership;
        self.state.promised = speaker.epoch;
        self.state.membership = speaker.membership;
        Stored {
            state: changed,
            ..Stored::default()
        }
    }

    fn take_over(&mut self, history: &History, stored: &mut Stored) {
        let own = self.state.history.epoch();
        if history.epoch() <= own {
            return;
        }
        assert!(
            history.last().is_none_or(|cut| cut.at >= self.base),
            "what is coalesced was complete, and no recovery cuts it off"
        );
        self.state.history = history.clone();
        self.state.promised = self.state.promised.max(history.epoch());
        stored.state = true;
        let before = self.held.len();
        self.held.retain(|_, header| !history.is_void(header));
        if self.held.len() < before {
            let new = history.cuts().iter().filter(|cut| cut.epoch > own);
            stored.discard.extend(new.map(|cut| (cut.at, cut.epoch)));
            self.relink();
        }
        // What the older history knew to exist may be void.
        let last = self.held.keys().next_back().copied();
        self.tail = self.state.complete.tail.max(last.unwrap_or_default());
    }

    fn learn(&mut self, complete: Complete) {
        if complete.vdl > self.state.complete.vdl {
            self.state.complete = complete;
        }
        self.tail = self.tail.max(complete.tail);
    }

    /// Holds a record that is not held and not void. False when it is of no use.
    fn take(&mut self, header: RecordHeader) -> bool {
        let is_new = header.lsn > self.base && !self.held.contains_key(&header.lsn);
        if !is_new || self.state.history.is_void(&header) {
            return false;
        }
        self.hold(header);
        true
    }

    fn hold(&mut self, header: RecordHeader) {
        self.held.insert(header.lsn, header);
        self.tail = self.tail.max(header.lsn);
        if header.lsn > self.scl {
            self.beyond.insert(header.previous, header.lsn);
            self.advance();
        }
    }

    fn advance(&mut self) {
        while let Some(next) = self.beyond.remove(&self.scl) {
            self.scl = next;
        }
    }

    /// Works the chain out anew.
    fn relink(&mut self) {
        self.scl = self.base;
        self.beyond = self
            .held
            .values()
            .map(|header| (header.previous, header.lsn))
            .collect();
        self.advance();
        let scl = self.scl;
        self.beyond.retain(|_, lsn| *lsn > scl);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Cut;
    use super::*;

    fn history(cuts: &[(u64, u64, u64)]) -> History {
        let cut = |(epoch, at, start): &(u64, u64, u64)| Cut {
            epoch: VolumeEpoch(*epoch),
            at: Lsn(*at),
            start: Lsn(*start),
        };
        cuts.iter()
            .fold(History::default(), |history, of| history.with(cut(of)))
    }

    fn header(lsn: u64, previous: u64, epoch: u64) -> RecordHeader {
        RecordHeader {
            lsn: Lsn(lsn),
            previous: Lsn(previous),
            epoch: VolumeEpoch(epoch),
            consistency_point: true,
        }
    }

    fn state(history: History) -> SegmentState {
        SegmentState {
            promised: history.epoch(),
            history,
            ..SegmentState::default()
        }
    }

    #[test]
    fn a_history_of_a_peer_ends_the_search_for_what_it_made_void() {
        let first = state(history(&[(1, 0, 1)]));
        let mut segment = Segment::found(first, Lsn(0), [header(1, 0, 1), header(3, 2, 1)]);
        assert!(segment.lacks_records());
        let second = history(&[(1, 0, 1), (2, 1, 100)]);
        let stored = segment.pulled(Some(&second), [], Complete::default());
        assert_eq!(stored.discard, [(Lsn(1), VolumeEpoch(2))]);
        assert_eq!(segment.scl(), Lsn(1));
        assert!(!segment.lacks_records());
    }

    #[test]
    fn a_store_that_is_behind_with_dropping_brings_nothing_back() {
        let second = state(history(&[(1, 0, 1), (2, 2, 100)]));
        let left = [header(1, 0, 1), header(2, 1, 1), header(3, 2, 1)];
        let segment = Segment::found(second, Lsn(1), left);
        assert_eq!(segment.scl(), Lsn(2));
        assert_eq!(segment.coalescible(Lsn(9)), Lsn(1));
        assert!(!segment.lacks_records());
    }
}
