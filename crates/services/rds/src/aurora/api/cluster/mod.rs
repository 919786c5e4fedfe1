//! DB clusters: made, described, changed, deleted.

mod create;
mod delete;
mod describe;
mod offered;
mod read;
mod shape;

pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use describe::describe;
pub(crate) use read::{find, id_of};
