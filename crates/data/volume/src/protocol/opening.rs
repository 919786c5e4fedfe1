//! A new writer takes a volume over: seals, finds VDL, cuts, has it adopted, waits for what is missing. Pure.
//!
//! ```text
//!  Sealing ── a write quorum of every group has promised ──► Adopting ── a write quorum of every group
//!                                                            has adopted and reaches the tail ──► Writer
//! ```
//! Whoever drives it sends what `wanted` says, again and again until it is answered.

use std::collections::{BTreeMap, BTreeSet};

use super::history::Cut;
use super::messages::{Adopt, Sealed, Speaker};
use super::writer::{LSN_ALLOCATION_LIMIT, RecoveredGroup, Writer};
use super::{GroupIndex, History, Lsn, Membership, RecordHeader, VolumeEpoch};

/// What a segment is to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// To promise.
    Seal(Speaker),
    /// To adopt, and to say how far it reaches.
    Adopt(Adopt),
}

#[derive(Debug, Clone)]
struct Group {
    membership: Membership,
    sealed: BTreeMap<u32, Sealed>,
    tail: Lsn,
    reached: BTreeMap<u32, Lsn>,
}

/// A volume on its way to a new writer.
#[derive(Debug, Clone)]
pub struct Opening {
    epoch: VolumeEpoch,
    pages_per_group: u64,
    groups: BTreeMap<GroupIndex, Group>,
    /// The history with the own cut, once it is decided.
    decided: Option<History>,
}

/// What the answers of a read quorum of each group say of the volume, without taking it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The history of the highest epoch.
    pub history: History,
    /// The last consistency point below the first hole.
    pub vdl: Lsn,
    /// Each group's last record at or below it.
    pub tails: BTreeMap<GroupIndex, Lsn>,
}

impl Opening {
    /// Begins at an epoch that nobody else was given.
    #[must_use]
    pub fn begin(
        epoch: VolumeEpoch,
        pages_per_group: u64,
        groups: BTreeMap<GroupIndex, Membership>,
    ) -> Opening {
        let groups = groups.into_iter().map(|(index, membership)| {
            let group = Group {
                membership,
                sealed: BTreeMap::new(),
                tail: Lsn(0),
                reached: BTreeMap::new(),
            };
            (index, group)
        });
        Opening {
            epoch,
            pages_per_group,
            groups: groups.collect(),
            decided: None,
        }
    }

    /// What each segment is to be asked at this point; segments that have answered are left out.
    #[must_use]
    pub fn wanted(&self) -> Vec<(GroupIndex, u32, Wanted)> {
        let of_group = |(index, group): (&GroupIndex, &Group)| {
            let speaker = Speaker {
                epoch: self.epoch,
                membership: group.membership.epoch,
            };
            let asked = group.membership.copies().into_iter().filter_map(|copy| {
                let wanted = match &self.decided {
                    None if group.sealed.contains_key(&copy) => return None,
                    None => Wanted::Seal(speaker),
                    Some(_) if group.reached.get(&copy) >= Some(&group.tail) => return None,
                    Some(history) => Wanted::Adopt(Adopt {
                        speaker,
                        history: history.clone(),
                        tail: group.tail,
                    }),
                };
                Some((*index, copy, wanted))
            });
            asked.collect::<Vec<_>>()
        };
        self.groups.iter().flat_map(of_group).collect()
    }

    /// A segment has promised.
    pub fn sealed(&mut self, index: GroupIndex, copy: u32, sealed: Sealed) {
        if self.decided.is_some() {
            return;
        }
        if let Some(group) = self.groups.get_mut(&index) {
            group.sealed.insert(copy, sealed);
        }
        let all = self.groups.values().all(|group| {
            let copies = group.sealed.keys().copied().collect();
            group.membership.is_write_quorum(&copies)
        });
        if all {
            self.decide();
        }
    }

