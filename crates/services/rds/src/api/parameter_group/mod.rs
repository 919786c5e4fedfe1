//! DB parameter groups and what is in them.

mod groups;
mod modify;
mod parameters;
mod spec;
mod value;

pub(crate) use groups::{FoundGroup, create, delete, describe_groups, find};
pub(crate) use modify::{SettingsEdit, modify, reset};
pub(crate) use parameters::{describe_defaults, describe_parameters, describe_settings};
pub(crate) use spec::FamilySpecs;
