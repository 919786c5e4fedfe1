//! Who may connect to a group: everybody, who has a token, or the users of a group.

use quorate_base::UnixMillis;

use crate::api::context::Context;
use crate::api::error::ElastiCacheError;
use crate::api::{check, user};
use crate::model::{Auth, Engine, Settings, TokenHash};

/// Tokens that are accepted at a time while one is rotated.
const TOKENS_MAX: usize = 2;

/// What a request for a new group says.
pub(super) async fn of_new(
    context: &Context<'_>,
    engine: Engine,
    encrypted: bool,
) -> Result<Auth, ElastiCacheError> {
    let token = context.params.text("AuthToken");
    let groups = context.texts("UserGroupIds", "member").unwrap_or_default();
    if token.is_some() && !groups.is_empty() {
        return refused("AuthToken and UserGroupIds cannot both be specified.");
    }
    if (token.is_some() || !groups.is_empty()) && !encrypted {
        return refused(
            "The AUTH token and user groups are only supported when TransitEncryptionEnabled is set to true.",
        );
    }
    if let Some(token) = token {
        return Ok(Auth::Token {
            accepted: vec![check::secret("AuthToken", token)?],
            changed_at: UnixMillis::now(),
        });
    }
    if groups.is_empty() {
        return Ok(Auth::None);
    }
    Ok(Auth::Users(check_groups(context, engine, groups).await?))
}

/// Applies what a modification says.
pub(super) async fn change(
    context: &Context<'_>,
    settings: &mut Settings,
) -> Result<(), ElastiCacheError> {
    let params = &context.params;
    let strategy = params.text("AuthTokenUpdateStrategy");
    let token = params.text("AuthToken");
    match (strategy, token) {
        (None, None) => {}
        (Some("DELETE"), _) => delete_token(settings)?,
        (Some("SET" | "ROTATE") | None, Some(token)) => {
            let token = check::secret("AuthToken", token)?;
            let rotate = strategy != Some("SET");
            set_token(settings, token, rotate)?;
        }
        (Some("SET" | "ROTATE"), None) => {
            return refused("AuthTokenUpdateStrategy needs an AuthToken.");
        }
        (Some(other), _) => {
            return Err(ElastiCacheError::InvalidValue(format!(
                "Invalid value '{other}' for AuthTokenUpdateStrategy. Valid values are: SET, ROTATE, DELETE."
            )));
        }
    }
    change_groups(context, settings).await
}

fn set_token(
    settings: &mut Settings,
    token: TokenHash,
    rotate: bool,
) -> Result<(), ElastiCacheError> {
    if !settings.transit_encryption {
        return refused(
            "The AUTH token is only supported when encryption-in-transit is enabled for the group.",
        );
    }
    let mut accepted = vec![token];
    match &settings.auth {
        Auth::Token { accepted: old, .. } if rotate => {
            let others = old.iter().filter(|old| **old != accepted[0]);
            let others: Vec<TokenHash> = others.cloned().collect();
            accepted.extend(others);
            accepted.truncate(TOKENS_MAX);
        }
        Auth::None if rotate => {
            return refused(
                "The group has no AUTH token to rotate: use AuthTokenUpdateStrategy SET.",
            );
        }
        Auth::Users(_) => {
            return refused("The group has user groups: remove them with RemoveUserGroups first.");
        }
        Auth::Token { .. } | Auth::None => {}
    }
    settings.auth = Auth::Token {
        accepted,
        changed_at: UnixMillis::now(),
    };
    Ok(())
}

fn delete_token(settings: &mut Settings) -> Result<(), ElastiCacheError> {
    match settings.auth {
        Auth::Token { .. } => {
            settings.auth = Auth::None;
            Ok(())
        }
        Auth::None | Auth::Users(_) => refused("The group has no AUTH token to delete."),
    }
}

async fn change_groups(
    context: &Context<'_>,
    settings: &mut Settings,
) -> Result<(), ElastiCacheError> {
    let texts = |name: &str| context.texts(name, "member").unwrap_or_default();
    let (add, remove) = (texts("UserGroupIdsToAdd"), texts("UserGroupIdsToRemove"));
    let remove_all = context.flag("RemoveUserGroups")?;
    if add.is_empty() && remove.is_empty() && !remove_all {
        return Ok(());
    }
    if !settings.transit_encryption {
        return refused("User groups need TransitEncryptionEnabled.");
    }
    let mut groups = match &settings.auth {
        Auth::Users(groups) if !remove_all => groups.clone(),
        Auth::Users(_) | Auth::None | Auth::Token { .. } => Vec::new(),
    };
    for name in &remove {
        let before = groups.len();
        groups.retain(|group| !group.eq_ignore_ascii_case(name));
        if groups.len() == before {
            return refused(&format!("User group {name} is not one of the group's."));
        }
    }
    groups.extend(add);
    settings.auth = if groups.is_empty() {
        Auth::None
    } else {
        Auth::Users(check_groups(context, settings.engine, groups).await?)
    };
    Ok(())
}

/// Checks that there is one user group, and that it is of the engine.
async fn check_groups(
    context: &Context<'_>,
    engine: Engine,
    groups: Vec<String>,
) -> Result<Vec<String>, ElastiCacheError> {
    let [name] = groups.as_slice() else {
        return refused("A replication group has at most one user group.");
    };
    let group = user::find_group(context, name).await?;
    let fits = group.record.engine == engine || engine == Engine::Valkey;
    if !fits {
        return refused(&format!(
            "User group {} is of engine {}, the replication group of engine {engine}.",
            group.id, group.record.engine
        ));
    }
    Ok(vec![group.id])
}

fn refused<T>(why: &str) -> Result<T, ElastiCacheError> {
    Err(ElastiCacheError::InvalidCombination(why.to_owned()))
}
