//! Which shard serves which slots, after shards came or before they go.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ShardNumber, SlotRange};

/// Spreads the slots evenly over the shards that stay, moving as few as that takes: each keeps its lowest. `shards`: what
/// each has.
#[must_use]
pub fn decide_slots(
    shards: &BTreeMap<ShardNumber, Vec<SlotRange>>,
    leaving: &[ShardNumber],
) -> BTreeMap<ShardNumber, Vec<SlotRange>> {
    let mut has: BTreeMap<ShardNumber, BTreeSet<u16>> = shards
        .iter()
        .map(|(number, ranges)| (*number, slots_of(ranges)))
        .collect();
    let total: usize = has.values().map(BTreeSet::len).sum();
    let mut staying: Vec<ShardNumber> = has.keys().copied().collect();
    staying.retain(|number| !leaving.contains(number));
    if staying.is_empty() {
        return shards.clone();
    }
    // Who has most keeps the odd one.
    staying.sort_by_key(|number| (Reverse(has[number].len()), *number));
    let (even, odd) = (total / staying.len(), total % staying.len());
    let quota: BTreeMap<ShardNumber, usize> = staying
        .iter()
        .enumerate()
        .map(|(at, number)| (*number, even + usize::from(at < odd)))
        .collect();
    let mut given = BTreeSet::new();
    for (number, slots) in &mut has {
        let keeps = quota.get(number).copied().unwrap_or(0);
        while slots.len() > keeps {
            given.extend(slots.pop_last());
        }
    }
    for (number, slots) in &mut has {
        let takes = quota.get(number).copied().unwrap_or(0);
        while slots.len() < takes {
            slots.extend(given.pop_first());
        }
    }
    has.iter()
        .map(|(number, slots)| (*number, ranges_of(slots)))
        .collect()
}

/// The slots of ranges, one by one.
#[must_use]
pub fn slots_of(ranges: &[SlotRange]) -> BTreeSet<u16> {
    let slots = ranges.iter().flat_map(|range| range.first..=range.last);
    slots.collect()
}

/// Slots as ranges.
#[must_use]
pub fn ranges_of(slots: &BTreeSet<u16>) -> Vec<SlotRange> {
    let mut ranges: Vec<SlotRange> = Vec::new();
    for slot in slots {
        match ranges.last_mut() {
            Some(range) if range.last.checked_add(1) == Some(*slot) => range.last = *slot,
            _ => ranges.push(SlotRange {
                first: *slot,
                last: *slot,
            }),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u16, last: u16) -> Vec<SlotRange> {
        vec![SlotRange { first, last }]
    }

    fn shards(has: &[Vec<SlotRange>]) -> BTreeMap<ShardNumber, Vec<SlotRange>> {
        let numbers = (1..).map(ShardNumber);
        numbers.zip(has.iter().cloned()).collect()
    }

    fn moved(
        before: &BTreeMap<ShardNumber, Vec<SlotRange>>,
        after: &BTreeMap<ShardNumber, Vec<SlotRange>>,
    ) -> usize {
        let arrived = after.iter().map(|(number, ranges)| {
            slots_of(ranges)
                .difference(&slots_of(&before[number]))
                .count()
        });
        arrived.sum()
    }

    #[test]
    fn a_shard_that_comes_gets_its_part_of_all_others_and_nothing_else_moves() {
        let before = shards(&[range(0, 8_191), range(8_192, 16_383), Vec::new()]);
        let after = decide_slots(&before, &[]);
        let sizes: Vec<usize> = after.values().map(|r| slots_of(r).len()).collect();
        assert_eq!(sizes, [5_462, 5_461, 5_461]);
        assert_eq!(moved(&before, &after), 5_461);
        assert_eq!(after[&ShardNumber(1)], range(0, 5_461));
        assert_eq!(decide_slots(&after, &[]), after, "an even split stays");
    }

    #[test]
    fn a_shard_that_goes_leaves_nothing_and_every_slot_has_one_owner() {
        let before = shards(&[range(0, 5_460), range(5_461, 10_922), range(10_923, 16_383)]);
        for leaving in 1..=3 {
            let after = decide_slots(&before, &[ShardNumber(leaving)]);
            assert_eq!(after[&ShardNumber(leaving)], []);
            let mut all = BTreeSet::new();
            let mut count = 0;
            for ranges in after.values() {
                count += slots_of(ranges).len();
                all.extend(slots_of(ranges));
            }
            assert_eq!((count, all.len()), (16_384, 16_384));
            let gone = slots_of(&before[&ShardNumber(leaving)]).len();
            assert_eq!(moved(&before, &after), gone, "only its own slots move");
        }
    }

    #[test]
    fn not_every_shard_can_go() {
        let before = shards(&[range(0, 16_383)]);
        assert_eq!(decide_slots(&before, &[ShardNumber(1)]), before);
    }
}
