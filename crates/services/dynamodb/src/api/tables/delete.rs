//! `DeleteTable`.

use quorate_control::Txn;
use serde_json::{Value, json};

use crate::api::constraints::Body;
use crate::api::context::{Attempt, Context, retry};
use crate::api::error::ApiError;
use crate::api::tables::describe::table_description;
use crate::api::tables::read::named_table;
use crate::model::{IndexStatus, TableRecord, TableStatus};

/// `DeleteTable`: the controller takes the table apart afterwards.
pub(super) async fn delete(context: &Context<'_>, body: &Body<'_>) -> Result<Value, ApiError> {
    let name = named_table(context, body)?;
    let record = retry(|| async {
        let read = context.table(name).await?;
        check(name, &read.record)?;
        let mut record = read.record.clone();
        record.status = TableStatus::Deleting;
        let txn = Txn::new().replace(&read, &record);
        context.catalog().commit(txn).await?;
        Ok::<_, Attempt>(record)
    })
    .await?;
    let table = table_description(context, name, &record);
    Ok(json!({ "TableDescription": table }))
}

/// Whether the table can go.
fn check(name: &str, table: &TableRecord) -> Result<(), ApiError> {
    match table.status {
        TableStatus::Creating => {
            return Err(ApiError::in_use(format_args!(
                "Table is being created: {name}"
            )));
        }
        TableStatus::Deleting => {
            return Err(ApiError::in_use(format_args!(
                "Table is being deleted: {name}"
            )));
        }
        TableStatus::Updating | TableStatus::Active => {}
    }
    if table.deletion_protection {
        return Err(ApiError::validation(
            "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection \
             first.",
        ));
    }
    let busy = |index: &crate::model::GlobalIndex| index.status != IndexStatus::Active;
    if table.global_indexes.iter().any(busy) {
        return Err(ApiError::in_use(
            "Cannot delete table while indexes are being created, updated, or deleted.",
        ));
    }
    if table.status == TableStatus::Updating {
        return Err(ApiError::in_use(format_args!(
            "Table: {name} is in the process of being updated."
        )));
    }
    Ok(())
}
