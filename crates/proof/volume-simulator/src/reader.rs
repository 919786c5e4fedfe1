//! A reader: opens a view, from a writer or from three copies of each group, holds it for some time and reads pages of it.

use std::collections::BTreeMap;

use quorate_volume::protocol::{
    GroupIndex, History, Lsn, Membership, PageId, Sealed, Writer, find, group_of,
};

use crate::checks::{Breach, page_is_right};
use crate::message::{Body, Page, Place, Read};
use crate::stage::Stage;

#[derive(Debug)]
struct Look {
    memberships: BTreeMap<GroupIndex, Membership>,
    answers: BTreeMap<GroupIndex, BTreeMap<u32, Sealed>>,
    /// What was acknowledged before: the view has to show it.
    acknowledged: Lsn,
    /// How many copies were damaged until then; nothing when one of them still is: three copies may then miss what four had.
    damaged: Option<u64>,
    gives_up: u64,
    /// The highest VDL that the round before was told of.
    known: Option<Lsn>,
}

#[derive(Debug)]
struct View {
    at: Lsn,
    history: History,
    tails: BTreeMap<GroupIndex, Lsn>,
    of_writer: bool,
    /// Whether what it shows is promised.
    is_sure: bool,
    ends: u64,
}

#[derive(Debug, Default)]
enum Role {
    #[default]
    Idle,
    Looking(Look),
    Viewing(View),
}

#[derive(Debug, Default)]
pub(crate) struct Reader {
    role: Role,
    /// The number of its view; answers to others are not heard.
    view: u64,
}

impl Reader {
    /// `number` is one that no view has.
    pub(crate) fn tick(&mut self, number: u64, writer: Option<&Writer>, stage: &mut Stage) {
        match &self.role {
            Role::Idle if stage.is_quiet || stage.chance.percent(30) => {
                self.view = number;
                match writer.filter(|_| stage.chance.percent(60)) {
                    Some(writer) => self.view_of(writer, stage),
                    None => self.look(stage),
                }
            }
            Role::Idle => {}
            Role::Looking(look) if stage.now >= look.gives_up => self.role = Role::Idle,
            Role::Looking(_) => {}
            Role::Viewing(view) if stage.now >= view.ends => self.end(stage),
            Role::Viewing(_) => self.ask(stage),
        }
    }

    fn end(&mut self, stage: &mut Stage) {
        stage.views.remove(&self.view);
        self.role = Role::Idle;
    }

    fn view_of(&mut self, writer: &Writer, stage: &mut Stage) {
        let tails = writer.groups().map(|g| (g, writer.complete(g).tail));
        stage.views.insert(self.view, writer.vdl());
        self.role = Role::Viewing(View {
            at: writer.vdl(),
            history: writer.history().clone(),
            tails: tails.collect(),
            of_writer: true,
            is_sure: true,
            ends: stage.now + stage.chance.between(20, 300),
        });
    }

    fn look(&mut self, stage: &mut Stage) {
        let memberships = stage.catalog.groups.clone();
        ask_all(self.view, &memberships, stage);
        let is_sound = stage.damaged.is_empty();
        self.role = Role::Looking(Look {
            memberships,
            answers: BTreeMap::new(),
            acknowledged: stage.ledger.acknowledged_max(),
            damaged: is_sound.then_some(stage.counts.damaged),
            gives_up: stage.now + 60,
            known: None,
        });
    }

    fn ask(&self, stage: &mut Stage) {
        let Role::Viewing(view) = &self.role else {
            return;
        };
        let pages = stage.pages_per_group * view.tails.len() as u64;
        let page = PageId(stage.chance.between(0, pages - 1));
        let group = group_of(page, stage.pages_per_group);
        let places = stage.members(group);
        let Some(to) = stage.chance.pick(&places) else {
            return;
        };
        let read = Read {
            view: self.view,
            page,
            need: view.tails.get(&group).copied().unwrap_or_default(),
            at: view.at,
            epoch: view.history.epoch(),
        };
        stage.send(to, Body::Read { to, read });
    }

    pub(crate) fn handle(&mut self, body: Body, stage: &mut Stage) {
        match body {
            Body::Looked { from, view, sealed } if view == self.view => {
                self.looked(from, sealed, stage);
            }
            Body::ReadPage { read, page } if read.view == self.view => {
                self.read(&read, page, stage);
            }
            _ => {}
        }
    }

    fn looked(&mut self, from: Place, sealed: Sealed, stage: &mut Stage) {
        let Role::Looking(look) = &mut self.role else {
            return;
        };
        let group = look.answers.entry(from.group).or_default();
        group.insert(from.copy, sealed);
        let is_quorum = look.memberships.iter().all(|(group, membership)| {
            let answers = look.answers.get(group);
            let copies = answers.into_iter().flatten().map(|(copy, _)| *copy);
            membership.is_read_quorum(&copies.collect())
        });
        if !is_quorum {
            return;
        }
        // Copies of a membership that has gone may have missed what was written since.
        if look.memberships != stage.catalog.groups {
            self.role = Role::Idle;
            return;
        }
        // A group that answered early may lack what another one was told of later. Who is asked once that is known to be
        // complete has it.
        let told = look.answers.values().flat_map(BTreeMap::values);
        let known = told.map(|sealed| sealed.complete.vdl).max();
        if look.known != known && !stage.rules.looks_once {
            look.known = known;
            look.answers.clear();
            self.view += 1;
            ask_all(self.view, &look.memberships, stage);
            return;
        }
        let answers = look.answers.iter();
        let answers = answers.map(|(group, of)| (*group, of.values().collect()));
        let found = find(&answers.collect());
        let was_sound = look.damaged == Some(stage.counts.damaged);
        let acknowledged = look.acknowledged;
        if was_sound && found.vdl < acknowledged {
            let view = found.vdl;
            stage.check(Err(Breach::ViewBehind { acknowledged, view }));
        }
        stage.counts.found_views += 1;
        self.role = Role::Viewing(View {
            at: found.vdl,
            history: found.history,
            tails: found.tails,
            of_writer: false,
            is_sure: was_sound,
            ends: stage.now + stage.chance.between(20, 300),
        });
    }

    fn read(&mut self, read: &Read, page: Page, stage: &mut Stage) {
        let Role::Viewing(view) = &self.role else {
            return;
        };
        match page {
            Page::Value(_) if !view.is_sure => {}
            Page::Value(value) => {
                stage.counts.reads += 1;
                let (history, at) = (view.history.clone(), view.at);
                let checked = page_is_right(&stage.ledger, read.page, &history, at, &value);
                stage.check(checked);
            }
            Page::Overruled if view.of_writer => {
                let told = format!("the view of {} at {} is overruled", read.epoch, read.at);
                stage.check(Err(Breach::Overruled(told)));
            }
            Page::Overruled | Page::TooOld => self.end(stage),
            Page::Behind => {}
        }
    }
}

/// Asks every copy how far it is.
fn ask_all(view: u64, memberships: &BTreeMap<GroupIndex, Membership>, stage: &mut Stage) {
    for (group, membership) in memberships {
        for copy in membership.copies() {
            let to = Place {
                group: *group,
                copy,
            };
            stage.send(to, Body::Look { to, view });
        }
    }
}
