//! Tags of every kind of resource.

use std::collections::BTreeSet;

use quorate_base::Arn;
use quorate_control::{Record, Stored, Txn};
use quorate_wire::query::Params;
use quorate_wire::xml::Element;

use crate::api::cache::Caches;
use crate::api::context::{Context, retry};
use crate::api::error::{ElastiCacheError, Kind};
use crate::model::{Cache, ParameterGroup, Snapshot, SubnetGroup, Tag, User, UserGroup};

const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;
const TAGS_MAX: usize = 50;

/// `AddTagsToResource`.
pub(crate) async fn add(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let added = from_params(&context.params)?;
    change(context, |tags| {
        for tag in &added {
            match tags.iter_mut().find(|old| old.key == tag.key) {
                Some(old) => old.value.clone_from(&tag.value),
                None => tags.push(tag.clone()),
            }
        }
        Ok(())
    })
    .await
}

/// `RemoveTagsFromResource`.
pub(crate) async fn remove(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let keys = context.texts("TagKeys", "member").unwrap_or_default();
    change(context, |tags| {
        for key in &keys {
            let before = tags.len();
            tags.retain(|tag| tag.key != *key);
            if tags.len() == before {
                return Err(ElastiCacheError::TagNotFound(key.clone()));
            }
        }
        Ok(())
    })
    .await
}

/// `ListTagsForResource`.
pub(crate) async fn list(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let tags = match resource(context).await? {
        (_, id) if is_default(&id) => Vec::new(),
        (Kind::ReplicationGroup | Kind::CacheCluster, id) => {
            read::<Cache>(context, &id).await?.record.tags
        }
        (Kind::ParameterGroup, id) => read::<ParameterGroup>(context, &id).await?.record.tags,
        (Kind::SubnetGroup, id) => read::<SubnetGroup>(context, &id).await?.record.tags,
        (Kind::Snapshot, id) => read::<Snapshot>(context, &id).await?.record.tags,
        (Kind::User, id) => read::<User>(context, &id).await?.record.tags,
        (Kind::UserGroup, id) => read::<UserGroup>(context, &id).await?.record.tags,
    };
    Ok(vec![to_element(&tags)])
}

/// Reads and checks the `Tags` of a request.
pub(crate) fn from_params(params: &Params<'_>) -> Result<Vec<Tag>, ElastiCacheError> {
    let mut tags = Vec::new();
    let mut keys = BTreeSet::new();
    for given in params.structures("Tags", "Tag") {
        let key = given.required("Key")?.to_owned();
        let value = given.raw("Value").unwrap_or_default().to_owned();
        check(&key, &value)?;
        if !keys.insert(key.clone()) {
            return Err(ElastiCacheError::InvalidValue(format!(
                "The tag key {key} is given more than once."
            )));
        }
        tags.push(Tag { key, value });
    }
    check_count(&tags)?;
    Ok(tags)
}

fn to_element(tags: &[Tag]) -> Element {
    Element::list("TagList", tags, |tag| {
        Element::new("Tag")
            .field("Key", &tag.key)
            .field("Value", &tag.value)
    })
}

fn check(key: &str, value: &str) -> Result<(), ElastiCacheError> {
    let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
    let fits = key.chars().count() <= KEY_CHARS_MAX
        && value.chars().count() <= VALUE_CHARS_MAX
        && !key.to_ascii_lowercase().starts_with("aws:")
        && key.chars().chain(value.chars()).all(allowed);
    if fits {
        return Ok(());
    }
    Err(ElastiCacheError::InvalidValue(format!(
        "The tag {key} is not valid: a key has 1 to {KEY_CHARS_MAX} characters and does not begin with aws:, a value has \
         up to {VALUE_CHARS_MAX}; both hold letters, digits, white space and _.:/=+-@ only."
    )))
}

fn check_count(tags: &[Tag]) -> Result<(), ElastiCacheError> {
    if tags.len() > TAGS_MAX {
        return Err(ElastiCacheError::TagQuota);
    }
    Ok(())
}

