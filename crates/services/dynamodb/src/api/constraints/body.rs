//! A request's body.

use bytes::Bytes;

use crate::api::constraints::fields::Fields;
use crate::api::constraints::json::Json;
use crate::api::error::ApiError;

/// A parsed body: a JSON object.
#[derive(Debug)]
pub(crate) struct Body<'a>(Json<'a>);

impl<'a> Body<'a> {
    /// Parses the body.
    ///
    /// # Errors
    /// `SerializationException` without a message, as AWS answers a body that is not JSON.
    pub(crate) fn parse(bytes: &'a Bytes) -> Result<Body<'a>, ApiError> {
        let root = Json::parse(bytes).ok_or_else(|| ApiError::serialization(""))?;
        match root {
            Json::Map(_) => Ok(Body(root)),
            _ => Err(ApiError::serialization("")),
        }
    }

    /// Its members.
    pub(crate) fn fields(&self) -> Fields<'_> {
        match &self.0 {
            Json::Map(members) => Fields::of(members),
            _ => Fields::default(),
        }
    }
}
