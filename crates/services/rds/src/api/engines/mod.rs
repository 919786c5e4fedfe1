//! Engines that the region's hosts can run, and the classes to run them on.

mod found;
mod orderable;
mod versions;

pub(crate) use found::{Engines, POSTGRES};
pub(crate) use orderable::describe as describe_orderable;
pub(crate) use versions::describe as describe_versions;
