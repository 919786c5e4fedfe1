//! The name of one attempted write.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Bits of the number within a client's own sequence.
const NUMBER_BITS: u32 = 40;

/// Names one attempted write, once and for all: who attempted it, and its number with that client. Fits a
/// `bigint` of SQL: the client's number is below 2^23.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct WriteId(pub u64);

impl WriteId {
    /// The write of a client (below 2^23) with this number in its own sequence (below 2^40).
    #[must_use]
    pub fn of(client: u32, number: u64) -> WriteId {
        debug_assert!(client < 1 << 23 && number < 1 << NUMBER_BITS);
        WriteId(u64::from(client) << NUMBER_BITS | number)
    }

    /// Who attempted it.
    #[must_use]
    pub fn client(self) -> u64 {
        self.0 >> NUMBER_BITS
    }

    /// Its number in the client's sequence.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0 & ((1 << NUMBER_BITS) - 1)
    }
}

impl fmt::Display for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.client(), self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_knows_its_client_and_number() {
        let id = WriteId::of(7, 12);
        assert_eq!((id.client(), id.number()), (7, 12));
        assert_eq!(id.to_string(), "7-12");
        assert!(i64::try_from(WriteId::of((1 << 23) - 1, (1 << 40) - 1).0).is_ok());
    }
}
