//! Why the catalog did not do what it was asked.

/// Errors of catalog reads and transactions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// A condition of the transaction did not hold; nothing was written.
    #[error("catalog key `{key}` is not as expected")]
    Conflict {
        /// The first key whose condition failed.
        key: String,
    },
    /// No leader with a quorum answered in time. A read found nothing out; a write may or may not have been made.
    #[error("the region's catalog has no quorum: {0}")]
    Unavailable(String),
    /// An entry cannot be read by this build.
    #[error("catalog entry `{key}` cannot be read: {why}")]
    Unreadable {
        /// The entry's key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}
