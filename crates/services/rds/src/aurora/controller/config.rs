//! What the controller goes by for clusters.

/// A protection group's size in the Aurora papers.
const GROUP_BYTES: u64 = 10 << 30;

const REPLACE_AFTER_MS: u64 = 300_000;

/// What the controller goes by for clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuroraConfig {
    /// How long a node may be silent before its segments and its readers are made elsewhere.
    pub replace_after_ms: u64,
    /// Whether logs are archived and bases taken.
    pub backs_up: bool,
    /// Bytes of a protection group of volumes that are made from now on.
    pub group_bytes: u64,
}

impl AuroraConfig {
    /// With protection groups of this size.
    #[must_use]
    pub fn new(replace_after_ms: u64, group_bytes: u64) -> AuroraConfig {
        AuroraConfig {
            replace_after_ms,
            backs_up: true,
            group_bytes,
        }
    }

    /// Pages of this size in a protection group: at least one.
    pub(super) fn pages_per_group(&self, page_bytes: u32) -> u64 {
        (self.group_bytes / u64::from(page_bytes)).max(1)
    }
}

impl Default for AuroraConfig {
    fn default() -> AuroraConfig {
        AuroraConfig::new(REPLACE_AFTER_MS, GROUP_BYTES)
    }
}
