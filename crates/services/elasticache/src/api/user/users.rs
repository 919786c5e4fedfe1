//! `CreateUser`, `DescribeUsers`, `ModifyUser`, `DeleteUser`.

use quorate_control::{Stored, Txn};
use quorate_wire::page::PageRequest;
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::error::{ElastiCacheError, Kind};
use crate::api::user::{access_string, authentication};
use crate::api::{check, engines, tags};
use crate::model::{Engine, User, UserGroup, UserStatus};

/// The user that is always there, and is in no way changed.
pub(super) const DEFAULT_USER: &str = "default";
const NAME_CHARS_MAX: usize = 120;
/// Accounts that engines have for agents, replicas and Sentinels.
const RESERVED_NAMES: [&str; 4] = ["quorate", "replica", "sentinel", "client"];

/// `CreateUser`.
pub(crate) async fn create(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let params = &context.params;
    let id = check::name("UserId", params.required("UserId")?)?;
    let engine = engines::engine(params.required("Engine")?)?;
    if engine == Engine::Memcached {
        return Err(ElastiCacheError::InvalidValue(String::from(
            "Users are of engine redis or valkey: memcached has none.",
        )));
    }
    let passwords = authentication::read(context)?.ok_or_else(|| {
        ElastiCacheError::InvalidCombination(String::from(
            "Input validation failed: give Passwords, or NoPasswordRequired as true.",
        ))
    })?;
    let user = User {
        name: user_name(params.required("UserName")?)?,
        engine,
        access_string: access_string::check(params.required("AccessString")?)?,
        no_password: passwords.is_empty(),
        passwords,
        status: UserStatus::Active,
        tags: tags::from_params(params)?,
    };
    retry(|| async {
        if id == DEFAULT_USER || context.read::<User>(&id).await?.is_some() {
            return Err(ElastiCacheError::AlreadyExists(Kind::User, id.clone()));
        }
        context
            .catalog()
            .commit(Txn::new().insert(&id, &user))
            .await?;
        Ok(())
    })
    .await?;
    Ok(fields(context, &id, &user, &[]))
}

/// `DescribeUsers`.
pub(crate) async fn describe(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let params = &context.params;
    let page = PageRequest::read(params)?;
    let groups: Vec<Stored<UserGroup>> = context.list().await?;
    let users: Vec<Stored<User>> = context.list().await?;
    let users = users.into_iter().map(|stored| (stored.id, stored.record));
    let mut users: Vec<(String, User)> = users.collect();
    users.push((DEFAULT_USER.to_owned(), default_user()));
    if let Some(asked) = params.text("UserId") {
        users.retain(|(id, _)| id.eq_ignore_ascii_case(asked));
        if users.is_empty() {
            return Err(ElastiCacheError::NotFound(Kind::User, asked.to_owned()));
        }
    }
    if let Some(asked) = params.text("Engine") {
        let asked = engines::engine(asked)?;
        users.retain(|(_, user)| user.engine == asked);
    }
    for filter in params.structures("Filters", "member") {
        let name = filter.required("Name")?;
        let values = filter.texts("Values", "member").unwrap_or_default();
        if !matches!(name, "user-id" | "user-name" | "user-group-id") {
            return Err(ElastiCacheError::InvalidCombination(format!(
                "Unrecognized filter name: {name}. Valid names are: user-id, user-name, user-group-id."
            )));
        }
        users.retain(|(id, user)| match name {
            "user-id" => values.contains(&id.as_str()),
            "user-name" => values.contains(&user.name.as_str()),
            _ => groups_of(&groups, id)
                .iter()
                .any(|group| values.contains(group)),
        });
    }
    let page = page.cut(users, |(id, _)| id.clone());
    Ok(page.into_result("Users", |(id, user)| {
        let groups = groups_of(&groups, &id);
        Element::new("member").with_all(fields(context, &id, &user, &groups))
    }))
}

/// `ModifyUser`.
pub(crate) async fn modify(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let params = &context.params;
    let passwords = authentication::read(context)?;
    let replaced = params.text("AccessString");
    let appended = params.text("AppendAccessString");
    if replaced.is_some() && appended.is_some() {
        return Err(ElastiCacheError::InvalidCombination(String::from(
            "Give either AccessString or AppendAccessString.",
        )));
    }
    let (id, user) = retry(|| async {
        let stored = find(context, params.required("UserId")?).await?;
        let mut user = stored.record.clone();
        if let Some(text) = replaced {
            user.access_string = access_string::check(text)?;
        }
        if let Some(text) = appended {
            user.access_string = access_string::check(&format!("{} {text}", user.access_string))?;
        }
        if let Some(passwords) = &passwords {
            user.no_password = passwords.is_empty();
            user.passwords.clone_from(passwords);
        }
        if let Some(engine) = params.text("Engine") {
            user.engine = engines::engine(engine)?;
        }
        context
            .catalog()
            .commit(Txn::new().replace(&stored, &user))
            .await?;
        Ok((stored.id, user))
    })
    .await?;
    let groups: Vec<Stored<UserGroup>> = context.list().await?;
    Ok(fields(context, &id, &user, &groups_of(&groups, &id)))
}

