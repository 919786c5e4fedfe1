//! The service as the gateway sees it: one call in, one answer out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use quorate_base::RegionName;
use quorate_control::Catalog;
use quorate_wire::error::FrontDoorError;
use quorate_wire::service::{Answer, Call, Service};
use serde_json::json;

use crate::api::context::Context;
use crate::api::counters::Counters;
use crate::api::dispatch::dispatch;
use crate::api::encoding::{pack, unpack};
use crate::api::error::ApiError;
use crate::api::figures::TableFigures;
use crate::routing::PartitionCalls;
use crate::throttle::Limits;

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
    /// What was drawn of its tables' throughput.
    pub limits: Limits,
}

/// DynamoDB, in all regions that this gateway serves.
pub struct DynamoDbService {
    regions: BTreeMap<RegionName, DynamoDbRegion>,
    counters: Arc<Counters>,
}

impl DynamoDbService {
    /// The service over these regions.
    #[must_use]
    pub fn new(regions: impl IntoIterator<Item = DynamoDbRegion>) -> DynamoDbService {
        let regions = regions
            .into_iter()
            .map(|region| (region.name.clone(), region))
            .collect();
        DynamoDbService {
            regions,
            counters: Arc::default(),
        }
    }

    /// What was called, and how it ended.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
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
        let operation = operation(call).ok_or_else(ApiError::unknown_operation)?;
        let body = unpack(&call.headers, &call.body)?;
        dispatch(operation, &context, &body).await
    }
}

/// The operation's name.
fn operation(call: &Call) -> Option<&str> {
    let target = call.headers.get("x-amz-target")?.to_str().ok()?;
    target.strip_prefix("DynamoDB_20120810.")
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
            let began = Instant::now();
            let response = match self.answer(&call).await {
                Ok(body) => respond(StatusCode::OK, &call.request_id, &call.headers, body),
                Err(error) => {
                    if error.status.is_server_error() {
                        tracing::warn!(request = call.request_id, %error, "a DynamoDB call failed");
                    }
                    let body = error.body().to_string().into_bytes();
                    respond(error.status, &call.request_id, &call.headers, body)
                }
            };
            self.counters
                .note(operation(&call), response.status(), began.elapsed());
            response
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
