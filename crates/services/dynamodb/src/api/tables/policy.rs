//! `PutResourcePolicy`, `GetResourcePolicy` and `DeleteResourcePolicy`. Policies are kept and not evaluated.

use serde_json::{Value, json};

use crate::api::constraints::{Body, Fields, Place, Violations};
use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::tables::resource::{Resource, change_resource, named_resource, read_resource};
use crate::api::tables::rules;
use crate::model::TableRecord;

/// What a caller expects who wants to set the first policy.
const NO_POLICY: &str = "NO_POLICY";

/// `PutResourcePolicy`.
pub(super) async fn put(context: &Context<'_>, body: &Body<'_>) -> Result<Value, ApiError> {
    let fields = body.fields();
    let policy = fields.string("Policy")?;
    let expected = fields.string("ExpectedRevisionId")?;
    let mut violations = Violations::new();
    violations.required(&Place::of("Policy"), policy);
    violations.finish()?;
    let resource = named_resource(context, &fields)?;
    let policy = rules::policy(policy.unwrap_or_default())?;
    let record = change_resource(context, &resource, |record| {
        check_revision(record, expected)?;
        if record.resource_policy.as_ref() != Some(&policy) {
            record.resource_policy = Some(policy.clone());
            record.resource_policy_revision += 1;
        }
        Ok(())
    })
    .await?;
    Ok(json!({ "RevisionId": record.resource_policy_revision.to_string() }))
}

/// `GetResourcePolicy`.
pub(super) async fn get(context: &Context<'_>, body: &Body<'_>) -> Result<Value, ApiError> {
    let resource = named_resource(context, &body.fields())?;
    let record = read_resource(context, &resource).await?.record;
    let policy = record.resource_policy.ok_or_else(|| not_found(&resource))?;
    let revision = record.resource_policy_revision.to_string();
    Ok(json!({ "Policy": policy, "RevisionId": revision }))
}

/// `DeleteResourcePolicy`: no error when there is none and none was expected.
pub(super) async fn delete(context: &Context<'_>, body: &Body<'_>) -> Result<Value, ApiError> {
    let fields: Fields<'_> = body.fields();
    let expected = fields.string("ExpectedRevisionId")?;
    let resource = named_resource(context, &fields)?;
    let read = read_resource(context, &resource).await?;
    if read.record.resource_policy.is_none() && expected.is_none() {
        return Ok(json!({}));
    }
    let record = change_resource(context, &resource, |record| {
        check_revision(record, expected)?;
        if record.resource_policy.take().is_some() {
            record.resource_policy_revision += 1;
        }
        Ok(())
    })
    .await?;
    Ok(json!({ "RevisionId": record.resource_policy_revision.to_string() }))
}

/// The policy is the one that the caller has seen.
fn check_revision(record: &TableRecord, expected: Option<&str>) -> Result<(), ApiError> {
    let current = match &record.resource_policy {
        Some(_) => record.resource_policy_revision.to_string(),
        None => String::from(NO_POLICY),
    };
    match expected {
        Some(expected) if expected != current => Err(ApiError::dynamodb(
            "PolicyNotFoundException",
            format!("The resource-based policy does not have the revision {expected}"),
        )),
        _ => Ok(()),
    }
}

fn not_found(resource: &Resource<'_>) -> ApiError {
    ApiError::dynamodb(
        "PolicyNotFoundException",
        format!(
            "Resource-based policy not found for the provided ResourceArn: {}",
            resource.arn
        ),
    )
}
