//! A volume's only writer: hands out LSNs and reckons what is complete. Pure.
//!
//! Invariants
//! - LSNs are handed out without gaps, and at most `LSN_ALLOCATION_LIMIT` of them stand above VDL: the next writer begins
//!   above all of them.
//! - PGCL of a group, VCL and VDL never fall. VDL <= VCL, and every record at or below VCL is at a write quorum of its group.

use std::collections::{BTreeMap, VecDeque};

use super::messages::{Complete, Speaker};
use super::{GroupIndex, History, Lsn, Membership, PageId, RecordHeader, VolumeEpoch};

/// How many records may wait to become complete: back-pressure on whoever writes (SIGMOD 2017, section 4.2.1).
pub const LSN_ALLOCATION_LIMIT: u64 = 1_000_000;

/// One protection group as its writer sees it.
#[derive(Debug, Clone)]
struct Group {
    membership: Membership,
    /// The last record handed out.
    last: Lsn,
    /// How far each copy's chain reaches.
    reached: BTreeMap<u32, Lsn>,
    /// PGCL: how far a write quorum reaches.
    complete: Lsn,
    /// The last record at or below VDL.
    tail: Lsn,
    /// Records above `tail`.
    above_tail: VecDeque<Lsn>,
}

/// A volume's writer.
#[derive(Debug, Clone)]
pub struct Writer {
    epoch: VolumeEpoch,
    history: History,
    pages_per_group: u64,
    next: Lsn,
    last: Lsn,
    vcl: Lsn,
    vdl: Lsn,
    groups: BTreeMap<GroupIndex, Group>,
    /// Records above VCL with their groups, and whether each is a consistency point.
    incomplete: VecDeque<(Lsn, GroupIndex, bool)>,
    /// How many records stand above VDL and at or below VCL.
    between: usize,
    /// The last record, when it is no consistency point.
    open: Option<Lsn>,
}

/// Why a record gets no LSN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoLsn {
    /// Too many records wait to become durable.
    #[error("{LSN_ALLOCATION_LIMIT} records wait to become durable")]
    TooFarAhead,
    /// The group has no segments.
    #[error("protection group {0} has no segments")]
    NoGroup(GroupIndex),
}

/// What a recovery found of a group: its membership, its last record at or below VDL, and how far its copies reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredGroup {
    /// Who counts.
    pub membership: Membership,
    /// The last record at or below VDL.
    pub tail: Lsn,
    /// How far each copy that answered reaches.
    pub reached: BTreeMap<u32, Lsn>,
}

impl Writer {
    /// A writer that goes on after its recovery. The history's last cut is its own.
    #[must_use]
    pub fn recovered(
        history: History,
        pages_per_group: u64,
        groups: BTreeMap<GroupIndex, RecoveredGroup>,
    ) -> Writer {
        let cut = history.last().expect("a recovery ends with its own cut");
        let groups = groups.into_iter().map(|(index, group)| {
            let group = Group {
                membership: group.membership,
                last: group.tail,
                reached: group.reached,
                complete: group.tail,
                tail: group.tail,
                above_tail: VecDeque::new(),
            };
            (index, group)
        });
        Writer {
            epoch: cut.epoch,
            pages_per_group,
            next: cut.start,
            last: cut.at,
            vcl: cut.at,
            vdl: cut.at,
            groups: groups.collect(),
            incomplete: VecDeque::new(),
            between: 0,
            open: None,
            history,
        }
    }

    /// Its epoch.
    #[must_use]
    pub fn epoch(&self) -> VolumeEpoch {
        self.epoch
    }

    /// The history that segments must have adopted.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The last consistency point at or below VCL: what a recovery is sure to keep.
    #[must_use]
    pub fn vdl(&self) -> Lsn {
        self.vdl
    }

    /// Every record at or below it is at a write quorum of its group.
    #[must_use]
    pub fn vcl(&self) -> Lsn {
        self.vcl
    }

    /// The last record; before the first one of this writer, what its recovery kept.
    #[must_use]
    pub fn last(&self) -> Lsn {
        self.last
    }

    /// The LSN that is handed out next.
    #[must_use]
    pub fn next(&self) -> Lsn {
        self.next
    }

    /// The group that holds a page.
    #[must_use]
    pub fn group_of(&self, page: PageId) -> GroupIndex {
        group_of(page, self.pages_per_group)
    }

    /// Whether the volume has segments for a group.
    #[must_use]
    pub fn has_group(&self, group: GroupIndex) -> bool {
        self.groups.contains_key(&group)
    }

