//! Splits: nothing is lost, nothing is there twice.

use super::*;

fn filled(home: &Home) -> Partition {
    let partition = home.base(1);
    for n in 0..40 {
        write(
            &partition,
            &put(&format!(
                r#"{{"pk":{{"S":"p{n}"}},"sk":{{"N":"1"}},"a":{{"N":"{n}"}},"g":{{"S":"g"}},"exp":{{"N":"9"}}}}"#
            )),
        );
    }
    partition
}

fn split(partition: &Partition) -> (SplitPlan, Effect) {
    let plan = partition.plan_split().unwrap().unwrap();
    let effect = Effect::Split {
        at: plan.at,
        right: PartitionId(2),
        right_items: plan.right_items,
        right_bytes: plan.right_bytes,
    };
    (plan, effect)
}

#[test]
fn both_sides_have_what_one_had() {
    let home = Home::open();
    let left = filled(&home);
    let (before, stats) = (all_items(&left), left.stats());
    let (plan, effect) = split(&left);
    assert!((15..=25).contains(&plan.right_items), "{plan:?}");
    assert_eq!(left.measure_split(plan.at).unwrap(), plan);
    let all = left.measure_split(0).unwrap();
    assert_eq!(
        (all.right_items, all.right_bytes),
        (stats.items, stats.bytes)
    );
    assert_eq!(apply(&left, &effect.encode()), Outcome::Applied);
    let right = home.store.partition(PartitionId(2)).unwrap().unwrap();
    let mut both = all_items(&left);
    assert_eq!(both.len() as u64, left.stats().items);
    both.extend(all_items(&right));
    both.sort_by_key(|item| format!("{item:?}"));
    assert_eq!(both, before);
    assert_eq!(left.stats().bytes + right.stats().bytes, stats.bytes);
    assert_eq!(left.outbox_len() + right.outbox_len(), stats.outbox);
    assert_eq!(right.outbox_len(), right.stats().items);
    let expired = |p: &Partition| p.expired(10, 99).unwrap().len() as u64;
    assert_eq!(expired(&left), left.stats().items);
    assert_eq!(expired(&right), right.stats().items);
    let mut plan = everything();
    plan.index = IndexRef::Local(LOCAL);
    assert_eq!(
        right.scan(&plan).unwrap().items.len() as u64,
        right.stats().items
    );
    assert_eq!(right.mark().unwrap(), None);
}

#[test]
fn a_write_of_the_other_side_comes_too_late() {
    let home = Home::open();
    let left = filled(&home);
    let (_, effect) = split(&left);
    let late: Vec<_> = (0..40)
        .map(|n| {
            evaluate(&left, &delete(&format!("p{n}"), 1))
                .unwrap()
                .effect
                .unwrap()
        })
        .collect();
    apply(&left, &effect.encode());
    let right = home.store.partition(PartitionId(2)).unwrap().unwrap();
    let count = right.stats().items;
    let outcomes: Vec<_> = late.iter().map(|effect| apply(&left, effect)).collect();
    let wrong = outcomes.iter().filter(|o| **o == Outcome::WrongPartition);
    assert_eq!(wrong.count() as u64, count);
    assert_eq!(
        (left.stats().items, all_items(&right).len() as u64),
        (0, count)
    );
}

#[test]
fn a_prepared_transaction_goes_to_both_sides() {
    let home = Home::open();
    let left = filled(&home);
    let ops: Vec<_> = (0..40).map(|n| delete(&format!("p{n}"), 1)).collect();
    let latch = latched(&left, &ops);
    let txn = TxnId(5);
    let prepared = left.prepare(1_000, txn, &ops, &latch).unwrap();
    apply(&left, &prepared.effect);
    let (plan, effect) = split(&left);
    apply(&left, &effect.encode());
    let right = home.store.partition(PartitionId(2)).unwrap().unwrap();
    assert_eq!(right.stats().locks, plan.right_items);
    assert_eq!(right.locks(2_000).unwrap()[0].txn, txn);
    for side in [&left, &right] {
        assert_eq!(
            apply(side, &Effect::Commit { txn }.encode()),
            Outcome::Applied
        );
        assert_eq!((side.stats().items, side.stats().locks), (0, 0));
    }
}

#[test]
fn a_split_outside_the_range_is_refused() {
    let home = Home::open();
    let left = filled(&home);
    let outside = Effect::Split {
        at: 0,
        right: PartitionId(2),
        right_items: 0,
        right_bytes: 0,
    };
    assert_eq!(apply(&left, &outside.encode()), Outcome::Refused);
    assert!(home.index(3).plan_split().unwrap().is_none());
}

#[test]
fn both_sides_are_there_after_a_restart() {
    let home = Home::open();
    let left = filled(&home);
    let (_, effect) = split(&left);
    apply(&left, &effect.encode());
    let (left_stats, specs) = (left.stats(), left.spec());
    home.store.flush().unwrap();
    let Home { store, folder } = home;
    drop((store, left));
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.partitions(), [PartitionId(1), PartitionId(2)]);
    let left = store.partition(PartitionId(1)).unwrap().unwrap();
    assert_eq!((left.stats(), left.spec()), (left_stats, specs));
    assert_eq!(left.source().generation, 1);
}
