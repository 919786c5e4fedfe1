//! Users and user groups: who may do what in the caches that name them.

use serde::{Deserialize, Serialize};

use quorate_control::Record;

use crate::model::{Engine, Tag, TokenHash};

/// A user. Id in the catalog: its user id, in lower case. The user `default` is not stored until it is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name that clients give to AUTH.
    pub name: String,
    /// The engine.
    pub engine: Engine,
    /// As in `on ~app:* +@read`.
    pub access_string: String,
    /// Passwords, two at most; none where no password is needed.
    pub passwords: Vec<TokenHash>,
    /// Whether it needs no password.
    pub no_password: bool,
    /// `Status`.
    pub status: UserStatus,
    /// Tags.
    pub tags: Vec<Tag>,
}

/// A user group. Id in the catalog: its id, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserGroup {
    /// The engine.
    pub engine: Engine,
    /// User ids; one of them has the name `default`.
    pub users: Vec<String>,
    /// `Status`.
    pub status: UserStatus,
    /// Tags.
    pub tags: Vec<Tag>,
}

/// `Status` of users and user groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserStatus {
    /// In force.
    Active,
    /// A change is on its way to the engines.
    Modifying,
    /// On its way out.
    Deleting,
}

impl Record for User {
    const TABLE: &'static str = "elasticache/user";
    const VERSION: u32 = 1;
}

impl Record for UserGroup {
    const TABLE: &'static str = "elasticache/user-group";
    const VERSION: u32 = 1;
}
