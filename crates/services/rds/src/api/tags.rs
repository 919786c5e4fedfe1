//! Tags of instances, clusters, their snapshots, parameter groups and subnet groups.

use std::collections::BTreeSet;

use quorate_base::Arn;
use quorate_control::{Record, Stored, Txn};
use quorate_wire::query::Params;
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::error::RdsError;
use crate::aurora::api::cluster;
use crate::aurora::model::{ClusterParameterGroup, ClusterSnapshot};
use crate::model::{Instance, ParameterGroup, SubnetGroup, Tag};

const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;
const TAGS_MAX: usize = 50;

/// `AddTagsToResource`.
pub(crate) async fn add(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let added = context.tags()?;
    change(context, |tags| {
        for tag in &added {
            match tags.iter_mut().find(|old| old.key == tag.key) {
                Some(old) => old.value.clone_from(&tag.value),
                None => tags.push(tag.clone()),
            }
        }
    })
    .await
}

/// `RemoveTagsFromResource`.
pub(crate) async fn remove(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let keys = context
        .params
        .texts("TagKeys", "member")
        .unwrap_or_default();
    change(context, |tags| {
        tags.retain(|tag| !keys.contains(&tag.key.as_str()));
    })
    .await
}

/// `ListTagsForResource`.
pub(crate) async fn list(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let tags = match resource(context)? {
        Resource::Instance(id) => match cluster::tags::of_member(context, &id).await? {
            Some(tags) => tags,
            None => read::<Instance>(context, &id).await?.record.tags,
        },
        Resource::OfCluster(tagged) => cluster::tags::of(context, &tagged).await?,
        Resource::ParameterGroup(id) if is_default(&id) => Vec::new(),
        Resource::ClusterParameterGroup(id) if is_default(&id) => Vec::new(),
        Resource::SubnetGroup(id) if is_default(&id) => Vec::new(),
        Resource::ClusterSnapshot(id) => read::<ClusterSnapshot>(context, &id).await?.record.tags,
        Resource::ParameterGroup(id) => read::<ParameterGroup>(context, &id).await?.record.tags,
        Resource::ClusterParameterGroup(id) => {
            let group = read::<ClusterParameterGroup>(context, &id).await?;
            group.record.tags
        }
        Resource::SubnetGroup(id) => read::<SubnetGroup>(context, &id).await?.record.tags,
    };
    Ok(vec![to_element(&tags)])
}

/// Reads and checks the `Tags` of a request.
pub(crate) fn from_params(params: &Params<'_>) -> Result<Vec<Tag>, RdsError> {
    let mut tags = Vec::new();
    let mut keys = BTreeSet::new();
    for given in params.structures("Tags", "Tag") {
        let key = given.required("Key")?.to_owned();
        let value = given.raw("Value").unwrap_or_default().to_owned();
        check(&key, &value)?;
        if !keys.insert(key.clone()) {
            return Err(RdsError::InvalidValue(format!(
                "The tag key {key} is given more than once."
            )));
        }
        tags.push(Tag { key, value });
    }
    check_count(tags.len())?;
    Ok(tags)
}

/// The `TagList` element.
pub(crate) fn to_element(tags: &[Tag]) -> Element {
    Element::list("TagList", tags, |tag| {
        Element::new("Tag")
            .field("Key", &tag.key)
            .field("Value", &tag.value)
    })
}

fn check(key: &str, value: &str) -> Result<(), RdsError> {
    let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
    let problem = if key.chars().count() > KEY_CHARS_MAX {
        format!("The tag key {key} is longer than {KEY_CHARS_MAX} characters.")
    } else if value.chars().count() > VALUE_CHARS_MAX {
        format!("The value of tag {key} is longer than {VALUE_CHARS_MAX} characters.")
    } else if key.to_ascii_lowercase().starts_with("aws:") {
        format!("The tag key {key} begins with aws:, which is reserved.")
    } else if !key.chars().all(allowed) || !value.chars().all(allowed) {
        format!(
            "The tag {key} holds characters other than letters, digits, white space and _.:/=+-@"
        )
    } else {
        return Ok(());
    };
    Err(RdsError::InvalidValue(problem))
}

pub(crate) fn check_count(count: usize) -> Result<(), RdsError> {
    if count > TAGS_MAX {
        return Err(RdsError::InvalidValue(format!(
            "A resource has at most {TAGS_MAX} tags."
        )));
    }
    Ok(())
}

/// What a tag hangs on, with its id.
enum Resource {
    /// An instance of its own, or a member of a cluster.
    Instance(String),
    OfCluster(cluster::tags::Tagged),
    ClusterParameterGroup(String),
    ClusterSnapshot(String),
    ParameterGroup(String),
    SubnetGroup(String),
}

