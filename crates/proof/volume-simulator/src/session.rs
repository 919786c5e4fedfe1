//! Drives a `Writer`: makes units of page changes, sends records until they are complete, takes answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use quorate_volume::protocol::{
    Adopt, Append, Change, GroupIndex, Lsn, MembershipEpoch, PageId, Record, Refusal, Span,
    VolumeEpoch, Writer,
};

use crate::checks::Breach;
use crate::message::{Body, Place, Reached};
use crate::stage::Stage;

/// Records that a writer lets wait for their copies.
const WAITING_MAX: usize = 80;
/// Records of one message when they are sent again.
const RESENT_MAX: usize = 12;
/// Units that a writer makes after the faults have ended.
const QUIET_UNITS: u32 = 3;
/// Copies of a group that may refuse before the writer takes itself for replaced.
const REFUSALS_MAX: usize = 2;

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) writer: Writer,
    pub(crate) is_fenced: bool,
    /// Records that may have to be sent again.
    buffer: BTreeMap<GroupIndex, VecDeque<Record>>,
    /// Whether they are kept until every copy has them; else gossip has to fill those that lag when VDL has passed.
    keeps: bool,
    /// How far each copy was sent records, and when something was last sent to it.
    sent: BTreeMap<Place, (Lsn, u64)>,
    boots: BTreeMap<Place, u64>,
    refused: BTreeSet<Place>,
    quiet_units: u32,
    /// Records that three copies of each group do not have yet, for a writer that acknowledges too early.
    early: VecDeque<(Lsn, GroupIndex, bool)>,
    early_reached: BTreeMap<Place, Lsn>,
}

impl Session {
    pub(crate) fn begin(writer: Writer, keeps: bool) -> Session {
        Session {
            writer,
            is_fenced: false,
            buffer: BTreeMap::new(),
            keeps,
            sent: BTreeMap::new(),
            boots: BTreeMap::new(),
            refused: BTreeSet::new(),
            quiet_units: 0,
            early: VecDeque::new(),
            early_reached: BTreeMap::new(),
        }
    }

    pub(crate) fn epoch(&self) -> VolumeEpoch {
        self.writer.epoch()
    }

    /// Whether all that it was to write after the faults is acknowledged.
    pub(crate) fn is_done(&self) -> bool {
        self.quiet_units >= QUIET_UNITS && self.writer.vdl() == self.writer.last()
    }

    /// Where it stands, for whoever wonders why nothing goes on.
    pub(crate) fn told(&self) -> String {
        let writer = &self.writer;
        let reach = |group, copy| format!(" {copy}: {}", writer.reach_of(group, copy));
        let group = |group| {
            let copies = writer.membership(group).into_iter();
            let copies = copies.flat_map(|membership| membership.copies());
            let reaches: String = copies.map(|copy| reach(group, copy)).collect();
            format!("group {group}{reaches}; ")
        };
        let groups: String = writer.groups().map(group).collect();
        format!(
            "epoch {}: VDL {} VCL {} last {}, {groups}",
            writer.epoch(),
            writer.vdl(),
            writer.vcl(),
            writer.last()
        )
    }

    pub(crate) fn tick(&mut self, stage: &mut Stage) {
        if stage.is_quiet || stage.chance.percent(60) {
            self.look_at_memberships(stage);
        }
        let waiting: usize = self.buffer.values().map(VecDeque::len).sum();
        let is_busy = waiting < WAITING_MAX && stage.chance.percent(40);
        if stage.is_quiet && self.quiet_units < QUIET_UNITS {
            self.quiet_units += 1;
            self.write_unit(stage, true);
        } else if !stage.is_quiet && is_busy {
            let ends = stage.chance.percent(80);
            self.write_unit(stage, ends);
        } else if self.writer.open().is_some() && (stage.is_quiet || stage.chance.percent(40)) {
            self.write(stage, PageId(0), Change::Mark, true);
        }
        let memberships: Vec<_> = self.writer.groups().collect();
        for group in memberships {
            self.send_group(group, stage);
        }
    }

    fn look_at_memberships(&mut self, stage: &mut Stage) {
        let is_last = self.epoch() == stage.catalog.epoch;
        for (group, membership) in stage.catalog.groups.clone() {
            if !self.writer.has_group(group) && (is_last || stage.rules.uses_groups_of_others) {
                self.writer.add_group(group, membership.clone());
            }
            if self.writer.change_membership(group, membership) {
                self.acknowledge(stage);
            }
        }
    }

    fn write_unit(&mut self, stage: &mut Stage, ends: bool) {
        let pages = stage.pages_per_group * self.writer.groups().count() as u64;
        // Some units go to the last group alone: that is where room was added.
        let first = if stage.chance.percent(25) {
            pages - stage.pages_per_group
        } else {
            0
        };
        let records = stage.chance.between(1, 5);
        for index in 1..=records {
            let page = PageId(stage.chance.between(first, pages - 1));
            let stamp = stage.counts.records + 1;
            let bytes = Bytes::copy_from_slice(&stamp.to_be_bytes()[4..]);
            let change = match stage.chance.below(12) {
                0 => Change::Discard,
                1 => Change::Image(bytes),
                2 => Change::Mark,
                of => Change::Spans(vec![Span {
                    offset: (of as u32 % 4) * 4,
                    bytes,
                }]),
            };
            self.write(stage, page, change, ends && index == records);
        }
    }

