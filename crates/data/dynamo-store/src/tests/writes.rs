//! Single writes: conditions, limits, indexes, answers.

use quorate_dynamo_lang::AttributeValue;

use super::*;

fn refused(partition: &Partition, op: &WriteOp) -> String {
    match evaluate(partition, op) {
        Err(WriteError::Validation(error)) => error.message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_put_replaces_and_answers_what_was_there() {
    let home = Home::open();
    let partition = home.base(1);
    let first = r#"{"pk":{"S":"p"},"sk":{"N":"1"},"x":{"S":"one"}}"#;
    assert_eq!(write(&partition, &put(first)).old, None);
    let second = put(r#"{"pk":{"S":"p"},"sk":{"N":"1"},"x":{"S":"second"}}"#);
    let answer = write(&partition, &second);
    assert_eq!(answer.old, Some(item(first)));
    assert_eq!((answer.old_bytes, answer.new_bytes), (3 + 4 + 4, 3 + 4 + 7));
    assert_eq!(answer.collection_bytes, Some(14));
    let read = partition.read(&key("p", 1)).unwrap();
    assert_eq!(read.item.as_ref(), Some(second.key()));
    assert_eq!(read.version, (1_000 << 16) + 1);
    assert_eq!(partition.stats().bytes, 14);
    assert_eq!(write(&partition, &delete("p", 1)).old, read.item);
    assert_eq!(partition.get(&key("p", 1)).unwrap(), None);
    assert_eq!((partition.stats().items, partition.stats().bytes), (0, 0));
    assert_eq!(partition.collection_bytes(&key("p", 1)).unwrap(), 0);
}

#[test]
fn a_condition_that_does_not_hold_gives_the_item() {
    let home = Home::open();
    let partition = home.base(1);
    let there = r#"{"pk":{"S":"p"},"sk":{"N":"1"}}"#;
    let op = WriteOp::Put {
        item: item(there),
        condition: Some(condition("attribute_not_exists(pk)", "")),
    };
    write(&partition, &op);
    match evaluate(&partition, &op) {
        Err(WriteError::ConditionFailed { old }) => assert_eq!(old, Some(item(there))),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_changes_nothing_has_no_effect() {
    let home = Home::open();
    let partition = home.base(1);
    assert!(
        evaluate(&partition, &delete("p", 1))
            .unwrap()
            .effect
            .is_none()
    );
    let same = put(r#"{"pk":{"S":"p"},"sk":{"N":"1"}}"#);
    write(&partition, &same);
    assert!(evaluate(&partition, &same).unwrap().effect.is_none());
}

#[test]
fn an_update_answers_both_sides() {
    let home = Home::open();
    let partition = home.base(1);
    let add = update(
        "p",
        1,
        "ADD n :n SET x = :x",
        r#"{":n":{"N":"2"},":x":{"S":"y"}}"#,
    );
    write(&partition, &add);
    let answer = write(&partition, &add);
    let number =
        |n: i128| AttributeValue::N(quorate_dynamo_lang::Number::from_parts(n, 0).unwrap());
    assert_eq!(answer.new.unwrap()["n"], number(4));
    assert_eq!(answer.updated_old.unwrap()["n"], number(2));
    assert_eq!(answer.updated_new.unwrap()["n"], number(4));
    assert_eq!(
        refused(
            &partition,
            &update("p", 1, "SET sk = :x", r#"{":x":{"N":"2"}}"#)
        ),
        "One or more parameter values were invalid: Cannot update attribute sk. This attribute is part of the key"
    );
}

#[test]
fn an_item_is_at_most_400_kilobytes() {
    let home = Home::open();
    let partition = home.base(1);
    let sized = |bytes: usize| {
        let mut sized = key("p", 1);
        sized.insert(String::from("x"), AttributeValue::S("x".repeat(bytes)));
        WriteOp::Put {
            item: sized,
            condition: None,
        }
    };
    // Name and value of both keys, and the name of `x`.
    let rest = 3 + 4 + 1;
    write(&partition, &sized(409_600 - rest));
    assert_eq!(
        refused(&partition, &sized(409_601 - rest)),
        "Item size has exceeded the maximum allowed size"
    );
    let grow = update("p", 1, "SET y = :y", r#"{":y":{"S":"y"}}"#);
    assert_eq!(
        refused(&partition, &grow),
        "Item size to update has exceeded the maximum allowed size"
    );
}

#[test]
fn keys_of_indexes_have_their_type() {
    let home = Home::open();
    let partition = home.base(1);
    assert_eq!(
        refused(
            &partition,
            &put(r#"{"pk":{"S":"p"},"sk":{"N":"1"},"a":{"S":"1"}}"#)
        ),
        "One or more parameter values were invalid: Type mismatch for Index Key a Expected: N Actual: S \
         IndexName: by-a"
    );
    assert_eq!(
        refused(
            &partition,
            &put(r#"{"pk":{"S":"p"},"sk":{"N":"1"},"g":{"N":"1"}}"#)
        ),
        "One or more parameter values were invalid: Type mismatch for Index Key g Expected: S Actual: N \
         IndexName: by-g"
    );
    let update = update("p", 1, "SET a = :a", r#"{":a":{"S":"x"}}"#);
    assert!(refused(&partition, &update).contains("IndexName: by-a"));
}

#[test]
fn index_writes_are_charged_by_what_changes() {
    let home = Home::open();
    let partition = home.base(1);
    let units = |op: &WriteOp| {
        let mut units: Vec<_> = write(&partition, op)
            .index_units
            .iter()
            .map(|u| (u.local, u.units))
            .collect();
        units.sort_unstable();
        units
    };
    let big = "z".repeat(1_500);
    let with = |a: u32, rest: &str| {
        put(&format!(
            r#"{{"pk":{{"S":"p"}},"sk":{{"N":"1"}},"g":{{"S":"g"}},"a":{{"N":"{a}"}}{rest}}}"#
        ))
    };
    assert_eq!(units(&with(1, "")), [(false, 1), (true, 1)]);
    // `z` is in the global index only, which has two KB of it.
    let z = format!(r#","z":{{"S":"{big}"}}"#);
    assert_eq!(units(&with(1, &z)), [(false, 2)]);
    assert_eq!(units(&with(2, &z)), [(false, 4), (true, 2)]);
    assert_eq!(units(&delete("p", 1)), [(false, 2), (true, 1)]);
}

#[test]
fn an_item_collection_has_a_limit() {
    let home = Home::with(Limits {
        collection_bytes_max: 100,
        ..Limits::default()
    });
    let partition = home.base(1);
    let x = "x".repeat(60);
    let large = |pk: &str, sk: u32| {
        put(&format!(
            r#"{{"pk":{{"S":"{pk}"}},"sk":{{"N":"{sk}"}},"x":{{"S":"{x}"}}}}"#
        ))
    };
    write(&partition, &large("p", 1));
    let full = evaluate(&partition, &large("p", 2));
    assert!(matches!(full, Err(WriteError::CollectionFull)));
    write(&partition, &large("q", 2));
    write(&partition, &delete("p", 1));
    write(&partition, &large("p", 2));
}

#[test]
fn expired_items_are_found_in_order_and_deleted_if_they_still_are() {
    let home = Home::open();
    let partition = home.base(1);
    let expiring = |sk: u32, exp: &str| {
        write(
            &partition,
            &put(&format!(
                r#"{{"pk":{{"S":"p"}},"sk":{{"N":"{sk}"}},"exp":{exp}}}"#
            )),
        );
    };
    let now = 2_000_000_000;
    expiring(1, r#"{"N":"1999999999.5"}"#);
    expiring(2, r#"{"N":"1999999000"}"#);
    expiring(3, r#"{"N":"2000000000"}"#);
    expiring(4, r#"{"S":"1999999000"}"#);
    expiring(5, r#"{"N":"5"}"#);
    let expired = partition.expired(now, 10).unwrap();
    assert_eq!(expired, [key("p", 2), key("p", 1)]);
    assert_eq!(partition.expired(now, 1).unwrap(), [key("p", 2)]);
    write(
        &partition,
        &update("p", 2, "SET exp = :e", r#"{":e":{"N":"3000000000"}}"#),
    );
    let expire = |sk: i64| WriteOp::Expire {
        key: key("p", sk),
        now_s: now,
    };
    assert!(evaluate(&partition, &expire(2)).unwrap().effect.is_none());
    let effect = evaluate(&partition, &expire(1)).unwrap().effect.unwrap();
    assert!(Effect::decode(&effect).unwrap().is_expiry());
    apply(&partition, &effect);
    assert!(partition.expired(now, 10).unwrap().is_empty());
    assert_eq!(partition.get(&key("p", 1)).unwrap(), None);
}

#[test]
fn another_expiry_attribute_is_indexed_from_what_is_there() {
    let home = Home::open();
    let partition = home.base(1);
    write(
        &partition,
        &put(r#"{"pk":{"S":"p"},"sk":{"N":"1"},"exp":{"N":"1"},"until":{"N":"2000000"}}"#),
    );
    let set = |ttl: Option<&str>| Effect::SetIndexes {
        global_indexes: Vec::new(),
        ttl_attribute: ttl.map(str::to_owned),
    };
    let stale = evaluate(&partition, &delete("p", 1))
        .unwrap()
        .effect
        .unwrap();
    assert_eq!(
        apply(&partition, &set(Some("until")).encode()),
        Outcome::Applied
    );
    assert_eq!(apply(&partition, &stale), Outcome::Stale);
    assert_eq!(partition.expired(2_000_001, 9).unwrap(), [key("p", 1)]);
    apply(&partition, &set(None).encode());
    assert!(partition.expired(2_000_001, 9).unwrap().is_empty());
}

#[test]
fn a_write_needs_its_latch_and_its_range() {
    let home = Home::open();
    let partition = home.base(1);
    let latch = latched(&partition, &[delete("p", 1)]);
    let other = partition.evaluate(0, &delete("p", 2), &latch);
    assert!(matches!(
        other,
        Err(WriteError::Store(StoreError::NotLatched))
    ));
    let narrow = PartitionSpec {
        table: TableKey(99),
        range: HashRange { first: 0, last: 0 },
        ..plain_spec()
    };
    let narrow = home.store.create(PartitionId(2), narrow).unwrap();
    let elsewhere = evaluate(&narrow, &delete("p", 1));
    assert!(matches!(elsewhere, Err(WriteError::WrongPartition)));
    assert!(matches!(
        narrow.get(&key("p", 1)),
        Err(ReadError::WrongPartition)
    ));
}

#[test]
fn damage_stops_the_partition_and_never_panics() {
    let home = Home::open();
    let partition = home.base(1);
    write(&partition, &put(r#"{"pk":{"S":"p"},"sk":{"N":"1"}}"#));
    let rows = dump(&partition);
    let (row, _) = rows.iter().find(|(row, _)| row[0] == 1).unwrap();
    partition
        .inner
        .shared
        .rows
        .insert(row, [1, 255, 255])
        .unwrap();
    let read = partition.get(&key("p", 1));
    assert!(matches!(
        read,
        Err(ReadError::Store(StoreError::Damaged(_)))
    ));
    let read = partition.get(&key("p", 2));
    assert!(matches!(read, Err(ReadError::Store(StoreError::Poisoned))));
    assert!(partition.apply(&[], b"m").is_err() && partition.mark().is_err());
    let other = home.store.create(PartitionId(2), index_spec()).unwrap();
    assert!(other.apply(&[b"\x01\xff\xff"], b"m").is_err());
    assert!(matches!(
        other.scan(&everything()),
        Err(ReadError::Store(_))
    ));
}

#[test]
fn a_table_has_one_partition_for_a_position() {
    let home = Home::open();
    home.base(1);
    let again = home.store.create(PartitionId(1), plain_spec());
    assert!(matches!(again, Err(StoreError::Exists)));
    let overlapping = home.store.create(PartitionId(2), plain_spec());
    assert!(matches!(overlapping, Err(StoreError::Overlap)));
    home.store.remove(PartitionId(1)).unwrap();
    let partition = home.base(2);
    assert_eq!(home.store.partitions(), [PartitionId(2)]);
    write(&partition, &put(r#"{"pk":{"S":"p"},"sk":{"N":"1"}}"#));
    home.store.remove(PartitionId(2)).unwrap();
    assert!(dump(&home.base(3)).iter().all(|(row, _)| row[0] == 0));
}
