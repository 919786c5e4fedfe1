//! Where the front door asks for secrets; the catalog's keys are behind this trait.

use quorate_base::AccountId;
use quorate_wire::sigv4::Secret;

/// What is known of one access key.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// The secret that requests are signed with.
    pub secret: Secret,
    /// The account that owns the key.
    pub account: AccountId,
}

/// Finds access keys. Asked once a request, so an answer comes from memory.
pub trait AccessKeys: Send + Sync {
    /// The key with this id; none when there is none.
    fn find(&self, access_key_id: &str) -> Option<AccessKey>;
}
