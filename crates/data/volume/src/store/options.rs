//! Sizes of a store.

use std::sync::Arc;

use super::faults::Faults;

/// Bytes that wait for the log's writer at most; appends beyond fail with `Overloaded`.
pub const QUEUE_BYTES_MAX: usize = 256 << 20;

/// Sizes of a store.
#[derive(Debug, Clone)]
pub struct Options {
    /// A log file that has more bytes takes no further batch.
    pub log_file_bytes: u64,
    /// Bytes of log that stay although they could be removed: peers that were away for a while are served from them.
    pub log_bytes_kept: u64,
    /// Bytes of records that are kept in memory; others are read back from the log. What waits to be written is in memory
    /// in any case, up to [`QUEUE_BYTES_MAX`].
    pub record_cache_bytes_max: u64,
    /// Memory for blocks of pages.
    pub page_cache_bytes: u64,
    /// What is broken on purpose.
    pub faults: Arc<Faults>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            log_file_bytes: 64 << 20,
            log_bytes_kept: 256 << 20,
            record_cache_bytes_max: 64 << 20,
            page_cache_bytes: 64 << 20,
            faults: Arc::default(),
        }
    }
}
