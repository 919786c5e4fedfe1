//! Attribute definitions and key schemas.

use quorate_dynamo_lang::ScalarType;

use crate::api::constraints::{Fields, Place, Violations};
use crate::api::error::ApiError;
use crate::model::{AttributeDefinition, KeyElement, KeyRole};

const NAME_LENGTH_MAX: usize = 255;
const TYPES: [&str; 3] = ["B", "N", "S"];
const ROLES: [&str; 2] = ["HASH", "RANGE"];

/// One of `AttributeDefinitions`.
#[derive(Debug, Clone, Copy)]
pub(in crate::api::tables) struct AttributeRequest<'j> {
    name: Option<&'j str>,
    kind: Option<&'j str>,
}

impl AttributeRequest<'_> {
    /// The definition, once the request was held against the model.
    pub(in crate::api::tables) fn definition(&self) -> AttributeDefinition {
        AttributeDefinition {
            name: self.name.unwrap_or_default().to_owned(),
            scalar: match self.kind {
                Some("N") => ScalarType::N,
                Some("B") => ScalarType::B,
                _ => ScalarType::S,
            },
        }
    }
}

/// One element of a `KeySchema`.
#[derive(Debug, Clone, Copy)]
pub(in crate::api::tables) struct KeyRequest<'j> {
    name: Option<&'j str>,
    role: Option<&'j str>,
}

impl KeyRequest<'_> {
    /// The element, once the request was held against the model.
    pub(in crate::api::tables) fn element(&self) -> KeyElement {
        KeyElement {
            name: self.name.unwrap_or_default().to_owned(),
            role: match self.role {
                Some("RANGE") => KeyRole::Range,
                _ => KeyRole::Hash,
            },
        }
    }

    fn shown(&self) -> String {
        let (name, role) = (self.name.unwrap_or("null"), self.role.unwrap_or("null"));
        format!("KeySchemaElement(attributeName={name}, keyType={role})")
    }
}

/// Reads `AttributeDefinitions`.
pub(in crate::api::tables) fn read_attributes<'j>(
    fields: &Fields<'j>,
) -> Result<Option<Vec<AttributeRequest<'j>>>, ApiError> {
    let Some(list) = fields.structures("AttributeDefinitions", "AttributeDefinition")? else {
        return Ok(None);
    };
    let one = |fields: &Fields<'j>| {
        Ok(AttributeRequest {
            name: fields.string("AttributeName")?,
            kind: fields.string("AttributeType")?,
        })
    };
    list.iter().map(one).collect::<Result<_, _>>().map(Some)
}

/// Holds `AttributeDefinitions` against the model.
pub(in crate::api::tables) fn check_attributes(
    attributes: &[AttributeRequest<'_>],
    violations: &mut Violations,
) {
    let list = Place::of("AttributeDefinitions");
    for (index, attribute) in attributes.iter().enumerate() {
        let here = list.element(index);
        check_attribute_name(&here.member("AttributeName"), attribute.name, violations);
        let place = here.member("AttributeType");
        violations.required(&place, attribute.kind.as_ref());
        if let Some(kind) = attribute.kind {
            violations.one_of(&place, kind, &TYPES);
        }
    }
}

/// Reads a `KeySchema`.
pub(in crate::api::tables) fn read_keys<'j>(
    fields: &Fields<'j>,
) -> Result<Option<Vec<KeyRequest<'j>>>, ApiError> {
    let Some(list) = fields.structures("KeySchema", "KeySchemaElement")? else {
        return Ok(None);
    };
    let one = |fields: &Fields<'j>| {
        Ok(KeyRequest {
            name: fields.string("AttributeName")?,
            role: fields.string("KeyType")?,
        })
    };
    list.iter().map(one).collect::<Result<_, _>>().map(Some)
}

/// Holds a `KeySchema` of up to `count_max` elements against the model.
pub(in crate::api::tables) fn check_keys(
    list: &Place<'_>,
    keys: Option<&Vec<KeyRequest<'_>>>,
    count_max: usize,
    violations: &mut Violations,
) {
    let Some(keys) = keys else {
        violations.required(list, keys);
        return;
    };
    violations.size(list, keys.len(), 1, count_max, || {
        let all: Vec<String> = keys.iter().map(KeyRequest::shown).collect();
        format!("[{}]", all.join(", "))
    });
    for (index, key) in keys.iter().enumerate() {
        let here = list.element(index);
        check_attribute_name(&here.member("AttributeName"), key.name, violations);
        let place = here.member("KeyType");
        violations.required(&place, key.role.as_ref());
        if let Some(role) = key.role {
            violations.one_of(&place, role, &ROLES);
        }
    }
}

fn check_attribute_name(place: &Place<'_>, name: Option<&str>, violations: &mut Violations) {
    violations.required(place, name.as_ref());
    if let Some(name) = name {
        violations.length(place, name, 1, NAME_LENGTH_MAX);
    }
}
