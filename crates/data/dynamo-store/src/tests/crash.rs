//! A crash at any step: what is on disk is what one mark says, and applying the rest again gives the same rows.

use std::path::Path;

use super::*;

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Effects of all kinds, as a leader makes them.
fn effects() -> Vec<Vec<u8>> {
    let home = Home::open();
    let leader = home.base(1);
    let mut effects = Vec::new();
    let mut done = |effect: Vec<u8>| {
        apply(&leader, &effect);
        effects.push(effect);
    };
    for n in 0..12 {
        let sk = n % 5;
        let op = put(&format!(
            r#"{{"pk":{{"S":"p"}},"sk":{{"N":"{sk}"}},"a":{{"N":"{n}"}},"g":{{"S":"g{n}"}},"exp":{{"N":"{n}"}}}}"#
        ));
        done(evaluate(&leader, &op).unwrap().effect.unwrap());
    }
    done(evaluate(&leader, &delete("p", 3)).unwrap().effect.unwrap());
    for (txn, end) in [
        (TxnId(1), Effect::Commit { txn: TxnId(1) }),
        (TxnId(2), Effect::Abort { txn: TxnId(2) }),
    ] {
        let ops = [
            delete("p", 1),
            put(r#"{"pk":{"S":"q"},"sk":{"N":"1"},"a":{"N":"1"}}"#),
        ];
        let latch = latched(&leader, &ops);
        done(leader.prepare(1_000, txn, &ops, &latch).unwrap().effect);
        done(end.encode());
    }
    done(Effect::TrimOutbox { upto: 4 }.encode());
    let set = Effect::SetIndexes {
        global_indexes: base_spec().global_indexes,
        ttl_attribute: Some(String::from("a")),
    };
    done(set.encode());
    let fill = Effect::Backfill {
        index: GLOBAL,
        after: None,
        limit: 3,
    };
    done(fill.encode());
    done(evaluate(&leader, &delete("p", 0)).unwrap().effect.unwrap());
    let split = Effect::Split {
        at: 1 << 63,
        right: PartitionId(9),
        right_items: 2,
        right_bytes: 40,
    };
    done(split.encode());
    done(Effect::TrimOutbox { upto: 6 }.encode());
    effects
}

fn apply_from(partition: &Partition, effects: &[Vec<u8>], batch: usize) {
    let mark = partition.mark().unwrap();
    let mut at = mark.map_or(0, |mark| u64::from_be_bytes(mark.try_into().unwrap())) as usize;
    while at < effects.len() {
        let end = (at + batch).min(effects.len());
        let part: Vec<&[u8]> = effects[at..end].iter().map(Vec::as_slice).collect();
        let mark = (end as u64).to_be_bytes();
        let outcomes = partition.apply(&part, &mark).unwrap();
        assert_eq!(outcomes.len(), part.len());
        at = end;
    }
}

#[test]
fn replicas_are_the_same_however_effects_are_batched() {
    let effects = effects();
    let dumps: Vec<_> = [1, 3, effects.len()]
        .into_iter()
        .map(|batch| {
            let home = Home::open();
            let partition = home.base(1);
            apply_from(&partition, &effects, batch);
            dump(&partition)
        })
        .collect();
    assert_eq!(dumps[0], dumps[1]);
    assert_eq!(dumps[0], dumps[2]);
}

#[test]
fn after_a_crash_at_any_step_the_log_gives_the_same_rows() {
    let effects = effects();
    let home = Home::open();
    let partition = home.base(1);
    home.store.flush().unwrap();
    let copies = TempDir::new().unwrap();
    for (at, effect) in effects.iter().enumerate() {
        let mark = (at as u64 + 1).to_be_bytes();
        partition.apply(&[effect], &mark).unwrap();
        if at % 3 == 1 {
            home.store.flush().unwrap();
        }
        if at % 5 == 4 {
            // Rows on their way from the journal to tables.
            partition
                .inner
                .shared
                .rows
                .rotate_memtable_and_wait()
                .unwrap();
        }
        copy(home.folder.path(), &copies.path().join(at.to_string()));
    }
    let wanted = dump(&partition);
    let mut behind = 0;
    for at in 0..effects.len() {
        let store = Store::open(&copies.path().join(at.to_string())).unwrap();
        let again = store.partition(PartitionId(1)).unwrap().unwrap();
        behind +=
            usize::from(again.mark().unwrap() != Some((at as u64 + 1).to_be_bytes().to_vec()));
        apply_from(&again, &effects, 4);
        assert_eq!(dump(&again), wanted, "after step {at}");
        assert_eq!(again.stats(), partition.stats());
    }
    assert!((1..effects.len()).contains(&behind), "{behind}");
}

#[test]
fn the_same_mark_applies_once() {
    let home = Home::open();
    let partition = home.base(1);
    let op = put(r#"{"pk":{"S":"p"},"sk":{"N":"1"},"g":{"S":"g"},"a":{"N":"1"}}"#);
    let effect = evaluate(&partition, &op).unwrap().effect.unwrap();
    partition.apply(&[&effect], b"m").unwrap();
    let before = dump(&partition);
    let outcomes = partition.apply(&[&effect], b"m").unwrap();
    assert_eq!(Outcome::decode(&outcomes[0]).unwrap(), Outcome::Ignored);
    assert_eq!(dump(&partition), before);
}

#[test]
fn a_removal_that_was_cut_short_ends_when_the_store_opens() {
    let home = Home::open();
    let partition = home.base(1);
    write(
        &partition,
        &put(r#"{"pk":{"S":"p"},"sk":{"N":"1"},"a":{"N":"1"}}"#),
    );
    let removing = crate::partition::Head::empty(crate::partition::Status::Removing);
    let row = crate::layout::head_row(PartitionId(1));
    let rows = &partition.inner.shared.rows;
    rows.insert(row, crate::record::encode(&removing)).unwrap();
    home.store.flush().unwrap();
    let Home { store, folder } = home;
    drop((store, partition));
    let store = Store::open(folder.path()).unwrap();
    assert!(store.partitions().is_empty());
    let other = store.create(PartitionId(2), index_spec()).unwrap();
    assert_eq!(dump(&other).len(), 2);
}

mod damage {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_damaged_effect_is_an_error_or_another_effect(at in 0_usize..4_096, bit in 0_u8..8, cut: bool) {
            static EFFECTS: std::sync::LazyLock<Vec<Vec<u8>>> = std::sync::LazyLock::new(effects);
            let home = Home::open();
            let partition = home.base(1);
            let mut damaged = EFFECTS.to_vec();
            let which = at % damaged.len();
            let effect = &mut damaged[which];
            let byte = (at / 16) % effect.len();
            if cut {
                effect.truncate(byte);
            } else {
                effect[byte] ^= 1 << bit;
            }
            for (n, effect) in damaged.iter().enumerate() {
                if partition.apply(&[effect], &n.to_be_bytes()).is_err() {
                    break;
                }
            }
        }
    }
}
