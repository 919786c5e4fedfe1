//! DynamoDB's language: attribute values, numbers, keys, expressions, PartiQL.
//!
//! Owns what a value is, how values compare, how large they are, and what an expression means. Pure: must not know of
//! storage, of the network, or of a clock.

mod error;
mod expression;
pub mod json;
mod key;
pub mod key_codec;
pub mod legacy;
mod number;
pub mod partiql;
mod path;
mod size;
mod value;

pub use error::ValidationError;
pub use expression::{
    Condition, ConditionKind, EXPRESSION_BYTES_MAX, KeyCondition, Placeholders, Projection,
    SortCondition, Update, Updated, check_scalar_keys,
};
pub use key::{EncodedKey, HASH_KEY_BYTES_MAX, KeySchema, RANGE_KEY_BYTES_MAX};
pub use number::{Number, NumberError};
pub use path::{Path, PathStep};
pub use size::{ITEM_BYTES_MAX, item_bytes, value_bytes};
pub use value::{AttributeValue, Item, ScalarType};
