//! One request and its answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::ORIGIN;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use quorate_base::{RegionName, UnixMillis};
use quorate_wire::error::FrontDoorError;
use quorate_wire::service::{Call, Service};
use quorate_wire::sigv4::{Scope, SignedRequest, Verifier};
use tokio::sync::Semaphore;

use crate::front_door::answer;
use crate::front_door::body::{self, HeldBody};
use crate::front_door::config::FrontDoorConfig;
use crate::front_door::finished::{Finished, Panicked};
use crate::front_door::keys::{AccessKey, AccessKeys};
use crate::front_door::pages::{self, MetricsPage};

const REQUEST_ID: &str = "x-amzn-requestid";

/// What all connections share.
pub(crate) struct Hall {
    pub(crate) config: FrontDoorConfig,
    pub(crate) services: BTreeMap<&'static str, Arc<dyn Service>>,
    pub(crate) keys: Arc<dyn AccessKeys>,
    pub(crate) metrics: Option<Arc<dyn MetricsPage>>,
    pub(crate) verifier: Verifier,
    pub(crate) bodies: Arc<Semaphore>,
}

/// A refusal, and whether the connection can be used after it.
struct Refused {
    error: FrontDoorError,
    body_unread: bool,
}

impl From<FrontDoorError> for Refused {
    fn from(error: FrontDoorError) -> Refused {
        Refused {
            error,
            body_unread: false,
        }
    }
}

impl Hall {
    /// Answers one request.
    pub(crate) async fn answer(
        &self,
        peer: SocketAddr,
        request: Request<Incoming>,
    ) -> Response<Bytes> {
        let began = Instant::now();
        let request_id = request_id();
        let (parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().map_or("/", |t| t.as_str());
        let metrics = self.metrics.as_deref();
        let local = pages::local(&parts.method, target, &parts.headers, metrics);
        // Only says whom an error is for: nothing is believed before the check.
        let scope = Scope::peek(target, &parts.headers);

        let mut response = match local {
            Some(page) => page,
            None => match self.serve(&parts, target, body, &request_id).await {
                Ok(response) => response,
                Err(refused) => self.refuse(scope.as_ref(), &request_id, &refused),
            },
        };
        let headers = response.headers_mut();
        if parts.headers.contains_key(ORIGIN) {
            pages::allow_origin(headers);
        }
        if !headers.contains_key(REQUEST_ID)
            && let Ok(value) = HeaderValue::from_str(&request_id)
        {
            headers.insert(REQUEST_ID, value);
        }
        tracing::info!(
            %request_id,
            %peer,
            method = %parts.method,
            path = parts.uri.path(),
            service = scope.as_ref().map_or("-", |s| s.service.as_str()),
            region = scope.as_ref().map_or("-", |s| s.region.as_str()),
            access_key = scope.as_ref().map_or("-", |s| s.access_key.as_str()),
            status = response.status().as_u16(),
            took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "request"
        );
        response
    }

    async fn serve(
        &self,
        parts: &Parts,
        target: &str,
        body: Incoming,
        request_id: &str,
    ) -> Result<Response<Bytes>, Refused> {
        let held = body::read(body, &self.config, &self.bodies).await;
        let held = held.map_err(|error| Refused {
            error,
            body_unread: true,
        })?;
        let (scope, key) = self.check(parts, target, &held.bytes)?;
        let service = self.services.get(scope.service.as_str()).ok_or_else(|| {
            let known: Vec<&str> = self.services.keys().copied().collect();
            answer::unknown_service(&scope.service, &known.join(", "))
        })?;
        let region: RegionName = scope
            .region
            .parse()
            .map_err(|_| answer::unknown_region(&scope.region))?;
        let call = Call {
            region,
            account: key.account,
            access_key: scope.access_key,
            request_id: request_id.to_owned(),
            method: parts.method.clone(),
            target: target.to_owned(),
            headers: parts.headers.clone(),
            body: held.bytes.clone(),
        };
        Ok(self.call(Arc::clone(service), call, held).await?)
    }

    fn check(
        &self,
        parts: &Parts,
        target: &str,
        body: &[u8],
    ) -> Result<(Scope, AccessKey), FrontDoorError> {
        let request = SignedRequest {
            method: &parts.method,
            target,
            headers: &parts.headers,
            body,
        };
        let mut found: Option<AccessKey> = None;
        let verified = self.verifier.verify(&request, UnixMillis::now(), |id| {
            found = self.keys.find(id);
            found.as_ref().map(|key| key.secret.clone())
        })?;
        let key = found.ok_or_else(answer::internal_failure)?;
        Ok((verified.scope, key))
    }

    /// Calls the service: a client that goes away does not stop a call halfway, and a panic costs one answer.
    async fn call(
        &self,
        service: Arc<dyn Service>,
        call: Call,
        held: HeldBody,
    ) -> Result<Response<Bytes>, FrontDoorError> {
        let request_id = call.request_id.clone();
        let answer = Finished::new(async move {
            let response = service.call(call).await;
            drop(held);
            response
        });
        match tokio::time::timeout(self.config.answer_timeout(), answer).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(Panicked)) => {
                tracing::error!(%request_id, "a service stopped in the middle of a call");
                Err(answer::internal_failure())
            }
            Err(_) => Err(answer::no_answer()),
        }
    }

    fn refuse(
        &self,
        scope: Option<&Scope>,
        request_id: &str,
        refused: &Refused,
    ) -> Response<Bytes> {
        let service = scope.and_then(|s| self.services.get(s.service.as_str()));
        let response = service.map_or_else(
            || answer::generic_error(request_id, &refused.error),
            |service| service.refuse(request_id, &refused.error),
        );
        if refused.body_unread {
            answer::closing(response)
        } else {
            response
        }
    }
}

/// A fresh id in the form of a version 4 UUID, as AWS's are.
fn request_id() -> String {
    let bits: u128 = rand::random();
    let bits = (bits & !(0xf << 76) & !(0b11 << 62)) | (4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}
