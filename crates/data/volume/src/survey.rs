//! Finds out what a volume has where nobody can open it: three segments of each group say so together.
//!
//! Each acknowledged record is on four copies of six, so any three have it. What they know to be complete may be old: nobody
//! has told them anything since the writer ended. So they tell what they have, as in a recovery, but without a promise.

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use crate::calls::{SURVEY, SealAnswer, SurveyOf};
use crate::finder::{CALL_TIMEOUT, Finder, MORE_ANSWERS};
use crate::protocol::{Found, GroupIndex, Lsn, READ_QUORUM, Sealed, find};

/// What segments of each group's present set have.
type Answers = BTreeMap<GroupIndex, Vec<Sealed>>;

impl Finder {
    /// All that was acknowledged, and what else three segments of each group have together. None when they do not answer, or
    /// somebody completed something meanwhile.
    ///
    /// All answers have to be of segments that were asked when the highest VDL among them was complete already (see
    /// [`find`]): so they are asked twice.
    pub(crate) async fn survey(&self) -> Option<Found> {
        let known = highest_vdl(&self.ask().await?);
        let answers = self.ask().await?;
        if highest_vdl(&answers) > known {
            return None;
        }
        let of_group = |(group, told): (&GroupIndex, &Vec<Sealed>)| (*group, told.len());
        tracing::debug!(answers = ?answers.iter().map(of_group).collect::<Vec<_>>(), "a volume was surveyed");
        let told = answers.iter();
        let told = told.map(|(group, told)| (*group, told.iter().collect()));
        Some(find(&told.collect()))
    }

    /// One round of questions: a read quorum of each group, and whoever answers soon after.
    async fn ask(&self) -> Option<Answers> {
        let mut asked = JoinSet::new();
        for (index, group) in &self.layout.groups {
            for copy in group.membership.sets.first()? {
                let Some(place) = group.places.get(copy).cloned() else {
                    continue;
                };
                let (caller, group) = (self.caller.clone(), *index);
                let question = SurveyOf {
                    segment: self.segment(group, *copy),
                    membership: self.layout.groups[index].membership.epoch,
                };
                asked.spawn(async move {
                    let call =
                        caller.call(&place.node, place.address, SURVEY, &question, CALL_TIMEOUT);
                    let answer: SealAnswer = call.await.ok()?;
                    Some((group, answer.ok()?))
                });
            }
        }
        let mut answers = Answers::new();
        loop {
            let is_enough = |group| answers.get(group).is_some_and(|a| a.len() >= READ_QUORUM);
            let next = asked.join_next();
            let answer = if self.layout.groups.keys().all(is_enough) {
                let in_time = tokio::time::timeout(MORE_ANSWERS, next).await;
                match in_time.ok().flatten() {
                    Some(answer) => answer,
                    None => return Some(answers),
                }
            } else {
                next.await?
            };
            if let Some((group, told)) = answer.ok().flatten() {
                answers.entry(group).or_default().push(told);
            }
        }
    }
}

fn highest_vdl(answers: &Answers) -> Lsn {
    let vdls = answers.values().flatten().map(|told| told.complete.vdl);
    vdls.max().unwrap_or_default()
}
