//! A cluster's automated backups: who archives the log, when a base is taken, what can be restored, what may go.
//!
//! A base is an automated snapshot; a moment can be restored when the chain of log that it lies in has a base before it.

use std::collections::BTreeSet;

use quorate_base::{NodeId, UnixMillis, daily_window_began};
use quorate_volume::protocol::Lsn;

use crate::aurora::model::{
    Attempt, ClusterBackup, ClusterSnapshot, LogChain, LogRun, SnapshotStatus,
};

/// Pause before another attempt after one that failed by itself, for each attempt that there was, up to three: what
/// segments keep for an archiver they keep for a minute.
pub const ARCHIVER_PAUSE_MS: u64 = 10_000;
const ARCHIVER_PAUSES_MAX: u32 = 3;
/// Pause before another base after one that failed.
pub const BASE_PAUSE_MS: u64 = 600_000;
/// A base is taken outside the window, too, when the newest one is older than this: the window was missed.
pub const BASE_AGE_MAX_MS: u64 = 25 * 3_600_000;
const DAY_MS: u64 = 24 * 3_600_000;

/// What is next about who archives the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiverDecision {
    /// All is as it should be, or something is waited for.
    Wait,
    /// The attempt is over; why.
    Over(String),
    /// This node makes this attempt.
    Begin {
        /// The node.
        node: NodeId,
        /// The attempt's number.
        number: u32,
    },
}

/// Decides who archives the log. `nodes` are those that could, the best first.
#[must_use]
pub fn decide_archiver(
    attempt: Option<&Attempt>,
    is_wanted: bool,
    nodes: &[NodeId],
    alive: &BTreeSet<NodeId>,
    now: UnixMillis,
) -> ArchiverDecision {
    if let Some(open) = attempt.filter(|attempt| attempt.is_open()) {
        return if !is_wanted {
            ArchiverDecision::Over(String::from("the log is not archived any more"))
        } else if alive.contains(&open.node) {
            ArchiverDecision::Wait
        } else {
            ArchiverDecision::Over(format!("node {} does not answer", open.node))
        };
    }
    let is_early = attempt.is_some_and(|last| {
        let pause_ms = ARCHIVER_PAUSE_MS * u64::from(last.number.min(ARCHIVER_PAUSES_MAX));
        alive.contains(&last.node) && now.millis_since(last.since) < pause_ms
    });
    let number = attempt.map_or(0, |last| last.number);
    let able: Vec<&NodeId> = nodes.iter().filter(|node| alive.contains(node)).collect();
    // Another one each time: what stands in the way of one node may not stand in the way of the next.
    match (number as usize).checked_rem(able.len()) {
        Some(turn) if is_wanted && !is_early => ArchiverDecision::Begin {
            node: able[turn].clone(),
            number: number.saturating_add(1),
        },
        _ => ArchiverDecision::Wait,
    }
}

/// An automated snapshot that is in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Its identifier.
    pub id: String,
    /// What its pages are as of.
    pub lsn: Lsn,
    /// By when that was complete.
    pub at: UnixMillis,
}

/// The bases among these snapshots, by their identifiers, of the cluster with this resource id.
#[must_use]
pub fn bases_of<'a>(
    snapshots: impl Iterator<Item = (&'a str, &'a ClusterSnapshot)>,
    resource_id: &str,
) -> Vec<Base> {
    let base = |(id, snapshot): (&str, &ClusterSnapshot)| {
        let is_own = snapshot.automated && snapshot.cluster_resource_id == resource_id;
        let image = snapshot.image.as_ref()?;
        (is_own && snapshot.status == SnapshotStatus::Available).then_some(Base {
            id: id.to_owned(),
            lsn: image.lsn?,
            at: image.complete_at?,
        })
    };
    snapshots.filter_map(base).collect()
}

/// Whether a base is to be taken. `newest` is when the newest automated snapshot was begun, and whether it failed.
#[must_use]
pub fn is_base_due(
    backup: &ClusterBackup,
    bases: &[Base],
    newest: Option<(UnixMillis, bool)>,
    window: &str,
    now: UnixMillis,
) -> bool {
    let Some(chain) = backup.open_chain() else {
        return false;
    };
    if let Some((began, true)) = newest
        && now.millis_since(began) < BASE_PAUSE_MS
    {
        return false;
    }
    // It may be above what is archived so far.
    let has_base = bases.iter().any(|base| base.lsn >= chain.after());
    let Some((began, is_failed)) = newest.filter(|_| has_base) else {
        return true;
    };
    let in_window =
        daily_window_began(window, now).is_some_and(|window| began < window || is_failed);
    in_window || now.millis_since(began) > BASE_AGE_MAX_MS
}

/// A stretch of time of which every moment can be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restorable {
    /// Its first moment.
    pub earliest: UnixMillis,
    /// Its last one.
    pub latest: UnixMillis,
}

