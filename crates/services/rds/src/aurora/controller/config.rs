//! What the controller goes by for clusters.

/// Bytes of a page, as PostgreSQL has them.
const PAGE_BYTES: u32 = 8_192;
/// A protection group's size in the Aurora papers.
const GROUP_BYTES: u64 = 10 << 30;

const REPLACE_AFTER_MS: u64 = 300_000;

/// What the controller goes by for clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuroraConfig {
    /// How long a node may be silent before its segments and its readers are made elsewhere.
    pub replace_after_ms: u64,
    /// Bytes of a page of volumes that are made from now on.
    pub page_bytes: u32,
    /// Whether logs are archived and bases taken.
    pub backs_up: bool,
    /// Pages of a protection group of volumes that are made from now on.
    pub pages_per_group: u64,
}

impl AuroraConfig {
    /// With protection groups of this size, rounded down to whole pages: at least one.
    #[must_use]
    pub fn new(replace_after_ms: u64, group_bytes: u64) -> AuroraConfig {
        AuroraConfig {
            replace_after_ms,
            backs_up: true,
            page_bytes: PAGE_BYTES,
            pages_per_group: (group_bytes / u64::from(PAGE_BYTES)).max(1),
        }
    }
}

impl Default for AuroraConfig {
    fn default() -> AuroraConfig {
        AuroraConfig::new(REPLACE_AFTER_MS, GROUP_BYTES)
    }
}