fn resource(context: &Context<'_>) -> Result<Resource, RdsError> {
    let name = context.params.required("ResourceName")?;
    let invalid = || RdsError::InvalidValue(format!("Invalid resource name: {name}"));
    let arn: Arn = name.parse().map_err(|_| invalid())?;
    if arn.service != "rds" || arn.region != context.region.name || arn.account != *context.account
    {
        return Err(invalid());
    }
    let (kind, id) = arn.resource.split_once(':').ok_or_else(invalid)?;
    let id = id.to_ascii_lowercase();
    match kind {
        "db" => Ok(Resource::Instance(id)),
        "cluster" => Ok(Resource::OfCluster(cluster::tags::Tagged::Cluster(id))),
        "cluster-snapshot" => Ok(Resource::ClusterSnapshot(id)),
        "cluster-endpoint" => Ok(Resource::OfCluster(cluster::tags::Tagged::Endpoint(id))),
        "cluster-pg" => Ok(Resource::ClusterParameterGroup(id)),
        "pg" => Ok(Resource::ParameterGroup(id)),
        "subgrp" => Ok(Resource::SubnetGroup(id)),
        _ => Err(invalid()),
    }
}

/// A record with tags.
trait Tagged: Record {
    fn tags_mut(&mut self) -> &mut Vec<Tag>;
    fn not_found(id: &str) -> RdsError;
}

impl Tagged for Instance {
    fn tags_mut(&mut self) -> &mut Vec<Tag> {
        &mut self.tags
    }

    fn not_found(id: &str) -> RdsError {
        RdsError::InstanceNotFound(id.to_owned())
    }
}

impl Tagged for ParameterGroup {
    fn tags_mut(&mut self) -> &mut Vec<Tag> {
        &mut self.tags
    }

    fn not_found(id: &str) -> RdsError {
        RdsError::ParameterGroupNotFound(id.to_owned())
    }
}

impl Tagged for ClusterParameterGroup {
    fn tags_mut(&mut self) -> &mut Vec<Tag> {
        &mut self.tags
    }

    fn not_found(id: &str) -> RdsError {
        RdsError::ClusterGroupNotFound(id.to_owned())
    }
}

impl Tagged for ClusterSnapshot {
    fn tags_mut(&mut self) -> &mut Vec<Tag> {
        &mut self.tags
    }

    fn not_found(id: &str) -> RdsError {
        RdsError::ClusterSnapshotNotFound(id.to_owned())
    }
}

impl Tagged for SubnetGroup {
    fn tags_mut(&mut self) -> &mut Vec<Tag> {
        &mut self.tags
    }

    fn not_found(id: &str) -> RdsError {
        RdsError::SubnetGroupNotFound(id.to_owned())
    }
}

fn is_default(id: &str) -> bool {
    id == "default" || id.starts_with("default.")
}

async fn read<R: Tagged>(context: &Context<'_>, id: &str) -> Result<Stored<R>, RdsError> {
    context.read(id).await?.ok_or_else(|| R::not_found(id))
}

async fn change(
    context: &Context<'_>,
    edit: impl Fn(&mut Vec<Tag>) + Sync,
) -> Result<Vec<Element>, RdsError> {
    match resource(context)? {
        Resource::Instance(id) => {
            if !cluster::tags::change_member(context, &id, &edit).await? {
                change_record::<Instance>(context, &id, &edit).await?;
            }
        }
        Resource::OfCluster(tagged) => cluster::tags::change(context, &tagged, &edit).await?,
        Resource::ClusterParameterGroup(id) => {
            change_record::<ClusterParameterGroup>(context, &id, &edit).await?
        }
        Resource::ClusterSnapshot(id) => {
            change_record::<ClusterSnapshot>(context, &id, &edit).await?
        }
        Resource::ParameterGroup(id) => {
            change_record::<ParameterGroup>(context, &id, &edit).await?
        }
        Resource::SubnetGroup(id) => change_record::<SubnetGroup>(context, &id, &edit).await?,
    }
    Ok(Vec::new())
}

async fn change_record<R: Tagged>(
    context: &Context<'_>,
    id: &str,
    edit: &(impl Fn(&mut Vec<Tag>) + Sync),
) -> Result<(), RdsError> {
    retry(|| async {
        let stored = read::<R>(context, id).await?;
        let mut record = stored.record.clone();
        edit(record.tags_mut());
        check_count(record.tags_mut().len())?;
        context
            .catalog()
            .commit(Txn::new().replace(&stored, &record))
            .await?;
        Ok(())
    })
    .await
}
