//! Timing, bounds and what is asked of a host.

use std::sync::Arc;
use std::time::Duration;

use crate::host::faults::Faults;
use crate::types::{Voter, VoterId};

/// How long a follower refuses its vote to others after it confirmed a leader, by its own clock.
pub(crate) const PROMISE: Duration = Duration::from_millis(500);
/// How long a leader may read after a quorum confirmed it, counted from before it asked, by its own clock.
/// Shorter than `PROMISE` by a fifth: clocks may differ in rate by 10 % over this time.
pub(crate) const LEASE: Duration = Duration::from_millis(400);
/// Rest of a lease below which a read has it renewed ahead of time.
pub(crate) const LEASE_RENEWED_BELOW: Duration = Duration::from_millis(150);
/// Longest wait for one voter's confirmation.
pub(crate) const CONFIRM_TIMEOUT: Duration = Duration::from_millis(400);

/// Longest wait for a peer's answer to appended entries.
pub(crate) const APPEND_TIMEOUT_MS: u64 = 3_000;
/// Longest wait for a vote, which has to reach two disks. Openraft also refuses votes for one millisecond more than
/// this after each append, so it is well below the silence after which voters ask.
pub(crate) const VOTE_TIMEOUT_MS: u64 = 500;
/// Longest time that a peer works on one message of a bundle: it must not hold up the others. What takes longer is
/// asked again, and is done by then.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// Pause after the first try to form a group whose other voters are not up yet; each later one is longer by as much,
/// since a try ends the one before.
pub(crate) const FORM_RETRY_MS: std::ops::Range<u64> = 25..45;
/// How often the preferred leader tries at that pace; then at the pace of other elections.
pub(crate) const FORM_TRIES_MAX: u32 = 16;
/// Stagger of elections after a leader's host came back without its leadership.
pub(crate) const REELECT_MS: std::ops::Range<u64> = 20..320;
/// How much longer a replica waits that was seen to have less of the log than others.
pub(crate) const OUTRANKED_FACTOR: u32 = 3;
/// How often the host looks for groups that need an election.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Proposals that wait in one group; more are refused as unavailable.
pub(crate) const PROPOSALS_WAITING_MAX: usize = 8_192;
/// Commands in one log entry.
pub(crate) const COMMANDS_PER_ENTRY_MAX: usize = 512;
/// Bytes of commands in one log entry; a larger command has an entry to itself.
pub(crate) const ENTRY_BYTES_MAX: usize = 1 << 20;
/// Entries of one group on their way at a time; what comes meanwhile waits for the next one, together. A second one
/// would make both smaller: measured, that costs a fifth of the proposals that a core can carry.
pub(crate) const ENTRIES_IN_FLIGHT_MAX: usize = 1;

/// Entries in one message to a follower.
pub(crate) const APPEND_ENTRIES_MAX: u64 = 256;
/// Bytes of entries in one message to a follower, but one entry at least.
pub(crate) const APPEND_BYTES_MAX: usize = 4 << 20;
/// Newest entries that one group keeps in memory.
pub(crate) const CACHED_ENTRIES_MAX: usize = 256;
/// Bytes of newest entries that one group keeps in memory.
pub(crate) const CACHED_BYTES_MAX: usize = 2 << 20;

/// Bundles of messages to one peer on their way at a time.
pub(crate) const BUNDLES_IN_FLIGHT_MAX: usize = 2;
/// Messages in one bundle.
pub(crate) const BUNDLE_MESSAGES_MAX: usize = 256;
/// Messages to one peer that wait; more are dropped, as by a network.
pub(crate) const MESSAGES_WAITING_MAX: usize = 16_384;
/// How long the notice of a commit waits for company; appended entries carry it too.
pub(crate) const NOTICE_DELAY: Duration = Duration::from_millis(15);
/// Pause until a notice that did not arrive goes again.
pub(crate) const NOTICE_AGAIN_AFTER: Duration = Duration::from_millis(400);

/// Bytes of one piece of a snapshot.
pub(crate) const SNAPSHOT_PIECE_BYTES: usize = 1 << 20;
/// Longest wait for a peer to take one piece.
pub(crate) const SNAPSHOT_PIECE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a peer to load a snapshot.
pub(crate) const SNAPSHOT_LOAD_TIMEOUT: Duration = Duration::from_secs(300);
/// Snapshots that a host sends at a time; others wait.
pub(crate) const SNAPSHOTS_SENT_MAX: usize = 2;
/// A transfer that brought nothing for this long was given up by its sender.
pub(crate) const SNAPSHOT_IDLE_MAX: Duration = Duration::from_secs(60);

/// Timing and bounds of a host.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Time between two pulses to each peer.
    pub pulse_ms: u64,
    /// Shortest silence of a leader's host after which a voter asks for votes.
    pub silence_ms_min: u64,
    /// Longest silence; each voter of each group draws its own between the two.
    pub silence_ms_max: u64,
    /// Entries of a group after which its machine is flushed, so that the log below can go.
    pub flush_every_entries: u64,
    /// Bytes of entries after which the same happens.
    pub flush_every_bytes: u64,
    /// Flushed entries kept, so that a replica that was away a while needs no snapshot.
    pub keep_entries: u64,
    /// Broken links and disks, for tests and drills.
    #[doc(hidden)]
    pub faults: Arc<Faults>,
}

impl Default for HostConfig {
    fn default() -> HostConfig {
        HostConfig {
            pulse_ms: 150,
            silence_ms_min: 900,
            silence_ms_max: 1_200,
            flush_every_entries: 4_096,
            flush_every_bytes: 32 << 20,
            keep_entries: 1_024,
            faults: Arc::default(),
        }
    }
}

/// A group's first voters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// All of them, this one included.
    pub voters: Vec<Voter>,
    /// The one that asks for votes at once.
    pub preferred_leader: VoterId,
}
