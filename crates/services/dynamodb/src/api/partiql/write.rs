//! INSERT, UPDATE, DELETE and EXISTS as writes of one item.

use std::sync::Arc;

use quorate_dynamo_lang::partiql::{NamedItem, Naming, Returning, Select, Statement, named_item};
use quorate_dynamo_lang::{Condition, Item, KeySchema};
use quorate_dynamo_store::{WriteAnswer, WriteOp};

use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::items::answer::refused_write;
use crate::api::items::target;
use crate::api::items::write::check_against;
use crate::api::partiql::call::Call;
use crate::messages::{Answer, NotWritten, Op};
use crate::routing::{Position, TableRoute};

/// A write that a statement asks for, checked against its table.
#[derive(Clone)]
pub(super) struct Write {
    pub(super) table: Arc<TableRoute>,
    pub(super) name: String,
    pub(super) key: Item,
    pub(super) to: Position,
    pub(super) op: WriteOp,
    pub(super) inserts: bool,
    returning: Option<Returning>,
}

impl Write {
    /// The write of a statement that is not SELECT.
    ///
    /// # Errors
    /// In AWS's words.
    pub(super) fn plan(
        table: Arc<TableRoute>,
        statement: Statement,
        within: Within,
    ) -> Result<Write, ApiError> {
        let record = &table.table.record;
        let schema = record.schema();
        let names: Vec<&str> = schema.attributes().map(|(name, _)| name).collect();
        let name = statement.table().to_owned();
        let inserts = matches!(statement, Statement::Insert(_));
        let returning = returning(&statement);
        let op = write_op(statement, &names, within.unnamed())?;
        if within == Within::Statement {
            let given = match &op {
                WriteOp::Put { item, .. } => item,
                other => other.key(),
            };
            check_key_types(&schema, given)?;
        }
        check_against(record, &schema, &op)?;
        let key = schema.key_of(op.key());
        let to = target::of_key(&name, &schema, &key)?;
        Ok(Write {
            table,
            name,
            key,
            to,
            op,
            inserts,
            returning,
        })
    }

    /// The call that carries it out.
    pub(super) fn call(&self, show_old: bool) -> Call {
        Call {
            to: self.to.clone(),
            op: Op::Write {
                write: Box::new(self.op.clone()),
                images: self.returning.is_some() || show_old,
            },
            freshness: None,
        }
    }

    /// What the partition's answer to the call means.
    ///
    /// # Errors
    /// When the write was refused.
    pub(super) fn outcome(&self, answer: Answer, show_old: bool) -> Result<WriteAnswer, ApiError> {
        match answer {
            Answer::Wrote(answer) => Ok(*answer),
            Answer::NotWritten(NotWritten::ConditionFailed { .. }) if self.inserts => {
                Err(ApiError::dynamodb("DuplicateItemException", DUPLICATE))
            }
            Answer::NotWritten(e) => Err(refused_write(e, show_old)),
            _ => Err(ApiError::internal(
                "The partition answered another question",
            )),
        }
    }

    /// The item that RETURNING asks for; none when nothing of it is left.
    pub(super) fn returned(&self, answer: WriteAnswer) -> Option<Item> {
        match self.returning? {
            Returning::AllOld => answer.old,
            Returning::ModifiedOld => answer.updated_old,
            Returning::AllNew => answer.new,
            Returning::ModifiedNew => answer.updated_new,
        }
        .filter(|item| !item.is_empty())
    }
}

/// What is said of an INSERT of an item that is there.
pub(super) const DUPLICATE: &str = "Duplicate primary key exists in table";
/// What a write is part of: AWS words what is wrong with its key otherwise in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// `ExecuteStatement`, or a statement of a batch.
    Statement,
    /// `ExecuteTransaction`.
    Transaction,
}

