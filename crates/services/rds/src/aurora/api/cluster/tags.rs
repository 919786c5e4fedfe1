//! Tags that stand in a cluster's record: its own, its members', its custom endpoints'.

use quorate_control::Stored;

use crate::api::context::{Context, retry};
use crate::api::error::RdsError;
use crate::api::tags::check_count;
use crate::aurora::model::Cluster;
use crate::aurora::records;
use crate::model::Tag;

/// What a tag hangs on, by its identifier in lower case.
#[derive(Debug, Clone)]
pub(crate) enum Tagged {
    Cluster(String),
    Member(String),
    Endpoint(String),
}

/// The tags of something.
pub(crate) async fn of(context: &Context<'_>, tagged: &Tagged) -> Result<Vec<Tag>, RdsError> {
    let mut stored = find(context, tagged).await?;
    let tags = tags_mut(stored.as_mut().map(|stored| &mut stored.record), tagged);
    tags.map(|tags| tags.clone())
        .ok_or_else(|| not_found(tagged))
}

/// The tags of a member; none when no cluster has it.
pub(crate) async fn of_member(
    context: &Context<'_>,
    id: &str,
) -> Result<Option<Vec<Tag>>, RdsError> {
    optional(of(context, &Tagged::Member(id.to_owned())).await)
}

/// Changes the tags of something.
pub(crate) async fn change(
    context: &Context<'_>,
    tagged: &Tagged,
    edit: &(impl Fn(&mut Vec<Tag>) + Sync),
) -> Result<(), RdsError> {
    retry(|| async {
        let stored = find(context, tagged)
            .await?
            .ok_or_else(|| not_found(tagged))?;
        let mut record = stored.record.clone();
        let tags = tags_mut(Some(&mut record), tagged).ok_or_else(|| not_found(tagged))?;
        edit(tags);
        check_count(tags.len())?;
        let txn = records::change(&stored, &record);
        context.catalog().commit(txn).await?;
        Ok(())
    })
    .await
}

/// Changes the tags of a member; whether a cluster has it.
pub(crate) async fn change_member(
    context: &Context<'_>,
    id: &str,
    edit: &(impl Fn(&mut Vec<Tag>) + Sync),
) -> Result<bool, RdsError> {
    let changed = change(context, &Tagged::Member(id.to_owned()), edit).await;
    Ok(optional(changed)?.is_some())
}

fn optional<T>(result: Result<T, RdsError>) -> Result<Option<T>, RdsError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(RdsError::InstanceNotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn find(context: &Context<'_>, tagged: &Tagged) -> Result<Option<Stored<Cluster>>, RdsError> {
    if let Tagged::Cluster(id) = tagged {
        return context.read(id).await;
    }
    let clusters: Vec<Stored<Cluster>> = context.list().await?;
    Ok(clusters.into_iter().find(|stored| match tagged {
        Tagged::Cluster(id) => stored.id == *id,
        Tagged::Member(id) => stored.record.members.contains_key(id),
        Tagged::Endpoint(id) => stored.record.endpoints.custom.contains_key(id),
    }))
}

fn tags_mut<'c>(cluster: Option<&'c mut Cluster>, tagged: &Tagged) -> Option<&'c mut Vec<Tag>> {
    let cluster = cluster?;
    match tagged {
        Tagged::Cluster(_) => Some(&mut cluster.tags),
        Tagged::Member(id) => Some(&mut cluster.members.get_mut(id)?.tags),
        Tagged::Endpoint(id) => Some(&mut cluster.endpoints.custom.get_mut(id)?.tags),
    }
}

fn not_found(tagged: &Tagged) -> RdsError {
    match tagged {
        Tagged::Cluster(id) => RdsError::ClusterNotFound(id.clone()),
        Tagged::Member(id) => RdsError::InstanceNotFound(id.clone()),
        Tagged::Endpoint(id) => RdsError::ClusterEndpointNotFound(id.clone()),
    }
}
