//! `UpdateTable`: one change of a table at a time.
//!
//! A request is held against itself first (`combination`), then against the table as it is: may it be changed at all,
//! then billing and throughput, then indexes. All of it is pure; what comes out is the record as it is to be, which the
//! controller moves on.

mod billing;
mod combination;
mod index;
mod request;
mod settings;
mod state;

use quorate_base::UnixMillis;
use quorate_control::Txn;
use serde_json::{Value, json};

use crate::api::constraints::{Body, table_of};
use crate::api::context::{Attempt, Context, retry};
use crate::api::error::ApiError;
use crate::api::tables::describe::table_description;
use crate::api::tables::update::request::Request;
use crate::model::{TableRecord, TableStatus};

/// `UpdateTable`.
pub(super) async fn update(context: &Context<'_>, body: &Body<'_>) -> Result<Value, ApiError> {
    let request = Request::read(&body.fields())?;
    request.check()?;
    combination::check(&request)?;
    let name = table_of(context, request.table_name.unwrap_or_default())?;
    let record = retry(|| async {
        let read = context.table(name).await?;
        let change = Change {
            context,
            name,
            request: &request,
            now: UnixMillis::now(),
        };
        let record = change.apply(&read.record)?;
        if record != read.record {
            let txn = Txn::new().replace(&read, &record);
            context.catalog().commit(txn).await?;
        }
        Ok::<_, Attempt>(record)
    })
    .await?;
    let table = table_description(context, name, &record);
    Ok(json!({ "TableDescription": table }))
}

/// A change of one table.
struct Change<'a> {
    context: &'a Context<'a>,
    name: &'a str,
    request: &'a Request<'a>,
    now: UnixMillis,
}

impl Change<'_> {
    /// The table as it is to be.
    fn apply(&self, table: &TableRecord) -> Result<TableRecord, ApiError> {
        self.check_state(table)?;
        let mut record = table.clone();
        self.change_settings(&mut record)?;
        self.change_billing(&mut record)?;
        self.change_indexes(&mut record)?;
        Ok(record)
    }
}

/// The table is busy until the controller has seen the change.
fn busy(record: &mut TableRecord) {
    record.status = TableStatus::Updating;
}
