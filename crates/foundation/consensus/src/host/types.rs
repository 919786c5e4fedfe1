//! openraft's types as hosted groups use them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::host::snapshot_file::SnapshotFile;
use crate::types::{Voter, VoterId};

/// One of the groups on a host's log. The same number means the same group on each host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupId(pub u64);

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "group {}", self.0)
    }
}

openraft::declare_raft_types!(
    /// Commands and their answers are bytes to Raft, several in an entry.
    pub(crate) Types:
        D = Payload,
        R = Answers,
        NodeId = VoterId,
        Node = Voter,
        Entry = openraft::Entry<Types>,
        SnapshotData = SnapshotFile,
);

pub(crate) type Entry = openraft::Entry<Types>;
pub(crate) type LogId = openraft::LogId<VoterId>;
pub(crate) type LeaderId = openraft::LeaderId<VoterId>;
pub(crate) type Vote = openraft::Vote<VoterId>;
pub(crate) type StorageError = openraft::StorageError<VoterId>;
pub(crate) type StoredMembership = openraft::StoredMembership<VoterId, Voter>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<VoterId, Voter>;
pub(crate) type Raft = openraft::Raft<Types>;
pub(crate) type AppendRequest = openraft::raft::AppendEntriesRequest<Types>;
pub(crate) type AppendResponse = openraft::raft::AppendEntriesResponse<VoterId>;
pub(crate) type VoteRequest = openraft::raft::VoteRequest<VoterId>;
pub(crate) type VoteResponse = openraft::raft::VoteResponse<VoterId>;

/// The commands of one entry: each its length (4 bytes, little-endian) and its bytes. Cheap to clone, because
/// every entry goes to the disk, to each follower and to the machine.
#[derive(Clone, Default)]
pub(crate) struct Payload {
    bytes: Bytes,
    logged: Option<Arc<AtomicBool>>,
}

impl Payload {
    pub(crate) fn of(commands: &[impl AsRef<[u8]>]) -> Payload {
        let length = commands.iter().map(|c| 4 + c.as_ref().len()).sum();
        let mut bytes = Vec::with_capacity(length);
        for command in commands {
            let command = command.as_ref();
            let length = u32::try_from(command.len()).expect("commands are bounded by a message");
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(command);
        }
        Payload {
            bytes: bytes.into(),
            logged: None,
        }
    }

    /// The same, with a flag that tells later whether it ever reached this host's log.
    pub(crate) fn tracked(mut self) -> (Payload, Arc<AtomicBool>) {
        let logged = Arc::new(AtomicBool::new(false));
        self.logged = Some(logged.clone());
        (self, logged)
    }

    pub(crate) fn note_logged(&self) {
        if let Some(logged) = &self.logged {
            logged.store(true, Ordering::SeqCst);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The commands, or None when the bytes are not of this form.
    pub(crate) fn commands(&self) -> Option<Vec<&[u8]>> {
        let mut rest = &self.bytes[..];
        let mut commands = Vec::new();
        while !rest.is_empty() {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            commands.push(after.get(..length)?);
            rest = &after[length..];
        }
        Some(commands)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of commands", self.bytes.len())
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.bytes.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Payload, D::Error> {
        Ok(Payload {
            bytes: Bytes::deserialize(from)?,
            logged: None,
        })
    }
}

/// One answer for each command of an entry.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answers(pub(crate) Vec<Vec<u8>>);

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answers", self.0.len())
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn commands_come_back_as_they_were(commands: Vec<Vec<u8>>) {
            let payload = Payload::of(&commands);
            let sent = postcard::to_stdvec(&payload).unwrap();
            let received: Payload = postcard::from_bytes(&sent).unwrap();
            prop_assert_eq!(received.commands().unwrap(), commands.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }

        #[test]
        fn damaged_commands_are_told_not_read(bytes: Vec<u8>) {
            let payload = Payload { bytes: bytes.into(), logged: None };
            if let Some(commands) = payload.commands() {
                prop_assert_eq!(Payload::of(&commands).bytes, payload.bytes);
            }
        }
    }

    #[test]
    fn a_cut_command_is_no_command() {
        let whole = Payload::of(&[b"abc"]);
        let cut = Payload {
            bytes: whole.bytes.slice(..6),
            logged: None,
        };
        assert!(cut.commands().is_none());
    }
}
