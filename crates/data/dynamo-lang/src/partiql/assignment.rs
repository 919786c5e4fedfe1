//! SET and REMOVE of an UPDATE statement, as actions of an update.
//!
//! Owns `set_add` and `set_delete`. Must not know the WHERE clause.

use super::cursor::{Cursor, unexpected};
use super::lexer::Token;
use super::literal;
use crate::expression::{Action, Arithmetic, ValueStep, check_clashes};
use crate::{AttributeValue, Path, Update, ValidationError};

/// All SET and REMOVE clauses that come, at least one.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Update, ValidationError> {
    let mut update = Update::default();
    loop {
        let start = update.actions.len();
        if cursor.take_word("SET") {
            set(cursor, &mut update)?;
            while cursor.take_symbol(",") {
                set(cursor, &mut update)?;
            }
        } else if cursor.take_word("REMOVE") {
            update.actions.push(Action::Remove(cursor.path()?));
            while cursor.take_symbol(",") {
                update.actions.push(Action::Remove(cursor.path()?));
            }
        }
        if update.actions.len() == start {
            break;
        }
    }
    if update.actions.is_empty() {
        return Err(unexpected());
    }
    check_clashes(&update.touched().collect::<Vec<_>>()).map_err(ValidationError::new)?;
    Ok(update)
}

fn set(cursor: &mut Cursor<'_>, update: &mut Update) -> Result<(), ValidationError> {
    let path = cursor.path()?;
    cursor.expect_symbol("=")?;
    if let Some(name) = set_function(cursor) {
        let action = set_change(cursor, name, path, update)?;
        update.actions.push(action);
        return Ok(());
    }
    let mut steps = Vec::new();
    sum(cursor, &mut steps, update)?;
    update.actions.push(Action::Set(path, steps));
    Ok(())
}

/// The name of the function to come if it changes a set.
fn set_function(cursor: &Cursor<'_>) -> Option<&'static str> {
    if !matches!(cursor.peek_second(), Token::Symbol("(")) {
        return None;
    }
    ["SET_ADD", "SET_DELETE"]
        .into_iter()
        .find(|name| cursor.is_word(name))
}

/// `path = set_add(path, <<…>>)`: what ADD does in an expression.
fn set_change(
    cursor: &mut Cursor<'_>,
    name: &str,
    path: Path,
    update: &mut Update,
) -> Result<Action, ValidationError> {
    let mark = cursor.mark();
    cursor.advance();
    cursor.expect_symbol("(")?;
    let first_mark = cursor.mark();
    let first = if literal::is_next(cursor) {
        literal::value(cursor)?;
        None
    } else {
        Some(cursor.path()?)
    };
    let mut values = Vec::new();
    while cursor.take_symbol(",") {
        values.push(literal::value(cursor)?);
    }
    cursor.expect_symbol(")")?;
    let count = values.len();
    let (Some(value), 1) = (values.pop(), count) else {
        return Err(cursor.error_at(&format!("{name} must have exactly two arguments"), mark));
    };
    if first.as_ref() != Some(&path) {
        return Err(cursor.error_at(
            &format!("The first argument to {name} must equal the assignment value"),
            mark,
        ));
    }
    let is_set = matches!(
        value,
        AttributeValue::SS(_) | AttributeValue::NS(_) | AttributeValue::BS(_)
    );
    if !is_set {
        return Err(cursor.error_at(
            &format!("The second argument to {name} must be a value with type SET"),
            first_mark,
        ));
    }
    let id = add_value(update, value);
    Ok(if name == "SET_ADD" {
        Action::Add(path, id)
    } else {
        Action::Delete(path, id)
    })
}

fn add_value(update: &mut Update, value: AttributeValue) -> usize {
    update.values.push(value);
    update.values.len() - 1
}

fn sum(
    cursor: &mut Cursor<'_>,
    steps: &mut Vec<ValueStep>,
    update: &mut Update,
) -> Result<(), ValidationError> {
    term(cursor, steps, update)?;
    loop {
        let sign = if cursor.take_symbol("+") {
            Arithmetic::Plus
        } else if cursor.take_symbol("-") {
            Arithmetic::Minus
        } else {
            return Ok(());
        };
        term(cursor, steps, update)?;
        steps.push(ValueStep::Arithmetic(sign));
    }
}

fn term(
    cursor: &mut Cursor<'_>,
    steps: &mut Vec<ValueStep>,
    update: &mut Update,
) -> Result<(), ValidationError> {
    if literal::is_next(cursor) {
        let value = literal::value(cursor)?;
        steps.push(ValueStep::Value(add_value(update, value)));
        return Ok(());
    }
    if cursor.take_symbol("(") {
        cursor.descend()?;
        sum(cursor, steps, update)?;
        cursor.ascend();
        return cursor.expect_symbol(")");
    }
    let is_call = matches!(cursor.peek(), Token::Word(_))
        && matches!(cursor.peek_second(), Token::Symbol("("));
    if is_call {
        return call(cursor, steps, update);
    }
    steps.push(ValueStep::Path(cursor.path()?));
    Ok(())
}

fn call(
    cursor: &mut Cursor<'_>,
    steps: &mut Vec<ValueStep>,
    update: &mut Update,
) -> Result<(), ValidationError> {
    let mark = cursor.mark();
    let name = cursor.name()?.to_ascii_lowercase();
    cursor.descend()?;
    cursor.expect_symbol("(")?;
    match name.as_str() {
        "list_append" => {
            sum(cursor, steps, update)?;
            cursor.expect_symbol(",")?;
            sum(cursor, steps, update)?;
            steps.push(ValueStep::ListAppend);
        }
        "if_not_exists" => {
            let path = cursor.path()?;
            cursor.expect_symbol(",")?;
            sum(cursor, steps, update)?;
            steps.push(ValueStep::IfNotExists(path));
        }
        _ => return Err(cursor.error_at(&format!("Unrecognized function: {name}"), mark)),
    }
    cursor.ascend();
    cursor.expect_symbol(")")
}
