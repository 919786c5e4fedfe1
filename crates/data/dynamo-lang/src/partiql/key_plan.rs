//! Which keys a WHERE clause names.
//!
//! Owns how a condition is split into what finds items and what is left to ask of them. Must not know where items are.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::expression::{Comparator, Operand, Step, Test};
use crate::{AttributeValue, Condition, Item, KeyCondition, SortCondition, ValidationError};

/// How many reads one statement may become.
const READS_MAX: usize = 50;

/// How items that a condition can hold for are found.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyPlan {
    /// By these full keys, each of which has one item at most if they are a table's.
    Items {
        /// The keys, in the order of the clause; no key stands there twice.
        keys: Vec<Item>,
        /// What is left to ask of each item.
        rest: Condition,
    },
    /// In these partitions.
    Partitions {
        /// One query each.
        queries: Vec<KeyCondition>,
        /// What is left to ask of each item.
        rest: Condition,
    },
    /// Nowhere in particular: the whole condition is asked of all items.
    Scan,
}

/// The one item that a WHERE clause names.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedItem {
    /// Its full key.
    pub key: Item,
    /// What is left to ask of it.
    pub rest: Condition,
    /// The attributes of the key that are also to have another value, which is asked in `rest`.
    pub doubtful: Vec<String>,
}

/// How a statement about one item may give the attributes of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// By equality alone, as writes do.
    Equality,
    /// Also by a list of one value, as reads do.
    OneValue,
}

/// The item that `condition` names by all the attributes of a key; `None` when it does not name just one.
#[must_use]
pub fn named_item<'a>(
    condition: &Condition,
    names: impl IntoIterator<Item = &'a str>,
    naming: Naming,
) -> Option<NamedItem> {
    let conjuncts = conjuncts(condition);
    let mut used = Vec::new();
    let mut key = Item::new();
    let mut doubtful = Vec::new();
    for name in names {
        let mut given: Option<AttributeValue> = None;
        for (number, conjunct) in conjuncts.iter().enumerate() {
            let test = single_test(condition, conjunct);
            let listed = matches!(test, Some(Test::In(..)));
            if listed && naming == Naming::Equality {
                continue;
            }
            let values = test.and_then(|test| values_of(condition, test, name));
            let Some(value) = values.and_then(|mut v| v.pop().filter(|_| v.is_empty())) else {
                continue;
            };
            match &given {
                None => given = Some(value),
                Some(first) if *first == value => {}
                Some(_) => {
                    doubtful.push(name.to_owned());
                    continue;
                }
            }
            used.push(number);
        }
        key.insert(name.to_owned(), given?);
    }
    let rest = rest(condition, &conjuncts, &used);
    Some(NamedItem {
        key,
        rest,
        doubtful,
    })
}

/// Splits `condition` by a key of these attributes, each list in the schema's order.
///
/// # Errors
/// When lists of values name more than 50 keys or partitions, or one of them twice.
pub fn plan_keys(
    condition: &Condition,
    hash_names: &[String],
    range_names: &[String],
) -> Result<KeyPlan, ValidationError> {
    let conjuncts = conjuncts(condition);
    let mut used = Vec::new();
    let mut hashes: Vec<Item> = vec![Item::new()];
    for name in hash_names {
        let Some((number, values)) = equalities(condition, &conjuncts, name) else {
            return Ok(KeyPlan::Scan);
        };
        used.push(number);
        hashes = with_each(&hashes, name, &values)?;
    }
    let mut ranges: Vec<Item> = vec![Item::new()];
    let mut equal_names = 0;
    for name in range_names {
        let Some((number, values)) = equalities(condition, &conjuncts, name) else {
            break;
        };
        used.push(number);
        ranges = with_each(&ranges, name, &values)?;
        equal_names += 1;
    }
    if hashes.len() * ranges.len() > READS_MAX {
        return Err(too_many_reads());
    }
    if equal_names == range_names.len() {
        let keys = merged(&hashes, &ranges).collect();
        let rest = rest(condition, &conjuncts, &used);
        return Ok(KeyPlan::Items { keys, rest });
    }
    let next = &range_names[equal_names];
    let last = inequality(condition, &conjuncts, next);
    used.extend(last.as_ref().map(|(number, _)| *number));
    let last = last.map(|(_, sort)| (next.clone(), sort));
    let queries = merged(&hashes, &ranges)
        .map(|key| query(&key, hash_names, &range_names[..equal_names], last.clone()))
        .collect();
    let rest = rest(condition, &conjuncts, &used);
    Ok(KeyPlan::Partitions { queries, rest })
}

fn too_many_reads() -> ValidationError {
    ValidationError::new("Too many decomposed read operations for a given query.")
}

fn query(
    key: &Item,
    hash_names: &[String],
    equal_names: &[String],
    last: Option<(String, SortCondition)>,
) -> KeyCondition {
    let pick = |names: &[String]| -> Vec<(String, AttributeValue)> {
        let value = |name: &String| Some((name.clone(), key.get(name)?.clone()));
        names.iter().filter_map(value).collect()
    };
    let mut range_equals = pick(equal_names);
    // The last attribute that has a condition is the range, even if the condition is equality.
    let range = last.or_else(|| {
        let (name, value) = range_equals.pop()?;
        Some((name, SortCondition::Eq(value)))
    });
    KeyCondition {
        hash: pick(hash_names),
        range_equals,
        range,
    }
}

