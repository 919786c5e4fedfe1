//! The outbox of a base partition and what an index partition makes of it.

use super::*;

/// Sends all that is in the outbox, in batches of two, and trims it.
pub(crate) fn drain(base: &Partition, index: &Partition) {
    loop {
        let entries = base.outbox(0, 2).unwrap();
        let Some(upto) = entries.last().map(|entry| entry.sequence) else {
            return;
        };
        let batch = Effect::IndexBatch {
            source: base.source(),
            entries,
        };
        assert_eq!(apply(index, &batch.encode()), Outcome::Applied);
        assert_eq!(apply(index, &batch.encode()), Outcome::Ignored);
        assert_eq!(index.arrived(base.source()).unwrap(), upto);
        apply(base, &Effect::TrimOutbox { upto }.encode());
    }
}

fn indexed(sk: u32, g: &str, a: u32) -> WriteOp {
    put(&format!(
        r#"{{"pk":{{"S":"p"}},"sk":{{"N":"{sk}"}},"g":{{"S":"{g}"}},"a":{{"N":"{a}"}}}}"#
    ))
}

#[test]
fn rows_come_move_and_go_with_their_items() {
    let home = Home::open();
    let (base, index) = (home.base(1), home.index(2));
    write(&base, &indexed(1, "g", 1));
    write(
        &base,
        &put(r#"{"pk":{"S":"p"},"sk":{"N":"2"},"g":{"S":"g"}}"#),
    );
    drain(&base, &index);
    assert_eq!(all_items(&index), [indexed(1, "g", 1).key().clone()]);
    write(&base, &indexed(1, "h", 1));
    assert_eq!(base.outbox_len(), 2);
    assert!(base.outbox(0, 9).unwrap()[0].is_removal());
    drain(&base, &index);
    assert_eq!(all_items(&index), [indexed(1, "h", 1).key().clone()]);
    assert_eq!(index.stats().items, 1);
    write(&base, &delete("p", 1));
    drain(&base, &index);
    assert_eq!((index.stats().items, index.stats().bytes), (0, 0));
    assert_eq!(base.outbox_len(), 0);
}

#[test]
fn an_index_is_paged_by_both_keys() {
    let home = Home::open();
    let (base, index) = (home.base(1), home.index(2));
    for sk in 0..5 {
        write(&base, &indexed(sk, "g", 1));
    }
    drain(&base, &index);
    let mut plan = QueryPlan {
        index: IndexRef::Table,
        condition: quorate_dynamo_lang::KeyCondition {
            hash: vec![(
                String::from("g"),
                quorate_dynamo_lang::AttributeValue::S(String::from("g")),
            )],
            range_equals: Vec::new(),
            range: None,
        },
        forward: true,
        start: None,
        wanted: Wanted {
            limit: Some(2),
            ..Wanted::default()
        },
    };
    let page = index.query(&plan).unwrap();
    assert_eq!(page.last.as_ref(), Some(indexed(1, "g", 1).key()));
    plan.start = page.last;
    let page = index.query(&plan).unwrap();
    assert_eq!(page.items[0], *indexed(2, "g", 1).key());
}

#[test]
fn an_index_of_an_old_table_is_filled_in_steps() {
    let home = Home::open();
    let mut spec = base_spec();
    let global_indexes = std::mem::take(&mut spec.global_indexes);
    let base = home.store.create(PartitionId(1), spec).unwrap();
    let index = home.index(2);
    for sk in 0..5 {
        write(&base, &indexed(sk, "g", sk));
    }
    let set = Effect::SetIndexes {
        global_indexes,
        ttl_attribute: None,
    };
    assert_eq!(apply(&base, &set.encode()), Outcome::Applied);
    write(&base, &indexed(1, "h", 1));
    let (mut after, mut steps) = (None, 0);
    loop {
        let fill = Effect::Backfill {
            index: GLOBAL,
            after,
            limit: 2,
        };
        steps += 1;
        match apply(&base, &fill.encode()) {
            Outcome::Next(None) => break,
            Outcome::Next(next) => after = next,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(steps, 3);
    drain(&base, &index);
    assert_eq!(all_items(&index), all_items(&base));
}

#[test]
fn what_was_sent_before_a_split_is_fenced_and_what_comes_again_does_no_harm() {
    let home = Home::open();
    let (base, index) = (home.base(1), home.index(2));
    write(&base, &indexed(1, "g", 1));
    let late = Effect::IndexBatch {
        source: base.source(),
        entries: base.outbox(0, 9).unwrap(),
    };
    let split = Effect::Split {
        at: 1,
        right: PartitionId(3),
        right_items: 1,
        right_bytes: 0,
    };
    assert_eq!(apply(&base, &split.encode()), Outcome::Applied);
    let right = home.store.partition(PartitionId(3)).unwrap().unwrap();
    assert_eq!((base.outbox_len(), right.outbox_len()), (0, 1));
    for source in right.fences() {
        assert_eq!(
            apply(&index, &Effect::Fence { source }.encode()),
            Outcome::Applied
        );
    }
    write(&right, &indexed(1, "g", 2));
    drain(&right, &index);
    assert_eq!(apply(&index, &late.encode()), Outcome::Refused);
    assert_eq!(all_items(&index), all_items(&right));
}
