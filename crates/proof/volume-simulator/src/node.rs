//! A node: copies of groups, one log for all of them, and the rule that an answer leaves only when all that was handed to
//! the log before is synced.

use std::collections::{BTreeMap, VecDeque};

use quorate_volume::protocol::{Append, Lsn, Speaker, VolumeEpoch};

use crate::chance::Chance;
use crate::disk::{Disk, Entry};
use crate::live::Live;
use crate::message::{Body, Endpoint, Place, Reached};
use crate::rules::Rules;

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) zone: usize,
    pub(crate) up: bool,
    /// How often it has started.
    pub(crate) boot: u64,
    pub(crate) sync_ms: u64,
    pub(crate) disks: BTreeMap<Place, Disk>,
    pub(crate) copies: BTreeMap<Place, Live>,
    /// The highest promise of each copy that has left the node.
    pub(crate) promised: BTreeMap<Place, VolumeEpoch>,
    /// Handed to the log and not synced.
    log: VecDeque<(Place, Entry)>,
    handed: u64,
    synced: u64,
    is_syncing: bool,
    /// Answers, each with how much of the log has to be synced first.
    waiting: VecDeque<(u64, Endpoint, Body)>,
}

/// Messages on their way out.
pub(crate) type Out = Vec<(Endpoint, Body)>;

impl Node {
    pub(crate) fn new(zone: usize, sync_ms: u64) -> Node {
        Node {
            zone,
            up: true,
            boot: 1,
            sync_ms,
            disks: BTreeMap::new(),
            copies: BTreeMap::new(),
            promised: BTreeMap::new(),
            log: VecDeque::new(),
            handed: 0,
            synced: 0,
            is_syncing: false,
            waiting: VecDeque::new(),
        }
    }

    pub(crate) fn place(&mut self, place: Place) {
        let disk = Disk::default();
        if self.up {
            self.copies.insert(place, Live::start(disk.content()));
        }
        self.disks.insert(place, disk);
    }

    pub(crate) fn remove(&mut self, place: Place) {
        self.copies.remove(&place);
        self.disks.remove(&place);
        self.promised.remove(&place);
    }

    /// A message for one of the copies. Says which one it was for, and how many records became void.
    pub(crate) fn handle(
        &mut self,
        from: Endpoint,
        body: Body,
        pull_records_max: usize,
        rules: Rules,
        out: &mut Out,
    ) -> Option<(Place, usize)> {
        let place = match &body {
            Body::Append { to, .. }
            | Body::Adopt { to, .. }
            | Body::Seal { to, .. }
            | Body::Pull { to, .. }
            | Body::Pulled { to, .. }
            | Body::Look { to, .. }
            | Body::Read { to, .. } => *to,
            _ => return None,
        };
        let boot = self.boot;
        let copy = self.copies.get_mut(&place)?;
        let before = copy.records.len();
        let (entries, answer) = respond(copy, place, boot, body, pull_records_max, rules);
        let added = entries.iter().filter(|e| matches!(e, Entry::Record(_)));
        let voided = (before + added.count()).saturating_sub(copy.records.len());
        let voided = if entries.iter().any(|e| matches!(e, Entry::Pages { .. })) {
            0
        } else {
            voided
        };
        self.hand(place, entries);
        if let Some(answer) = answer {
            self.leave(from, answer, rules, out);
        }
        Some((place, voided))
    }

    pub(crate) fn hand(&mut self, place: Place, entries: Vec<Entry>) {
        self.handed += entries.len() as u64;
        self.log
            .extend(entries.into_iter().map(|entry| (place, entry)));
    }

    fn leave(&mut self, to: Endpoint, answer: Body, rules: Rules, out: &mut Out) {
        if rules.answers_before_sync || self.handed == self.synced {
            self.let_out(to, answer, out);
        } else {
            self.waiting.push_back((self.handed, to, answer));
        }
    }

    fn let_out(&mut self, to: Endpoint, answer: Body, out: &mut Out) {
        if let Body::Sealed {
            from,
            speaker,
            result: Ok(_),
        } = &answer
        {
            let promised = self.promised.entry(*from).or_default();
            *promised = speaker.epoch.max(*promised);
        }
        out.push((to, answer));
    }

    /// Starts a sync when one is needed: how long it takes, and how far it goes.
    pub(crate) fn begin_sync(&mut self) -> Option<(u64, u64)> {
        if !self.up || self.is_syncing || self.handed == self.synced {
            return None;
        }
        self.is_syncing = true;
        Some((self.sync_ms, self.handed))
    }