impl Within {
    /// What is said of a write that does not give the whole key.
    fn unnamed(self) -> &'static str {
        match self {
            Within::Statement => {
                "Where clause does not contain a mandatory equality on all key attributes"
            }
            Within::Transaction => "The provided key element does not match the schema",
        }
    }
}

/// Refuses a value for an attribute of the key that is not of its type.
pub(super) fn check_key_types(schema: &KeySchema, given: &Item) -> Result<(), ApiError> {
    let wrong = schema
        .attributes()
        .find(|(name, kind)| given.get(*name).is_some_and(|value| !kind.matches(value)));
    match wrong {
        None => Ok(()),
        Some((name, _)) => Err(key_type_mismatch(name)),
    }
}

/// What PartiQL says of a value that is not of its key attribute's type.
pub(super) fn key_type_mismatch(name: &str) -> ApiError {
    ApiError::validation(format!(
        "Key attribute's data type should match its data type in table's schema: Key {name}"
    ))
}

/// RETURNING, of a statement that may have it.
pub(super) fn returning(statement: &Statement) -> Option<Returning> {
    match statement {
        Statement::Update(update) => update.returning,
        Statement::Delete(delete) => delete.returning,
        Statement::Select(_) | Statement::Insert(_) | Statement::Exists(_) => None,
    }
}

/// Refuses what a removed item has not.
pub(super) fn check_returning(statement: &Statement) -> Result<(), ApiError> {
    let deletes = matches!(statement, Statement::Delete(_));
    match returning(statement) {
        Some(wrong) if deletes && wrong != Returning::AllOld => Err(ApiError::validation(format!(
            "Invalid returning clause: RETURNING {}. Only RETURNING ALL OLD * is allowed in DELETE statements.",
            wrong.text()
        ))),
        _ => Ok(()),
    }
}

/// The table of a statement.
pub(super) fn table(context: &Context<'_>, name: &str) -> Result<Arc<TableRoute>, ApiError> {
    target::table(context, name)
}

/// The item that EXISTS is about, when it asks something of just one item.
pub(super) fn existing(select: &Select, names: &[&str]) -> Option<NamedItem> {
    let named = named_item(&select.condition, names.iter().copied(), Naming::Equality);
    named.filter(|item| select.index.is_none() && !item.rest.is_empty())
}

fn write_op(statement: Statement, names: &[&str], unnamed: &str) -> Result<WriteOp, ApiError> {
    let hash = names.first().copied().unwrap_or_default();
    match statement {
        Statement::Insert(insert) => Ok(WriteOp::Put {
            item: insert.item,
            condition: Some(Condition::default().and_missing(hash)),
        }),
        Statement::Update(update) => {
            let named = one_item(&update.condition, names, unnamed)?;
            Ok(WriteOp::Update {
                key: named.key,
                update: update.update,
                condition: Some(named.rest.and_exists(hash)),
            })
        }
        Statement::Delete(delete) => {
            let named = one_item(&delete.condition, names, unnamed)?;
            // Nothing is asked of an item that is not there: removing it does nothing.
            let rest = named.rest.or_missing(hash);
            Ok(WriteOp::Delete {
                key: named.key,
                condition: Some(rest).filter(|rest| !rest.is_empty()),
            })
        }
        Statement::Exists(select) => {
            let named = existing(&select, names).ok_or_else(|| ApiError::validation(unnamed))?;
            Ok(WriteOp::Check {
                key: named.key,
                condition: named.rest,
            })
        }
        Statement::Select(_) => Err(ApiError::internal("A SELECT does not write")),
    }
}

