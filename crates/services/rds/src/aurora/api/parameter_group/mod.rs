//! DB cluster parameter groups.

mod groups;
mod parameters;

pub(crate) use groups::{create, delete, describe_groups, for_version, named};
pub(crate) use parameters::{describe_defaults, describe_parameters, modify, reset};