    /// A segment has adopted the history, and reaches this far.
    pub fn adopted(&mut self, index: GroupIndex, copy: u32, scl: Lsn) {
        if self.decided.is_none() {
            return;
        }
        if let Some(group) = self.groups.get_mut(&index) {
            let reached = group.reached.entry(copy).or_default();
            *reached = scl.max(*reached);
        }
    }

    /// The writer, once everything that is kept is at a write quorum.
    #[must_use]
    pub fn finished(&self) -> Option<Writer> {
        let history = self.decided.as_ref()?;
        let is_complete = |group: &Group| {
            let reaching = group.reached.iter().filter(|(_, scl)| **scl >= group.tail);
            let copies: BTreeSet<u32> = reaching.map(|(copy, _)| *copy).collect();
            group.membership.is_write_quorum(&copies)
        };
        if !self.groups.values().all(is_complete) {
            return None;
        }
        let groups = self.groups.iter().map(|(index, group)| {
            let recovered = RecoveredGroup {
                membership: group.membership.clone(),
                tail: group.tail,
                reached: group.reached.clone(),
            };
            (*index, recovered)
        });
        Some(Writer::recovered(
            history.clone(),
            self.pages_per_group,
            groups.collect(),
        ))
    }

    /// Where the recovery has come to, for whoever waits.
    #[must_use]
    pub fn progress(&self) -> String {
        let sealed = |group: &Group| group.sealed.len();
        let lagging = |group: &Group| {
            let reaching = group.reached.values().filter(|scl| **scl >= group.tail);
            reaching.count()
        };
        let groups = self.groups.len();
        match &self.decided {
            None => {
                let fewest = self.groups.values().map(sealed).min().unwrap_or(0);
                format!("sealing: {fewest} segments at least in each of {groups} groups")
            }
            Some(_) => {
                let fewest = self.groups.values().map(lagging).min().unwrap_or(0);
                format!("filling: {fewest} segments at least in each of {groups} groups")
            }
        }
    }

    fn decide(&mut self) {
        let answers = self
            .groups
            .iter()
            .map(|(index, group)| (*index, group.sealed.values().collect()));
        let found = find(&answers.collect());
        for (index, tail) in &found.tails {
            if let Some(group) = self.groups.get_mut(index) {
                group.tail = *tail;
            }
        }
        // Above whatever the writer before can have handed out: it stood at its VDL or at its own start.
        let stood = found.history.last().map_or(Lsn(0), |cut| cut.start);
        self.decided = Some(found.history.with(Cut {
            epoch: self.epoch,
            at: found.vdl,
            start: Lsn(stood.max(found.vdl).0 + LSN_ALLOCATION_LIMIT + 1),
        }));
    }
}

/// What these answers, a read quorum or more of each group, say of the volume.
///
/// All of them have to be of copies that were asked when the highest VDL among them was complete already: else a group may
/// lack what another one knows of. Copies that are sealed cannot complete anything for an older writer, so a recovery has
/// that. Who looks without sealing asks again until a whole round tells of no higher VDL than the round before; and the
/// group's membership must still be the same in the catalog afterwards.
#[must_use]
pub fn find(answers: &BTreeMap<GroupIndex, Vec<&Sealed>>) -> Found {
    let all = || answers.values().flatten();
    let history = all()
        .map(|sealed| &sealed.history)
        .max_by_key(|history| history.epoch())
        .cloned()
        .unwrap_or_default();
    let known = all().map(|sealed| sealed.complete.vdl).max();
    let known = known.unwrap_or_default();
    let mut headers: BTreeMap<Lsn, (GroupIndex, RecordHeader)> = BTreeMap::new();
    for (index, sealed) in answers {
        let held = sealed.iter().flat_map(|sealed| &sealed.headers);
        for header in held.filter(|header| !history.is_void(header)) {
            let earlier = headers.insert(header.lsn, (*index, *header));
            assert!(
                earlier.is_none_or(|(of, earlier)| of == *index && earlier == *header),
                "one writer makes one record of an LSN"
            );
        }
    }
    let (mut vdl, mut lsn) = (known, known);
    while let Some((_, header)) = headers.get(&history.following(lsn)) {
        lsn = header.lsn;
        if header.consistency_point {
            vdl = lsn;
        }
    }
    let tail_of = |index: &GroupIndex, sealed: &Vec<&Sealed>| {
        let told = sealed.iter().map(|sealed| sealed.complete.tail).max();
        let held = headers.range(..=vdl).rev().find(|(_, (of, _))| of == index);
        let held = held.map_or(Lsn(0), |(lsn, _)| *lsn);
        (*index, told.unwrap_or_default().max(held))
    };
    Found {
        vdl,
        tails: answers.iter().map(|(i, s)| tail_of(i, s)).collect(),
        history,
    }
}

