//! WHERE clauses, as conditions.
//!
//! Owns their grammar. Must not know which attributes are keys.

use super::cursor::{Cursor, unexpected};
use super::lexer::Token;
use super::literal;
use crate::expression::{Comparator, ConditionBuilder, Operand, Step, Test};
use crate::{AttributeValue, Condition, ValidationError};

/// The types that IS knows, and their names on the wire.
const TYPES: [(&str, &str); 18] = [
    ("NULL", "NULL"),
    ("BOOL", "BOOL"),
    ("BOOLEAN", "BOOL"),
    ("STRING", "S"),
    ("VARCHAR", "S"),
    ("CHAR", "S"),
    ("NUMBER", "N"),
    ("NUMERIC", "N"),
    ("DECIMAL", "N"),
    ("INT", "N"),
    ("INTEGER", "N"),
    ("FLOAT", "N"),
    ("BINARY", "B"),
    ("BLOB", "B"),
    ("LIST", "L"),
    ("MAP", "M"),
    ("STRUCT", "M"),
    ("TUPLE", "M"),
];

/// What a function needs: its name, and how many operands.
const FUNCTIONS: [(&str, usize); 6] = [
    ("attribute_exists", 1),
    ("attribute_not_exists", 1),
    ("attribute_type", 2),
    ("begins_with", 2),
    ("contains", 2),
    ("size", 1),
];

/// What one part of a clause is.
enum Part {
    /// Something to compare.
    Operand(Operand),
    /// Something true or false, whose steps are added.
    Condition,
}

/// The condition after WHERE.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Condition, ValidationError> {
    let mut builder = ConditionBuilder::default();
    or(cursor, &mut builder)?;
    Ok(builder.build())
}

fn or(cursor: &mut Cursor<'_>, builder: &mut ConditionBuilder<'_>) -> Result<(), ValidationError> {
    and(cursor, builder)?;
    while cursor.take_word("OR") {
        and(cursor, builder)?;
        builder.join(Step::Or);
    }
    Ok(())
}

fn and(cursor: &mut Cursor<'_>, builder: &mut ConditionBuilder<'_>) -> Result<(), ValidationError> {
    not(cursor, builder)?;
    while cursor.take_word("AND") {
        not(cursor, builder)?;
        builder.join(Step::And);
    }
    Ok(())
}

fn not(cursor: &mut Cursor<'_>, builder: &mut ConditionBuilder<'_>) -> Result<(), ValidationError> {
    let mut negated = false;
    while cursor.take_word("NOT") {
        negated = !negated;
    }
    comparison(cursor, builder)?;
    if negated {
        builder.join(Step::Not);
    }
    Ok(())
}

fn comparison(
    cursor: &mut Cursor<'_>,
    builder: &mut ConditionBuilder<'_>,
) -> Result<(), ValidationError> {
    match part(cursor, builder)? {
        Part::Condition => compared_with_truth(cursor, builder),
        Part::Operand(left) => compare(cursor, builder, left),
    }
}

/// `attribute_exists(a) = true` says what `attribute_exists(a)` says.
fn compared_with_truth(
    cursor: &mut Cursor<'_>,
    builder: &mut ConditionBuilder<'_>,
) -> Result<(), ValidationError> {
    let Some(equal) = truth_comparator(cursor) else {
        return Ok(());
    };
    cursor.advance();
    let wanted = if cursor.take_word("true") {
        true
    } else if cursor.take_word("false") {
        false
    } else {
        return Err(unexpected());
    };
    if equal != wanted {
        builder.join(Step::Not);
    }
    Ok(())
}

fn truth_comparator(cursor: &Cursor<'_>) -> Option<bool> {
    match cursor.peek() {
        Token::Symbol("=") => Some(true),
        Token::Symbol("<>" | "!=") => Some(false),
        _ => None,
    }
}

fn compare(
    cursor: &mut Cursor<'_>,
    builder: &mut ConditionBuilder<'_>,
    left: Operand,
) -> Result<(), ValidationError> {
    if cursor.take_word("IS") {
        return is(cursor, builder, left);
    }
    let negated = cursor.take_word("NOT");
    if cursor.take_word("IN") {
        let list = in_list(cursor, builder)?;
        builder.is_in(left, list).map_err(ValidationError::new)?;
    } else if cursor.take_word("BETWEEN") {
        let low = operand(cursor, builder)?;
        cursor.expect_word("AND")?;
        let high = operand(cursor, builder)?;
        builder
            .between([left, low, high])
            .map_err(ValidationError::new)?;
    } else {
        if negated {
            return Err(unexpected());
        }
        let comparator = comparator(cursor).ok_or_else(unexpected)?;
        let right = operand(cursor, builder)?;
        return builder
            .compare(comparator, left, right)
            .map_err(ValidationError::new);
    }
    if negated {
        builder.join(Step::Not);
    }
    Ok(())
}

fn comparator(cursor: &mut Cursor<'_>) -> Option<Comparator> {
    let comparator = match cursor.peek() {
        Token::Symbol("=") => Comparator::Eq,
        Token::Symbol("<>" | "!=") => Comparator::Ne,
        Token::Symbol("<") => Comparator::Lt,
        Token::Symbol("<=") => Comparator::Le,
        Token::Symbol(">") => Comparator::Gt,
        Token::Symbol(">=") => Comparator::Ge,
        _ => return None,
    };
    cursor.advance();
    Some(comparator)
}