/// What the request's ARN is of, with the id of its record. A member of a group has the tags of the group.
async fn resource(context: &Context<'_>) -> Result<(Kind, String), ElastiCacheError> {
    let name = context.params.required("ResourceName")?;
    let invalid = || ElastiCacheError::InvalidArn(name.to_owned());
    let arn: Arn = name.parse().map_err(|_| invalid())?;
    let ours = arn.service == "elasticache"
        && arn.region == context.region.name
        && arn.account == *context.account;
    let (kind, id) = arn.resource.split_once(':').ok_or_else(invalid)?;
    let id = id.to_ascii_lowercase();
    let kind = match kind {
        _ if !ours => return Err(invalid()),
        "replicationgroup" => Kind::ReplicationGroup,
        "cluster" => Kind::CacheCluster,
        "parametergroup" => Kind::ParameterGroup,
        "subnetgroup" => Kind::SubnetGroup,
        "snapshot" => Kind::Snapshot,
        "user" => Kind::User,
        "usergroup" => Kind::UserGroup,
        _ => return Err(invalid()),
    };
    let caches = Caches::read(context).await?;
    match kind {
        Kind::ReplicationGroup => Ok((kind, caches.group(&id)?.id.clone())),
        Kind::CacheCluster => Ok((kind, caches.cluster(&id)?.stored.id.clone())),
        _ => Ok((kind, id)),
    }
}

/// A record with tags.
trait Tagged: Record {
    const KIND: Kind;
    fn tags_mut(&mut self) -> &mut Vec<Tag>;
}

macro_rules! tagged {
    ($($record:ty => $kind:expr),*) => {$(
        impl Tagged for $record {
            const KIND: Kind = $kind;

            fn tags_mut(&mut self) -> &mut Vec<Tag> {
                &mut self.tags
            }
        }
    )*};
}

tagged!(
    Cache => Kind::ReplicationGroup,
    ParameterGroup => Kind::ParameterGroup,
    SubnetGroup => Kind::SubnetGroup,
    Snapshot => Kind::Snapshot,
    User => Kind::User,
    UserGroup => Kind::UserGroup
);

fn is_default(id: &str) -> bool {
    id == "default" || id.starts_with("default.")
}

async fn read<R: Tagged>(context: &Context<'_>, id: &str) -> Result<Stored<R>, ElastiCacheError> {
    let read = context.read(id).await?;
    read.ok_or_else(|| ElastiCacheError::NotFound(R::KIND, id.to_owned()))
}

async fn change(
    context: &Context<'_>,
    edit: impl Fn(&mut Vec<Tag>) -> Result<(), ElastiCacheError> + Sync,
) -> Result<Vec<Element>, ElastiCacheError> {
    let (kind, id) = resource(context).await?;
    let tags = match kind {
        Kind::ReplicationGroup | Kind::CacheCluster => {
            change_record::<Cache>(context, &id, &edit).await?
        }
        Kind::ParameterGroup => change_record::<ParameterGroup>(context, &id, &edit).await?,
        Kind::SubnetGroup => change_record::<SubnetGroup>(context, &id, &edit).await?,
        Kind::Snapshot => change_record::<Snapshot>(context, &id, &edit).await?,
        Kind::User => change_record::<User>(context, &id, &edit).await?,
        Kind::UserGroup => change_record::<UserGroup>(context, &id, &edit).await?,
    };
    Ok(vec![to_element(&tags)])
}

async fn change_record<R: Tagged>(
    context: &Context<'_>,
    id: &str,
    edit: &(impl Fn(&mut Vec<Tag>) -> Result<(), ElastiCacheError> + Sync),
) -> Result<Vec<Tag>, ElastiCacheError> {
    retry(|| async {
        let stored = read::<R>(context, id).await?;
        let mut record = stored.record.clone();
        edit(record.tags_mut())?;
        check_count(record.tags_mut())?;
        let txn = Txn::new().replace(&stored, &record);
        context.catalog().commit(txn).await?;
        Ok(record.tags_mut().clone())
    })
    .await
}