    pub(crate) fn end_sync(&mut self, up_to: u64, out: &mut Out) {
        self.is_syncing = false;
        while self.synced < up_to {
            let Some((place, entry)) = self.log.pop_front() else {
                break;
            };
            self.synced += 1;
            if let Some(disk) = self.disks.get_mut(&place) {
                disk.synced(entry);
            }
        }
        while self
            .waiting
            .front()
            .is_some_and(|(need, ..)| *need <= up_to)
        {
            if let Some((_, to, answer)) = self.waiting.pop_front() {
                self.let_out(to, answer, out);
            }
        }
    }

    /// Stops it. Some of what was not synced is on the disk all the same, in its order.
    pub(crate) fn crash(&mut self, chance: &mut Chance) {
        let kept = chance.below(self.log.len() + 1);
        for (place, entry) in self.log.drain(..).take(kept) {
            if let Some(disk) = self.disks.get_mut(&place) {
                disk.synced(entry);
            }
        }
        self.synced = self.handed;
        self.is_syncing = false;
        self.waiting.clear();
        self.copies.clear();
        self.up = false;
    }

    pub(crate) fn restart(&mut self) {
        self.up = true;
        self.boot += 1;
        let found = self.disks.iter();
        self.copies = found
            .map(|(place, disk)| (*place, Live::start(disk.content())))
            .collect();
    }

    /// Makes pages of records that nobody needs one by one.
    pub(crate) fn coalesce(&mut self, place: Place, rules: Rules) -> bool {
        let entry = self.copies.get_mut(&place).and_then(|c| c.coalesce(rules));
        let is_some = entry.is_some();
        self.hand(place, entry.into_iter().collect());
        is_some
    }
}

/// What the copy does with a message: what is to be synced, and the answer.
fn respond(
    copy: &mut Live,
    place: Place,
    boot: u64,
    body: Body,
    pull_records_max: usize,
    rules: Rules,
) -> (Vec<Entry>, Option<Body>) {
    let reached = |speaker: Speaker, result| {
        Body::Reached(Reached {
            from: place,
            speaker,
            boot,
            result,
        })
    };
    match body {
        Body::Append {
            message,
            read_point,
            ..
        } => append(copy, &message, read_point, rules, reached),
        Body::Adopt { message, .. } => match copy.segment.adopt(&message) {
            Ok(stored) => {
                let entries = copy.store(&stored, &[], rules);
                let answer = reached(message.speaker, Ok(copy.segment.scl()));
                (entries, Some(answer))
            }
            Err(refusal) => (Vec::new(), Some(reached(message.speaker, Err(refusal)))),
        },
        Body::Seal { speaker, .. } => {
            let from = place;
            let (entries, result) = match copy.segment.seal(speaker) {
                Ok((sealed, stored)) => (copy.store(&stored, &[], rules), Ok(sealed)),
                Err(refusal) => (Vec::new(), Err(refusal)),
            };
            let answer = Body::Sealed {
                from,
                speaker,
                result,
            };
            (entries, Some(answer))
        }
        Body::Pull {
            asker, boot, pull, ..
        } => {
            let followers = copy.followers(pull, pull_records_max);
            let answer = Body::Pulled {
                to: asker,
                boot,
                followers,
            };
            (Vec::new(), Some(answer))
        }
        // An answer ends with the process that asked for it.
        Body::Pulled {
            boot: of,
            followers,
            ..
        } if of == boot => (copy.pulled(followers, rules), None),
        Body::Look { view, .. } => {
            let told = copy.tell().map(|sealed| Body::Looked {
                from: place,
                view,
                sealed,
            });
            (Vec::new(), told)
        }
        Body::Read { read, .. } => {
            let page = copy.read(&read, rules);
            (Vec::new(), Some(Body::ReadPage { read, page }))
        }
        _ => (Vec::new(), None),
    }
}

fn append(
    copy: &mut Live,
    message: &Append,
    read_point: Lsn,
    rules: Rules,
    reached: impl Fn(Speaker, Result<Lsn, quorate_volume::protocol::Refusal>) -> Body,
) -> (Vec<Entry>, Option<Body>) {
    match copy.segment.append(message) {
        Ok(stored) => {
            let entries = copy.store(&stored, &message.records, rules);
            copy.read_point = copy.read_point.max(read_point);
            let answer = reached(message.speaker, Ok(copy.segment.scl()));
            (entries, Some(answer))
        }
        Err(refusal) => (Vec::new(), Some(reached(message.speaker, Err(refusal)))),
    }
}
