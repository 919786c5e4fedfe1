//! What the members of a table operation mean together, in AWS's order and words.
//!
//! Pure: a request's parts in, a record's parts or an error out.

mod index;
mod keys;
mod policy;
mod settings;
mod tags;
mod throughput;

pub(super) use index::{GLOBAL_MAX, Unfinished, indexes, one_global, projected};
pub(super) use keys::{attributes, keys_are_defined, table_keys};
pub(super) use policy::policy;
pub(super) use settings::{no_streams, sse, stream_at_creation, table_class};
pub(super) use tags::{TAGS_MAX, tag_key, tags, too_many as too_many_tags};
pub(super) use throughput::{
    ON_DEMAND_WARM_READ, ON_DEMAND_WARM_WRITE, Owner, TABLE_UNITS_MAX, bounds, created, on_demand,
    warm,
};
