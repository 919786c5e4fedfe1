//! One function for each command of the command line.

mod drill;
mod env;
mod keys;
mod logs;
mod region;
mod sentinels;
mod serve;
mod status;
mod volume;
mod zone;

pub(crate) use drill::drill;
pub(crate) use env::{ca, env};
pub(crate) use keys::keys;
pub(crate) use logs::logs;
pub(crate) use region::region;
pub(crate) use sentinels::show_sentinels;
pub(crate) use serve::{gateway, node, up};
pub(crate) use status::show_status;
pub(crate) use volume::volume;
pub(crate) use zone::zone;
