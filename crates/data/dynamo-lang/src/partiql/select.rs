//! SELECT.
//!
//! Owns the columns, and by which names they are answered. Must not know how rows are found.

use serde::{Deserialize, Serialize};

use super::cursor::{Cursor, unexpected};
use super::lexer::Token;
use super::where_clause;
use crate::expression::find;
use crate::{Condition, Item, Path, PathStep, ValidationError};

/// One column: where its value is, and the name that it is answered by, which is the path's last part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Where.
    pub path: Path,
    /// As in `z` for `m.z`, and `k[1]` for `m.k[1]`.
    pub name: String,
}

/// `SELECT … FROM … [WHERE …] [ORDER BY …]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Select {
    /// The table's name.
    pub table: String,
    /// The index's name.
    pub index: Option<String>,
    /// `None` is `*`.
    pub columns: Option<Vec<Column>>,
    /// The WHERE clause; one that always holds if there is none.
    pub condition: Condition,
    /// The attributes of ORDER BY, and whether they descend.
    pub order_by: Vec<(String, bool)>,
}

impl Select {
    /// What is answered of `item`.
    #[must_use]
    pub fn project(&self, item: &Item) -> Item {
        let Some(columns) = &self.columns else {
            return item.clone();
        };
        columns
            .iter()
            .filter_map(|column| Some((column.name.clone(), find(item, &column.path)?.clone())))
            .collect()
    }
}

/// Behind the word SELECT.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Select, ValidationError> {
    let columns = columns(cursor)?;
    cursor.expect_word("FROM")?;
    let (table, index) = source(cursor)?;
    refuse_alias(cursor, &["WHERE", "ORDER", "LIMIT", "GROUP"])?;
    let condition = if cursor.take_word("WHERE") {
        where_clause::parse(cursor)?
    } else {
        Condition::default()
    };
    let order_by = order_by(cursor)?;
    for clause in ["LIMIT", "GROUP", "HAVING", "OFFSET"] {
        if cursor.is_word(clause) {
            return Err(ValidationError::new(format!(
                "Unsupported clause: {clause}"
            )));
        }
    }
    Ok(Select {
        table,
        index,
        columns,
        condition,
        order_by,
    })
}

fn columns(cursor: &mut Cursor<'_>) -> Result<Option<Vec<Column>>, ValidationError> {
    if cursor.take_symbol("*") {
        return Ok(None);
    }
    let mut columns: Vec<Column> = Vec::new();
    loop {
        let mark = cursor.mark();
        if cursor.is_word("FROM") {
            return Err(unexpected());
        }
        let path = cursor.path()?;
        if cursor.is_symbol("(") {
            return Err(cursor.error_at("Unexpected path component", mark));
        }
        refuse_alias(cursor, &["FROM"])?;
        let name = column_name(&path);
        if columns.iter().any(|column| column.name == name) {
            return Err(ValidationError::new(format!(
                "Duplicate identifiers in select clause: {name}"
            )));
        }
        columns.push(Column { path, name });
        if !cursor.take_symbol(",") {
            return Ok(Some(columns));
        }
    }
}

/// The last name of the path, with the indices behind it.
fn column_name(path: &Path) -> String {
    let is_name = |step: &PathStep| matches!(step, PathStep::Field(_));
    let last = path.steps.iter().rposition(is_name);
    let (name, rest) = match last.map(|at| (&path.steps[at], &path.steps[at + 1..])) {
        Some((PathStep::Field(name), rest)) => (name, rest),
        _ => (&path.attribute, path.steps.as_slice()),
    };
    let mut text = name.clone();
    for step in rest {
        if let PathStep::Index(index) = step {
            text.push_str(&format!("[{index}]"));
        }
    }
    text
}

/// `"table"` or `"table"."index"`.
pub(super) fn source(cursor: &mut Cursor<'_>) -> Result<(String, Option<String>), ValidationError> {
    let table = component(cursor)?;
    let index = if cursor.take_symbol(".") {
        Some(component(cursor)?)
    } else {
        None
    };
    if cursor.is_symbol(".") {
        return Err(ValidationError::new(
            "A path may contain at most 2 components in the FROM clause",
        ));
    }
    Ok((table, index))
}

fn component(cursor: &mut Cursor<'_>) -> Result<String, ValidationError> {
    let name = cursor.name()?;
    if name.is_empty() {
        return Err(ValidationError::new(
            "Path component cannot be an empty string",
        ));
    }
    Ok(name)
}

/// Names may not be given other names; `clauses` are the words that may follow.
pub(super) fn refuse_alias(cursor: &Cursor<'_>, clauses: &[&str]) -> Result<(), ValidationError> {
    let is_name = matches!(cursor.peek(), Token::Word(_) | Token::Quoted(_));
    if is_name && !clauses.iter().any(|clause| cursor.is_word(clause)) {
        return Err(ValidationError::new("Aliasing is not supported"));
    }
    Ok(())
}

fn order_by(cursor: &mut Cursor<'_>) -> Result<Vec<(String, bool)>, ValidationError> {
    let mut found = Vec::new();
    if !cursor.take_word("ORDER") {
        return Ok(found);
    }
    cursor.expect_word("BY")?;
    loop {
        let path = cursor.path()?;
        if !path.steps.is_empty() {
            return Err(unexpected());
        }
        let descends = cursor.take_word("DESC");
        if !descends {
            cursor.take_word("ASC");
        }
        found.push((path.attribute, descends));
        if !cursor.take_symbol(",") {
            return Ok(found);
        }
    }
}
