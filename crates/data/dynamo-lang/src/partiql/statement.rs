//! Statements.
//!
//! Owns the clauses of INSERT, UPDATE and DELETE. Must not know how a statement is run.

use serde::{Deserialize, Serialize};

use super::cursor::{Cursor, not_well_formed, unexpected};
use super::lexer::Token;
use super::select::{self, Select, refuse_alias, source};
use super::{assignment, literal, where_clause};
use crate::{AttributeValue, Condition, Item, Update, ValidationError};

/// The longest statement, in characters; the API refuses longer ones before they are parsed.
pub const STATEMENT_CHARS_MAX: usize = 8192;

/// A statement, with its parameters in place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Statement {
    /// Reads items.
    Select(Select),
    /// Makes an item; one with its key may not be there.
    Insert(Insert),
    /// Changes the item with a key; it has to be there.
    Update(UpdateStatement),
    /// Removes the item with a key.
    Delete(Delete),
    /// `EXISTS(SELECT …)`: a condition among the writes of a transaction.
    Exists(Select),
}

/// `INSERT INTO … VALUE {…}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Insert {
    /// The table's name.
    pub table: String,
    /// The item.
    pub item: Item,
}

/// `UPDATE … SET … REMOVE … [WHERE …] [RETURNING …]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateStatement {
    /// The table's name.
    pub table: String,
    /// What is changed.
    pub update: Update,
    /// The WHERE clause: the key, and what else must hold.
    pub condition: Condition,
    /// What is answered.
    pub returning: Option<Returning>,
}

/// `DELETE FROM … [WHERE …] [RETURNING …]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delete {
    /// The table's name.
    pub table: String,
    /// The WHERE clause: the key, and what else must hold.
    pub condition: Condition,
    /// What is answered.
    pub returning: Option<Returning>,
}

/// What a write answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Returning {
    /// `ALL OLD *`.
    AllOld,
    /// `MODIFIED OLD *`.
    ModifiedOld,
    /// `ALL NEW *`.
    AllNew,
    /// `MODIFIED NEW *`.
    ModifiedNew,
}

impl Returning {
    /// As it stands in a statement.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Returning::AllOld => "ALL OLD *",
            Returning::ModifiedOld => "MODIFIED OLD *",
            Returning::AllNew => "ALL NEW *",
            Returning::ModifiedNew => "MODIFIED NEW *",
        }
    }
}

impl Statement {
    /// Parses `text`, whose `?` stand for `parameters` in order; there may be more of these than needed.
    ///
    /// # Errors
    /// When AWS refuses it.
    pub fn parse(text: &str, parameters: &[AttributeValue]) -> Result<Statement, ValidationError> {
        let mut cursor = Cursor::new(text, parameters)?;
        let statement = statement(&mut cursor)?;
        cursor.expect_end()?;
        Ok(statement)
    }

    /// The table that it is about.
    #[must_use]
    pub fn table(&self) -> &str {
        match self {
            Statement::Select(select) | Statement::Exists(select) => &select.table,
            Statement::Insert(insert) => &insert.table,
            Statement::Update(update) => &update.table,
            Statement::Delete(delete) => &delete.table,
        }
    }

    /// Whether it only reads; `EXISTS` stands among writes.
    #[must_use]
    pub fn is_read(&self) -> bool {
        matches!(self, Statement::Select(_))
    }
}

fn statement(cursor: &mut Cursor<'_>) -> Result<Statement, ValidationError> {
    if cursor.take_word("SELECT") {
        return select::parse(cursor).map(Statement::Select);
    }
    if cursor.take_word("INSERT") {
        return insert(cursor).map(Statement::Insert);
    }
    if cursor.take_word("UPDATE") {
        return update(cursor).map(Statement::Update);
    }
    if cursor.take_word("DELETE") {
        return delete(cursor).map(Statement::Delete);
    }
    if cursor.take_word("FROM") {
        return from_first(cursor).map(Statement::Update);
    }
    if cursor.take_word("EXISTS") {
        cursor.expect_symbol("(")?;
        cursor.expect_word("SELECT")?;
        let select = select::parse(cursor)?;
        cursor.expect_symbol(")")?;
        return Ok(Statement::Exists(select));
    }
    if matches!(cursor.peek(), Token::Word(_)) {
        return Err(not_well_formed("Expected data manipulation"));
    }
    Err(unexpected())
}

/// A table that is written: an index cannot be.
fn table(cursor: &mut Cursor<'_>) -> Result<String, ValidationError> {
    match source(cursor)? {
        (table, None) => Ok(table),
        (_, Some(_)) => Err(unexpected()),
    }
}

fn insert(cursor: &mut Cursor<'_>) -> Result<Insert, ValidationError> {
    cursor.expect_word("INTO")?;
    let table = table(cursor)?;
    if !cursor.take_word("VALUE") {
        return Err(not_well_formed("Unexpected token after expression"));
    }
    let item = literal::item(cursor)?;
    Ok(Insert { table, item })
}

fn update(cursor: &mut Cursor<'_>) -> Result<UpdateStatement, ValidationError> {
    let table = table(cursor)?;
    refuse_alias(cursor, &["SET", "REMOVE"])?;
    let update = assignment::parse(cursor)?;
    let condition = condition(cursor)?;
    let returning = returning(cursor)?;
    Ok(UpdateStatement {
        table,
        update,
        condition,
        returning,
    })
}

/// `FROM … WHERE … SET …`: an update with its clauses in another order.
fn from_first(cursor: &mut Cursor<'_>) -> Result<UpdateStatement, ValidationError> {
    let table = table(cursor)?;
    refuse_alias(cursor, &["WHERE", "SET", "REMOVE"])?;
    let condition = condition(cursor)?;
    let update = assignment::parse(cursor)?;
    let returning = returning(cursor)?;
    Ok(UpdateStatement {
        table,
        update,
        condition,
        returning,
    })
}

fn delete(cursor: &mut Cursor<'_>) -> Result<Delete, ValidationError> {
    cursor.expect_word("FROM")?;
    let table = table(cursor)?;
    refuse_alias(cursor, &["WHERE", "RETURNING"])?;
    let condition = condition(cursor)?;
    let returning = returning(cursor)?;
    Ok(Delete {
        table,
        condition,
        returning,
    })
}

fn condition(cursor: &mut Cursor<'_>) -> Result<Condition, ValidationError> {
    if cursor.take_word("WHERE") {
        where_clause::parse(cursor)
    } else {
        Ok(Condition::default())
    }
}

fn returning(cursor: &mut Cursor<'_>) -> Result<Option<Returning>, ValidationError> {
    if !cursor.take_word("RETURNING") {
        return Ok(None);
    }
    let all = if cursor.take_word("ALL") {
        true
    } else {
        cursor.expect_word("MODIFIED")?;
        false
    };
    let old = if cursor.take_word("OLD") {
        true
    } else {
        cursor.expect_word("NEW")?;
        false
    };
    cursor.expect_symbol("*")?;
    Ok(Some(match (all, old) {
        (true, true) => Returning::AllOld,
        (false, true) => Returning::ModifiedOld,
        (true, false) => Returning::AllNew,
        (false, false) => Returning::ModifiedNew,
    }))
}
