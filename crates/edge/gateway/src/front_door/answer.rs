//! Answers that the gateway gives itself.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use quorate_wire::error::FrontDoorError;

/// A whole answer of the given type.
pub(crate) fn whole(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An error in the form of AWS's Query protocol, for requests of which no service is known.
pub(crate) fn generic_error(request_id: &str, error: &FrontDoorError) -> Response<Bytes> {
    error_in_namespace("", request_id, error)
}

/// An error in the form of AWS's Query protocol, `namespace` being an attribute with a leading space.
pub(crate) fn error_in_namespace(
    namespace: &str,
    request_id: &str,
    error: &FrontDoorError,
) -> Response<Bytes> {
    let side = if error.status.is_server_error() {
        "Receiver"
    } else {
        "Sender"
    };
    let body = format!(
        "<ErrorResponse{namespace}>\n  <Error>\n    <Type>{side}</Type>\n    <Code>{}</Code>\n    \
         <Message>{}</Message>\n  </Error>\n  <RequestId>{request_id}</RequestId>\n\
         </ErrorResponse>\n",
        error.code,
        escape(&error.message),
    );
    whole(error.status, "text/xml", body)
}

/// Tells the client that this connection ends with this answer.
pub(crate) fn closing(mut response: Response<Bytes>) -> Response<Bytes> {
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Text as XML content: markup escaped, characters that XML cannot carry replaced.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&apos;",
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// 413.
pub(crate) fn too_large(bytes_max: u32) -> FrontDoorError {
    FrontDoorError {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        code: "RequestEntityTooLarge",
        message: format!("The request body is larger than {bytes_max} bytes."),
    }
}

/// 408.
pub(crate) fn too_slow(what: &str) -> FrontDoorError {
    FrontDoorError {
        status: StatusCode::REQUEST_TIMEOUT,
        code: "RequestTimeout",
        message: format!("The request's {what} did not arrive in time."),
    }
}

/// 400 for a body that broke off.
pub(crate) fn broken_body() -> FrontDoorError {
    FrontDoorError {
        status: StatusCode::BAD_REQUEST,
        code: "IncompleteBody",
        message: String::from("The request body could not be read to its end."),
    }
}

/// 503.
pub(crate) fn overloaded() -> FrontDoorError {
    FrontDoorError {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "ServiceUnavailable",
        message: String::from("Too many requests are being read; try again."),
    }
}

/// 503 for a service that took too long. What was asked may still be done.
pub(crate) fn no_answer() -> FrontDoorError {
    FrontDoorError {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "ServiceUnavailable",
        message: String::from("The service did not answer in time."),
    }
}

/// 500 for a service that stopped in the middle of a call.
pub(crate) fn internal_failure() -> FrontDoorError {
    FrontDoorError {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        code: "InternalFailure",
        message: String::from(
            "The request processing has failed because of an unknown error, exception or failure.",
        ),
    }
}

/// 403 for a scope that names a service which is not here.
pub(crate) fn unknown_service(service: &str, known: &str) -> FrontDoorError {
    FrontDoorError {
        status: StatusCode::FORBIDDEN,
        code: "SignatureDoesNotMatch",
        message: format!(
            "Credential should be scoped to correct service: one of {known}, not '{service}'."
        ),
    }
}

/// 403 for a scope whose region is no region.
pub(crate) fn unknown_region(region: &str) -> FrontDoorError {
    FrontDoorError {
        status: StatusCode::FORBIDDEN,
        code: "SignatureDoesNotMatch",
        message: format!("Credential should be scoped to a valid region, not '{region}'."),
    }
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn text_from_outside_cannot_break_the_xml() {
        assert_eq!(
            escape("<a & \"b'>\u{0}é"),
            "&lt;a &amp; &quot;b&apos;&gt;\u{fffd}é"
        );
    }
}
