//! What `pg_controldata` tells about a data folder whose server does not run.

use std::collections::BTreeMap;

use super::position::{TimelineId, WalPosition};
use crate::error::EngineError;

/// The telling part of a data folder's control file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlData {
    /// In PostgreSQL's words: `shut down`, `in production`, `shut down in recovery`, …
    pub state: String,
    /// The same number in a primary and all that were copied from it.
    pub system_identifier: u64,
    /// The timeline of the last checkpoint.
    pub timeline: TimelineId,
    /// Where the last checkpoint stands.
    pub checkpoint: WalPosition,
    /// How far recovery must go before the data is consistent; zero when it need not.
    pub min_recovery_end: WalPosition,
    /// The settings of the primary that a follower's must not be below, under the names of the configuration file
    /// (PostgreSQL's manual, "Hot Standby", "Administrator's Overview").
    pub floors: BTreeMap<String, u64>,
}

/// The settings that a follower's must not be below: in the control file, and in the configuration file.
const FLOORS: [(&str, &str); 4] = [
    ("max_connections setting", "max_connections"),
    ("max_worker_processes setting", "max_worker_processes"),
    ("max_prepared_xacts setting", "max_prepared_transactions"),
    ("max_locks_per_xact setting", "max_locks_per_transaction"),
];

impl ControlData {
    /// Whether the server was stopped in order.
    #[must_use]
    pub fn shut_down(&self) -> bool {
        self.state == "shut down" || self.state == "shut down in recovery"
    }

    /// Reads the tool's output (C locale).
    pub(super) fn parse(text: &str) -> Result<ControlData, EngineError> {
        let field = |name: &'static str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(str::trim)
                .ok_or_else(|| unexpected(name, text))
        };
        fn read<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, EngineError> {
            text.parse().map_err(|_| unexpected(name, text))
        }
        Ok(ControlData {
            state: field("Database cluster state")?.to_owned(),
            system_identifier: read("system identifier", field("Database system identifier")?)?,
            timeline: TimelineId(read("timeline", field("Latest checkpoint's TimeLineID")?)?),
            checkpoint: read("checkpoint", field("Latest checkpoint location")?)?,
            min_recovery_end: read("recovery end", field("Minimum recovery ending location")?)?,
            floors: FLOORS
                .iter()
                .map(|(control, name)| Ok((String::from(*name), read(name, field(control)?)?)))
                .collect::<Result<_, EngineError>>()?,
        })
    }
}

fn unexpected(what: &str, answer: &str) -> EngineError {
    EngineError::Unexpected {
        doing: format!("read `{what}` from pg_controldata"),
        answer: answer.chars().take(400).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
pg_control version number:            1300
Database system identifier:           7300000000000000001
Database cluster state:               shut down in recovery
Latest checkpoint location:           0/3000060
Latest checkpoint's TimeLineID:       2
Minimum recovery ending location:     0/3000110
max_connections setting:              112
max_worker_processes setting:         8
max_prepared_xacts setting:           0
max_locks_per_xact setting:           64
";

    #[test]
    fn the_tools_output_is_read() {
        let control = ControlData::parse(TEXT).unwrap();
        assert_eq!(control.timeline, TimelineId(2));
        assert_eq!(control.checkpoint.to_string(), "0/3000060");
        assert_eq!(control.system_identifier, 7_300_000_000_000_000_001);
        assert!(control.shut_down());
        assert_eq!(control.floors["max_connections"], 112);
        assert_eq!(control.floors["max_locks_per_transaction"], 64);
        assert!(ControlData::parse("").is_err());
        assert!(ControlData::parse(&TEXT.replace("0/3000060", "mars")).is_err());
    }
}
