//! Short ways to write values and items.

use std::collections::{BTreeMap, BTreeSet};

use crate::expression::Placeholders;
use crate::{AttributeValue, Item, Number};

pub(crate) fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(crate) fn n(digits: &str) -> AttributeValue {
    AttributeValue::N(digits.parse::<Number>().unwrap())
}

pub(crate) fn b(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(bytes.to_vec())
}

pub(crate) fn ss(elements: &[&str]) -> AttributeValue {
    AttributeValue::SS(elements.iter().map(|&e| e.to_owned()).collect())
}

pub(crate) fn ns(elements: &[&str]) -> AttributeValue {
    let parsed: BTreeSet<Number> = elements.iter().map(|e| e.parse().unwrap()).collect();
    AttributeValue::NS(parsed)
}

pub(crate) fn bs(elements: &[&[u8]]) -> AttributeValue {
    AttributeValue::BS(elements.iter().map(|e| e.to_vec()).collect())
}

pub(crate) fn l<const N: usize>(elements: [AttributeValue; N]) -> AttributeValue {
    AttributeValue::L(elements.to_vec())
}

pub(crate) fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    attributes
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

pub(crate) fn m<const N: usize>(members: [(&str, AttributeValue); N]) -> AttributeValue {
    AttributeValue::M(item(members))
}

pub(crate) fn yes() -> AttributeValue {
    AttributeValue::Bool(true)
}

pub(crate) fn null() -> AttributeValue {
    AttributeValue::Null
}

/// Placeholders with these names and values; empty lists mean that the request has no such map.
pub(crate) fn with(names: &[(&str, &str)], values: &[(&str, AttributeValue)]) -> Placeholders {
    let names: BTreeMap<String, String> = names
        .iter()
        .map(|(key, name)| ((*key).to_owned(), (*name).to_owned()))
        .collect();
    let values: Item = values
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect();
    let names = Some(names).filter(|names| !names.is_empty());
    let values = Some(values).filter(|values| !values.is_empty());
    Placeholders::new(names, values).unwrap()
}

/// Values of many types, for expressions that need some.
pub(crate) fn usual() -> Placeholders {
    with(
        &[("#n", "name"), ("#d", "a.b")],
        &[
            (":s", s("x")),
            (":t", s("y")),
            (":n", n("5")),
            (":one", n("1")),
            (":b", b(b"xyz")),
            (":ss", ss(&["x"])),
            (":ns", ns(&["5"])),
            (":bs", bs(&[b"x"])),
            (":bool", yes()),
            (":null", null()),
            (":l", l([s("x")])),
            (":m", m([("k", s("x"))])),
            (":type", s("S")),
            (":notype", s("STRING")),
        ],
    )
}