    /// How many more records may be handed out before VDL has to rise. One more is kept for a consistency point: without it
    /// VDL could not rise.
    #[must_use]
    pub fn room(&self) -> usize {
        (LSN_ALLOCATION_LIMIT as usize - 1).saturating_sub(self.above_vdl())
    }

    fn above_vdl(&self) -> usize {
        self.between + self.incomplete.len()
    }

    /// Gives a record of this page its place in the log.
    ///
    /// # Errors
    /// When too much waits to become durable, or the page's group has no segments.
    pub fn allocate(
        &mut self,
        page: PageId,
        consistency_point: bool,
    ) -> Result<(GroupIndex, RecordHeader), NoLsn> {
        let index = self.group_of(page);
        let has_room = self.room() > 0
            || (consistency_point && self.above_vdl() < LSN_ALLOCATION_LIMIT as usize);
        let group = self.groups.get_mut(&index).ok_or(NoLsn::NoGroup(index))?;
        if !has_room {
            return Err(NoLsn::TooFarAhead);
        }
        let header = RecordHeader {
            lsn: self.next,
            previous: group.last,
            epoch: self.epoch,
            consistency_point,
        };
        self.next = self.next.next();
        self.last = header.lsn;
        group.last = header.lsn;
        group.above_tail.push_back(header.lsn);
        self.incomplete
            .push_back((header.lsn, index, consistency_point));
        self.open = (!consistency_point).then_some(header.lsn);
        Ok((index, header))
    }

    /// A copy says how far its chain reaches. True when VDL rises.
    pub fn reached(&mut self, index: GroupIndex, copy: u32, scl: Lsn) -> bool {
        let Some(group) = self.groups.get_mut(&index) else {
            return false;
        };
        let reached = group.reached.entry(copy).or_default();
        if scl <= *reached {
            return false;
        }
        *reached = scl;
        self.recount(index)
    }

    /// A copy has lost what it had, or begins anew: it reaches this far only. What it may have beyond what was known before
    /// is for `reached`, which counts.
    pub fn fell_back(&mut self, index: GroupIndex, copy: u32, scl: Lsn) {
        if let Some(group) = self.groups.get_mut(&index) {
            let reached = group.reached.entry(copy).or_default();
            *reached = scl.min(*reached);
        }
    }

    /// Counts quorums of another membership from here on. True when VDL rises.
    pub fn change_membership(&mut self, index: GroupIndex, membership: Membership) -> bool {
        let Some(group) = self.groups.get_mut(&index) else {
            return false;
        };
        if membership.epoch <= group.membership.epoch {
            return false;
        }
        let copies = membership.copies();
        group.reached.retain(|copy, _| copies.contains(copy));
        group.membership = membership;
        self.recount(index)
    }

    /// Adds a group without records: the volume grows. Only when the catalog, in the same answer, still has this writer's epoch
    /// as the last one: the group's segments have promised nothing, and a writer that was replaced could write there.
    pub fn add_group(&mut self, index: GroupIndex, membership: Membership) {
        self.groups.entry(index).or_insert(Group {
            membership,
            last: Lsn(0),
            reached: BTreeMap::new(),
            complete: Lsn(0),
            tail: Lsn(0),
            above_tail: VecDeque::new(),
        });
    }

    /// What a group's segments are told.
    #[must_use]
    pub fn complete(&self, index: GroupIndex) -> Complete {
        Complete {
            vdl: self.vdl,
            tail: self.groups.get(&index).map_or(Lsn(0), |group| group.tail),
        }
    }

    /// How the writer introduces itself to a group's segments.
    #[must_use]
    pub fn speaker(&self, index: GroupIndex) -> Option<Speaker> {
        let group = self.groups.get(&index)?;
        Some(Speaker {
            epoch: self.epoch,
            membership: group.membership.epoch,
        })
    }

    /// A group's membership.
    #[must_use]
    pub fn membership(&self, index: GroupIndex) -> Option<&Membership> {
        Some(&self.groups.get(&index)?.membership)
    }

    /// The groups.
    pub fn groups(&self) -> impl Iterator<Item = GroupIndex> {
        self.groups.keys().copied()
    }

    /// How far a copy is known to reach.
    #[must_use]
    pub fn reach_of(&self, index: GroupIndex, copy: u32) -> Lsn {
        let group = self.groups.get(&index);
        let reached = group.and_then(|group| group.reached.get(&copy));
        reached.copied().unwrap_or_default()
    }

    /// PGCL: how far a write quorum of the group reaches.
    #[must_use]
    pub fn quorum_has(&self, index: GroupIndex) -> Lsn {
        let group = self.groups.get(&index);
        group.map_or(Lsn(0), |group| group.complete)
    }

