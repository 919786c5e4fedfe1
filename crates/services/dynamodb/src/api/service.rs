//! The service as the gateway sees it: one call in, one answer out.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use quorate_base::RegionName;
use quorate_control::Catalog;
use quorate_wire::error::FrontDoorError;
use quorate_wire::service::{Answer, Call, Service};
use serde_json::json;

use crate::api::context::Context;
use crate::api::dispatch::dispatch;
use crate::api::encoding::{pack, unpack};
use crate::api::error::ApiError;
use crate::api::figures::TableFigures;
use crate::routing::PartitionCalls;

/// What the API needs of one region.
pub struct DynamoDbRegion {
    /// The region's name.
    pub name: RegionName,
    /// Its catalog.
    pub catalog: Catalog,
    /// Where its items are.
    pub calls: Arc<PartitionCalls>,
    /// How much its tables hold.
    pub figures: Arc<dyn TableFigures>,
}

/// DynamoDB, in all regions that this gateway serves.
pub struct DynamoDbService {
    regions: BTreeMap<RegionName, DynamoDbRegion>,
}

impl DynamoDbService {
    /// The service over these regions.
    #[must_use]
    pub fn new(regions: impl IntoIterator<Item = DynamoDbRegion>) -> DynamoDbService {
        let regions = regions
            .into_iter()
            .map(|region| (region.name.clone(), region))
            .collect();
        DynamoDbService { regions }
    }

    async fn answer(&self, call: &Call) -> Result<Vec<u8>, ApiError> {
        let region = self.regions.get(&call.region).ok_or_else(|| {
            ApiError::validation(format!("This gateway does not serve {}", call.region))
        })?;
        let header = |name: &str| call.headers.get(name).and_then(|v| v.to_str().ok());
        let context = Context {
            region,
            account: &call.account,
            host: header("host").unwrap_or("localhost"),
        };
        let operation = header("x-amz-target")
            .and_then(|t| t.strip_prefix("DynamoDB_20120810."))
            .ok_or_else(ApiError::unknown_operation)?;
        let body = unpack(&call.headers, &call.body)?;
        dispatch(operation, &context, &body).await
    }
}

/// An answer with its headers. The checksum is that of the bytes on the wire.
fn respond(
    status: StatusCode,
    request_id: &str,
    asked: &HeaderMap,
    body: Vec<u8>,
) -> Response<Bytes> {
    let packed = pack(asked, &body);
    let compressed = packed.is_some();
    let body = packed.unwrap_or(body);
    let checksum = crc32fast::hash(&body);
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-amz-json-1.0"),
    );
    headers.insert("x-amz-crc32", HeaderValue::from(checksum));
    if compressed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

/// The front door's status and code as DynamoDB gives them: it has its own names, and 400 for every signature.
fn refusal(error: &FrontDoorError) -> (StatusCode, &'static str) {
    let code = match error.code {
        "MissingAuthenticationToken" => "MissingAuthenticationTokenException",
        "IncompleteSignature" => "IncompleteSignatureException",
        "InvalidClientTokenId" => "UnrecognizedClientException",
        "SignatureDoesNotMatch"
        | "AccessDenied"
        | "XAmzContentSHA256Mismatch"
        | "RequestExpired" => "InvalidSignatureException",
        other => return (error.status, other),
    };
    (StatusCode::BAD_REQUEST, code)
}

impl Service for DynamoDbService {
    fn signing_name(&self) -> &'static str {
        "dynamodb"
    }

    fn call(&self, call: Call) -> Answer<'_> {
        Box::pin(async move {
            match self.answer(&call).await {
                Ok(body) => respond(StatusCode::OK, &call.request_id, &call.headers, body),
                Err(error) => {
                    if error.status.is_server_error() {
                        tracing::warn!(request = call.request_id, %error, "a DynamoDB call failed");
                    }
                    let body = error.body().to_string().into_bytes();
                    respond(error.status, &call.request_id, &call.headers, body)
                }
            }
        })
    }

    fn refuse(&self, request_id: &str, error: &FrontDoorError) -> Response<Bytes> {
        let (status, code) = refusal(error);
        let body = json!({
            "__type": format!("com.amazon.coral.service#{code}"),
            "message": error.message,
        });
        let body = body.to_string().into_bytes();
        respond(status, request_id, &HeaderMap::new(), body)
    }
}