#[cfg(test)]
mod tests {
    use super::super::messages::{Append, Complete};
    use super::super::{Change, PageId, Record, Segment};
    use super::*;

    const GROUP: GroupIndex = GroupIndex(0);

    fn group() -> BTreeMap<GroupIndex, Membership> {
        BTreeMap::from([(GROUP, Membership::first())])
    }

    fn segments() -> Vec<Segment> {
        let empty = || Segment::found(Default::default(), Lsn(0), []);
        (0..6).map(|_| empty()).collect()
    }

    /// Lets the opening talk to these copies until nothing changes; copies that lack records pull from one another.
    fn talk(opening: &mut Opening, segments: &mut [Segment], copies: &[u32]) {
        for _ in 0..4 {
            for (index, copy, wanted) in opening.wanted() {
                if !copies.contains(&copy) {
                    continue;
                }
                let segment = &mut segments[copy as usize];
                match wanted {
                    Wanted::Seal(speaker) => {
                        let (sealed, _) = segment.seal(speaker).unwrap();
                        opening.sealed(index, copy, sealed);
                    }
                    Wanted::Adopt(adopt) => {
                        segment.adopt(&adopt).unwrap();
                        opening.adopted(index, copy, segment.scl());
                    }
                }
            }
        }
    }

    fn write(writer: &mut Writer, segments: &mut [Segment], copies: &[u32], point: bool) -> Lsn {
        let (index, header) = writer.allocate(PageId(0), point).unwrap();
        let record = Record {
            header,
            page: PageId(0),
            change: Change::Mark,
        };
        for copy in copies {
            let message = Append {
                speaker: writer.speaker(index).unwrap(),
                complete: Complete::default(),
                records: vec![record.clone()],
            };
            let segment = &mut segments[*copy as usize];
            segment.append(&message).unwrap();
            writer.reached(index, *copy, segment.scl());
        }
        header.lsn
    }

    fn open(epoch: u64, segments: &mut [Segment], copies: &[u32]) -> Opening {
        let mut opening = Opening::begin(VolumeEpoch(epoch), 100, group());
        talk(&mut opening, segments, copies);
        opening
    }

    #[test]
    fn new_writer_keeps_what_was_acknowledged_and_cuts_at_the_last_consistency_point() {
        let mut segments = segments();
        let mut first = open(1, &mut segments, &[0, 1, 2, 3, 4, 5])
            .finished()
            .unwrap();
        let kept = write(&mut first, &mut segments, &[0, 1, 2, 3], true);
        assert_eq!(first.vdl(), kept);
        write(&mut first, &mut segments, &[0, 1], false);
        // 0 and 1 are gone; 2 and 3 have what was acknowledged, 4 and 5 nothing.
        let opening = open(2, &mut segments, &[2, 3, 4, 5]);
        assert!(opening.finished().is_none(), "two copies are not filled");
        let history = opening.decided.clone().unwrap();
        assert_eq!(history.last().unwrap().at, kept);
        let stale = Append {
            speaker: first.speaker(GROUP).unwrap(),
            complete: Complete::default(),
            records: Vec::new(),
        };
        for segment in &mut segments[2..] {
            assert!(segment.append(&stale).is_err(), "the old writer is fenced");
        }
    }

