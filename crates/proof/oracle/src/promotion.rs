//! The promise of promotions: only a member that may lead is made to.
//!
//! A member is promotable at a moment when it holds every write that was acknowledged by then. The catalog's word
//! for this, "in sync", must not be given for a member that is not.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::WriteId;

/// One promotion, as it stood at the moment at which it was decided or done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// When.
    pub at: u64,
    /// The epoch that it begins.
    pub epoch: u64,
    /// Who is promoted.
    pub node: String,
    /// Whether the catalog called it in sync.
    pub in_sync: bool,
    /// Every write acknowledged so far, by anybody.
    pub acknowledged: BTreeSet<WriteId>,
    /// Every write that the promoted member holds.
    pub holds: BTreeSet<WriteId>,
}

/// Why a promotion should not have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PromotionBreach {
    /// The catalog did not call the member in sync.
    NotInSync,
    /// The member lacks acknowledged writes: how many, and the first.
    Lacks {
        /// How many.
        count: usize,
        /// The first.
        first: WriteId,
    },
}

/// Says what is wrong with a promotion, if something is.
#[must_use]
pub fn check_promotion(promotion: &Promotion) -> Option<PromotionBreach> {
    let mut lacks = promotion.acknowledged.difference(&promotion.holds);
    if let Some(first) = lacks.next() {
        return Some(PromotionBreach::Lacks {
            count: lacks.count() + 1,
            first: *first,
        });
    }
    (!promotion.in_sync).then_some(PromotionBreach::NotInSync)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promotion(in_sync: bool, acknowledged: &[u64], holds: &[u64]) -> Promotion {
        let set = |ids: &[u64]| ids.iter().copied().map(WriteId).collect();
        Promotion {
            at: 1,
            epoch: 2,
            node: String::from("b"),
            in_sync,
            acknowledged: set(acknowledged),
            holds: set(holds),
        }
    }

    #[test]
    fn a_member_that_holds_everything_may_lead() {
        assert_eq!(check_promotion(&promotion(true, &[1, 2], &[1, 2, 3])), None);
    }

    #[test]
    fn a_member_that_lacks_an_acknowledged_write_may_not() {
        assert_eq!(
            check_promotion(&promotion(true, &[1, 2, 3], &[1])),
            Some(PromotionBreach::Lacks {
                count: 2,
                first: WriteId(2)
            })
        );
    }

    #[test]
    fn a_member_that_the_catalog_does_not_call_in_sync_may_not() {
        assert_eq!(
            check_promotion(&promotion(false, &[1], &[1])),
            Some(PromotionBreach::NotInSync)
        );
    }
}
