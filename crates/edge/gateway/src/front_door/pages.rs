//! Local pages that need no signature: a greeting for browsers, health and metrics.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use crate::front_door::answer::whole;

/// What `/metrics` answers.
pub trait MetricsPage: Send + Sync {
    /// The page, in Prometheus's text format.
    fn render(&self) -> String;
}

const GREETING: &str = "<!doctype html>\n<title>Quorate</title>\n<h1>Quorate</h1>\n\
    <p>This is an AWS API endpoint. Set <code>AWS_ENDPOINT_URL</code> to this address, or run \
    <code>eval \"$(quorate env)\"</code>, and use the aws command line or an SDK.</p>\n\
    <p><a href=\"/health\">health</a> · <a href=\"/metrics\">metrics</a></p>\n";

/// The local page that a request asks for; none when it is a request to a service.
pub(crate) fn local(
    method: &Method,
    target: &str,
    headers: &HeaderMap,
    metrics: Option<&dyn MetricsPage>,
) -> Option<Response<Bytes>> {
    if method == Method::OPTIONS && headers.contains_key(header::ORIGIN) {
        return Some(preflight(headers));
    }
    let reads = method == Method::GET || method == Method::HEAD;
    if !reads || headers.contains_key(header::AUTHORIZATION) {
        return None;
    }
    match target {
        "/" => Some(whole(StatusCode::OK, "text/html; charset=utf-8", GREETING)),
        "/health" => Some(whole(
            StatusCode::OK,
            "application/json",
            "{\"status\":\"ok\"}\n",
        )),
        "/metrics" => {
            let page = metrics.map(MetricsPage::render).unwrap_or_default();
            Some(whole(
                StatusCode::OK,
                "text/plain; version=0.0.4; charset=utf-8",
                page,
            ))
        }
        _ => None,
    }
}

/// Seconds for which a browser may remember a preflight's answer, as at AWS.
const PREFLIGHT_SECONDS: &str = "172800";

/// The answer to a browser that asks whether a page may call: it may, what it then asks is signed.
fn preflight(asked: &HeaderMap) -> Response<Bytes> {
    let mut response = whole(StatusCode::OK, "text/plain", "");
    allow_origin(response.headers_mut());
    let headers = response.headers_mut();
    for (from, to) in [
        (
            header::ACCESS_CONTROL_REQUEST_HEADERS,
            header::ACCESS_CONTROL_ALLOW_HEADERS,
        ),
        (
            header::ACCESS_CONTROL_REQUEST_METHOD,
            header::ACCESS_CONTROL_ALLOW_METHODS,
        ),
    ] {
        if let Some(value) = asked.get(from) {
            headers.insert(to, value.clone());
        }
    }
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static(PREFLIGHT_SECONDS),
    );
    response
}

/// Lets a page of any origin read the answer.
pub(crate) fn allow_origin(headers: &mut HeaderMap) {
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("x-amzn-requestid,x-amz-crc32,x-amzn-errortype,date"),
    );
}
