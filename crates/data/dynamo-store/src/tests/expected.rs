//! Writes of one item that follow each other before the first is applied.

use super::*;

const EPOCH: u64 = 3;

fn add() -> WriteOp {
    update("p", 1, "ADD n :n", r#"{":n":{"N":"1"}}"#)
}

/// Evaluates and expects, as a leader does; the effect is not applied.
fn follow(
    partition: &Partition,
    epoch: u64,
    op: &WriteOp,
) -> Result<(Vec<u8>, Option<Expected>), WriteError> {
    let latch = latched(partition, std::slice::from_ref(op));
    let mut evaluated = partition.evaluate_after(epoch, 1_000, op, &latch)?;
    let key = partition.key(op.key()).unwrap();
    let expected = partition.expect(&key, epoch, &mut evaluated);
    Ok((evaluated.effect.unwrap(), expected))
}

fn counter(partition: &Partition) -> String {
    let item = partition.get(&key("p", 1)).unwrap().unwrap();
    format!("{:?}", item["n"])
}

#[test]
fn a_write_follows_on_what_is_expected_and_gives_the_same_rows() {
    let (home, plain) = (Home::open(), Home::open());
    let (partition, other) = (home.base(1), plain.base(1));
    let ops = [
        put(r#"{"pk":{"S":"p"},"sk":{"N":"1"},"a":{"N":"5"},"g":{"S":"x"},"n":{"N":"0"}}"#),
        add(),
        update("p", 1, "SET a = :a REMOVE g", r#"{":a":{"N":"6"}}"#),
        add(),
        delete("p", 1),
        add(),
    ];
    let followed: Vec<_> = ops
        .iter()
        .map(|op| follow(&partition, EPOCH, op).unwrap())
        .collect();
    for (effect, expected) in followed {
        assert_eq!(apply(&partition, &effect), Outcome::Applied);
        drop(expected);
    }
    for op in &ops {
        write(&other, op);
    }
    assert_eq!(dump(&partition), dump(&other));
    assert!(!partition.expects(&[partition.key(&key("p", 1)).unwrap()]));
}

#[test]
fn what_another_epoch_expected_is_of_no_account() {
    let home = Home::open();
    let partition = home.base(1);
    let (_lost, expected) = follow(&partition, EPOCH, &add()).unwrap();
    let (effect, newer) = follow(&partition, EPOCH + 1, &add()).unwrap();
    // The older one ends late and must not take the newer one's image with it.
    drop(expected);
    assert!(partition.expects(&[partition.key(&key("p", 1)).unwrap()]));
    assert_eq!(apply(&partition, &effect), Outcome::Applied);
    drop(newer);
    assert!(
        counter(&partition).contains("digits: 1,"),
        "{}",
        counter(&partition)
    );
}

#[test]
fn nothing_follows_over_a_change_of_the_indexes() {
    let home = Home::open();
    let partition = home.base(1);
    let (stale, expected) = follow(&partition, EPOCH, &add()).unwrap();
    let set = Effect::SetIndexes {
        global_indexes: Vec::new(),
        ttl_attribute: None,
    };
    assert_eq!(apply(&partition, &set.encode()), Outcome::Applied);
    // The first one will not be applied: a write on top of it would count it all the same.
    let refused = follow(&partition, EPOCH, &add()).unwrap_err();
    assert!(matches!(refused, WriteError::OnTheirWay), "{refused}");
    assert_eq!(apply(&partition, &stale), Outcome::Stale);
    drop(expected);
    let (effect, _expected) = follow(&partition, EPOCH, &add()).unwrap();
    assert_eq!(apply(&partition, &effect), Outcome::Applied);
    assert!(
        counter(&partition).contains("digits: 1,"),
        "{}",
        counter(&partition)
    );
}

#[test]
fn a_condition_sees_what_is_expected() {
    let home = Home::open();
    let partition = home.base(1);
    let once = WriteOp::Put {
        item: item(r#"{"pk":{"S":"p"},"sk":{"N":"1"}}"#),
        condition: Some(condition("attribute_not_exists(pk)", "")),
    };
    let (_effect, expected) = follow(&partition, EPOCH, &once).unwrap();
    let refused = follow(&partition, EPOCH, &once).unwrap_err();
    assert!(matches!(refused, WriteError::ConditionFailed { .. }));
    drop(expected);
    assert!(follow(&partition, EPOCH, &once).is_ok());
}
