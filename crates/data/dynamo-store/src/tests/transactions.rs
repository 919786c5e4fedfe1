//! Locks: held from prepare to commit or abort, over restarts.

use super::*;

const TXN: TxnId = TxnId(42);

fn prepared(partition: &Partition, ops: &[WriteOp]) -> Vec<WriteAnswer> {
    let latch = latched(partition, ops);
    let prepared = partition.prepare(5_000, TXN, ops, &latch).unwrap();
    assert_eq!(apply(partition, &prepared.effect), Outcome::Applied);
    assert_eq!(apply(partition, &prepared.effect), Outcome::Ignored);
    prepared.answers
}

fn ops() -> [WriteOp; 3] {
    [
        put(r#"{"pk":{"S":"p"},"sk":{"N":"1"},"a":{"N":"1"}}"#),
        delete("p", 2),
        WriteOp::Check {
            key: key("p", 3),
            condition: condition("attribute_not_exists(pk)", ""),
        },
    ]
}

#[test]
fn locked_items_are_not_written_by_others_until_the_commit() {
    let home = Home::open();
    let partition = home.base(1);
    write(&partition, &put(r#"{"pk":{"S":"p"},"sk":{"N":"2"}}"#));
    let answers = prepared(&partition, &ops());
    assert_eq!(answers[1].old, Some(key("p", 2)));
    for sk in 1..=3 {
        let read = partition.read(&key("p", sk)).unwrap();
        assert_eq!(read.locked, Some(TXN));
        let conflict = evaluate(&partition, &delete("p", sk));
        assert!(matches!(conflict, Err(WriteError::Conflict(TXN))));
    }
    write(&partition, &put(r#"{"pk":{"S":"p"},"sk":{"N":"4"}}"#));
    assert_eq!(partition.get(&key("p", 1)).unwrap(), None);
    let commit = Effect::Commit { txn: TXN }.encode();
    assert_eq!(apply(&partition, &commit), Outcome::Applied);
    assert_eq!(apply(&partition, &commit), Outcome::Ignored);
    assert_eq!(
        partition.get(&key("p", 1)).unwrap().as_ref(),
        Some(ops()[0].key())
    );
    assert_eq!(partition.get(&key("p", 2)).unwrap(), None);
    assert_eq!(partition.read(&key("p", 3)).unwrap().locked, None);
    write(&partition, &delete("p", 1));
}

#[test]
fn an_abort_leaves_everything_as_it_was() {
    let home = Home::open();
    let partition = home.base(1);
    let before = dump(&partition).len();
    prepared(&partition, &ops());
    let abort = Effect::Abort { txn: TXN }.encode();
    assert_eq!(apply(&partition, &abort), Outcome::Applied);
    assert_eq!(dump(&partition).len(), before);
    assert_eq!(partition.stats().locks, 0);
}

#[test]
fn each_operation_has_its_own_reason() {
    let home = Home::open();
    let partition = home.base(1);
    prepared(&partition, &ops()[..1]);
    let second = [
        put(r#"{"pk":{"S":"p"},"sk":{"N":"1"}}"#),
        delete("p", 2),
        WriteOp::Check {
            key: key("p", 3),
            condition: condition("attribute_exists(pk)", ""),
        },
    ];
    let latch = latched(&partition, &second);
    let reasons = partition.prepare(0, TxnId(1), &second, &latch).unwrap_err();
    assert!(matches!(
        reasons[..],
        [
            Some(WriteError::Conflict(TXN)),
            None,
            Some(WriteError::ConditionFailed { old: None })
        ]
    ));
}

#[test]
fn indexes_do_not_change_under_a_prepared_transaction() {
    let home = Home::open();
    let partition = home.base(1);
    prepared(&partition, &ops());
    let set = Effect::SetIndexes {
        global_indexes: Vec::new(),
        ttl_attribute: None,
    };
    assert_eq!(apply(&partition, &set.encode()), Outcome::Refused);
}

#[test]
fn locks_are_found_again_after_a_restart() {
    let home = Home::open();
    let partition = home.base(1);
    prepared(&partition, &ops());
    home.store.flush().unwrap();
    let Home { store, folder } = home;
    drop((store, partition));
    let store = Store::open(folder.path()).unwrap();
    let partition = store.partition(PartitionId(1)).unwrap().unwrap();
    assert!(partition.locks(5_000).unwrap().is_empty());
    let lock = Lock {
        txn: TXN,
        at_ms: 5_000,
        keys: 3,
    };
    assert_eq!(partition.locks(5_001).unwrap(), [lock]);
    let conflict = evaluate(&partition, &delete("p", 1));
    assert!(matches!(conflict, Err(WriteError::Conflict(TXN))));
}
