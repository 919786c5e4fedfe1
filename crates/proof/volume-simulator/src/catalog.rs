//! The catalog: one register, read and changed at once. In production it is a Raft group.

use std::collections::BTreeMap;

use quorate_volume::protocol::{GroupIndex, Membership, MembershipEpoch, VolumeEpoch};

#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) epoch: VolumeEpoch,
    pub(crate) groups: BTreeMap<GroupIndex, Membership>,
    next_copy: u32,
}

impl Catalog {
    pub(crate) fn new(groups: u32) -> Catalog {
        let first = |index| (GroupIndex(index), Membership::first());
        Catalog {
            epoch: VolumeEpoch(0),
            groups: (0..groups).map(first).collect(),
            next_copy: 6,
        }
    }

    /// An epoch that nobody else was given, with the memberships at that moment.
    pub(crate) fn take_over(&mut self) -> (VolumeEpoch, BTreeMap<GroupIndex, Membership>) {
        self.epoch = self.epoch.next();
        (self.epoch, self.groups.clone())
    }

    /// The volume grows by a group.
    pub(crate) fn grow(&mut self) -> GroupIndex {
        let index = GroupIndex(self.groups.len() as u32);
        self.groups.insert(index, Membership::first());
        index
    }

    /// Puts a copy with a number of its own beside a suspect.
    pub(crate) fn double(&mut self, index: GroupIndex, suspect: u32) -> Option<u32> {
        let doubled = self.groups.get(&index)?.doubled(suspect, self.next_copy)?;
        self.groups.insert(index, doubled);
        self.next_copy += 1;
        Some(self.next_copy - 1)
    }

    /// The suspect goes. Only the writer of the last epoch may say so, of the membership that it has confirmed.
    pub(crate) fn keep_new(
        &mut self,
        index: GroupIndex,
        writer: VolumeEpoch,
        confirmed: MembershipEpoch,
    ) -> bool {
        let Some(group) = self.groups.get(&index) else {
            return false;
        };
        if writer != self.epoch || confirmed != group.epoch {
            return false;
        }
        let settled = group.settled(true);
        settled.is_some_and(|settled| self.groups.insert(index, settled).is_some())
    }

    /// The added copy goes: nothing rests on it.
    pub(crate) fn go_back(&mut self, index: GroupIndex) -> bool {
        let settled = self.groups.get(&index).and_then(|g| g.settled(false));
        settled.is_some_and(|settled| self.groups.insert(index, settled).is_some())
    }
}