    fn write(&mut self, stage: &mut Stage, page: PageId, change: Change, point: bool) {
        let allocated = self.writer.allocate(page, point);
        let (group, header) = allocated.expect("every group has segments, and few records wait");
        let record = Record {
            header,
            page,
            change,
        };
        stage.counts.records += 1;
        if !stage.ledger.make(group, record.clone()) {
            stage.check(Err(Breach::Repeated(header.lsn)));
        }
        self.early.push_back((header.lsn, group, point));
        self.buffer.entry(group).or_default().push_back(record);
    }

    fn send_group(&mut self, group: GroupIndex, stage: &mut Stage) {
        let copies = self.writer.membership(group).map(|m| m.copies());
        let copies: Vec<u32> = copies.into_iter().flatten().collect();
        let reaches: Vec<Lsn> = copies
            .iter()
            .map(|copy| self.writer.reach_of(group, *copy))
            .collect();
        let fewest = reaches.iter().min().copied().unwrap_or_default();
        let vdl = self.writer.vdl();
        let settled = if self.keeps { vdl.min(fewest) } else { vdl };
        let buffer = self.buffer.entry(group).or_default();
        while buffer.front().is_some_and(|r| r.header.lsn <= settled)
            || (buffer.len() > WAITING_MAX && buffer.front().is_some_and(|r| r.header.lsn <= vdl))
        {
            buffer.pop_front();
        }
        for (copy, reach) in copies.into_iter().zip(reaches) {
            self.send_copy(Place { group, copy }, reach, stage);
        }
    }

    fn send_copy(&mut self, to: Place, reach: Lsn, stage: &mut Stage) {
        let (sent, when) = self.sent.get(&to).copied().unwrap_or_default();
        let Some(buffer) = self.buffer.get(&to.group) else {
            return;
        };
        let is_due = stage.now >= when + stage.chance.between(25, 60);
        let (after, most) = if is_due {
            (reach, RESENT_MAX)
        } else {
            (sent, usize::MAX)
        };
        let wanted = buffer.iter().filter(|r| r.header.lsn > after);
        let records: Vec<Record> = wanted.take(most).cloned().collect();
        let Some(speaker) = self.writer.speaker(to.group) else {
            return;
        };
        if records.is_empty() && !is_due {
            return;
        }
        let last = records.last().map_or(sent, |r| r.header.lsn);
        self.sent.insert(to, (last.max(sent), stage.now));
        let vdl = self.writer.vdl();
        let views = stage.views.values().min().copied();
        let message = Append {
            speaker,
            complete: self.writer.complete(to.group),
            records,
        };
        let body = Body::Append {
            to,
            message,
            read_point: views.map_or(vdl, |view| view.min(vdl)),
        };
        stage.send(to, body);
    }

    pub(crate) fn reached(&mut self, reached: Reached, stage: &mut Stage) {
        let Place { group, copy } = reached.from;
        if reached.speaker.epoch != self.epoch() {
            return;
        }
        match reached.result {
            Ok(scl) => self.took(reached, scl, stage),
            Err(Refusal::NotAdopted) => {
                let Some(speaker) = self.writer.speaker(group) else {
                    return;
                };
                let message = Adopt {
                    speaker,
                    history: self.writer.history().clone(),
                    tail: self.writer.complete(group).tail,
                };
                let to = Place { group, copy };
                stage.send(to, Body::Adopt { to, message });
            }
            Err(Refusal::Epoch(_)) => {
                self.refused.insert(reached.from);
                let of_group = self.refused.iter().filter(|place| place.group == group);
                self.is_fenced |= of_group.count() > REFUSALS_MAX;
            }
            Err(Refusal::Membership(_)) => self.look_at_memberships(stage),
        }
    }

    fn took(&mut self, reached: Reached, scl: Lsn, stage: &mut Stage) {
        let Place { group, copy } = reached.from;
        let known = self.boots.entry(reached.from).or_insert(reached.boot);
        if reached.boot < *known {
            return;
        }
        if reached.boot > *known {
            *known = reached.boot;
            self.writer.fell_back(group, copy, scl);
        }
        self.early_reached.insert(reached.from, scl);
        if self.writer.reached(group, copy, scl) && !stage.rules.acknowledges_at_three {
            self.acknowledge(stage);
        }
        if stage.rules.acknowledges_at_three {
            self.acknowledge_early(stage);
        }
    }

    fn acknowledge(&mut self, stage: &mut Stage) {
        stage.acknowledge(self.epoch(), self.writer.vdl());
    }

    fn acknowledge_early(&mut self, stage: &mut Stage) {
        while let Some((lsn, group, point)) = self.early.front().copied() {
            let have = self.early_reached.iter();
            let have = have.filter(|(place, scl)| place.group == group && **scl >= lsn);
            if have.count() < 3 {
                return;
            }
            self.early.pop_front();
            if point {
                stage.acknowledge(self.epoch(), lsn);
            }
        }
    }

    /// The membership that the writer goes by, when the group's replaced copy may go.
    pub(crate) fn lets_go(
        &self,
        group: GroupIndex,
        must_be_filled: bool,
    ) -> Option<MembershipEpoch> {
        let membership = self.writer.membership(group)?;
        let may_go = !must_be_filled || self.writer.is_filled(group);
        may_go.then_some(membership.epoch)
    }
}
