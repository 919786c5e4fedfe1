//! `KeyConditionExpression`: which part of one partition is wanted.
//!
//! Owns the rules that a key condition has beyond those of any condition. Must not know the keys' types, nor where a
//! partition is.

use serde::{Deserialize, Serialize};

use super::condition::{Condition, Operand, Step, Test};
use super::condition_check;
use super::kind::ExpressionKind;
use super::parser::Parser;
use super::placeholders::Placeholders;
use super::tree::{Comparator, Node, NodeId};
use crate::{AttributeValue, Path, ValidationError};

/// What the last sort attribute must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SortCondition {
    /// `=`.
    Eq(AttributeValue),
    /// `<`.
    Lt(AttributeValue),
    /// `<=`.
    Le(AttributeValue),
    /// `>`.
    Gt(AttributeValue),
    /// `>=`.
    Ge(AttributeValue),
    /// `BETWEEN`, both bounds included.
    Between(AttributeValue, AttributeValue),
    /// `begins_with`.
    BeginsWith(AttributeValue),
}

impl SortCondition {
    /// The values that it compares with.
    pub fn values(&self) -> impl Iterator<Item = &AttributeValue> {
        let (first, second) = match self {
            SortCondition::Eq(value)
            | SortCondition::Lt(value)
            | SortCondition::Le(value)
            | SortCondition::Gt(value)
            | SortCondition::Ge(value)
            | SortCondition::BeginsWith(value) => (value, None),
            SortCondition::Between(low, high) => (low, Some(high)),
        };
        std::iter::once(first).chain(second)
    }
}

/// A key condition, sorted by the key's attributes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyCondition {
    /// Every hash attribute and its value, in the schema's order.
    pub hash: Vec<(String, AttributeValue)>,
    /// The sort attributes that have one value, from the schema's first on; without the last that has a condition.
    pub range_equals: Vec<(String, AttributeValue)>,
    /// The last sort attribute that has a condition.
    pub range: Option<(String, SortCondition)>,
}

impl KeyCondition {
    /// Parses and checks `text` for a key of these attributes, each list in the schema's order.
    ///
    /// Whether the values are of the attributes' types is left to the caller.
    ///
    /// # Errors
    /// When AWS refuses it.
    pub fn parse(
        text: &str,
        placeholders: &mut Placeholders,
        hash_names: &[String],
        range_names: &[String],
    ) -> Result<KeyCondition, ValidationError> {
        let conditions = parse_unbound(text, placeholders)?;
        KeyCondition::bind(conditions, hash_names, range_names)
    }

    /// Sorts conditions by the key's attributes; all are of different attributes.
    ///
    /// # Errors
    /// When one is missing, one too many, or one that the key does not allow.
    pub(crate) fn bind(
        mut conditions: Vec<(String, SortCondition)>,
        hash_names: &[String],
        range_names: &[String],
    ) -> Result<KeyCondition, ValidationError> {
        let (count, most) = (conditions.len(), hash_names.len() + range_names.len());
        if count > most {
            return Err(ValidationError::new(format!(
                "The number of query conditions ({count}) exceeds the number of key attributes defined in the schema ({most})"
            )));
        }
        let mut take = |name: &str| {
            let at = conditions.iter().position(|(found, _)| found == name)?;
            Some(conditions.swap_remove(at).1)
        };
        let mut hash = Vec::with_capacity(hash_names.len());
        for name in hash_names {
            match take(name) {
                Some(SortCondition::Eq(value)) => hash.push((name.clone(), value)),
                Some(_) => return Err(ValidationError::new("Query key condition not supported")),
                None => return Err(missing(name)),
            }
        }
        let ranges: Vec<(&String, Option<SortCondition>)> =
            range_names.iter().map(|name| (name, take(name))).collect();
        if !conditions.is_empty() {
            let first_missing = ranges.iter().find(|(_, condition)| condition.is_none());
            return Err(missing(first_missing.map_or("", |(name, _)| name.as_str())));
        }
        let (range_equals, range) = bind_ranges(ranges)?;
        Ok(KeyCondition {
            hash,
            range_equals,
            range,
        })
    }
}

fn missing(name: &str) -> ValidationError {
    ValidationError::new(format!("Query condition missed key schema element: {name}"))
}

type BoundRanges = (
    Vec<(String, AttributeValue)>,
    Option<(String, SortCondition)>,
);

/// Only the last attribute with a condition may have another one than equality, and none before it may have none.
fn bind_ranges(
    mut ranges: Vec<(&String, Option<SortCondition>)>,
) -> Result<BoundRanges, ValidationError> {
    while ranges
        .last()
        .is_some_and(|(_, condition)| condition.is_none())
    {
        ranges.pop();
    }
    let Some((last, Some(last_condition))) = ranges.pop() else {
        return Ok((Vec::new(), None));
    };
    let mut equals = Vec::with_capacity(ranges.len());
    let mut unequal = Vec::new();
    for (name, condition) in ranges {
        match condition {
            Some(SortCondition::Eq(value)) => equals.push((name.clone(), value)),
            _ => unequal.push(name.as_str()),
        }
    }
    if unequal.is_empty() {
        return Ok((equals, Some((last.clone(), last_condition))));
    }
    Err(ValidationError::new(format!(
        "RANGE key attributes {} must have equality conditions specified in the query because a condition is present on key attribute {last}",
        unequal.join(", ")
    )))
}

