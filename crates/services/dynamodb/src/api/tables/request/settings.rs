//! Billing, encryption, streams and tags.

use crate::api::constraints::{Fields, Place, Violations};
use crate::api::error::ApiError;

const BILLING_MODES: [&str; 2] = ["PROVISIONED", "PAY_PER_REQUEST"];
const SSE_TYPES: [&str; 2] = ["AES256", "KMS"];
const VIEW_TYPES: [&str; 4] = ["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"];

/// Holds `BillingMode` against the model.
pub(in crate::api::tables) fn check_billing(mode: Option<&str>, violations: &mut Violations) {
    if let Some(mode) = mode {
        violations.one_of(&Place::of("BillingMode"), mode, &BILLING_MODES);
    }
}

/// `SSESpecification`.
#[derive(Debug, Clone, Copy)]
pub(in crate::api::tables) struct SseRequest<'j> {
    pub(in crate::api::tables) enabled: Option<bool>,
    pub(in crate::api::tables) kind: Option<&'j str>,
    pub(in crate::api::tables) key: Option<&'j str>,
}

impl<'j> SseRequest<'j> {
    pub(in crate::api::tables) fn read(
        fields: &Fields<'j>,
    ) -> Result<Option<SseRequest<'j>>, ApiError> {
        let Some(fields) = fields.structure("SSESpecification", "SSESpecification")? else {
            return Ok(None);
        };
        Ok(Some(SseRequest {
            enabled: fields.boolean("Enabled")?,
            kind: fields.string("SSEType")?,
            key: fields.string("KMSMasterKeyId")?,
        }))
    }

    pub(in crate::api::tables) fn check(sse: Option<&SseRequest<'_>>, violations: &mut Violations) {
        if let Some(kind) = sse.and_then(|sse| sse.kind) {
            let here = Place::of("SSESpecification");
            violations.one_of(&here.member("SSEType"), kind, &SSE_TYPES);
        }
    }
}

/// `StreamSpecification`.
#[derive(Debug, Clone, Copy)]
pub(in crate::api::tables) struct StreamRequest<'j> {
    pub(in crate::api::tables) enabled: Option<bool>,
    pub(in crate::api::tables) view: Option<&'j str>,
}

impl<'j> StreamRequest<'j> {
    pub(in crate::api::tables) fn read(
        fields: &Fields<'j>,
    ) -> Result<Option<StreamRequest<'j>>, ApiError> {
        let Some(fields) = fields.structure("StreamSpecification", "StreamSpecification")? else {
            return Ok(None);
        };
        Ok(Some(StreamRequest {
            enabled: fields.boolean("StreamEnabled")?,
            view: fields.string("StreamViewType")?,
        }))
    }

    pub(in crate::api::tables) fn check(
        stream: Option<&StreamRequest<'_>>,
        violations: &mut Violations,
    ) {
        let Some(stream) = stream else { return };
        let here = Place::of("StreamSpecification");
        violations.required(&here.member("StreamEnabled"), stream.enabled.as_ref());
        if let Some(view) = stream.view {
            violations.one_of(&here.member("StreamViewType"), view, &VIEW_TYPES);
        }
    }
}

/// One of `Tags`.
#[derive(Debug, Clone, Copy)]
pub(in crate::api::tables) struct TagRequest<'j> {
    pub(in crate::api::tables) key: Option<&'j str>,
    pub(in crate::api::tables) value: Option<&'j str>,
}

/// Reads `Tags`.
pub(in crate::api::tables) fn read_tags<'j>(
    fields: &Fields<'j>,
) -> Result<Option<Vec<TagRequest<'j>>>, ApiError> {
    let Some(list) = fields.structures("Tags", "Tag")? else {
        return Ok(None);
    };
    let one = |fields: &Fields<'j>| {
        Ok(TagRequest {
            key: fields.string("Key")?,
            value: fields.string("Value")?,
        })
    };
    list.iter().map(one).collect::<Result<_, _>>().map(Some)
}