fn one_item(condition: &Condition, names: &[&str], unnamed: &str) -> Result<NamedItem, ApiError> {
    let named = named_item(condition, names.iter().copied(), Naming::Equality)
        .ok_or_else(|| ApiError::validation(unnamed))?;
    match named.doubtful.first() {
        None => Ok(named),
        Some(name) => Err(ApiError::validation(format!(
            "Multiple conditions on same key {name}. Only single item Update/Insert/Delete are supported"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(text: &str) -> Result<WriteOp, String> {
        let statement = Statement::parse(text, &[]).unwrap();
        check_returning(&statement).map_err(|e| e.message)?;
        write_op(statement, &["pk", "sk"], Within::Statement.unnamed()).map_err(|e| e.message)
    }

    #[test]
    fn writes_name_one_item() {
        for text in [
            "UPDATE t SET a = 1 WHERE pk = 1",
            "UPDATE t SET a = 1",
            "DELETE FROM t WHERE pk = 1 AND sk > 2",
            "DELETE FROM t WHERE pk IN [1] AND sk = 2",
            "DELETE FROM t WHERE pk = 1 AND sk = 2 OR a = 3",
        ] {
            assert_eq!(op(text).unwrap_err(), Within::Statement.unnamed(), "{text}");
        }
        assert_eq!(
            op("DELETE FROM t WHERE pk = 1 AND sk = 2 AND pk = 3").unwrap_err(),
            "Multiple conditions on same key pk. Only single item Update/Insert/Delete are supported"
        );
        assert_eq!(
            op("DELETE FROM t WHERE pk = 1 AND sk = 2 RETURNING MODIFIED NEW *").unwrap_err(),
            "Invalid returning clause: RETURNING MODIFIED NEW *. Only RETURNING ALL OLD * is allowed in DELETE \
             statements."
        );
    }

    #[test]
    fn a_key_has_the_types_of_the_schema() {
        use quorate_dynamo_lang::ScalarType;
        let schema = KeySchema::of(("pk", ScalarType::N), Some(("sk", ScalarType::S)));
        let told = |text: &str| {
            let op = write_op(Statement::parse(text, &[]).unwrap(), &["pk", "sk"], "").unwrap();
            check_key_types(&schema, op.key()).map_err(|e| e.message)
        };
        assert_eq!(told("DELETE FROM t WHERE pk = 1 AND sk = 'a'"), Ok(()));
        assert_eq!(
            told("DELETE FROM t WHERE pk = 1 AND sk = 2").unwrap_err(),
            "Key attribute's data type should match its data type in table's schema: Key sk"
        );
    }

    #[test]
    fn what_else_is_asked_becomes_a_condition() {
        let item = |pairs: &[&str]| -> Item {
            let value = quorate_dynamo_lang::AttributeValue::Bool(true);
            pairs
                .iter()
                .map(|name| ((*name).to_owned(), value.clone()))
                .collect()
        };
        let Ok(WriteOp::Delete {
            condition: None, ..
        }) = op("DELETE FROM t WHERE pk = 1 AND sk = 2")
        else {
            panic!("asks something");
        };
        let text = "DELETE FROM t WHERE pk = 1 AND sk = 2 AND a = true";
        let Ok(WriteOp::Delete {
            condition: Some(condition),
            ..
        }) = op(text)
        else {
            panic!("asks nothing");
        };
        assert!(condition.eval(None) && condition.eval(Some(&item(&["pk", "a"]))));
        assert!(!condition.eval(Some(&item(&["pk"]))));
        let text = "UPDATE t SET b = 1 WHERE pk = 1 AND sk = 2";
        let Ok(WriteOp::Update {
            condition: Some(condition),
            ..
        }) = op(text)
        else {
            panic!("asks nothing");
        };
        assert!(!condition.eval(None) && condition.eval(Some(&item(&["pk"]))));
        let Ok(WriteOp::Put {
            condition: Some(condition),
            ..
        }) = op("INSERT INTO t VALUE {'pk': 1}")
        else {
            panic!("asks nothing");
        };
        assert!(condition.eval(None) && !condition.eval(Some(&item(&["pk"]))));
        assert!(op("EXISTS(SELECT * FROM t WHERE pk = 1 AND sk = 2)").is_err());
        assert!(op("EXISTS(SELECT * FROM t WHERE pk = 1 AND sk = 2 AND a IS MISSING)").is_ok());
    }
}
