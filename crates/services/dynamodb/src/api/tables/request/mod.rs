//! What table operations are asked for, as the request says it: read from the body, then held against AWS's model.
//!
//! Nothing here knows what the members mean together; that is `rules`.

mod index;
mod keys;
mod projection;
mod settings;
mod units;

pub(super) use index::{IndexRequest, check_index_name};
pub(super) use keys::{
    AttributeRequest, KeyRequest, check_attributes, check_keys, read_attributes, read_keys,
};
pub(super) use projection::ProjectionRequest;
pub(super) use settings::{SseRequest, StreamRequest, TagRequest, check_billing, read_tags};
pub(super) use units::Units;
