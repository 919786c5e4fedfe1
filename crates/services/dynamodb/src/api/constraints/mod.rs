//! What AWS's model of the API says about a request's members: types, lengths, sets of values.
//!
//! A handler reads its whole request through [`Fields`] first, where a member of the wrong type is a
//! `SerializationException`; then it shows each member to [`Violations`], which gives one `ValidationException` for all
//! that do not satisfy the model; only then it looks at what the request means.

mod body;
mod fields;
mod json;
mod place;
mod table_name;
mod violations;

pub(crate) use body::Body;
pub(crate) use fields::Fields;
pub(crate) use place::Place;
pub(crate) use table_name::{check_table_name, is_table_name, required_table_name, table_of};
pub(crate) use violations::Violations;

#[cfg(test)]
mod tests;
