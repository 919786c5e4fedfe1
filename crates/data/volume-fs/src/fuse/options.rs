//! How a file system is mounted.

use std::time::Duration;

/// How a file system is mounted.
#[derive(Debug, Clone)]
pub struct MountOptions {
    /// What `mount` shows as the source, with a number behind it. Characters other than letters, digits and `-._/` become `-`.
    pub name: String,
    /// Threads that answer the kernel: as many operations, syncs among them, are under way at once.
    pub threads: usize,
    /// How long the kernel may go on using names and attributes. The file system is their only writer.
    pub cached_for: Duration,
}

impl Default for MountOptions {
    fn default() -> Self {
        MountOptions {
            name: "quorate-volume".to_owned(),
            threads: 16,
            cached_for: Duration::from_secs(24 * 3600),
        }
    }
}
