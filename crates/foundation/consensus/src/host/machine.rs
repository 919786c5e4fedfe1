//! What a hosted group's commands are applied to.

use std::io;

/// One partition's store; knows nothing of Raft. Total and deterministic: the same commands give the same state and
/// answers everywhere. An error stops the host: it means that the store cannot be trusted.
pub trait DurableMachine: Send + Sync + 'static {
    /// Opaque bytes last given by `apply` or `read_snapshot` together with what they covered; None when empty.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn mark(&self) -> io::Result<Option<Vec<u8>>>;

    /// Applies commands in order, atomically together with `mark`; one answer per command. Not synced. Called with no
    /// command when only the mark moves. Runs on an async thread: it must not wait long.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn apply(&self, commands: &[&[u8]], mark: &[u8]) -> io::Result<Vec<Vec<u8>>>;

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
