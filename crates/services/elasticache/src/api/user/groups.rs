//! `CreateUserGroup`, `DescribeUserGroups`, `ModifyUserGroup`, `DeleteUserGroup`.

use std::collections::BTreeSet;

use quorate_control::{Stored, Txn};
use quorate_wire::page::PageRequest;
use quorate_wire::xml::Element;

use crate::api::cache::Caches;
use crate::api::context::{Context, retry};
use crate::api::error::{ElastiCacheError, Kind};
use crate::api::user::users::{DEFAULT_USER, default_user, minimum_version, status_word};
use crate::api::{check, engines, tags};
use crate::model::{Auth, Engine, User, UserGroup, UserStatus};

const USERS_MAX: usize = 100;

/// `CreateUserGroup`.
pub(crate) async fn create_group(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let params = &context.params;
    let id = check::name("UserGroupId", params.required("UserGroupId")?)?;
    let engine = engines::engine(params.required("Engine")?)?;
    if engine == Engine::Memcached {
        return Err(ElastiCacheError::InvalidValue(String::from(
            "User groups are of engine redis or valkey: memcached has none.",
        )));
    }
    let group = UserGroup {
        engine,
        users: lower(context.texts("UserIds", "member").unwrap_or_default()),
        status: UserStatus::Active,
        tags: tags::from_params(params)?,
    };
    retry(|| async {
        if context.read::<UserGroup>(&id).await?.is_some() {
            return Err(ElastiCacheError::AlreadyExists(Kind::UserGroup, id.clone()));
        }
        let txn = hold_users(context, &group).await?.insert(&id, &group);
        context.catalog().commit(txn).await?;
        Ok(())
    })
    .await?;
    Ok(fields(context, &id, &group, &[]))
}

/// `DescribeUserGroups`.
pub(crate) async fn describe_groups(
    context: &Context<'_>,
) -> Result<Vec<Element>, ElastiCacheError> {
    let page = PageRequest::read(&context.params)?;
    let groups = match context.params.text("UserGroupId") {
        Some(name) => vec![find_group(context, name).await?],
        None => context.list().await?,
    };
    let caches = Caches::read(context).await?;
    let page = page.cut(groups, |group| group.id.clone());
    Ok(page.into_result("UserGroups", |group| {
        let users = users_of(&caches, &group.id);
        Element::new("member").with_all(fields(context, &group.id, &group.record, &users))
    }))
}

/// `ModifyUserGroup`.
pub(crate) async fn modify_group(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let params = &context.params;
    let add = lower(context.texts("UserIdsToAdd", "member").unwrap_or_default());
    let remove = lower(
        context
            .texts("UserIdsToRemove", "member")
            .unwrap_or_default(),
    );
    if add.is_empty() && remove.is_empty() && params.text("Engine").is_none() {
        return Err(ElastiCacheError::InvalidCombination(String::from(
            "Give UserIdsToAdd, UserIdsToRemove or Engine.",
        )));
    }
    let (id, group) = retry(|| async {
        let stored = find_group(context, params.required("UserGroupId")?).await?;
        let mut group = stored.record.clone();
        for user in &remove {
            if !group.users.contains(user) {
                return Err(ElastiCacheError::NotFound(Kind::User, user.clone()));
            }
            group.users.retain(|member| member != user);
        }
        for user in &add {
            if group.users.contains(user) {
                return Err(ElastiCacheError::InvalidValue(format!(
                    "User {user} is in user group {} already.",
                    stored.id
                )));
            }
            group.users.push(user.clone());
        }
        if let Some(engine) = params.text("Engine") {
            group.engine = engines::engine(engine)?;
        }
        let txn = hold_users(context, &group).await?.replace(&stored, &group);
        context.catalog().commit(txn).await?;
        Ok((stored.id, group))
    })
    .await?;
    let caches = Caches::read(context).await?;
    Ok(fields(context, &id, &group, &users_of(&caches, &id)))
}

/// `DeleteUserGroup`.
pub(crate) async fn delete_group(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let (id, mut group) = retry(|| async {
        let stored = find_group(context, context.params.required("UserGroupId")?).await?;
        let caches = Caches::read(context).await?;
        let users = users_of(&caches, &stored.id);
        if !users.is_empty() {
            return Err(ElastiCacheError::InvalidState(
                Kind::UserGroup,
                format!(
                    "User group {} is in use by replication group(s) {}.",
                    stored.id,
                    users.join(", ")
                ),
            ));
        }
        context.catalog().commit(Txn::new().remove(&stored)).await?;
        Ok((stored.id, stored.record))
    })
    .await?;
    group.status = UserStatus::Deleting;
    Ok(fields(context, &id, &group, &[]))
}

/// The group with this name.
pub(crate) async fn find_group(
    context: &Context<'_>,
    name: &str,
) -> Result<Stored<UserGroup>, ElastiCacheError> {
    let read = context.read(&name.to_ascii_lowercase()).await?;
    read.ok_or_else(|| ElastiCacheError::NotFound(Kind::UserGroup, name.to_owned()))
}

/// Checks a group's users, and writes their records again, unchanged, with the group: whoever deletes one at the same
/// moment then reads again and finds the group.
async fn hold_users(context: &Context<'_>, group: &UserGroup) -> Result<Txn, ElastiCacheError> {
    if group.users.len() > USERS_MAX {
        return Err(ElastiCacheError::InvalidValue(format!(
            "A user group has at most {USERS_MAX} users."
        )));
    }
    let mut txn = Txn::new();
    let mut names = BTreeSet::new();
    for id in &group.users {
        let name = if id == DEFAULT_USER {
            default_user().name
        } else {
            let read = context.read::<User>(id).await?;
            let user = read.ok_or_else(|| ElastiCacheError::NotFound(Kind::User, id.clone()))?;
            txn = txn.replace(&user, &user.record);
            user.record.name
        };
        if !names.insert(name.clone()) {
            return Err(ElastiCacheError::DuplicateUserName(format!(
                "Two users of a user group cannot have one user name: {name}."
            )));
        }
    }
    if group.engine == Engine::Redis && !names.contains(DEFAULT_USER) {
        return Err(ElastiCacheError::DefaultUserRequired);
    }
    Ok(txn)
}

fn lower(ids: Vec<String>) -> Vec<String> {
    ids.iter().map(|id| id.to_ascii_lowercase()).collect()
}

/// The caches whose clients are the group's users.
fn users_of<'c>(caches: &'c Caches, group: &str) -> Vec<&'c str> {
    let of = |auth: &Auth| matches!(auth, Auth::Users(groups) if groups.iter().any(|g| g == group));
    let caches = caches.all().filter(|cache| of(&cache.record.settings.auth));
    caches.map(|cache| cache.id.as_str()).collect()
}

fn fields(context: &Context<'_>, id: &str, group: &UserGroup, caches: &[&str]) -> Vec<Element> {
    vec![
        Element::text("UserGroupId", id),
        Element::text("Status", status_word(group.status)),
        Element::text("Engine", group.engine),
        Element::list("UserIds", &group.users, |user| {
            Element::text("member", user)
        }),
        Element::text("MinimumEngineVersion", minimum_version(group.engine)),
        Element::list("ReplicationGroups", caches, |cache| {
            Element::text("member", cache)
        }),
        Element::text("ARN", context.arn("usergroup", id)),
    ]
}
