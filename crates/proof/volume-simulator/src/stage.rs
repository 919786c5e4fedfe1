//! What everybody in a world sees or writes to: time, chance, the catalog, the ledger, the outbox.

use std::collections::{BTreeMap, BTreeSet};

use quorate_volume::protocol::{GroupIndex, Lsn, VolumeEpoch};

use crate::catalog::Catalog;
use crate::chance::Chance;
use crate::checks::{Breach, acknowledged_is_kept};
use crate::ledger::{Acknowledged, Ledger};
use crate::message::{Body, Endpoint, Place};
use crate::rules::Rules;

/// What a run came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Recoveries that were begun.
    pub openings: u64,
    /// Those that sealed a write quorum and decided.
    pub decided: u64,
    /// Those that were finished.
    pub recoveries: u64,
    /// Node crashes.
    pub crashes: u64,
    /// Copies that lost synced records, or their state.
    pub damaged: u64,
    /// Copies that were lost with their disk.
    pub lost: u64,
    /// Groups that were given a second set.
    pub doubled: u64,
    /// Replacements that were kept.
    pub replaced: u64,
    /// Replacements that were taken back.
    pub taken_back: u64,
    /// Records made.
    pub records: u64,
    /// Rises of VDL.
    pub acknowledgements: u64,
    /// Records that a copy dropped because a recovery had cut them off.
    pub voided: u64,
    /// Copies whose pages took the place of records.
    pub coalesced: u64,
    /// Answers of peers that brought pages beside records.
    pub copied: u64,
    /// Pages read and checked.
    pub reads: u64,
    /// Views opened from three copies, without a writer.
    pub found_views: u64,
    /// Writers that learned that another one has taken over.
    pub fenced: u64,
    /// Messages.
    pub messages: u64,
}

impl Counts {
    /// Adds another run's.
    pub fn add(&mut self, other: &Counts) {
        self.openings += other.openings;
        self.decided += other.decided;
        self.recoveries += other.recoveries;
        self.crashes += other.crashes;
        self.damaged += other.damaged;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.replaced += other.replaced;
        self.taken_back += other.taken_back;
        self.records += other.records;
        self.acknowledgements += other.acknowledgements;
        self.voided += other.voided;
        self.coalesced += other.coalesced;
        self.copied += other.copied;
        self.reads += other.reads;
        self.found_views += other.found_views;
        self.fenced += other.fenced;
        self.messages += other.messages;
    }
}

/// What a copy lost that it had acknowledged, until it has it again.
#[derive(Debug, Clone)]
pub(crate) struct Damage {
    pub(crate) records: Vec<(Lsn, VolumeEpoch)>,
    pub(crate) promised: VolumeEpoch,
    pub(crate) history: VolumeEpoch,
}

#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) now: u64,
    pub(crate) chance: Chance,
    pub(crate) rules: Rules,
    pub(crate) groups: u32,
    pub(crate) pages_per_group: u64,
    pub(crate) catalog: Catalog,
    pub(crate) ledger: Ledger,
    pub(crate) places: BTreeMap<Place, Endpoint>,
    pub(crate) damaged: BTreeMap<Place, Damage>,
    pub(crate) lost: BTreeSet<Place>,
    /// Where views stand that a writer knows of.
    pub(crate) views: BTreeMap<u64, Lsn>,
    /// Faults have ended.
    pub(crate) is_quiet: bool,
    pub(crate) counts: Counts,
    pub(crate) out: Vec<(Endpoint, Body)>,
    pub(crate) breaches: Vec<Breach>,
    pub(crate) story: Option<Vec<String>>,
}

impl Stage {
    pub(crate) fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(format!("{:>6} {}", self.now, what()));
        }
    }

    pub(crate) fn check(&mut self, checked: Result<(), Breach>) {
        if let Err(breach) = checked {
            self.tell(|| format!("BREACH {breach:?}"));
            self.breaches.push(breach);
        }
    }

    pub(crate) fn send(&mut self, place: Place, body: Body) {
        if let Some(at) = self.places.get(&place) {
            self.out.push((*at, body));
        }
    }

    /// A writer has told its client that everything up to `lsn` is kept.
    pub(crate) fn acknowledge(&mut self, epoch: VolumeEpoch, lsn: Lsn) {
        self.counts.acknowledgements += 1;
        let before = self.ledger.acknowledged.insert(epoch, lsn);
        if let Some(from) = before.filter(|before| *before > lsn) {
            let fell = Breach::Fell {
                writer: epoch,
                from,
                to: lsn,
            };
            self.check(Err(fell));
        }
        let acknowledged = Acknowledged { epoch, lsn };
        let checked = acknowledged_is_kept(acknowledged, &self.ledger.decided);
        self.check(checked);
    }

    pub(crate) fn group_indices(&self) -> impl Iterator<Item = GroupIndex> + use<> {
        (0..self.groups).map(GroupIndex)
    }

    /// Copies that the catalog counts and that are not lost.
    pub(crate) fn members(&self, group: GroupIndex) -> Vec<Place> {
        let copies = self.catalog.groups.get(&group).map(|m| m.copies());
        let places = copies.into_iter().flatten();
        places
            .map(|copy| Place { group, copy })
            .filter(|place| !self.lost.contains(place))
            .collect()
    }
}
