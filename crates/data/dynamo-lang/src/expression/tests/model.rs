//! Random conditions mean what a simple recursive model says that they mean; random texts never panic.

use proptest::prelude::*;

use super::*;

/// A condition as a tree, with everything in parentheses when it is written.
#[derive(Debug, Clone)]
enum Model {
    Compare(&'static str, String, String),
    Between(String, String, String),
    In(String, Vec<String>),
    Exists(String),
    Missing(String),
    BeginsWith(String, String),
    Contains(String, String),
    Not(Box<Model>),
    And(Box<Model>, Box<Model>),
    Or(Box<Model>, Box<Model>),
}

impl Model {
    fn text(&self) -> String {
        match self {
            Model::Compare(operator, a, b) => format!("{a} {operator} {b}"),
            Model::Between(a, low, high) => format!("{a} BETWEEN {low} AND {high}"),
            Model::In(a, list) => format!("{a} IN ({})", list.join(", ")),
            Model::Exists(a) => format!("attribute_exists({a})"),
            Model::Missing(a) => format!("attribute_not_exists({a})"),
            Model::BeginsWith(a, b) => format!("begins_with({a}, {b})"),
            Model::Contains(a, b) => format!("contains({a}, {b})"),
            Model::Not(a) => format!("NOT {}", a.wrapped()),
            Model::And(a, b) => format!("{} AND {}", a.wrapped(), b.wrapped()),
            Model::Or(a, b) => format!("{} OR {}", a.wrapped(), b.wrapped()),
        }
    }

    fn wrapped(&self) -> String {
        match self {
            Model::Not(_) | Model::And(..) | Model::Or(..) => format!("({})", self.text()),
            leaf => leaf.text(),
        }
    }

    fn holds(&self, values: &Item) -> bool {
        let get = |name: &String| values.get(name);
        let ordered = |a: &AttributeValue, b: &AttributeValue| match (a, b) {
            (AttributeValue::N(a), AttributeValue::N(b)) => Some(a.cmp(b)),
            (AttributeValue::S(a), AttributeValue::S(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            _ => None,
        };
        let compare = |operator: &str, a: &String, b: &String| match (get(a), get(b)) {
            (Some(a), Some(b)) => match operator {
                "=" => a == b,
                "<>" => a != b,
                "<" => ordered(a, b).is_some_and(|o| o.is_lt()),
                "<=" => ordered(a, b).is_some_and(|o| o.is_le()),
                ">" => ordered(a, b).is_some_and(|o| o.is_gt()),
                _ => ordered(a, b).is_some_and(|o| o.is_ge()),
            },
            _ => operator == "<>",
        };
        match self {
            Model::Compare(operator, a, b) => compare(operator, a, b),
            Model::Between(a, low, high) => compare(">=", a, low) && compare("<=", a, high),
            Model::In(a, list) => list.iter().any(|b| compare("=", a, b)),
            Model::Exists(a) => get(a).is_some(),
            Model::Missing(a) => get(a).is_none(),
            Model::BeginsWith(a, b) => match (get(a), get(b)) {
                (Some(AttributeValue::S(a)), Some(AttributeValue::S(b))) => {
                    a.starts_with(b.as_str())
                }
                _ => false,
            },
            Model::Contains(a, b) => match (get(a), get(b)) {
                (Some(AttributeValue::S(a)), Some(AttributeValue::S(b))) => a.contains(b.as_str()),
                (Some(AttributeValue::SS(a)), Some(AttributeValue::S(b))) => a.contains(b),
                (Some(AttributeValue::L(a)), Some(b)) => a.contains(b),
                _ => false,
            },
            Model::Not(a) => !a.holds(values),
            Model::And(a, b) => a.holds(values) && b.holds(values),
            Model::Or(a, b) => a.holds(values) || b.holds(values),
        }
    }
}

fn value() -> impl Strategy<Value = AttributeValue> {
    prop_oneof![
        (-3_i128..4).prop_map(|digits| AttributeValue::N(Number::from_parts(digits, 0).unwrap())),
        "[ab]{0,3}".prop_map(AttributeValue::S),
        any::<bool>().prop_map(AttributeValue::Bool),
        Just(null()),
        proptest::collection::btree_set("[ab]{1,2}", 1..3).prop_map(AttributeValue::SS),
        proptest::collection::vec("[ab]{0,2}".prop_map(AttributeValue::S), 0..3)
            .prop_map(AttributeValue::L),
    ]
}

fn path() -> impl Strategy<Value = String> {
    "[pqrtuv]"
}

fn model() -> impl Strategy<Value = Model> {
    let operator = proptest::sample::select(vec!["=", "<>", "<", "<=", ">", ">="]);
    let leaf = prop_oneof![
        (operator, path(), path()).prop_map(|(o, a, b)| Model::Compare(o, a, b)),
        (path(), path(), path()).prop_map(|(a, b, c)| Model::Between(a, b, c)),
        (path(), proptest::collection::vec(path(), 1..4)).prop_map(|(a, b)| Model::In(a, b)),
        path().prop_map(Model::Exists),
        path().prop_map(Model::Missing),
        (path(), path()).prop_map(|(a, b)| Model::BeginsWith(a, b)),
        (path(), path()).prop_map(|(a, b)| Model::Contains(a, b)),
    ];
    leaf.prop_recursive(6, 40, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| Model::Not(Box::new(a))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Model::And(Box::new(a), Box::new(b))),
            (inner.clone(), inner).prop_map(|(a, b)| Model::Or(Box::new(a), Box::new(b))),
        ]
    })
}

/// Some names are attributes of the item, some are constants, some are neither.
fn world() -> impl Strategy<Value = (Item, Item)> {
    let attributes = proptest::collection::btree_map("[pqr]", value(), 0..4);
    let constants = proptest::collection::btree_map("[tu]", value(), 2..3);
    (attributes, constants)
}

proptest! {
    // Three in four are refused for their constants.
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn conditions_mean_what_the_model_says(model in model(), (attributes, constants) in world()) {
        let mut text = model.text();
        let mut placeholders = BTreeMap::new();
        for (name, value) in &constants {
            text = text
                .split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .map(|part| {
                    let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                    if word == name { format!(":{part}") } else { part.to_owned() }
                })
                .collect();
            placeholders.insert(format!(":{name}"), value.clone());
        }
        let mut placeholders = Placeholders::new(None, Some(placeholders)).unwrap();
        // Refused ones have a constant where it cannot stand; the tables of messages are about these.
        if let Ok(condition) = Condition::parse(ConditionKind::Filter, &text, &mut placeholders) {
            let mut all = attributes.clone();
            all.extend(constants.clone());
            prop_assert_eq!(condition.eval(Some(&attributes)), model.holds(&all), "{}", text);
            let bytes = postcard::to_stdvec(&condition).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Condition>(&bytes).unwrap(), condition);
        }
    }
}
