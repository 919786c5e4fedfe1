//! DynamoDB's limits that a test cannot reach as they are.

/// The most bytes of an item collection in a table with local indexes: 10 GB.
const COLLECTION_BYTES_MAX: u64 = 10 * 1_024 * 1_024 * 1_024;
/// The most bytes of items that one page of a query or a scan reads: 1 MB.
const PAGE_BYTES_MAX: u64 = 1_024 * 1_024;

/// Limits of a store. The default is DynamoDB's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of an item collection.
    pub collection_bytes_max: u64,
    /// The most bytes that one page reads; the first item is read whatever its size.
    pub page_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            collection_bytes_max: COLLECTION_BYTES_MAX,
            page_bytes_max: PAGE_BYTES_MAX,
        }
    }
}
