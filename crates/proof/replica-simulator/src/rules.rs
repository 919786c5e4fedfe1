//! What the hosts and the machines below them keep to, and each of it broken.

/// The rules of a run. The default keeps all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// The log's disk says that a sync is done and has kept nothing.
    pub syncs_lie: bool,
    /// A store says that it is flushed and has kept nothing.
    pub flushes_lie: bool,
    /// Clocks differ in rate by more than the leases allow for: a lease outlasts the promises under it.
    pub clocks_apart: bool,
    /// A replica that takes itself for the leader reads without a permit.
    pub reads_without_permit: bool,
    /// A machine leaves out a command now and then.
    pub commands_left_out: bool,
}
