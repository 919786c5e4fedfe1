//! A partition as Raft's state machine, and the form of its commands.
//!
//! A command is the term in which it was evaluated (8 bytes, little-endian) and the effect. One that the log holds in
//! another term is not applied: the leader that evaluated it had been replaced in between, and its state may have been old.

use std::io;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc};

use quorate_consensus::{Command, DurableMachine, Voter, voters_at};
use quorate_dynamo_store::{Effect, Outcome, Partition, Store};

use crate::model::PartitionNumber;

const APPLIED: u8 = 1;
const OTHER_TERM: u8 = 0;
const TERM_BYTES: usize = 8;

/// What became of a command that is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The partition took it; what it came to. None for an empty effect.
    Applied(Option<Outcome>),
    /// Not applied: it was appended in another term than it was evaluated in.
    OtherTerm,
}

/// The bytes of a command; an empty effect changes nothing.
pub(crate) fn command(term: u64, effect: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(TERM_BYTES + effect.len());
    bytes.extend_from_slice(&term.to_le_bytes());
    bytes.extend_from_slice(effect);
    bytes
}

/// Reads what the machine answered to a command.
///
/// # Errors
/// When the answer is none of this module's.
pub(crate) fn fate(reply: &[u8]) -> io::Result<Fate> {
    match reply.split_first() {
        Some((&APPLIED, [])) => Ok(Fate::Applied(None)),
        Some((&APPLIED, rest)) => Ok(Fate::Applied(Some(Outcome::decode(rest)?))),
        Some((&OTHER_TERM, [])) => Ok(Fate::OtherTerm),
        _ => Err(io::Error::other("an answer of the partition is damaged")),
    }
}

/// A split that was applied here: the right half has its state and wants its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitDone {
    /// The half that was there.
    pub left: PartitionNumber,
    /// The one that came to be.
    pub right: PartitionNumber,
    /// The voters of the left half when its log came to the split: the right half begins with them on each of them.
    pub voters: Vec<Voter>,
}

/// Whom a machine tells what it came upon.
#[derive(Clone)]
pub(crate) struct Bells {
    /// Splits that were applied.
    pub(crate) splits: mpsc::UnboundedSender<SplitDone>,
    /// Rung when an outbox has entries.
    pub(crate) work: Arc<Notify>,
}

/// A partition under a Raft group.
pub(crate) struct PartitionMachine {
    partition: Partition,
    store: Store,
    bells: Bells,
}

impl PartitionMachine {
    pub(crate) fn new(partition: Partition, store: Store, bells: Bells) -> PartitionMachine {
        PartitionMachine {
            partition,
            store,
            bells,
        }
    }

    fn tell_of_splits(&self, effects: &[&[u8]], mark: &[u8]) -> io::Result<()> {
        let voters = voters_at(mark)?;
        let decoded = effects
            .iter()
            .filter_map(|bytes| Effect::decode(bytes).ok());
        for effect in decoded {
            if let Effect::Split { right, .. } = effect {
                // Nobody listens any more when the node is about to end.
                let _ = self.bells.splits.send(SplitDone {
                    left: PartitionNumber(self.partition.id().0),
                    right: PartitionNumber(right.0),
                    voters: voters.clone(),
                });
            }
        }
        Ok(())
    }
}

impl DurableMachine for PartitionMachine {
    fn mark(&self) -> io::Result<Option<Vec<u8>>> {
        self.partition.mark()
    }

    fn is_whole(&self) -> bool {
        !self.partition.is_loading()
    }

    fn apply(&self, commands: &[Command<'_>], mark: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let mut effects = Vec::with_capacity(commands.len());
        let mut fates = Vec::with_capacity(commands.len());
        for command in commands {
            let (term, effect) = command
                .bytes
                .split_first_chunk::<TERM_BYTES>()
                .ok_or_else(|| io::Error::other("a command is damaged"))?;
            if u64::from_le_bytes(*term) != command.term {
                fates.push(vec![OTHER_TERM]);
                continue;
            }
            fates.push(vec![APPLIED]);
            if !effect.is_empty() {
                effects.push((fates.len() - 1, effect));
            }
        }
        let bytes: Vec<&[u8]> = effects.iter().map(|(_, effect)| *effect).collect();
        let generation = self.partition.source().generation;
        let outcomes = self.partition.apply(&bytes, mark)?;
        for ((at, _), outcome) in effects.iter().zip(outcomes) {
            fates[*at].extend_from_slice(&outcome);
        }
        if self.partition.source().generation != generation {
            self.tell_of_splits(&bytes, mark)?;
        }
        if self.partition.stats().outbox > 0 {
            self.bells.work.notify_one();
        }
        Ok(fates)
    }

    fn flush(&self) -> io::Result<()> {
        Ok(self.store.flush()?)
    }

    fn write_snapshot(&self, out: &mut dyn io::Write) -> io::Result<Vec<u8>> {
        self.partition.write_snapshot(out)
    }

    fn read_snapshot(&self, from: &mut dyn io::Read, mark: &[u8]) -> io::Result<()> {
        self.partition.read_snapshot(from, mark)
    }
}
