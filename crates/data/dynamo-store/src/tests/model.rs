//! Random writes against a map: items, both kinds of indexes, sizes and expiry are what a recomputation gives.

use std::collections::BTreeMap;

use proptest::prelude::*;
use quorate_dynamo_lang::{AttributeValue, Number, item_bytes};

use super::global_index::drain;
use super::*;

#[derive(Debug, Clone)]
enum Step {
    Put(String, i64, Item),
    Delete(String, i64),
    Set(String, i64, Item),
    Remove(String, i64, &'static str),
    Transaction(bool, Vec<(i64, Item)>),
}

/// Attributes besides the key.
fn rest() -> impl Strategy<Value = Item> {
    let number = |n: i128| AttributeValue::N(Number::from_parts(n, 0).unwrap());
    let text = |n: u8| AttributeValue::S("abc"[..usize::from(n)].to_owned());
    (
        prop::option::of(0_i128..4),
        prop::option::of(1_u8..4),
        prop::option::of(0_u8..4),
        prop::option::of(1_000_i128..1_004),
    )
        .prop_map(move |(a, g, x, exp)| {
            let named = [
                ("a", a.map(number)),
                ("g", g.map(text)),
                ("x", x.map(text)),
                ("exp", exp.map(number)),
            ];
            named
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect()
        })
}

fn step() -> impl Strategy<Value = Step> {
    let pk = || prop_oneof![Just(String::from("p")), Just(String::from("q"))];
    let sk = || -1_i64..2;
    prop_oneof![
        4 => (pk(), sk(), rest()).prop_map(|(pk, sk, item)| Step::Put(pk, sk, item)),
        2 => (pk(), sk()).prop_map(|(pk, sk)| Step::Delete(pk, sk)),
        2 => (pk(), sk(), rest()).prop_map(|(pk, sk, item)| Step::Set(pk, sk, item)),
        2 => (pk(), sk(), prop_oneof![Just("a"), Just("g"), Just("exp")])
            .prop_map(|(pk, sk, name)| Step::Remove(pk, sk, name)),
        1 => (any::<bool>(), prop::collection::btree_map(sk(), rest(), 1..3))
            .prop_map(|(commit, items)| Step::Transaction(commit, items.into_iter().collect())),
    ]
}

type Model = BTreeMap<(String, i64), Item>;

fn whole(pk: &str, sk: i64, rest: &Item) -> Item {
    let mut item = key(pk, sk);
    item.extend(rest.clone());
    item
}

fn take(partition: &Partition, model: &mut Model, step: Step) {
    let put = |pk: &str, sk: i64, rest: &Item| WriteOp::Put {
        item: whole(pk, sk, rest),
        condition: None,
    };
    match step {
        Step::Put(pk, sk, rest) => {
            write(partition, &put(&pk, sk, &rest));
            model.insert((pk.clone(), sk), whole(&pk, sk, &rest));
        }
        Step::Delete(pk, sk) => {
            let answer = write(partition, &delete(&pk, sk));
            assert_eq!(answer.old, model.remove(&(pk, sk)));
        }
        Step::Set(pk, sk, rest) => {
            let Some((name, value)) = rest.into_iter().next() else {
                return;
            };
            let values = Item::from([(String::from(":v"), value.clone())]);
            let mut placeholders = Placeholders::new(None, Some(values)).unwrap();
            let op = WriteOp::Update {
                key: key(&pk, sk),
                update: Update::parse(&format!("SET {name} = :v"), &mut placeholders).unwrap(),
                condition: None,
            };
            write(partition, &op);
            let item = model
                .entry((pk.clone(), sk))
                .or_insert_with(|| key(&pk, sk));
            item.insert(name, value);
        }
        Step::Remove(pk, sk, name) => {
            let op = WriteOp::Update {
                key: key(&pk, sk),
                update: Update::parse(&format!("REMOVE {name}"), &mut placeholders("")).unwrap(),
                condition: Some(condition("attribute_exists(pk)", "")),
            };
            match model.get_mut(&(pk, sk)) {
                Some(item) => {
                    write(partition, &op);
                    item.remove(name);
                }
                None => assert!(matches!(
                    evaluate(partition, &op),
                    Err(WriteError::ConditionFailed { old: None })
                )),
            }
        }
        Step::Transaction(commit, items) => {
            let ops: Vec<_> = items.iter().map(|(sk, rest)| put("p", *sk, rest)).collect();
            let latch = latched(partition, &ops);
            let txn = TxnId(1);
            let prepared = partition.prepare(1_000, txn, &ops, &latch).unwrap();
            assert_eq!(apply(partition, &prepared.effect), Outcome::Applied);
            let end = if commit {
                Effect::Commit { txn }
            } else {
                Effect::Abort { txn }
            };
            assert_eq!(apply(partition, &end.encode()), Outcome::Applied);
            for (sk, rest) in items.iter().filter(|_| commit) {
                model.insert((String::from("p"), *sk), whole("p", *sk, rest));
            }
        }
    }
}

fn sorted(mut items: Vec<Item>) -> Vec<Item> {
    items.sort_by_key(|item| format!("{item:?}"));
    items
}

fn check(base: &Partition, index: &Partition, model: &Model) {
    let items: Vec<Item> = model.values().cloned().collect();
    assert_eq!(all_items(base), sorted(items.clone()));
    let stats = base.stats();
    let bytes: usize = items.iter().map(item_bytes).sum();
    assert_eq!(
        (stats.items, stats.bytes),
        (items.len() as u64, bytes as u64)
    );
    assert_eq!(stats.locks, 0);

    let local = |item: &Item| {
        item.contains_key("a").then(|| {
            let mut row = item.clone();
            row.retain(|name, _| ["pk", "sk", "a", "x"].contains(&name.as_str()));
            row
        })
    };
    let wanted: Vec<Item> = items.iter().filter_map(local).collect();
    let mut plan = everything();
    plan.index = IndexRef::Local(LOCAL);
    assert_eq!(sorted(base.scan(&plan).unwrap().items), sorted(wanted));
    for pk in ["p", "q"] {
        let mine = items
            .iter()
            .filter(|i| i["pk"] == AttributeValue::S(pk.to_owned()));
        let bytes: usize = mine
            .map(|item| item_bytes(item) + local(item).as_ref().map_or(0, item_bytes))
            .sum();
        assert_eq!(base.collection_bytes(&key(pk, 0)).unwrap(), bytes as u64);
    }

    drain(base, index);
    let indexed = |item: &&Item| item.contains_key("g") && item.contains_key("a");
    let wanted: Vec<Item> = items.iter().filter(indexed).cloned().collect();
    assert_eq!(index.stats().items, wanted.len() as u64);
    let bytes: usize = wanted.iter().map(item_bytes).sum();
    assert_eq!(index.stats().bytes, bytes as u64);
    assert_eq!(all_items(index), sorted(wanted));

    let now = AttributeValue::N(Number::from_parts(1_002, 0).unwrap());
    let AttributeValue::N(now) = now else {
        unreachable!()
    };
    let expired = |item: &&Item| matches!(item.get("exp"), Some(AttributeValue::N(n)) if *n < now);
    let wanted: Vec<Item> = items
        .iter()
        .filter(expired)
        .map(|i| schema().key_of(i))
        .collect();
    assert_eq!(sorted(base.expired(1_002, 99).unwrap()), sorted(wanted));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_partition_is_what_a_map_is(steps in prop::collection::vec(step(), 1..40)) {
        let home = Home::open();
        let (base, index) = (home.base(1), home.index(2));
        let mut model = Model::new();
        for (at, step) in steps.into_iter().enumerate() {
            take(&base, &mut model, step);
            if at % 7 == 0 {
                check(&base, &index, &model);
            }
        }
        check(&base, &index, &model);
    }
}
