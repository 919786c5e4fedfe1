//! Drives an `Opening`: sends what it wants again and again, gives up after some time and begins anew.

use quorate_volume::protocol::{
    History, Opening, Refusal, Sealed, Speaker, VolumeEpoch, Wanted, Writer,
};

use crate::checks::{acknowledged_is_kept, line_is_kept, log_is_whole};
use crate::ledger::Acknowledged;
use crate::message::{Body, Place, Reached};
use crate::stage::Stage;

#[derive(Debug)]
pub(crate) struct Opener {
    pub(crate) epoch: VolumeEpoch,
    opening: Opening,
    gives_up: u64,
    is_decided: bool,
    /// Its epoch or its membership is not the last one any more.
    is_refused: bool,
}

impl Opener {
    pub(crate) fn begin(stage: &mut Stage) -> Opener {
        let (epoch, groups) = stage.catalog.take_over();
        stage.counts.openings += 1;
        stage.tell(|| format!("epoch {epoch} begins"));
        Opener {
            epoch,
            opening: Opening::begin(epoch, stage.pages_per_group, groups),
            gives_up: stage.now + stage.chance.between(200, 1000),
            is_decided: false,
            is_refused: false,
        }
    }

    pub(crate) fn has_failed(&self, now: u64) -> bool {
        self.is_refused || now >= self.gives_up
    }

    pub(crate) fn ask(&mut self, stage: &mut Stage) {
        for (group, copy, wanted) in self.opening.wanted() {
            if !stage.chance.percent(50) {
                continue;
            }
            let to = Place { group, copy };
            let body = match wanted {
                Wanted::Seal(speaker) => Body::Seal { to, speaker },
                Wanted::Adopt(message) => Body::Adopt { to, message },
            };
            stage.send(to, body);
        }
    }

    pub(crate) fn sealed(
        &mut self,
        from: Place,
        speaker: Speaker,
        result: Result<Sealed, Refusal>,
        stage: &mut Stage,
    ) {
        if speaker.epoch != self.epoch {
            return;
        }
        match result {
            Ok(sealed) => self.opening.sealed(from.group, from.copy, sealed),
            Err(_) => self.is_refused = true,
        }
        if !self.is_decided {
            self.look_whether_decided(stage);
        }
    }

    fn look_whether_decided(&mut self, stage: &mut Stage) {
        let wanted = self.opening.wanted();
        let decided = wanted.into_iter().find_map(|(_, _, wanted)| match wanted {
            Wanted::Adopt(adopt) => Some(adopt.history),
            Wanted::Seal(_) => None,
        });
        let Some(history) = decided else { return };
        self.is_decided = true;
        stage.counts.decided += 1;
        stage.tell(|| format!("epoch {} decides {:?}", self.epoch, history.cuts()));
        for (epoch, lsn) in stage.ledger.acknowledged.clone() {
            let acknowledged = Acknowledged { epoch, lsn };
            let checked = acknowledged_is_kept(acknowledged, [(&self.epoch, &history)]);
            stage.check(checked);
        }
        stage.ledger.decided.insert(self.epoch, history);
        if stage.rules.writes_before_adoption {
            for (group, copy, wanted) in self.opening.wanted() {
                if let Wanted::Adopt(adopt) = wanted {
                    self.opening.adopted(group, copy, adopt.tail);
                }
            }
        }
    }

    pub(crate) fn reached(&mut self, reached: Reached) {
        if reached.speaker.epoch != self.epoch {
            return;
        }
        match reached.result {
            Ok(scl) => {
                let Place { group, copy } = reached.from;
                self.opening.adopted(group, copy, scl);
            }
            Err(_) => self.is_refused = true,
        }
    }

    /// The writer, when the recovery is finished.
    pub(crate) fn finished(&self, stage: &mut Stage) -> Option<Writer> {
        let writer = self.opening.finished()?;
        let history = writer.history().clone();
        stage.counts.recoveries += 1;
        stage.tell(|| format!("epoch {} writes from {}", self.epoch, writer.last().next()));
        // An older opening may be finished late, when everything that it has to know has been answered already.
        let before = stage.ledger.finished.range(..self.epoch).next_back();
        let before = before.map_or_else(History::default, |(_, history)| history.clone());
        let checked = line_is_kept(&before, &history);
        stage.check(checked);
        let after = stage.ledger.finished.range(self.epoch..).next();
        let checked = after.map_or(Ok(()), |(_, after)| line_is_kept(&history, after));
        stage.check(checked);
        let checked = log_is_whole(&history, &stage.ledger.made);
        stage.check(checked);
        stage.ledger.finished.insert(self.epoch, history);
        Some(writer)
    }
}
