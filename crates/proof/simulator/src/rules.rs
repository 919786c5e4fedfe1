//! Which rules a world plays by: the product's, or with one of them broken, to show that the checkers see it.

/// Every field that is true breaks one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// A standby is promoted whatever the catalog says of it.
    pub promote_unsynced: bool,
    /// The primary stops waiting before the catalog says that the standby is not in sync.
    pub stop_before_declaring: bool,
    /// The standby is declared in sync without the barrier.
    pub no_barrier: bool,
    /// No engine ends with its node's lease.
    pub no_fence: bool,
    /// A declaration whose outcome is unknown counts as not made.
    pub forget_unknown_declaration: bool,
    /// A leader starts after reading the catalog, without a write that outdates those of its node's earlier life.
    pub start_without_claim: bool,
    /// Waiting for one standby counts as waiting for the one that took its place.
    pub wait_for_any: bool,
    /// An engine's address is written when the engine starts, and never again.
    pub write_address_once: bool,
    /// What a deposed leader's controller decides is handed on to the leader that replaced it.
    pub forward_decisions: bool,
}
