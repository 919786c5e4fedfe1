//! Wall-clock instants as records carry them.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch. For display and ordering of events only: no decision about
/// who may serve hangs on a wall clock.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// The machine's wall clock.
    #[must_use]
    pub fn now() -> UnixMillis {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// `2026-11-23T01:02:03.456Z`, the form of AWS's Query answers.
    #[must_use]
    pub fn to_iso8601(self) -> String {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        jiff::Timestamp::from_millisecond(millis).map_or_else(
            |_| String::from("1970-01-01T00:00:00.000Z"),
            |t| format!("{t:.3}"),
        )
    }

    /// Reads an ISO 8601 instant, as clients send them; `None` when it is not one.
    #[must_use]
    pub fn from_iso8601(text: &str) -> Option<UnixMillis> {
        let instant: jiff::Timestamp = text.parse().ok()?;
        u64::try_from(instant.as_millisecond()).ok().map(UnixMillis)
    }

    /// Milliseconds from `earlier` to `self`; zero when `earlier` is later.
    #[must_use]
    pub fn millis_since(self, earlier: UnixMillis) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_iso8601())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso8601_has_milliseconds_and_a_zulu_suffix() {
        assert_eq!(UnixMillis(0).to_iso8601(), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            UnixMillis(1_700_000_000_123).to_iso8601(),
            "2023-11-14T22:13:20.123Z"
        );
    }

    #[test]
    fn iso8601_reads_what_it_writes() {
        let instant = UnixMillis(1_700_000_000_123);
        assert_eq!(
            UnixMillis::from_iso8601(&instant.to_iso8601()),
            Some(instant)
        );
        assert_eq!(UnixMillis::from_iso8601("yesterday"), None);
    }
}