/// The conditions of `text`, each with its attribute, whatever the key is.
///
/// # Errors
/// When AWS refuses it for any key.
pub(crate) fn parse_unbound(
    text: &str,
    placeholders: &mut Placeholders,
) -> Result<Vec<(String, SortCondition)>, ValidationError> {
    let kind = ExpressionKind::KeyCondition;
    kind.check_size(text)?;
    let mut parser = Parser::new(text);
    let root = parser.condition().map_err(|what| kind.error(what))?;
    let condition = condition_check::check(&parser, kind, root, placeholders)
        .map_err(|what| kind.error(what))?;
    check_operators(&parser, root)?;
    let mut conditions: Vec<(String, SortCondition)> = Vec::new();
    for step in &condition.steps {
        if let Step::Test(test) = step {
            let (name, sort) = sort_condition(test, &condition)?;
            if conditions.iter().any(|(known, _)| *known == name) {
                return Err(
                    kind.error("KeyConditionExpressions must only contain one condition per key")
                );
            }
            conditions.push((name, sort));
        }
    }
    Ok(conditions)
}

/// Refuses everything but AND and the comparisons that an index can answer, from the outside inwards.
fn check_operators(parser: &Parser<'_>, root: NodeId) -> Result<(), ValidationError> {
    let mut waiting = vec![root];
    while let Some(id) = waiting.pop() {
        let refused = match parser.tree.node(id) {
            Node::And(left, right) => {
                waiting.extend([*right, *left]);
                continue;
            }
            Node::Paren(inner) => {
                waiting.push(*inner);
                continue;
            }
            Node::Or(..) => "OR",
            Node::Not(_) => "NOT",
            Node::In(..) => "IN",
            Node::Compare(Comparator::Ne, ..) => "<>",
            Node::Call(name, _) => match parser.tokens.text_of(*name) {
                "begins_with" => continue,
                other => other,
            },
            _ => continue,
        };
        return Err(ValidationError::new(format!(
            "Invalid operator used in KeyConditionExpression: {refused}"
        )));
    }
    Ok(())
}

fn invalid(what: &str) -> ValidationError {
    ValidationError::new(format!(
        "Invalid condition in KeyConditionExpression: {what}"
    ))
}

/// The attribute and the values of one comparison.
fn sort_condition(
    test: &Test,
    condition: &Condition,
) -> Result<(String, SortCondition), ValidationError> {
    match test {
        Test::Compare(comparator, a, b) => {
            let (name, values) = attribute_and_values(&[a, b], condition)?;
            let first_is_path = matches!(a, Operand::Path(_));
            let comparator = if first_is_path {
                *comparator
            } else {
                comparator.mirrored()
            };
            let [value] = values.try_into().map_err(|_| no_attribute())?;
            let sort = match comparator {
                Comparator::Lt => SortCondition::Lt(value),
                Comparator::Le => SortCondition::Le(value),
                Comparator::Gt => SortCondition::Gt(value),
                Comparator::Ge => SortCondition::Ge(value),
                Comparator::Eq | Comparator::Ne => SortCondition::Eq(value),
            };
            Ok((name, sort))
        }
        Test::Between(a, low, high) => {
            check_first("BETWEEN", a)?;
            let (name, values) = attribute_and_values(&[a, low, high], condition)?;
            let [low, high] = values.try_into().map_err(|_| no_attribute())?;
            Ok((name, SortCondition::Between(low, high)))
        }
        Test::BeginsWith(a, b) => {
            check_first("begins_with", a)?;
            let (name, values) = attribute_and_values(&[a, b], condition)?;
            let [value] = values.try_into().map_err(|_| no_attribute())?;
            Ok((name, SortCondition::BeginsWith(value)))
        }
        // Refused before, by their operators.
        _ => Err(no_attribute()),
    }
}

fn no_attribute() -> ValidationError {
    invalid("No key attribute specified")
}

fn check_first(operator: &str, first: &Operand) -> Result<(), ValidationError> {
    match first {
        Operand::Value(_) => Err(invalid(&format!(
            "{operator} operator must have the key attribute as its first operand"
        ))),
        _ => Ok(()),
    }
}

/// The one path among the operands, which must be an attribute, and the other operands, which must be values.
fn attribute_and_values(
    operands: &[&Operand],
    condition: &Condition,
) -> Result<(String, Vec<AttributeValue>), ValidationError> {
    let mut name = None;
    let mut values = Vec::new();
    for operand in operands {
        match operand {
            Operand::Path(_) if name.is_some() => {
                return Err(invalid("Multiple attribute names used in one condition"));
            }
            Operand::Path(path) => name = Some(attribute(path)?),
            Operand::Value(id) => values.extend(condition.values.get(*id).cloned()),
            Operand::Size(_) => {
                return Err(ExpressionKind::KeyCondition
                    .error("KeyConditionExpressions cannot contain nested operations"));
            }
        }
    }
    Ok((name.ok_or_else(no_attribute)?, values))
}

fn attribute(path: &Path) -> Result<String, ValidationError> {
    if path.steps.is_empty() {
        return Ok(path.attribute.clone());
    }
    Err(ExpressionKind::KeyCondition
        .error("KeyConditionExpressions cannot have conditions on nested attributes"))
}
