//! Places in PostgreSQL's write-ahead log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A byte position in the write-ahead log (PostgreSQL's `pg_lsn`): `0/16B3748`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WalPosition(pub u64);

impl WalPosition {
    /// Bytes from `earlier` to `self`; zero when `earlier` is later.
    #[must_use]
    pub fn bytes_since(self, earlier: WalPosition) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for WalPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl FromStr for WalPosition {
    type Err = String;

    fn from_str(text: &str) -> Result<WalPosition, String> {
        let half = |part: &str| {
            let hex = (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_hexdigit());
            hex.then(|| u64::from_str_radix(part, 16).ok()).flatten()
        };
        text.split_once('/')
            .and_then(|(high, low)| Some(WalPosition(half(high)? << 32 | half(low)?)))
            .ok_or_else(|| format!("`{text}` is not a position in the write-ahead log"))
    }
}

impl Serialize for WalPosition {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WalPosition {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<WalPosition, D::Error> {
        String::deserialize(from)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// The number of a timeline: one more with each promotion.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct TimelineId(pub u32);

impl fmt::Display for TimelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn positions_read_and_order_as_postgres_writes_them() {
        let position: WalPosition = "0/16B3748".parse().unwrap();
        assert_eq!(position.0, 0x016B_3748);
        assert_eq!(position.to_string(), "0/16B3748");
        assert!("1/0".parse::<WalPosition>().unwrap() > "0/FFFFFFFF".parse().unwrap());
        for text in ["", "/", "0/", "/0", "0/123456789", "0/G", "+1/0", "0/1/2"] {
            assert!(text.parse::<WalPosition>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_position_reads_what_it_writes(raw: u64) {
            prop_assert_eq!(WalPosition(raw).to_string().parse(), Ok(WalPosition(raw)));
        }
    }
}