/// `IS [NOT] MISSING`, `IS [NOT] NULL` and the like. What is missing is of no type.
fn is(
    cursor: &mut Cursor<'_>,
    builder: &mut ConditionBuilder<'_>,
    left: Operand,
) -> Result<(), ValidationError> {
    let negated = cursor.take_word("NOT");
    let Token::Word(word) = cursor.advance() else {
        return Err(unexpected());
    };
    let Operand::Path(path) = left else {
        return Err(unexpected());
    };
    let word = word.to_ascii_uppercase();
    if word == "MISSING" {
        builder.test(Test::Missing(path));
    } else {
        let found = TYPES.iter().find(|(name, _)| *name == word);
        let (_, type_name) = found.ok_or_else(unexpected)?;
        builder.test(Test::HasType(path, (*type_name).to_owned()));
    }
    if negated {
        builder.join(Step::Not);
    }
    Ok(())
}

/// The values behind IN, in brackets or in parentheses; a parameter may be the whole list.
fn in_list(
    cursor: &mut Cursor<'_>,
    builder: &mut ConditionBuilder<'_>,
) -> Result<Vec<Operand>, ValidationError> {
    if cursor.is_symbol("(") {
        cursor.advance();
        let mut operands = vec![operand(cursor, builder)?];
        while cursor.take_symbol(",") {
            operands.push(operand(cursor, builder)?);
        }
        cursor.expect_symbol(")")?;
        return Ok(operands);
    }
    match literal::value(cursor)? {
        AttributeValue::L(elements) => Ok(elements
            .into_iter()
            .map(|element| Operand::Value(builder.values.add(element)))
            .collect()),
        _ => Err(unexpected()),
    }
}

fn operand(
    cursor: &mut Cursor<'_>,
    builder: &mut ConditionBuilder<'_>,
) -> Result<Operand, ValidationError> {
    match part(cursor, builder)? {
        Part::Operand(operand) => Ok(operand),
        Part::Condition => Err(unexpected()),
    }
}

fn part(
    cursor: &mut Cursor<'_>,
    builder: &mut ConditionBuilder<'_>,
) -> Result<Part, ValidationError> {
    if cursor.is_symbol("(") {
        return parenthesised(cursor, builder);
    }
    if literal::is_next(cursor) {
        let value = literal::value(cursor)?;
        return Ok(Part::Operand(Operand::Value(builder.values.add(value))));
    }
    let is_call = matches!(cursor.peek(), Token::Word(_))
        && matches!(cursor.peek_second(), Token::Symbol("("));
    if is_call {
        return call(cursor, builder);
    }
    Ok(Part::Operand(Operand::Path(cursor.path()?)))
}

/// What stands in parentheses is an operand if nothing but one stands there.
fn parenthesised(
    cursor: &mut Cursor<'_>,
    builder: &mut ConditionBuilder<'_>,
) -> Result<Part, ValidationError> {
    cursor.expect_symbol("(")?;
    cursor.descend()?;
    let found = if cursor.is_word("NOT") {
        or(cursor, builder)?;
        Part::Condition
    } else {
        match part(cursor, builder)? {
            Part::Operand(operand) if cursor.is_symbol(")") => Part::Operand(operand),
            first => {
                match first {
                    Part::Operand(left) => compare(cursor, builder, left)?,
                    Part::Condition => compared_with_truth(cursor, builder)?,
                }
                rest_of_or(cursor, builder)?;
                Part::Condition
            }
        }
    };
    cursor.ascend();
    cursor.expect_symbol(")")?;
    Ok(found)
}

/// What may follow a first comparison up to the closing parenthesis.
fn rest_of_or(
    cursor: &mut Cursor<'_>,
    builder: &mut ConditionBuilder<'_>,
) -> Result<(), ValidationError> {
    while cursor.take_word("AND") {
        not(cursor, builder)?;
        builder.join(Step::And);
    }
    while cursor.take_word("OR") {
        and(cursor, builder)?;
        builder.join(Step::Or);
    }
    Ok(())
}

fn call(
    cursor: &mut Cursor<'_>,
    builder: &mut ConditionBuilder<'_>,
) -> Result<Part, ValidationError> {
    let mark = cursor.mark();
    let name = cursor.name()?.to_ascii_lowercase();
    let Some((name, wanted)) = FUNCTIONS.iter().find(|(known, _)| *known == name) else {
        return Err(cursor.error_at(&format!("Unrecognized function: {name}"), mark));
    };
    cursor.expect_symbol("(")?;
    cursor.descend()?;
    let mut operands = Vec::new();
    while !cursor.take_symbol(")") {
        if !operands.is_empty() {
            cursor.expect_symbol(",")?;
        }
        operands.push(operand(cursor, builder)?);
    }
    cursor.ascend();
    if operands.len() != *wanted {
        return Err(ValidationError::new(format!(
            "Incorrect number of operands for operator or function; operator or function: {name}, number of operands: {}",
            operands.len()
        )));
    }
    let mut operands = operands.into_iter();
    let first = operands.next().ok_or_else(unexpected)?;
    if *name == "size" {
        return builder
            .size(first)
            .map(Part::Operand)
            .map_err(ValidationError::new);
    }
    builder
        .function(name, first, operands.next())
        .map_err(ValidationError::new)?;
    Ok(Part::Condition)
}