    #[test]
    fn three_segments_are_no_write_quorum() {
        let mut segments = segments();
        let opening = open(1, &mut segments, &[0, 1, 2]);
        assert!(opening.decided.is_none());
        assert!(opening.progress().starts_with("sealing: 3"));
    }

    #[test]
    fn a_recovery_that_died_half_way_is_overruled() {
        let mut segments = segments();
        let all = [0, 1, 2, 3, 4, 5];
        let mut first = open(1, &mut segments, &all).finished().unwrap();
        write(&mut first, &mut segments, &all, true);
        let tail = write(&mut first, &mut segments, &[0], true);
        // The second writer does not see copy 0, decides below `tail`, and has one copy alone adopt that.
        let mut second = Opening::begin(VolumeEpoch(2), 100, group());
        let sealing = second.wanted();
        for (index, copy, wanted) in sealing.into_iter().filter(|(_, copy, _)| *copy > 0) {
            let Wanted::Seal(speaker) = wanted else {
                unreachable!()
            };
            let sealed = segments[copy as usize].seal(speaker).unwrap().0;
            second.sealed(index, copy, sealed);
        }
        let adopting = second.wanted().into_iter().find(|(_, copy, _)| *copy == 5);
        let Some((_, _, Wanted::Adopt(adopt))) = adopting else {
            unreachable!()
        };
        segments[5].adopt(&adopt).unwrap();
        // The third one sees copy 0, and not copy 5.
        let third = open(3, &mut segments, &[0, 1, 2, 3]);
        assert_eq!(third.decided.as_ref().unwrap().last().unwrap().at, tail);
        let adopt = Adopt {
            speaker: Speaker {
                epoch: VolumeEpoch(3),
                membership: Membership::first().epoch,
            },
            history: third.decided.clone().unwrap(),
            tail,
        };
        segments[5].adopt(&adopt).unwrap();
        assert!(segments[5].lacks_records());
    }
    #[test]
    fn a_writer_that_was_replaced_gets_no_quorum_of_copies_put_in_since() {
        let mut segments = segments();
        segments.extend((6..8).map(|_| Segment::found(Default::default(), Lsn(0), [])));
        let mut first = open(1, &mut segments, &[0, 1, 2, 3, 4, 5])
            .finished()
            .unwrap();
        // Copies 2 and 3 do not hear of the second writer; the others are replaced while the group has no records.
        let mut second = open(2, &mut segments, &[0, 1, 4, 5]).finished().unwrap();
        let mut membership = Membership::first();
        for (suspect, copy) in [(4, 6), (5, 7)] {
            membership = membership.doubled(suspect, copy).unwrap();
            second.change_membership(GROUP, membership.clone());
            if !second.is_filled(GROUP) {
                let adopt = Adopt {
                    speaker: second.speaker(GROUP).unwrap(),
                    history: second.history().clone(),
                    tail: second.complete(GROUP).tail,
                };
                segments[copy as usize].adopt(&adopt).unwrap();
                second.reached(GROUP, copy, segments[copy as usize].scl());
            }
            assert!(second.is_filled(GROUP));
            membership = membership.settled(true).unwrap();
            second.change_membership(GROUP, membership.clone());
        }
        first.change_membership(GROUP, membership);
        let (_, header) = first.allocate(PageId(0), true).unwrap();
        for copy in [2, 3, 6, 7] {
            let speaker = first.speaker(GROUP).unwrap();
            let adopt = Adopt {
                speaker,
                history: first.history().clone(),
                tail: Lsn(0),
            };
            let message = Append {
                speaker,
                complete: Complete::default(),
                records: vec![Record {
                    header,
                    page: PageId(0),
                    change: Change::Mark,
                }],
            };
            let segment = &mut segments[copy as usize];
            if segment.adopt(&adopt).is_ok() && segment.append(&message).is_ok() {
                first.reached(GROUP, copy, segment.scl());
            }
        }
        assert_eq!(first.vdl(), first.history().last().unwrap().at);
    }
}
