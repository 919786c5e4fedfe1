//! `TagResource`, `UntagResource` and `ListTagsOfResource`.

use std::ops::Bound;

use serde_json::{Value, json};

use crate::api::constraints::Body;
use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::tables::request::read_tags;
use crate::api::tables::resource::{change_resource, named_resource, read_resource};
use crate::api::tables::rules;
use crate::model::{TableRecord, TableStatus};

/// Tags on a page.
const PAGE_MAX: usize = 10;

/// `TagResource`: sets tags.
pub(super) async fn tag(context: &Context<'_>, body: &Body<'_>) -> Result<Value, ApiError> {
    let fields = body.fields();
    let requests = read_tags(&fields)?;
    let resource = named_resource(context, &fields)?;
    let requests = requests.unwrap_or_default();
    if requests.is_empty() {
        return Err(ApiError::validation(
            "Atleast one Tag needs to be provided as Input.",
        ));
    }
    let tags = rules::tags(&requests)?;
    change_resource(context, &resource, |record| {
        settled(resource.name, record)?;
        record.tags.extend(tags.clone());
        if record.tags.len() > rules::TAGS_MAX {
            return Err(rules::too_many_tags());
        }
        Ok(())
    })
    .await?;
    Ok(json!({}))
}

/// `UntagResource`: removes tags; one that is not there is no error.
pub(super) async fn untag(context: &Context<'_>, body: &Body<'_>) -> Result<Value, ApiError> {
    let fields = body.fields();
    let keys = fields.strings("TagKeys")?;
    let resource = named_resource(context, &fields)?;
    let keys = keys.unwrap_or_default();
    if keys.is_empty() {
        return Err(ApiError::validation(
            "Atleast one Tag Key needs to be provided as Input.",
        ));
    }
    if keys.len() > rules::TAGS_MAX {
        return Err(rules::too_many_tags());
    }
    let keys: Vec<&str> = keys
        .into_iter()
        .map(rules::tag_key)
        .collect::<Result<_, _>>()?;
    change_resource(context, &resource, |record| {
        settled(resource.name, record)?;
        for key in &keys {
            record.tags.remove(*key);
        }
        Ok(())
    })
    .await?;
    Ok(json!({}))
}

/// `ListTagsOfResource`: tags in the order of their keys. A page's token is the last key that was shown.
pub(super) async fn list(context: &Context<'_>, body: &Body<'_>) -> Result<Value, ApiError> {
    let fields = body.fields();
    let token = fields.string("NextToken")?;
    let resource = named_resource(context, &fields)?;
    let read = read_resource(context, &resource).await?;
    let from = token.map_or(Bound::Unbounded, Bound::Excluded);
    let mut tags = read.record.tags.range::<str, _>((from, Bound::Unbounded));
    let page: Vec<(&String, &String)> = tags.by_ref().take(PAGE_MAX).collect();
    let shown: Vec<Value> = page
        .iter()
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    let mut answer = json!({ "Tags": shown });
    if tags.next().is_some()
        && let Some((last, _)) = page.last()
    {
        answer["NextToken"] = json!(last);
    }
    Ok(answer)
}

/// Tags of a table that comes or goes are not changed.
fn settled(name: &str, record: &TableRecord) -> Result<(), ApiError> {
    match record.status {
        TableStatus::Creating => Err(ApiError::in_use(format_args!(
            "Table is being created: {name}"
        ))),
        TableStatus::Deleting => Err(ApiError::in_use(format_args!(
            "Table is being deleted: {name}"
        ))),
        TableStatus::Updating | TableStatus::Active => Ok(()),
    }
}