    /// How far every copy of the group reaches that counts.
    #[must_use]
    pub fn all_have(&self, index: GroupIndex) -> Lsn {
        let Some(group) = self.groups.get(&index) else {
            return Lsn(0);
        };
        let copies = group.membership.copies().into_iter();
        let reached = copies.map(|copy| group.reached.get(&copy).copied().unwrap_or_default());
        reached.min().unwrap_or_default()
    }

    /// Whether the group with the second of two sets alone would have everything: then the replaced copy may go.
    #[must_use]
    pub fn is_filled(&self, index: GroupIndex) -> bool {
        let Some(group) = self.groups.get(&index) else {
            return false;
        };
        let settled = group.membership.settled(true);
        settled.is_some_and(|settled| {
            let second = &settled.sets[0];
            // It must have been heard of even in a group without records: else it has promised nothing, and with some such copies
            // a writer that was replaced would have a quorum.
            let every = second
                .difference(&group.membership.sets[0])
                .all(|new| group.reached.get(new).is_some_and(|lsn| *lsn >= group.tail));
            // What counted before the change may be at the first set's write quorum alone, also above the tail.
            every && settled.reached_by_write_quorum(&group.reached) >= group.complete
        })
    }

    /// The last record, when it is no consistency point: a mark has to follow before VDL can pass it.
    #[must_use]
    pub fn open(&self) -> Option<Lsn> {
        self.open
    }

    fn recount(&mut self, index: GroupIndex) -> bool {
        let group = self
            .groups
            .get_mut(&index)
            .expect("the caller has the group");
        let quorum = group.membership.reached_by_write_quorum(&group.reached);
        group.complete = group.complete.max(quorum);
        let before = self.vdl;
        while let Some((lsn, of, is_point)) = self.incomplete.front().copied() {
            if self.groups[&of].complete < lsn {
                break;
            }
            self.incomplete.pop_front();
            self.vcl = lsn;
            self.between += 1;
            if is_point {
                self.vdl = lsn;
                self.between = 0;
            }
        }
        if self.vdl == before {
            return false;
        }
        let vdl = self.vdl;
        for group in self.groups.values_mut() {
            while let Some(lsn) = group.above_tail.front().filter(|lsn| **lsn <= vdl) {
                group.tail = *lsn;
                group.above_tail.pop_front();
            }
        }
        true
    }
}

