//! A partition as Raft's state machine, and the form of its commands.
//!
//! A command is the term in which it was evaluated (8 bytes, little-endian) and the effect. One that the log holds in
//! another term is not applied: the leader that evaluated it had been replaced in between, and its state may have been old.

use std::io;

use quorate_dynamo_store::Partition;

const APPLIED: u8 = 1;
const OTHER_TERM: u8 = 0;

/// What became of a command that is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Applied; what the partition answered.
    Applied(Vec<u8>),
    /// Not applied: it was appended in another term than it was evaluated in.
    OtherTerm,
}

/// The bytes of a command; an empty effect changes nothing.
pub(crate) fn command(term: u64, effect: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + effect.len());
    bytes.extend_from_slice(&term.to_le_bytes());
    bytes.extend_from_slice(effect);
    bytes
}

/// Reads what the machine answered to a command.
///
/// # Errors
/// When the answer is none of this module's.
pub(crate) fn outcome(reply: &[u8]) -> io::Result<Outcome> {
    match reply.split_first() {
        Some((&APPLIED, rest)) => Ok(Outcome::Applied(rest.to_vec())),
        Some((&OTHER_TERM, [])) => Ok(Outcome::OtherTerm),
        _ => Err(io::Error::other("an answer of the partition is damaged")),
    }
}
