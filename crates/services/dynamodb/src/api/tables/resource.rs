//! The table that a `ResourceArn` names.

use quorate_base::Arn;
use quorate_control::{Stored, Txn};

use crate::api::constraints::{Fields, is_table_name};
use crate::api::context::{Attempt, Context, retry};
use crate::api::error::ApiError;
use crate::model::TableRecord;

/// A `ResourceArn` of a table.
pub(super) struct Resource<'b> {
    /// The whole ARN.
    pub(super) arn: &'b str,
    /// The table's name.
    pub(super) name: &'b str,
}

impl Resource<'_> {
    fn not_found(&self) -> ApiError {
        ApiError::dynamodb(
            "ResourceNotFoundException",
            format!(
                "Requested resource not found: ResourceArn: {} not found",
                self.arn
            ),
        )
    }
}

/// The resource that a request is about.
///
/// # Errors
/// `ValidationException` for a text that is no ARN of a table of this region; `ResourceNotFoundException` when it is of
/// another account's.
pub(super) fn named_resource<'b>(
    context: &Context<'_>,
    fields: &Fields<'b>,
) -> Result<Resource<'b>, ApiError> {
    let Some(arn) = fields.string("ResourceArn")? else {
        return Err(ApiError::validation("Invalid TableArn"));
    };
    if !arn.starts_with("arn:") {
        return Err(ApiError::invalid(format_args!(
            "ARNs must start with 'arn:': {arn}"
        )));
    }
    let wrong = || {
        ApiError::validation(format!(
            "Invalid TableArn: Invalid ResourceArn provided as input {arn}"
        ))
    };
    let parsed: Arn = arn.parse().map_err(|_| wrong())?;
    if parsed.service != "dynamodb" {
        return Err(ApiError::invalid(format_args!(
            "Provided Arn is not a DynamoDB resource arn: {arn}"
        )));
    }
    if parsed.region != context.region.name {
        return Err(wrong());
    }
    let name = arn.split_once(":table/").map(|(_, name)| name);
    let name = name.ok_or_else(wrong)?;
    if name.contains('/') {
        return Err(ApiError::invalid(format_args!(
            "Invalid resource arn provided, only table or stream is accepted. Provided resource arn: {arn}"
        )));
    }
    if !is_table_name(name) {
        return Err(wrong());
    }
    let resource = Resource { arn, name };
    if parsed.account != *context.account {
        return Err(resource.not_found());
    }
    Ok(resource)
}

/// The table's record, newest committed state.
pub(super) async fn read_resource(
    context: &Context<'_>,
    resource: &Resource<'_>,
) -> Result<Stored<TableRecord>, ApiError> {
    let read = context.catalog().read(resource.name).await?;
    read.ok_or_else(|| resource.not_found())
}

/// Changes the table's record; again when another writer came first.
pub(super) async fn change_resource(
    context: &Context<'_>,
    resource: &Resource<'_>,
    change: impl Fn(&mut TableRecord) -> Result<(), ApiError>,
) -> Result<TableRecord, ApiError> {
    retry(|| async {
        let read = read_resource(context, resource).await?;
        let mut record = read.record.clone();
        change(&mut record)?;
        if record != read.record {
            let txn = Txn::new().replace(&read, &record);
            context.catalog().commit(txn).await?;
        }
        Ok::<_, Attempt>(record)
    })
    .await
}
