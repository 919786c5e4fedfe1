//! The members of a JSON object, read as the types that AWS's model gives them.
//!
//! The messages are those that AWS gives, observed by public tests that run against it. A member that is `null` is a
//! member that is not there; a member that the operation does not know is not looked at.

use std::borrow::Cow;

use crate::api::constraints::json::Json;
use crate::api::error::ApiError;

/// What AWS's messages call the classes of its own shapes.
const PACKAGE: &str = "com.amazonaws.dynamodb.v20120810";

const UNEXPECTED_MAP: &str = "Start of structure or map found where not expected";
const UNEXPECTED_FIELD: &str = "Unexpected field type";
const UNEXPECTED_VALUE: &str = "Unexpected value type in payload";

/// A JSON object's members.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fields<'j> {
    members: &'j [(Cow<'j, str>, Json<'j>)],
}

impl<'j> Fields<'j> {
    /// These members.
    pub(crate) fn of(members: &'j [(Cow<'j, str>, Json<'j>)]) -> Fields<'j> {
        Fields { members }
    }

    /// A member's value; of a name that comes twice, the last.
    pub(crate) fn get(&self, name: &str) -> Option<&'j Json<'j>> {
        let found = self.members.iter().rev().find(|(n, _)| n == name);
        found.map(|(_, value)| value).filter(|v| !v.is_null())
    }

    /// A text.
    pub(crate) fn string(&self, name: &str) -> Result<Option<&'j str>, ApiError> {
        self.get(name).map(string_of).transpose()
    }

    /// A truth value.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        self.get(name).map(boolean_of).transpose()
    }

    /// A whole number that AWS keeps in 32 bits.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.get(name).map(|v| number_of(v, "Integer")).transpose()
    }

    /// A whole number that AWS keeps in 64 bits.
    pub(crate) fn long(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.get(name).map(|v| number_of(v, "Long")).transpose()
    }

    /// A structure; `shape` is AWS's name for it.
    pub(crate) fn structure(
        &self,
        name: &str,
        shape: &str,
    ) -> Result<Option<Fields<'j>>, ApiError> {
        let read = |value: &'j Json<'j>| structure_of(value, shape, UNEXPECTED_FIELD);
        self.get(name).map(read).transpose()
    }

    /// A list of anything.
    pub(crate) fn list(&self, name: &str) -> Result<Option<&'j [Json<'j>]>, ApiError> {
        self.get(name).map(list_of).transpose()
    }

    /// A list of texts; an element that is `null` is `None`.
    pub(crate) fn strings(&self, name: &str) -> Result<Option<Vec<Option<&'j str>>>, ApiError> {
        let Some(list) = self.list(name)? else {
            return Ok(None);
        };
        let element = |value: &'j Json<'j>| match value {
            Json::Null => Ok(None),
            other => string_of(other).map(Some),
        };
        list.iter().map(element).collect::<Result<_, _>>().map(Some)
    }

    /// A list of structures; an element that is `null` has no members. `shape` is AWS's name for one of them.
    pub(crate) fn structures(
        &self,
        name: &str,
        shape: &str,
    ) -> Result<Option<Vec<Fields<'j>>>, ApiError> {
        let Some(list) = self.list(name)? else {
            return Ok(None);
        };
        let element = |value| Fields::element(value, shape);
        list.iter().map(element).collect::<Result<_, _>>().map(Some)
    }

    /// The structure that an element of a list or a value of a map is; `null` has no members.
    pub(crate) fn element(value: &'j Json<'j>, shape: &str) -> Result<Fields<'j>, ApiError> {
        match value {
            Json::Null => Ok(Fields::default()),
            other => structure_of(other, shape, UNEXPECTED_VALUE),
        }
    }
}

/// A text.
pub(crate) fn string_of<'j>(value: &'j Json<'j>) -> Result<&'j str, ApiError> {
    match value {
        Json::Text(text) => Ok(text),
        other => Err(mismatch(other, "String")),
    }
}

fn boolean_of(value: &Json<'_>) -> Result<bool, ApiError> {
    match value {
        Json::Bool(value) => Ok(*value),
        Json::Text(_) => Err(ApiError::serialization(
            "Unexpected token received from parser",
        )),
        other => Err(mismatch(other, "Boolean")),
    }
}

/// A whole number; AWS drops a fraction.
fn number_of(value: &Json<'_>, class: &str) -> Result<i64, ApiError> {
    match value {
        Json::Integer(value) => Ok(*value),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float cast stops at the edges, where every limit refuses it"
        )]
        Json::Decimal(value) => Ok(value.floor() as i64),
        other => Err(mismatch(other, class)),
    }
}

fn list_of<'j>(value: &'j Json<'j>) -> Result<&'j [Json<'j>], ApiError> {
    match value {
        Json::List(list) => Ok(list),
        Json::Map(_) => Err(ApiError::serialization(UNEXPECTED_MAP)),
        _ => Err(ApiError::serialization(UNEXPECTED_FIELD)),
    }
}

fn structure_of<'j>(
    value: &'j Json<'j>,
    shape: &str,
    otherwise: &str,
) -> Result<Fields<'j>, ApiError> {
    match value {
        Json::Map(members) => Ok(Fields { members }),
        Json::List(_) => Err(ApiError::serialization(format!(
            "Unrecognized collection type class {PACKAGE}.{shape}"
        ))),
        _ => Err(ApiError::serialization(otherwise)),
    }
}

/// The error of a scalar of class `class` where the value is something else.
fn mismatch(value: &Json<'_>, class: &str) -> ApiError {
    let token = match value {
        Json::Null => "NULL_VALUE",
        Json::Bool(true) => "TRUE_VALUE",
        Json::Bool(false) => "FALSE_VALUE",
        Json::Integer(_) => "NUMBER_VALUE",
        Json::Decimal(_) => "DECIMAL_VALUE",
        Json::Text(_) => "STRING_VALUE",
        Json::List(_) => {
            return ApiError::serialization(format!(
                "Unrecognized collection type class java.lang.{class}"
            ));
        }
        Json::Map(_) => return ApiError::serialization(UNEXPECTED_MAP),
    };
    ApiError::serialization(format!("{token} cannot be converted to {class}"))
}
