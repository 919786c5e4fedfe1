//! Literals: numbers, texts, lists, maps and sets, and `?` among them.
//!
//! Owns what a literal may hold and how faulty numbers are told. Must not know what a value is used for.

use std::collections::{BTreeMap, BTreeSet};

use super::cursor::{Cursor, not_well_formed, unexpected};
use super::lexer::Token;
use crate::{AttributeValue, Number, ValidationError};

/// How deep a value may nest.
const VALUE_DEPTH_MAX: usize = 32;

/// Whether a literal or `?` comes, as opposed to a path or a call.
pub(super) fn is_next(cursor: &Cursor<'_>) -> bool {
    match cursor.peek() {
        Token::Text(_) | Token::Number(_) => true,
        Token::Symbol(symbol) => matches!(*symbol, "?" | "[" | "{" | "<<" | "-" | "+"),
        Token::Word(word) => {
            let is_constant = ["true", "false", "null"]
                .iter()
                .any(|constant| word.eq_ignore_ascii_case(constant));
            is_constant && !matches!(cursor.peek_second(), Token::Symbol("." | "[" | "("))
        }
        Token::Quoted(_) | Token::End => false,
    }
}

/// A literal or `?`.
pub(super) fn value(cursor: &mut Cursor<'_>) -> Result<AttributeValue, ValidationError> {
    value_under(cursor, "root", 0)
}

/// `place` is where the value stands in the outermost one, as messages say it.
fn value_under(
    cursor: &mut Cursor<'_>,
    place: &str,
    depth: usize,
) -> Result<AttributeValue, ValidationError> {
    if depth > VALUE_DEPTH_MAX {
        return Err(ValidationError::new(
            "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit",
        ));
    }
    let mark = cursor.mark();
    match cursor.advance() {
        Token::Text(text) => Ok(AttributeValue::S(text)),
        Token::Number(digits) => number(&digits, place),
        Token::Symbol("-") => match cursor.advance() {
            Token::Number(digits) => number(&format!("-{digits}"), place),
            _ => Err(unexpected()),
        },
        Token::Symbol("+") => match cursor.advance() {
            Token::Number(digits) => number(&digits, place),
            _ => Err(unexpected()),
        },
        Token::Symbol("?") => cursor.parameter(),
        Token::Symbol("[") => list(cursor, place, depth),
        Token::Symbol("{") => map(cursor, place, depth).map(AttributeValue::M),
        Token::Symbol("<<") => set(cursor),
        Token::Word(word) => match word.to_ascii_lowercase().as_str() {
            "true" => Ok(AttributeValue::Bool(true)),
            "false" => Ok(AttributeValue::Bool(false)),
            "null" => Ok(AttributeValue::Null),
            name if cursor.is_symbol("(") => Err(cursor.error_at(
                &format!("Unsupported data type: {name} under key {place}"),
                mark,
            )),
            _ => Err(unexpected()),
        },
        _ => Err(unexpected()),
    }
}

fn number(digits: &str, place: &str) -> Result<AttributeValue, ValidationError> {
    check_exponent(digits)?;
    digits
        .parse::<Number>()
        .map(AttributeValue::N)
        .map_err(|fault| ValidationError::new(format!("{fault} under {place}")))
}

/// The parser of AWS cannot hold an exponent, or a scale, beyond 32 bits.
fn check_exponent(digits: &str) -> Result<(), ValidationError> {
    let Some((mantissa, exponent)) = digits.split_once(['e', 'E']) else {
        return Ok(());
    };
    let places = mantissa
        .split_once('.')
        .map_or(0, |(_, fraction)| fraction.len());
    let scale = exponent
        .parse::<i32>()
        .ok()
        .and_then(|exponent| i32::try_from(places).ok()?.checked_sub(exponent));
    scale.map(|_| ()).ok_or_else(|| not_well_formed(""))
}

fn list(
    cursor: &mut Cursor<'_>,
    place: &str,
    depth: usize,
) -> Result<AttributeValue, ValidationError> {
    let mut elements = Vec::new();
    while !cursor.take_symbol("]") {
        if !elements.is_empty() {
            cursor.expect_symbol(",")?;
        }
        let place = format!("{place}[{}]", elements.len());
        elements.push(value_under(cursor, &place, depth + 1)?);
    }
    Ok(AttributeValue::L(elements))
}

fn map(
    cursor: &mut Cursor<'_>,
    place: &str,
    depth: usize,
) -> Result<BTreeMap<String, AttributeValue>, ValidationError> {
    members(cursor, |cursor, name| {
        value_under(cursor, &format!("{place}.{name}"), depth + 1)
    })
}

/// An item: each of its values counts as a root.
pub(super) fn item(
    cursor: &mut Cursor<'_>,
) -> Result<BTreeMap<String, AttributeValue>, ValidationError> {
    cursor.expect_symbol("{")?;
    members(cursor, |cursor, _| value(cursor))
}

/// `'name': value, …}`, behind the opening brace.
fn members<'a>(
    cursor: &mut Cursor<'a>,
    mut value: impl FnMut(&mut Cursor<'a>, &str) -> Result<AttributeValue, ValidationError>,
) -> Result<BTreeMap<String, AttributeValue>, ValidationError> {
    let mut members = BTreeMap::new();
    if cursor.take_symbol("}") {
        return Ok(members);
    }
    loop {
        let Token::Text(name) = cursor.advance() else {
            return Err(unexpected());
        };
        cursor.expect_symbol(":")?;
        let value = value(cursor, &name)?;
        members.insert(name, value);
        if cursor.take_symbol("}") {
            return Ok(members);
        }
        cursor.expect_symbol(",")?;
    }
}

/// `<<…>>`, behind the opening: texts or numbers, all of one type and each once.
fn set(cursor: &mut Cursor<'_>) -> Result<AttributeValue, ValidationError> {
    let mut elements: Vec<AttributeValue> = Vec::new();
    while !cursor.take_symbol(">>") {
        if !elements.is_empty() {
            cursor.expect_symbol(",")?;
        }
        if cursor.is_symbol("?") {
            return Err(ValidationError::new("Unsupported data type in Bag"));
        }
        elements.push(value_under(cursor, "root", 1)?);
    }
    let texts: Option<Vec<String>> = elements.iter().map(text).collect();
    let numbers: Option<Vec<Number>> = elements.iter().map(digits).collect();
    match (texts, numbers) {
        _ if elements.is_empty() => Err(ValidationError::new("Empty bags are not supported")),
        (Some(texts), _) => {
            let set: BTreeSet<String> = texts.iter().cloned().collect();
            if set.len() < texts.len() {
                return Err(ValidationError::new(format!(
                    "One or more parameter values were invalid: Input collection [{}] contains duplicates.",
                    texts.join(", ")
                )));
            }
            Ok(AttributeValue::SS(set))
        }
        (_, Some(numbers)) => {
            let set: BTreeSet<Number> = numbers.iter().copied().collect();
            if set.len() < numbers.len() {
                return Err(ValidationError::new("Input collection contains duplicates"));
            }
            Ok(AttributeValue::NS(set))
        }
        _ => Err(ValidationError::new(
            "DynamoDB only supports either numbers or strings in bags",
        )),
    }
}

fn text(value: &AttributeValue) -> Option<String> {
    match value {
        AttributeValue::S(text) => Some(text.clone()),
        _ => None,
    }
}

fn digits(value: &AttributeValue) -> Option<Number> {
    match value {
        AttributeValue::N(number) => Some(*number),
        _ => None,
    }
}