/// The group that holds a page.
#[must_use]
pub fn group_of(page: PageId, pages_per_group: u64) -> GroupIndex {
    let index = page.0 / pages_per_group;
    GroupIndex(u32::try_from(index).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::history::Cut;
    use super::*;

    fn writer(groups: u32) -> Writer {
        let history = History::default().with(Cut {
            epoch: VolumeEpoch(1),
            at: Lsn(0),
            start: Lsn(1),
        });
        let group = RecoveredGroup {
            membership: Membership::first(),
            tail: Lsn(0),
            reached: BTreeMap::new(),
        };
        let groups = (0..groups).map(|i| (GroupIndex(i), group.clone()));
        Writer::recovered(history, 10, groups.collect())
    }

    fn all_reach(writer: &mut Writer, group: u32, copies: std::ops::Range<u32>, scl: u64) {
        for copy in copies {
            writer.reached(GroupIndex(group), copy, Lsn(scl));
        }
    }

    #[test]
    fn write_waits_for_the_fourth_copy() {
        let mut writer = writer(1);
        writer.allocate(PageId(0), true).unwrap();
        all_reach(&mut writer, 0, 0..3, 1);
        assert_eq!(writer.vdl(), Lsn(0));
        assert!(writer.reached(GroupIndex(0), 3, Lsn(1)));
        assert_eq!(writer.vdl(), Lsn(1));
    }

    #[test]
    fn a_writer_that_has_written_nothing_waits_for_nothing() {
        let history = History::default().with(Cut {
            epoch: VolumeEpoch(2),
            at: Lsn(7),
            start: Lsn(2_000_000),
        });
        let writer = Writer::recovered(history, 10, BTreeMap::new());
        assert_eq!((writer.last(), writer.vdl()), (Lsn(7), Lsn(7)));
        assert_eq!(writer.next(), Lsn(2_000_000));
    }

    #[test]
    fn vdl_stops_at_the_last_consistency_point_and_at_the_first_hole() {
        let mut writer = writer(2);
        writer.allocate(PageId(0), true).unwrap();
        writer.allocate(PageId(10), false).unwrap();
        writer.allocate(PageId(1), false).unwrap();
        writer.allocate(PageId(11), true).unwrap();
        all_reach(&mut writer, 0, 0..4, 3);
        assert_eq!((writer.vcl(), writer.vdl()), (Lsn(1), Lsn(1)));
        all_reach(&mut writer, 1, 2..6, 2);
        assert_eq!((writer.vcl(), writer.vdl()), (Lsn(3), Lsn(1)));
        all_reach(&mut writer, 1, 2..6, 4);
        assert_eq!((writer.vcl(), writer.vdl()), (Lsn(4), Lsn(4)));
        assert_eq!(writer.complete(GroupIndex(0)).tail, Lsn(3));
        assert_eq!(writer.complete(GroupIndex(1)).tail, Lsn(4));
    }

    #[test]
    fn a_doubled_group_needs_both_sets_and_settles_when_the_new_copy_is_filled() {
        let mut writer = writer(1);
        let group = GroupIndex(0);
        writer.allocate(PageId(0), true).unwrap();
        all_reach(&mut writer, 0, 0..4, 1);
        let both = Membership::first().doubled(5, 6).unwrap();
        writer.change_membership(group, both);
        writer.allocate(PageId(0), true).unwrap();
        // 0, 1, 2 and the suspect: four of the old set, three of the new one.
        all_reach(&mut writer, 0, 0..3, 2);
        writer.reached(group, 5, Lsn(2));
        assert_eq!(writer.vdl(), Lsn(1));
        assert!(!writer.is_filled(group));
        writer.reached(group, 6, Lsn(2));
        assert_eq!(writer.vdl(), Lsn(2));
        assert!(writer.is_filled(group));
    }

    #[test]
    fn a_replaced_copy_stays_until_the_others_have_what_counted_with_it() {
        let mut writer = writer(2);
        let group = GroupIndex(0);
        writer.allocate(PageId(10), true).unwrap();
        writer.allocate(PageId(0), true).unwrap();
        // The other group holds VDL back.
        all_reach(&mut writer, 0, 2..6, 2);
        assert_eq!(writer.vdl(), Lsn(0));
        writer.change_membership(group, Membership::first().doubled(5, 6).unwrap());
        assert!(!writer.is_filled(group));
        writer.reached(group, 6, Lsn(2));
        assert!(writer.is_filled(group));
    }

    #[test]
    fn an_empty_group_keeps_its_copy_until_the_other_one_is_heard_of() {
        let mut writer = writer(1);
        let group = GroupIndex(0);
        writer.change_membership(group, Membership::first().doubled(5, 6).unwrap());
        assert!(!writer.is_filled(group));
        writer.reached(group, 6, Lsn(0));
        assert!(writer.is_filled(group));
    }

    #[test]
    fn what_stands_above_vdl_is_limited_and_a_consistency_point_always_fits() {
        let mut writer = writer(1);
        while writer.allocate(PageId(0), false).is_ok() {}
        let last = writer.last();
        assert_eq!(last, Lsn(LSN_ALLOCATION_LIMIT - 1));
        all_reach(&mut writer, 0, 0..4, last.0);
        assert_eq!((writer.vcl(), writer.vdl()), (last, Lsn(0)));
        assert_eq!(writer.room(), 0);
        let refused = writer.allocate(PageId(0), false);
        assert_eq!(refused, Err(NoLsn::TooFarAhead));
        writer.allocate(PageId(0), true).unwrap();
        assert!(writer.allocate(PageId(0), true).is_err());
        all_reach(&mut writer, 0, 0..4, last.0 + 1);
        assert_eq!(writer.room(), LSN_ALLOCATION_LIMIT as usize - 1);
    }

    #[test]
    fn a_copy_that_comes_back_with_more_than_was_known_counts() {
        let mut writer = writer(1);
        writer.allocate(PageId(0), true).unwrap();
        all_reach(&mut writer, 0, 0..3, 1);
        writer.fell_back(GroupIndex(0), 3, Lsn(1));
        assert_eq!(writer.reach_of(GroupIndex(0), 3), Lsn(0));
        assert!(writer.reached(GroupIndex(0), 3, Lsn(1)));
    }

    #[test]
    fn page_of_a_group_without_segments_gets_no_lsn() {
        let mut writer = writer(1);
        let refused = writer.allocate(PageId(10), true);
        assert_eq!(refused, Err(NoLsn::NoGroup(GroupIndex(1))));
        writer.add_group(GroupIndex(1), Membership::first());
        assert!(writer.allocate(PageId(10), true).is_ok());
    }
}
