//! The Query protocol's answers: XML envelopes around a result or an error.
//!
//! Owns the envelopes, their headers and status. Must not know what a result holds.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use crate::xml::Element;

/// The header that repeats the request's id.
const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// The answer to an action that was carried out: `ACTIONResponse` around `ACTIONResult`. An action
/// that has no result answers with the request's id alone.
#[must_use]
pub fn success(
    action: &str,
    namespace: &'static str,
    result: Vec<Element>,
    request_id: &str,
) -> Response<Bytes> {
    let mut envelope = Element::new(format!("{action}Response")).namespace(namespace);
    if !result.is_empty() {
        envelope = envelope.with(Element::new(format!("{action}Result")).with_all(result));
    }
    let metadata = Element::new("ResponseMetadata").field("RequestId", request_id);
    respond(StatusCode::OK, &envelope.with(metadata), request_id)
}

/// The answer to a request that was refused or failed. The sender is at fault for any status below 500.
#[must_use]
pub fn failure(
    status: StatusCode,
    code: &str,
    message: &str,
    namespace: &'static str,
    request_id: &str,
) -> Response<Bytes> {
    let at_fault = if status.is_server_error() {
        "Receiver"
    } else {
        "Sender"
    };
    let error = Element::new("Error")
        .field("Type", at_fault)
        .field("Code", code)
        .field("Message", message);
    let envelope = Element::new("ErrorResponse")
        .namespace(namespace)
        .with(error)
        .field("RequestId", request_id);
    respond(status, &envelope, request_id)
}

fn respond(status: StatusCode, envelope: &Element, request_id: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(envelope.to_document()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID_HEADER, id);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(response: &Response<Bytes>) -> &str {
        std::str::from_utf8(response.body()).unwrap()
    }

    #[test]
    fn a_result_stands_in_its_envelope() {
        let response = success("Get", "urn:x", vec![Element::text("A", 1)], "id-1");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/xml");
        assert_eq!(response.headers()["x-amzn-RequestId"], "id-1");
        assert!(body(&response).ends_with(
            "<GetResponse xmlns=\"urn:x\"><GetResult><A>1</A></GetResult>\
             <ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></GetResponse>"
        ));
    }

    #[test]
    fn an_action_without_a_result_has_no_result_element() {
        let response = success("Drop", "urn:x", Vec::new(), "id-1");
        assert!(!body(&response).contains("DropResult"));
    }

    #[test]
    fn an_error_says_who_is_at_fault() {
        let ours = failure(StatusCode::SERVICE_UNAVAILABLE, "C", "m", "urn:x", "id-1");
        let theirs = failure(StatusCode::BAD_REQUEST, "C", "a < b", "urn:x", "id-1");
        assert!(body(&ours).contains("<Type>Receiver</Type>"));
        assert!(body(&theirs).ends_with(
            "<Error><Type>Sender</Type><Code>C</Code><Message>a &lt; b</Message></Error>\
             <RequestId>id-1</RequestId></ErrorResponse>"
        ));
    }
}
