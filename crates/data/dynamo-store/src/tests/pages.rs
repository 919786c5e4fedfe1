//! Queries and scans, page by page.

use quorate_dynamo_lang::{AttributeValue, KeyCondition, Number, Projection, SortCondition};

use super::*;

fn filled(home: &Home) -> Partition {
    let partition = home.base(1);
    for pk in ["p", "q", "r"] {
        for sk in -5..5 {
            let a = if sk % 2 == 0 {
                format!(r#","a":{{"N":"{}"}}"#, -sk)
            } else {
                String::new()
            };
            write(
                &partition,
                &put(&format!(
                    r#"{{"pk":{{"S":"{pk}"}},"sk":{{"N":"{sk}"}},"x":{{"S":"{}"}},"w":{{"BOOL":true}}{a}}}"#,
                    "x".repeat(100)
                )),
            );
        }
    }
    partition
}

fn number(n: i64) -> AttributeValue {
    AttributeValue::N(Number::from_parts(i128::from(n), 0).unwrap())
}

fn query(range: Option<SortCondition>) -> QueryPlan {
    QueryPlan {
        index: IndexRef::Table,
        condition: KeyCondition {
            hash: vec![(String::from("pk"), AttributeValue::S(String::from("q")))],
            range_equals: Vec::new(),
            range: range.map(|sort| (String::from("sk"), sort)),
        },
        forward: true,
        start: None,
        wanted: Wanted::default(),
    }
}

fn numbers(page: &Page, name: &str) -> Vec<i64> {
    let texts = page.items.iter().map(|item| match &item[name] {
        AttributeValue::N(n) => n.to_string(),
        other => panic!("{other:?}"),
    });
    texts.map(|text| text.parse().unwrap()).collect()
}

#[test]
fn sort_conditions_choose_a_range() {
    let home = Home::open();
    let partition = filled(&home);
    let found = |sort| numbers(&partition.query(&query(Some(sort))).unwrap(), "sk");
    assert_eq!(found(SortCondition::Eq(number(-3))), [-3]);
    assert_eq!(found(SortCondition::Lt(number(-3))), [-5, -4]);
    assert_eq!(found(SortCondition::Le(number(-3))), [-5, -4, -3]);
    assert_eq!(found(SortCondition::Gt(number(2))), [3, 4]);
    assert_eq!(found(SortCondition::Ge(number(2))), [2, 3, 4]);
    assert_eq!(
        found(SortCondition::Between(number(-1), number(1))),
        [-1, 0, 1]
    );
    assert!(found(SortCondition::Between(number(1), number(-1))).is_empty());
    let all = partition.query(&query(None)).unwrap();
    assert_eq!(numbers(&all, "sk"), Vec::from_iter(-5..5));
    assert_eq!(all.last, None);
    let wrong = query(Some(SortCondition::BeginsWith(number(1))));
    assert!(matches!(
        partition.query(&wrong),
        Err(ReadError::Validation(_))
    ));
}

#[test]
fn begins_with_takes_what_starts_so() {
    let home = Home::open();
    let mut spec = plain_spec();
    spec.schema = KeySchema::of(("pk", ScalarType::S), Some(("sk", ScalarType::S)));
    let partition = home.store.create(PartitionId(1), spec).unwrap();
    for sk in ["a", "ab", "ab\\u0000c", "abc", "ac", "b"] {
        write(
            &partition,
            &put(&format!(r#"{{"pk":{{"S":"q"}},"sk":{{"S":"{sk}"}}}}"#)),
        );
    }
    let plan = query(Some(SortCondition::BeginsWith(AttributeValue::S(
        String::from("ab"),
    ))));
    let found = partition.query(&plan).unwrap();
    let texts: Vec<_> = found.items.iter().map(|i| i["sk"].clone()).collect();
    let wanted = ["ab", "ab\0c", "abc"].map(|text| AttributeValue::S(String::from(text)));
    assert_eq!(texts, wanted);
}

#[test]
fn pages_follow_each_other_in_both_directions() {
    let home = Home::open();
    let partition = filled(&home);
    for (index, name, wanted) in [
        (IndexRef::Table, "sk", Vec::from_iter(-5..5)),
        (IndexRef::Local(LOCAL), "a", vec![-4, -2, 0, 2, 4]),
    ] {
        for forward in [true, false] {
            let mut plan = query(None);
            plan.index = index;
            plan.forward = forward;
            plan.wanted.limit = Some(2);
            let mut all = Vec::new();
            loop {
                let page = partition.query(&plan).unwrap();
                all.extend(numbers(&page, name));
                plan.start = page.last;
                if plan.start.is_none() {
                    break;
                }
            }
            let mut wanted = wanted.clone();
            if !forward {
                wanted.reverse();
            }
            assert_eq!(all, wanted);
        }
    }
}

#[test]
fn the_limit_counts_before_the_filter() {
    let home = Home::open();
    let partition = filled(&home);
    let mut plan = query(None);
    plan.wanted.limit = Some(4);
    plan.wanted.filter = Some(condition("attribute_exists(a)", ""));
    plan.wanted.projection = Some(Projection::of(vec![quorate_dynamo_lang::Path::top("sk")]));
    let page = partition.query(&plan).unwrap();
    assert_eq!((page.count, page.scanned_count), (2, 4));
    assert_eq!(page.last, Some(key("q", -2)));
    assert_eq!(page.items[0], item(r#"{"sk":{"N":"-4"}}"#));
    plan.wanted.count_only = true;
    let page = partition.query(&plan).unwrap();
    assert_eq!((page.count, page.items.len()), (2, 0));
}

#[test]
fn a_local_index_has_its_projection_or_the_whole_item() {
    let home = Home::open();
    let partition = filled(&home);
    let mut plan = query(None);
    plan.index = IndexRef::Local(LOCAL);
    let page = partition.query(&plan).unwrap();
    assert!(
        page.items
            .iter()
            .all(|i| i.contains_key("x") && !i.contains_key("w"))
    );
    assert_eq!(page.fetched_units, 0);
    plan.wanted.whole_items = true;
    let page = partition.query(&plan).unwrap();
    assert!(page.items.iter().all(|i| i.contains_key("w")));
    assert_eq!(page.fetched_units, 5);
}

#[test]
fn a_page_ends_with_the_row_that_fills_it() {
    let home = Home::with(Limits {
        page_bytes_max: 250,
        ..Limits::default()
    });
    let partition = filled(&home);
    let page = partition.query(&query(None)).unwrap();
    assert_eq!((page.scanned_count, page.last), (3, Some(key("q", -3))));
    assert!(page.bytes >= 250);
}

#[test]
fn a_start_that_does_not_fit_is_refused() {
    let home = Home::open();
    let partition = filled(&home);
    let message = |start: Item| {
        let mut plan = query(Some(SortCondition::Gt(number(0))));
        plan.start = Some(start);
        match partition.query(&plan) {
            Err(ReadError::Validation(error)) => error.message,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(message(item("{}")), "The provided starting key is invalid");
    let mut more = key("q", 1);
    more.insert(String::from("x"), number(1));
    assert_eq!(message(more), "The provided starting key is invalid");
    for outside in [key("q", 0), key("p", 1)] {
        assert!(
            message(outside).starts_with("The provided starting key is outside query boundaries")
        );
    }
}

#[test]
fn segments_of_a_scan_are_disjoint_and_complete() {
    let home = Home::open();
    let partition = filled(&home);
    for index in [IndexRef::Table, IndexRef::Local(LOCAL)] {
        let mut found = Vec::new();
        for segment in 0..4_u64 {
            let first = segment << 62;
            let mut plan = everything();
            plan.index = index;
            plan.range = HashRange {
                first,
                last: first + ((1 << 62) - 1),
            };
            plan.wanted.limit = Some(3);
            loop {
                let page = partition.scan(&plan).unwrap();
                found.extend(
                    page.items
                        .iter()
                        .map(|i| format!("{:?}{:?}", i["pk"], i["sk"])),
                );
                plan.start = page.last;
                if plan.start.is_none() {
                    break;
                }
            }
        }
        let count = found.len();
        found.sort();
        found.dedup();
        let wanted = if index == IndexRef::Table { 30 } else { 15 };
        assert_eq!((found.len(), count), (wanted, wanted));
    }
}