/// `DeleteUser`: the user goes from its groups, too.
pub(crate) async fn delete(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let (id, mut user) = retry(|| async {
        let stored = find(context, context.params.required("UserId")?).await?;
        let groups: Vec<Stored<UserGroup>> = context.list().await?;
        let mut txn = Txn::new().remove(&stored);
        for group in groups.iter().filter(|g| g.record.users.contains(&stored.id)) {
            if stored.record.name == DEFAULT_USER && group.record.engine == Engine::Redis {
                return Err(ElastiCacheError::DefaultUserAssociated(format!(
                    "User {} is the default user of user group {}: give the group another one first.",
                    stored.id, group.id
                )));
            }
            let mut changed = group.record.clone();
            changed.users.retain(|user| *user != stored.id);
            txn = txn.replace(group, &changed);
        }
        context.catalog().commit(txn).await?;
        Ok((stored.id, stored.record))
    })
    .await?;
    user.status = UserStatus::Deleting;
    Ok(fields(context, &id, &user, &[]))
}

/// A user that can be changed.
async fn find(context: &Context<'_>, name: &str) -> Result<Stored<User>, ElastiCacheError> {
    let id = name.to_ascii_lowercase();
    if id == DEFAULT_USER {
        return Err(ElastiCacheError::InvalidValue(String::from(
            "The user default cannot be modified or deleted: create another user with the user name default, and put it \
             in the group in its place.",
        )));
    }
    let read = context.read(&id).await?;
    read.ok_or_else(|| ElastiCacheError::NotFound(Kind::User, name.to_owned()))
}

/// The user that is always there: it may do everything, without a password.
pub(super) fn default_user() -> User {
    User {
        name: DEFAULT_USER.to_owned(),
        engine: Engine::Redis,
        access_string: String::from("on ~* +@all"),
        passwords: Vec::new(),
        no_password: true,
        status: UserStatus::Active,
        tags: Vec::new(),
    }
}

fn user_name(text: &str) -> Result<String, ElastiCacheError> {
    let fits = text.len() <= NAME_CHARS_MAX && text.chars().all(|c| c.is_ascii_graphic());
    if fits && !RESERVED_NAMES.contains(&text.to_ascii_lowercase().as_str()) {
        return Ok(text.to_owned());
    }
    Err(ElastiCacheError::InvalidValue(format!(
        "The parameter UserName must be 1 to {NAME_CHARS_MAX} printable ASCII characters without spaces, and none of: {}.",
        RESERVED_NAMES.join(", ")
    )))
}

fn groups_of<'g>(groups: &'g [Stored<UserGroup>], user: &str) -> Vec<&'g str> {
    let of = |group: &&Stored<UserGroup>| group.record.users.iter().any(|id| id == user);
    let groups = groups.iter().filter(of);
    groups.map(|group| group.id.as_str()).collect()
}

fn fields(context: &Context<'_>, id: &str, user: &User, groups: &[&str]) -> Vec<Element> {
    let kind = if user.no_password {
        "no-password"
    } else {
        "password"
    };
    let user_element = Element::text("UserName", &user.name);
    vec![
        Element::text("UserId", id),
        user_element,
        Element::text("Status", status_word(user.status)),
        Element::text("Engine", user.engine),
        Element::text("MinimumEngineVersion", minimum_version(user.engine)),
        Element::text("AccessString", &user.access_string),
        Element::list("UserGroupIds", groups, |group| {
            Element::text("member", group)
        }),
        Element::new("Authentication")
            .field("Type", kind)
            .field("PasswordCount", user.passwords.len()),
        Element::text("ARN", context.arn("user", id)),
    ]
}

pub(super) fn minimum_version(engine: Engine) -> &'static str {
    match engine {
        Engine::Valkey => "7.2",
        Engine::Redis | Engine::Memcached => "6.0",
    }
}

pub(super) fn status_word(status: UserStatus) -> &'static str {
    match status {
        UserStatus::Active => "active",
        UserStatus::Modifying => "modifying",
        UserStatus::Deleting => "deleting",
    }
}