/// Each of `items` with each of `values`, unless these are too many.
fn with_each(
    items: &[Item],
    name: &str,
    values: &[AttributeValue],
) -> Result<Vec<Item>, ValidationError> {
    if items.len().saturating_mul(values.len()) > READS_MAX {
        return Err(too_many_reads());
    }
    let twice = |(at, value)| values[..at].contains(value);
    if values.iter().enumerate().any(twice) {
        return Err(ValidationError::new(
            "Overlapping conditions with range keys are not supported in where clause",
        ));
    }
    let with = |item: &Item, value: &AttributeValue| {
        let mut item = item.clone();
        item.insert(name.to_owned(), value.clone());
        item
    };
    let each = |item| values.iter().map(move |value| with(item, value));
    Ok(items.iter().flat_map(each).collect())
}

fn merged<'a>(hashes: &'a [Item], ranges: &'a [Item]) -> impl Iterator<Item = Item> + 'a {
    hashes.iter().flat_map(move |hash| {
        ranges.iter().map(move |range| {
            let both = hash.iter().chain(range);
            both.map(|(name, value)| (name.clone(), value.clone()))
                .collect::<BTreeMap<_, _>>()
        })
    })
}

/// The steps of each part that must hold, from left to right.
fn conjuncts(condition: &Condition) -> Vec<Range<usize>> {
    let starts = starts(&condition.steps);
    let mut found = Vec::new();
    let mut waiting: Vec<usize> = condition.steps.len().checked_sub(1).into_iter().collect();
    while let Some(last) = waiting.pop() {
        match condition.steps[last] {
            Step::And if last > 0 => {
                // The right part ends before the AND, and the left part where the right one starts.
                waiting.extend(starts[last - 1].checked_sub(1));
                waiting.push(last - 1);
            }
            _ => found.push(starts[last]..last + 1),
        }
    }
    found.reverse();
    found
}

/// For each step, the first step of the part that it completes.
fn starts(steps: &[Step]) -> Vec<usize> {
    let mut starts: Vec<usize> = Vec::with_capacity(steps.len());
    let mut stack: Vec<usize> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let start = match step {
            Step::Test(_) => number,
            Step::Not => stack.pop().unwrap_or(number),
            Step::And | Step::Or => {
                stack.pop();
                stack.pop().unwrap_or(number)
            }
        };
        starts.push(start);
        stack.push(start);
    }
    starts
}

fn single_test<'a>(condition: &'a Condition, conjunct: &Range<usize>) -> Option<&'a Test> {
    match &condition.steps[conjunct.clone()] {
        [Step::Test(test)] => Some(test),
        _ => None,
    }
}

fn is_attribute(operand: &Operand, name: &str) -> bool {
    matches!(operand, Operand::Path(path) if path.steps.is_empty() && path.attribute == name)
}

fn value(condition: &Condition, operand: &Operand) -> Option<AttributeValue> {
    match operand {
        Operand::Value(id) => condition.values.get(*id).cloned(),
        _ => None,
    }
}

/// The first part that gives the attribute one value or a list of values.
fn equalities(
    condition: &Condition,
    conjuncts: &[Range<usize>],
    name: &str,
) -> Option<(usize, Vec<AttributeValue>)> {
    conjuncts.iter().enumerate().find_map(|(number, conjunct)| {
        let test = single_test(condition, conjunct)?;
        Some((number, values_of(condition, test, name)?))
    })
}

/// The values of which the test wants one for the attribute.
fn values_of(condition: &Condition, test: &Test, name: &str) -> Option<Vec<AttributeValue>> {
    match test {
        Test::Compare(Comparator::Eq, a, b) if is_attribute(a, name) => {
            Some(vec![value(condition, b)?])
        }
        Test::Compare(Comparator::Eq, a, b) if is_attribute(b, name) => {
            Some(vec![value(condition, a)?])
        }
        Test::In(a, operands) if is_attribute(a, name) => operands
            .iter()
            .map(|operand| value(condition, operand))
            .collect(),
        _ => None,
    }
}

/// The first part that an index can answer for the attribute.
fn inequality(
    condition: &Condition,
    conjuncts: &[Range<usize>],
    name: &str,
) -> Option<(usize, SortCondition)> {
    conjuncts.iter().enumerate().find_map(|(number, conjunct)| {
        let sort = match single_test(condition, conjunct)? {
            Test::Compare(comparator, a, b) if is_attribute(a, name) => {
                compared(*comparator, value(condition, b)?)?
            }
            Test::Compare(comparator, a, b) if is_attribute(b, name) => {
                compared(comparator.mirrored(), value(condition, a)?)?
            }
            Test::Between(a, low, high) if is_attribute(a, name) => {
                SortCondition::Between(value(condition, low)?, value(condition, high)?)
            }
            Test::BeginsWith(a, prefix) if is_attribute(a, name) => {
                SortCondition::BeginsWith(value(condition, prefix)?)
            }
            _ => return None,
        };
        Some((number, sort))
    })
}

fn compared(comparator: Comparator, value: AttributeValue) -> Option<SortCondition> {
    match comparator {
        Comparator::Lt => Some(SortCondition::Lt(value)),
        Comparator::Le => Some(SortCondition::Le(value)),
        Comparator::Gt => Some(SortCondition::Gt(value)),
        Comparator::Ge => Some(SortCondition::Ge(value)),
        Comparator::Eq => Some(SortCondition::Eq(value)),
        Comparator::Ne => None,
    }
}

/// The parts that are not used, joined again.
fn rest(condition: &Condition, conjuncts: &[Range<usize>], used: &[usize]) -> Condition {
    let mut steps = Vec::new();
    for (number, conjunct) in conjuncts.iter().enumerate() {
        if used.contains(&number) {
            continue;
        }
        let is_first = steps.is_empty();
        steps.extend(condition.steps[conjunct.clone()].iter().cloned());
        if !is_first {
            steps.push(Step::And);
        }
    }
    Condition {
        steps,
        values: condition.values.clone(),
    }
}
