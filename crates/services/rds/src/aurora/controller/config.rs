//! What the controller goes by for clusters.

/// Bytes of a page, as PostgreSQL has them.
const PAGE_BYTES: u32 = 8_192;
/// A protection group's size in the Aurora papers.
const GROUP_BYTES: u64 = 10 << 30;

/// What the controller goes by for clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuroraConfig {
    /// How long a node may be silent before its segments and its readers are made elsewhere.
    pub replace_after_ms: u64,
    /// Bytes of a page of volumes that are made from now on.
    pub page_bytes: u32,
    /// Pages of a protection group of volumes that are made from now on.
    pub pages_per_group: u64,
}

impl Default for AuroraConfig {
    fn default() -> AuroraConfig {
        AuroraConfig {
            replace_after_ms: 300_000,
            page_bytes: PAGE_BYTES,
            pages_per_group: GROUP_BYTES / u64::from(PAGE_BYTES),
        }
    }
}
