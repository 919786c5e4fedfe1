//! A cluster's continuous backup: which stretches of its volume's log are in the archive.
//!
//! Invariants
//! - What a run tells of is in the archive: its files are stored before the transaction that counts them.
//! - Within a chain no record of the log is missing: each run begins where the one before ended.
//! - `until` of a chain rises; what was acknowledged before it lies at or below the chain's end.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use quorate_base::UnixMillis;
use quorate_control::Record;
use quorate_volume::protocol::Lsn;

use crate::aurora::model::Attempt;

/// A cluster's continuous backup. Id in the catalog: the cluster's resource id. It outlives the cluster until its objects
/// are gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterBackup {
    /// Who archives the log, or did last.
    pub archiver: Option<Attempt>,
    /// Stretches of the log, oldest first. Between two of them something is missing.
    pub chains: Vec<LogChain>,
    /// Folders of the archive that nobody needs any more.
    pub going: BTreeSet<String>,
}

/// A stretch of the log without a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogChain {
    /// When it was begun.
    pub since: UnixMillis,
    /// All that was acknowledged before this is in it.
    pub until: UnixMillis,
    /// The volume's protection groups, at its end.
    pub groups: u32,
    /// Its files, oldest first; at least one run.
    pub runs: Vec<LogRun>,
    /// Why it goes no further, once it does not.
    pub ended: Option<String>,
}

/// Files that one archiver wrote into one folder, numbered from 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRun {
    /// Where they lie in the archive.
    pub folder: String,
    /// They have what follows this LSN.
    pub after: Lsn,
    /// Up to this one, a VDL.
    pub end: Lsn,
    /// How many they are.
    pub files: u64,
}

impl LogRun {
    /// The name of one of its files.
    #[must_use]
    pub fn file(&self, number: u64) -> String {
        format!("{}/{number:08}.log", self.folder)
    }
}

impl LogChain {
    /// The LSN that its first record follows.
    #[must_use]
    pub fn after(&self) -> Lsn {
        self.runs.first().map_or(Lsn(0), |run| run.after)
    }

    /// Up to where it reaches.
    #[must_use]
    pub fn end(&self) -> Lsn {
        self.runs.last().map_or(Lsn(0), |run| run.end)
    }
}

impl ClusterBackup {
    /// Below which the objects of a cluster's automated backups lie.
    #[must_use]
    pub fn folder(resource_id: &str) -> String {
        format!("rds/cluster-backup/{resource_id}")
    }

    /// The chain that goes on.
    #[must_use]
    pub fn open_chain(&self) -> Option<&LogChain> {
        self.chains.last().filter(|chain| chain.ended.is_none())
    }
}

impl Record for ClusterBackup {
    const TABLE: &'static str = "rds/cluster-backup";
    const VERSION: u32 = 1;
}