/// What can be restored, oldest first.
#[must_use]
pub fn restorable(
    backup: &ClusterBackup,
    bases: &[Base],
    retention_days: u32,
    now: UnixMillis,
) -> Vec<Restorable> {
    let horizon = horizon(retention_days, now);
    let stretch = |chain: &LogChain| {
        let first = of_chain(chain, bases).map(|base| base.at).min()?;
        let earliest = first.max(horizon);
        (earliest <= chain.until).then_some(Restorable {
            earliest,
            latest: chain.until,
        })
    };
    backup.chains.iter().filter_map(stretch).collect()
}

fn horizon(retention_days: u32, now: UnixMillis) -> UnixMillis {
    UnixMillis(now.0.saturating_sub(u64::from(retention_days) * DAY_MS))
}

/// The bases that a chain of log goes on from.
fn of_chain<'a>(chain: &'a LogChain, bases: &'a [Base]) -> impl Iterator<Item = &'a Base> {
    let (from, to) = (chain.after(), chain.end());
    bases
        .iter()
        .filter(move |base| from <= base.lsn && base.lsn <= to)
}

/// What a restore to a moment is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestorePlan {
    /// The base's identifier.
    pub base: String,
    /// The log from there on, or from before it.
    pub runs: Vec<LogRun>,
    /// Protection groups that it may need.
    pub groups: u32,
}

/// Why a moment cannot be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unrestorable {
    /// There is no base with its log yet.
    Nothing,
    /// It lies before this, the first moment.
    TooEarly(UnixMillis),
    /// It lies after this, the last one.
    TooLate(UnixMillis),
    /// Log is missing between these two.
    Gap(UnixMillis, UnixMillis),
}

/// Chooses what a restore to a moment is made of.
///
/// # Errors
/// When that moment cannot be restored.
pub fn decide_restore(
    backup: &ClusterBackup,
    bases: &[Base],
    retention_days: u32,
    to: UnixMillis,
    now: UnixMillis,
) -> Result<RestorePlan, Unrestorable> {
    let stretches = restorable(backup, bases, retention_days, now);
    let (Some(first), Some(last)) = (stretches.first(), stretches.last()) else {
        return Err(Unrestorable::Nothing);
    };
    if to < first.earliest {
        return Err(Unrestorable::TooEarly(first.earliest));
    }
    if to > last.latest {
        return Err(Unrestorable::TooLate(last.latest));
    }
    let plan = |chain: &LogChain| {
        let before = of_chain(chain, bases).filter(|base| base.at <= to && to <= chain.until);
        let base = before.max_by_key(|base| (base.at, base.lsn))?;
        let needed = chain.runs.iter().filter(|run| run.end > base.lsn);
        Some(RestorePlan {
            base: base.id.clone(),
            runs: needed.cloned().collect(),
            groups: chain.groups,
        })
    };
    backup.chains.iter().rev().find_map(plan).ok_or_else(|| {
        let before = stretches.iter().rfind(|stretch| stretch.latest < to);
        let after = stretches.iter().find(|stretch| stretch.earliest > to);
        Unrestorable::Gap(
            before.unwrap_or(first).latest,
            after.unwrap_or(last).earliest,
        )
    })
}

/// What is not needed any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expired {
    /// Automated snapshots, by their identifiers.
    pub bases: Vec<String>,
    /// Folders of log.
    pub folders: BTreeSet<String>,
    /// The chains that are left.
    pub chains: Vec<LogChain>,
}

/// Decides what is too old; none when nothing is. The base before the first moment that is kept stays, with its log.
#[must_use]
pub fn decide_expiry(
    backup: &ClusterBackup,
    bases: &[Base],
    retention_days: u32,
    now: UnixMillis,
) -> Option<Expired> {
    let horizon = horizon(retention_days, now);
    let mut expired = Expired::default();
    let mut kept: BTreeSet<&str> = bases
        .iter()
        .filter(|base| base.at > horizon)
        .map(|base| base.id.as_str())
        .collect();
    for chain in &backup.chains {
        if chain.until > horizon {
            let before = of_chain(chain, bases).filter(|base| base.at <= horizon);
            let newest = before.max_by_key(|base| (base.at, base.lsn));
            kept.extend(newest.map(|base| base.id.as_str()));
        }
    }
    for chain in &backup.chains {
        let of_chain = of_chain(chain, bases).filter(|base| kept.contains(base.id.as_str()));
        let lowest = of_chain.map(|base| base.lsn).min();
        let is_open = chain.ended.is_none();
        let last = chain.runs.len().saturating_sub(1);
        let (stays, goes): (Vec<_>, Vec<_>) =
            chain.runs.iter().enumerate().partition(|(index, run)| {
                let is_last = is_open && *index == last;
                is_last || lowest.map_or(is_open, |lowest| run.end > lowest)
            });
        expired
            .folders
            .extend(goes.iter().map(|(_, run)| run.folder.clone()));
        if !stays.is_empty() {
            expired.chains.push(LogChain {
                runs: stays.into_iter().map(|(_, run)| run.clone()).collect(),
                ..chain.clone()
            });
        }
    }
    let goes = bases.iter().filter(|base| !kept.contains(base.id.as_str()));
    expired.bases = goes.map(|base| base.id.clone()).collect();
    (!expired.bases.is_empty() || !expired.folders.is_empty()).then_some(expired)
}

#[cfg(test)]
mod tests;
