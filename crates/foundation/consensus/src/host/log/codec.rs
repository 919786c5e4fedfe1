//! Keys and values of the shared log.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::host::types::GroupId;

/// Version of every value's encoding: postcard of openraft 0.9's types, and of `Payload`.
const FORMAT: u8 = 1;

/// What is kept of a group besides its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Vote = 1,
    Purged = 2,
    Flushed = 3,
}

/// The key of an entry: entries of a group stand together, in the order of their indexes.
pub(crate) fn entry_key(group: GroupId, index: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&group.0.to_be_bytes());
    key[8..].copy_from_slice(&index.to_be_bytes());
    key
}

/// The key of something else about a group.
pub(crate) fn meta_key(group: GroupId, kind: Kind) -> [u8; 9] {
    let mut key = [0; 9];
    key[..8].copy_from_slice(&group.0.to_be_bytes());
    key[8] = kind as u8;
    key
}

/// A value to be stored or sent.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_extend(value, vec![FORMAT]).expect("Raft's types are plain data")
}

/// Why stored bytes are no value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("format {0:?} is not one that this build reads")]
    Format(Option<u8>),
    #[error("damaged value: {0}")]
    Damaged(#[from] postcard::Error),
}

/// A value that was stored.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    match bytes.split_first() {
        Some((&FORMAT, rest)) => Ok(postcard::from_bytes(rest)?),
        other => Err(DecodeError::Format(other.map(|(first, _)| *first))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::types::{Entry, LeaderId, LogId, Payload};
    use openraft::EntryPayload;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_sort_by_group_then_index(a: (u64, u64), b: (u64, u64)) {
            let key = |(group, index)| entry_key(GroupId(group), index);
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
        }

        #[test]
        fn an_entry_comes_back_as_it_was(term: u64, voter: u64, index: u64, commands: Vec<Vec<u8>>) {
            let entry = Entry {
                log_id: LogId::new(LeaderId::new(term, voter), index),
                payload: EntryPayload::Normal(Payload::of(&commands)),
            };
            let read: Entry = decode(&encode(&entry)).unwrap();
            prop_assert_eq!(read.log_id, entry.log_id);
            let EntryPayload::Normal(payload) = read.payload else { panic!("another kind") };
            prop_assert_eq!(payload.commands().unwrap(), commands.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_value_of_another_format_is_refused() {
        let mut bytes = encode(&7_u64);
        bytes[0] = 9;
        assert!(matches!(
            decode::<u64>(&bytes),
            Err(DecodeError::Format(Some(9)))
        ));
        assert!(matches!(decode::<u64>(&[]), Err(DecodeError::Format(None))));
    }

    /// Written by hand from the format's description, so that a change of it does not go unseen.
    #[test]
    fn the_bytes_of_an_entry_are_those_of_format_1() {
        let entry = Entry {
            log_id: LogId::new(LeaderId::new(3, 2), 300),
            payload: EntryPayload::Normal(Payload::of(&[b"ab"])),
        };
        let expected = [1, 3, 2, 0xac, 0x02, 1, 6, 2, 0, 0, 0, b'a', b'b'];
        assert_eq!(encode(&entry), expected);
    }
}
