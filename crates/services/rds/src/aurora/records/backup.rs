//! The changes of a cluster's backup that its archiver makes.

use quorate_base::{NodeId, UnixMillis};
use quorate_volume::protocol::Lsn;

use crate::aurora::model::{Attempt, ClusterBackup, LogChain, LogRun, RunOf};
use crate::aurora::records::transfer::open_attempt;

/// A file of the log that was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedFile {
    /// Where it lies.
    pub folder: String,
    /// Its number there.
    pub number: u64,
    /// It has what follows this LSN.
    pub after: Lsn,
    /// Up to this one.
    pub end: Lsn,
    /// All that was acknowledged before this lies at or below `end`.
    pub until: UnixMillis,
    /// The volume's protection groups.
    pub groups: u32,
}

impl ArchivedFile {
    fn begins(&self) -> LogRun {
        LogRun {
            folder: self.folder.clone(),
            after: self.after,
            end: self.end,
            files: 1,
        }
    }
}

/// A backup whose archiver was changed by the node that is at it. None when another one is, or nothing changes.
#[must_use]
pub fn archiver_attempt(
    backup: &ClusterBackup,
    node: &NodeId,
    change: impl Fn(&Attempt) -> Option<Attempt>,
) -> Option<ClusterBackup> {
    let attempt = open_attempt(backup.archiver.as_ref(), node)?;
    Some(ClusterBackup {
        archiver: Some(change(attempt)?),
        ..backup.clone()
    })
}

/// A chain begins with this file. None when the run was overruled, or a chain goes on already.
#[must_use]
pub fn log_begun(
    backup: &ClusterBackup,
    run: RunOf,
    file: &ArchivedFile,
    now: UnixMillis,
) -> Option<ClusterBackup> {
    if !is_of(backup, run) || backup.open_chain().is_some() {
        return None;
    }
    let mut record = backup.clone();
    record.chains.push(LogChain {
        since: now,
        until: file.until,
        groups: file.groups,
        runs: vec![file.begins()],
        ended: None,
    });
    Some(record)
}

/// The next file of the chain that goes on. None when the run was overruled, or the file does not follow.
#[must_use]
pub fn log_archived(
    backup: &ClusterBackup,
    run: RunOf,
    file: &ArchivedFile,
) -> Option<ClusterBackup> {
    let mut record = backup.clone();
    let chain = open_chain(&mut record, run)?;
    let last = chain.runs.last_mut()?;
    if last.end != file.after || file.end < file.after {
        return None;
    }
    match last.folder == file.folder {
        true if last.files == file.number => {
            last.files += 1;
            last.end = file.end;
        }
        false if file.number == 0 => chain.runs.push(file.begins()),
        _ => return None,
    }
    chain.until = chain.until.max(file.until);
    chain.groups = chain.groups.max(file.groups);
    Some(record)
}

/// Nothing was written before this moment that is not archived. None when the run was overruled.
#[must_use]
pub fn log_idle(backup: &ClusterBackup, run: RunOf, until: UnixMillis) -> Option<ClusterBackup> {
    let mut record = backup.clone();
    let chain = open_chain(&mut record, run)?;
    chain.until = chain.until.max(until);
    Some(record)
}

/// The chain goes no further: what follows cannot be had any more. None when the run was overruled.
#[must_use]
pub fn log_ended(backup: &ClusterBackup, run: RunOf, why: &str) -> Option<ClusterBackup> {
    let mut record = backup.clone();
    open_chain(&mut record, run)?.ended = Some(why.to_owned());
    Some(record)
}

fn is_of(backup: &ClusterBackup, run: RunOf) -> bool {
    backup.archiver.as_ref().is_some_and(|a| a.is_of(run))
}

fn open_chain(backup: &mut ClusterBackup, run: RunOf) -> Option<&mut LogChain> {
    let is_own = is_of(backup, run);
    let last = backup.chains.last_mut().filter(|_| is_own);
    last.filter(|chain| chain.ended.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aurora::fixture::{NOW, node};

    const OWN: RunOf = RunOf { number: 1, run: 7 };

    fn backup() -> ClusterBackup {
        ClusterBackup {
            archiver: Some(Attempt {
                number: 1,
                node: node('a'),
                since: NOW,
                reading_epoch: None,
                filling_epoch: None,
                run: Some(7),
                failure: None,
                percent: 0,
            }),
            ..ClusterBackup::default()
        }
    }

    fn file(folder: &str, number: u64, after: u64, end: u64, until: u64) -> ArchivedFile {
        ArchivedFile {
            folder: folder.to_owned(),
            number,
            after: Lsn(after),
            end: Lsn(end),
            until: UnixMillis(until),
            groups: 1,
        }
    }

    #[test]
    fn files_follow_each_other_in_runs_and_chains() {
        let backup = log_begun(&backup(), OWN, &file("x", 0, 5, 5, 100), NOW).unwrap();
        let backup = log_archived(&backup, OWN, &file("x", 1, 5, 9, 200)).unwrap();
        let backup = log_archived(&backup, OWN, &file("y", 0, 9, 12, 300)).unwrap();
        let backup = log_idle(&backup, OWN, UnixMillis(400)).unwrap();
        let chain = backup.open_chain().unwrap();
        assert_eq!((chain.after(), chain.end()), (Lsn(5), Lsn(12)));
        assert_eq!((chain.until, chain.runs.len()), (UnixMillis(400), 2));
        assert_eq!((chain.runs[0].files, chain.runs[0].end), (2, Lsn(9)));
        assert_eq!(chain.runs[1].file(0), "y/00000000.log");
        let ended = log_ended(&backup, OWN, "no room").unwrap();
        assert_eq!(log_archived(&ended, OWN, &file("y", 1, 12, 13, 1)), None);
        let anew = log_begun(&ended, OWN, &file("z", 0, 50, 50, 900), NOW).unwrap();
        assert_eq!(anew.chains.len(), 2);
    }

    #[test]
    fn a_file_that_does_not_follow_and_a_run_that_was_overruled_count_for_nothing() {
        let begun = log_begun(&backup(), OWN, &file("x", 0, 5, 5, 100), NOW).unwrap();
        for wrong in [
            file("x", 2, 5, 9, 1),
            file("x", 0, 5, 9, 1),
            file("x", 1, 6, 9, 1),
            file("y", 1, 5, 9, 1),
        ] {
            assert_eq!(log_archived(&begun, OWN, &wrong), None, "{wrong:?}");
        }
        assert_eq!(log_begun(&begun, OWN, &file("z", 0, 9, 9, 1), NOW), None);
        let other = RunOf { number: 1, run: 8 };
        assert_eq!(log_archived(&begun, other, &file("x", 1, 5, 9, 1)), None);
        assert_eq!(log_idle(&begun, other, NOW), None);
        assert_eq!(log_ended(&begun, other, ""), None);
    }
}
