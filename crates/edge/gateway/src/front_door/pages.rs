//! Local pages that need no signature: a greeting for browsers, health and metrics.

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header};

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
