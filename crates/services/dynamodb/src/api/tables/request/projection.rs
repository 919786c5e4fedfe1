//! What an index is asked to hold.

use crate::api::constraints::{Fields, Place, Violations};
use crate::api::error::ApiError;

const KINDS: [&str; 3] = ["ALL", "INCLUDE", "KEYS_ONLY"];
const ATTRIBUTES_MAX: usize = 20;
const NAME_LENGTH_MAX: usize = 255;

/// A `Projection`.
#[derive(Debug, Clone)]
pub(in crate::api::tables) struct ProjectionRequest<'j> {
    pub(in crate::api::tables) kind: Option<&'j str>,
    /// `NonKeyAttributes`.
    pub(in crate::api::tables) attributes: Option<Vec<Option<&'j str>>>,
}

impl<'j> ProjectionRequest<'j> {
    pub(super) fn read(fields: &Fields<'j>) -> Result<Option<ProjectionRequest<'j>>, ApiError> {
        let Some(fields) = fields.structure("Projection", "Projection")? else {
            return Ok(None);
        };
        Ok(Some(ProjectionRequest {
            kind: fields.string("ProjectionType")?,
            attributes: fields.strings("NonKeyAttributes")?,
        }))
    }

    pub(super) fn check(&self, here: &Place<'_>, violations: &mut Violations) {
        if let Some(kind) = self.kind {
            violations.one_of(&here.member("ProjectionType"), kind, &KINDS);
        }
        let Some(attributes) = &self.attributes else {
            return;
        };
        let list = here.member("NonKeyAttributes");
        violations.size(&list, attributes.len(), 1, ATTRIBUTES_MAX, || {
            let shown: Vec<&str> = attributes.iter().map(|a| a.unwrap_or("null")).collect();
            format!("[{}]", shown.join(", "))
        });
        for (index, attribute) in attributes.iter().enumerate() {
            let place = list.element(index);
            violations.required(&place, attribute.as_ref());
            if let Some(name) = attribute {
                violations.length(&place, name, 1, NAME_LENGTH_MAX);
            }
        }
    }
}
