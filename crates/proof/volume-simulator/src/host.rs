//! A host: a process that opens the volume and writes it, until another one has taken over.

use quorate_volume::protocol::GroupIndex;

use crate::message::Body;
use crate::opener::Opener;
use crate::session::Session;
use crate::stage::Stage;

#[derive(Debug, Default)]
pub(crate) enum Role {
    #[default]
    Idle,
    Opening(Opener),
    Writing(Box<Session>),
}

#[derive(Debug, Default)]
pub(crate) struct Host {
    pub(crate) role: Role,
    /// The process stands still until then; what comes is handled afterwards.
    pub(crate) paused_until: u64,
}

impl Host {
    pub(crate) fn open(&mut self, stage: &mut Stage) {
        self.role = Role::Opening(Opener::begin(stage));
    }

    pub(crate) fn session(&self) -> Option<&Session> {
        match &self.role {
            Role::Writing(session) => Some(session),
            Role::Idle | Role::Opening(_) => None,
        }
    }

    /// Whether it holds the last epoch.
    pub(crate) fn is_last(&self, stage: &Stage) -> bool {
        let epoch = match &self.role {
            Role::Idle => return false,
            Role::Opening(opener) => opener.epoch,
            Role::Writing(session) => session.epoch(),
        };
        epoch == stage.catalog.epoch
    }

    pub(crate) fn tick(&mut self, stage: &mut Stage) {
        let is_last = self.is_last(stage);
        let hears = stage.is_quiet || stage.chance.percent(2);
        match &mut self.role {
            Role::Idle => {}
            Role::Opening(opener) => {
                if opener.has_failed(stage.now) {
                    if is_last || (!stage.is_quiet && stage.chance.percent(50)) {
                        self.open(stage);
                    } else {
                        self.role = Role::Idle;
                    }
                    return;
                }
                opener.ask(stage);
            }
            Role::Writing(session) => {
                if session.is_fenced || (!is_last && hears) {
                    stage.counts.fenced += 1;
                    let epoch = session.epoch();
                    stage.tell(|| format!("epoch {epoch} ends"));
                    self.role = Role::Idle;
                    return;
                }
                session.tick(stage);
            }
        }
    }

    /// True when it has become the writer with this message.
    pub(crate) fn handle(&mut self, body: Body, stage: &mut Stage) -> bool {
        match (&mut self.role, body) {
            (
                Role::Opening(opener),
                Body::Sealed {
                    from,
                    speaker,
                    result,
                },
            ) => opener.sealed(from, speaker, result, stage),
            (Role::Opening(opener), Body::Reached(reached)) => opener.reached(reached),
            (Role::Writing(session), Body::Reached(reached)) => {
                session.reached(reached, stage);
            }
            _ => {}
        }
        let Role::Opening(opener) = &self.role else {
            return false;
        };
        let Some(writer) = opener.finished(stage) else {
            return false;
        };
        let keeps = stage.chance.percent(50);
        self.role = Role::Writing(Box::new(Session::begin(writer, keeps)));
        true
    }

    /// Whether the writer of the last epoch lets the replaced copy of a group go.
    pub(crate) fn lets_go(&self, group: GroupIndex, stage: &mut Stage) -> bool {
        let filled = !stage.rules.settles_unfilled;
        let Some(session) = self.session() else {
            return false;
        };
        let membership = session.lets_go(group, filled);
        membership.is_some_and(|of| stage.catalog.keep_new(group, session.epoch(), of))
    }
}
