//! What the members of a table operation mean together, in AWS's order and words.
//!
//! Pure: a request's parts in, a record's parts or an error out.

mod index;
mod keys;
mod policy;
mod settings;
mod tags;
mod throughput;

pub(super) use index::{Indexes, Unfinished, indexes, one_global};
pub(super) use keys::{attributes, table_keys};
pub(super) use policy::policy;
pub(super) use settings::{sse, stream_at_creation, table_class};
pub(super) use tags::{TAGS_MAX, tag_key, tags};
pub(super) use throughput::{
    ON_DEMAND_WARM_READ, ON_DEMAND_WARM_WRITE, Owner, bounds, created, on_demand, warm,
};
