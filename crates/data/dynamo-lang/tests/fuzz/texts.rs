//! Texts that nobody would write never panic the parsers, and what they accept can be asked, applied and sent.

use std::collections::BTreeMap;

use proptest::prelude::*;
use quorate_dynamo_lang::partiql::{Naming, Statement, named_item, plan_keys};
use quorate_dynamo_lang::{
    AttributeValue, Condition, ConditionKind, Item, KeyCondition, Placeholders, Projection, Update,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::run;

/// Texts from which others are made.
const SEEDS: &[&str] = &[
    "a = :s AND NOT (b.c[1] <> :n OR size(d) BETWEEN :n AND :m)",
    "attribute_exists(a) AND begins_with(#n, :s) OR contains(l, :n) AND a IN (:s, b, size(c))",
    "attribute_type(a, :s)",
    "((a = b))",
    "pk = :s AND begins_with(sk, :s)",
    "pk = :s AND sk BETWEEN :n AND :n",
    "SET a = if_not_exists(b, :n) + :n, c.d[2] = list_append(e, :l) REMOVE f, g[0] ADD h :n DELETE i :ss",
    "REMOVE l[0], l[1] SET l[9] = :s",
    "a, b.c[0].#n, d",
    "SELECT a.b, c[1] FROM \"t\".\"i\" WHERE pk = 'x' AND sk IN [1, 2] ORDER BY sk DESC",
    "INSERT INTO t VALUE {'pk': 1e5, 'm': {'k': [1, <<'a'>>]}, 'p': ?}",
    "UPDATE t SET a = a + 1 SET s = set_add(s, <<1>>) REMOVE b WHERE pk = 1 RETURNING ALL NEW *",
    "DELETE FROM t WHERE pk = 1 AND (a IS MISSING OR NOT b IS NULL) -- end",
    "EXISTS(SELECT * FROM t WHERE pk = ? AND attribute_exists(a) = true)",
    "FROM t WHERE pk = -.5 SET a = list_append(a, []) /* x */ REMOVE b;",
];

/// Parts that texts are also made of.
const TOKENS: &[&str] = &[
    "a",
    "b.c",
    "#n",
    "#",
    ":s",
    ":n",
    ":",
    "l[0]",
    "[99999999999]",
    "(",
    ")",
    "=",
    "<>",
    "<",
    ">=",
    "AND",
    "OR",
    "NOT",
    "IN",
    "BETWEEN",
    "SET",
    "REMOVE",
    "ADD",
    "DELETE",
    ",",
    ".",
    "+",
    "-",
    "size(",
    "contains(",
    "list_append(",
    "if_not_exists(",
    "attribute_type(",
    "'x'",
    "\"q\"",
    "1e5",
    "?",
    "<<",
    ">>",
    "{",
    "}",
    "SELECT",
    "FROM",
    "WHERE",
    "VALUE",
    "INSERT",
    "INTO",
    "UPDATE",
    "*",
    "IS",
    "MISSING",
    "é",
    "\u{0}",
    "\u{1F600}",
    "--",
    "/*",
    "*/",
    ";",
    " ",
    "\n",
];

fn texts() -> impl Strategy<Value = String> {
    let seed = proptest::sample::select(SEEDS);
    let token = proptest::sample::select(TOKENS);
    prop_oneof![
        proptest::collection::vec(token.clone(), 0..40).prop_map(|parts| parts.join(" ")),
        proptest::collection::vec(token.clone(), 0..40).prop_map(|parts| parts.concat()),
        (
            seed.clone(),
            any::<prop::sample::Index>(),
            token.clone(),
            0_usize..4
        )
            .prop_map(|(seed, at, token, cut)| {
                let letters: Vec<char> = seed.chars().collect();
                let at = at.index(letters.len() + 1);
                let head: String = letters[..at].iter().collect();
                let tail: String = letters[(at + cut).min(letters.len())..].iter().collect();
                format!("{head}{token}{tail}")
            }),
        (
            seed.clone(),
            seed,
            any::<prop::sample::Index>(),
            any::<prop::sample::Index>()
        )
            .prop_map(|(one, two, i, j)| {
                let one: String = one.chars().take(i.index(one.len() + 1)).collect();
                let two: String = two.chars().skip(j.index(two.len() + 1)).collect();
                one + &two
            }),
        (token, 1_usize..3000).prop_map(|(token, times)| token.repeat(times)),
        proptest::collection::vec(any::<char>(), 0..60).prop_map(String::from_iter),
    ]
}

fn item() -> Item {
    let number = |digits: &str| AttributeValue::N(digits.parse().unwrap());
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let list = AttributeValue::L(vec![number("1"), text("x")]);
    let map = AttributeValue::M(BTreeMap::from([("c".to_owned(), list.clone())]));
    BTreeMap::from([
        ("a".to_owned(), number("5")),
        ("b".to_owned(), map),
        ("l".to_owned(), list),
        ("name".to_owned(), text("x")),
    ])
}

fn placeholders() -> Placeholders {
    let names = BTreeMap::from([("#n".to_owned(), "name".to_owned())]);
    let number = |digits: &str| AttributeValue::N(digits.parse().unwrap());
    let values = BTreeMap::from([
        (":s".to_owned(), AttributeValue::S("S".to_owned())),
        (":n".to_owned(), number("1")),
        (":m".to_owned(), number("9e125")),
        (":l".to_owned(), AttributeValue::L(vec![])),
        (
            ":ss".to_owned(),
            AttributeValue::SS(["x".to_owned()].into()),
        ),
    ]);
    Placeholders::new(Some(names), Some(values)).unwrap()
}

fn sent<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let bytes = postcard::to_stdvec(value).unwrap();
    assert_eq!(&postcard::from_bytes::<T>(&bytes).unwrap(), value);
}

