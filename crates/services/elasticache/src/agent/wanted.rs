//! What a member's engine is to be given: settings and accounts, as the record says them.

use quorate_control::{CatalogError, View};
use quorate_engines::redis::{ClientUser, acl_file};

use crate::catalogue::{Directive, effective_parameters, find_node_type};
use crate::model::{Auth, Cache, EngineVersion, ParameterGroup, TokenHash, User, UserGroup};

/// What `default` may do where nothing else is said.
const EVERYTHING: &str = "~* &* +@all";

/// The directives of a cache's parameters.
pub(crate) fn directives(view: &View, cache: &Cache) -> Result<Vec<Directive>, CatalogError> {
    let settings = &cache.settings;
    let Some(node_type) = find_node_type(&settings.node_type) else {
        return Ok(Vec::new());
    };
    let group = view.read::<ParameterGroup>(&settings.parameter_group)?;
    let engine = EngineVersion {
        engine: settings.engine,
        version: settings.engine_version.clone(),
    };
    let set = group.map(|g| g.record.settings).unwrap_or_default();
    Ok(effective_parameters(
        &engine,
        node_type,
        settings.cluster_mode,
        &set,
    ))
}

/// The ACL file of a cache's engines.
pub(crate) fn accounts(view: &View, cache: &Cache) -> Result<String, CatalogError> {
    let default = |digests: &[TokenHash]| ClientUser {
        name: String::from("default"),
        access: EVERYTHING.to_owned(),
        password_digests: digests.iter().map(|hash| hash.0.clone()).collect(),
        no_password: digests.is_empty(),
    };
    let users = match &cache.settings.auth {
        Auth::None => vec![default(&[])],
        Auth::Token { accepted, .. } => vec![default(accepted)],
        Auth::Users(groups) => {
            let mut users: Vec<ClientUser> = Vec::new();
            for group in groups {
                let Some(group) = view.read::<UserGroup>(group)? else {
                    continue;
                };
                for id in &group.record.users {
                    let user = match view.read::<User>(id)? {
                        Some(user) => client_user(user.record),
                        None if id == "default" => default(&[]),
                        None => continue,
                    };
                    if !users.iter().any(|known| known.name == user.name) {
                        users.push(user);
                    }
                }
            }
            users
        }
    };
    Ok(acl_file(&cache.inner_password, &users))
}

fn client_user(user: User) -> ClientUser {
    ClientUser {
        name: user.name,
        access: user.access_string,
        password_digests: user.passwords.into_iter().map(|hash| hash.0).collect(),
        no_password: user.no_password,
    }
}
