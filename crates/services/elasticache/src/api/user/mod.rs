//! Users and user groups.

mod access_string;
mod authentication;
mod groups;
mod users;

pub(crate) use groups::{create_group, delete_group, describe_groups, find_group, modify_group};
pub(crate) use users::{create, delete, describe, modify};