/// The parsers of expressions, and everything that can be done with what they make.
fn try_expressions(text: &str) {
    let item = item();
    if let Ok(condition) = Condition::parse(ConditionKind::Filter, text, &mut placeholders()) {
        let _ = (condition.eval(Some(&item)), condition.eval(None));
        let _ = condition.attributes().count();
        sent(&condition);
    }
    if let Ok(update) = Update::parse(text, &mut placeholders()) {
        let _ = (update.apply(Some(&item), &item), update.apply(None, &item));
        sent(&update);
    }
    if let Ok(projection) = Projection::parse(text, &mut placeholders()) {
        let _ = projection.project(&item);
        sent(&projection);
    }
    let names = (["pk".to_owned()], ["sk".to_owned()]);
    if let Ok(key) = KeyCondition::parse(text, &mut placeholders(), &names.0, &names.1) {
        sent(&key);
    }
}

/// The parser of statements, and everything that can be done with what it makes.
fn try_statement(text: &str) {
    let item = item();
    let names = (["pk".to_owned()], ["sk".to_owned()]);
    let parameters = [AttributeValue::S("p".to_owned()), AttributeValue::Null];
    if let Ok(statement) = Statement::parse(text, &parameters) {
        sent(&statement);
        match &statement {
            Statement::Select(select) | Statement::Exists(select) => {
                let _ = select.project(&item);
                let _ = plan_keys(&select.condition, &names.0, &names.1);
                let _ = named_item(&select.condition, ["pk", "sk"], Naming::OneValue);
            }
            Statement::Update(update) => {
                let _ = update.update.apply(Some(&item), &item);
                let _ = plan_keys(&update.condition, &names.0, &names.1);
            }
            Statement::Insert(_) | Statement::Delete(_) => {}
        }
    }
}

/// No text panics the parsers of expressions.
pub(crate) fn expressions() {
    for seed in SEEDS {
        try_expressions(seed);
    }
    run(texts(), |text| try_expressions(text));
}

/// No text panics the parser of statements.
pub(crate) fn statements() {
    for seed in SEEDS {
        try_statement(seed);
    }
    run(texts(), |text| try_statement(text));
}
