//! What a hosted group's commands are applied to.

use std::io;

/// A command as the log holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command<'a> {
    /// The term in which its leader appended it.
    pub term: u64,
    /// What was proposed.
    pub bytes: &'a [u8],
}

/// One partition's store; knows nothing of Raft. Total and deterministic: the same commands give the same state and
/// answers everywhere. An error stops the host: it means that the store cannot be trusted.
pub trait DurableMachine: Send + Sync + 'static {
    /// Opaque bytes last given by `apply` or `read_snapshot` together with what they covered; None when empty.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn mark(&self) -> io::Result<Option<Vec<u8>>>;

    /// Whether there is a state, be it an empty one: false from the moment at which `read_snapshot` takes the old state
    /// away to its end, also after a crash in between.
    fn is_whole(&self) -> bool;

    /// Applies commands in order, atomically together with `mark`; one answer per command. Not synced. Called with no
    /// command when only the mark moves. Runs on an async thread: it must not wait long.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn apply(&self, commands: &[Command<'_>], mark: &[u8]) -> io::Result<Vec<Vec<u8>>>;

    /// Makes all that was applied before the call durable.
    ///
    /// # Errors
    /// When the sync failed.
    fn flush(&self) -> io::Result<()>;

    /// Streams a consistent snapshot of the state and returns the mark it stands for. Must not block `apply`.
    ///
    /// # Errors
    /// When the store cannot be read, or `out` written.
    fn write_snapshot(&self, out: &mut dyn io::Write) -> io::Result<Vec<u8>>;

    /// Replaces the state by a snapshot, durably, `mark` included.
    ///
    /// # Errors
    /// When the snapshot is damaged, or the store cannot be written.
    fn read_snapshot(&self, from: &mut dyn io::Read, mark: &[u8]) -> io::Result<()>;
}
