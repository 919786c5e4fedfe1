//! The one door between the gateway and a service.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use quorate_base::{AccountId, RegionName};

/// One signed request, its signature already checked.
#[derive(Debug, Clone)]
pub struct Call {
    /// Region of the credential scope.
    pub region: RegionName,
    /// The account that owns the access key.
    pub account: AccountId,
    /// The access key that signed.
    pub access_key: String,
    /// The id that the answer carries in `x-amzn-RequestId`, and in the body where the protocol has it there.
    pub request_id: String,
    /// HTTP method.
    pub method: Method,
    /// Path with its query string, as it came.
    pub target: String,
    /// Headers as they came.
    pub headers: HeaderMap,
    /// The whole body; its size is bounded by the gateway.
    pub body: Bytes,
}

/// The future of an answer.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Response<Bytes>> + Send + 'a>>;

/// An AWS service, as the gateway sees it. A service answers every call, errors included, in its own
/// protocol; the gateway knows none of its rules.
pub trait Service: Send + Sync {
    /// The service name in the credential scope, as in `rds`.
    fn signing_name(&self) -> &'static str;

    /// Answers one call.
    fn call(&self, call: Call) -> Answer<'_>;

    /// An error that the gateway found before the service could be asked (a bad signature, a body too
    /// large), in the protocol of this service.
    fn refuse(&self, request_id: &str, error: &crate::error::FrontDoorError) -> Response<Bytes>;
}
