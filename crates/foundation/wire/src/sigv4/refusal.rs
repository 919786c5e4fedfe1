//! AWS's refusals, one function each: code, status and sentence.

use http::StatusCode;

use crate::error::FrontDoorError;

/// Seconds by which a client's clock may be off, either way.
pub(crate) const SKEW_SECONDS_MAX: i64 = 5 * 60;

/// A request's date as signatures spell it, `20150830T123600Z`, with whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestTime(pub(crate) i64);

impl RequestTime {
    /// The instant `seconds` after the Unix epoch.
    #[must_use]
    pub fn from_unix_seconds(seconds: i64) -> RequestTime {
        RequestTime(seconds)
    }

    /// Reads the basic form of ISO 8601 (`YYYYMMDD'T'HHMMSS'Z'`); none when it is anything else.
    #[must_use]
    pub fn from_basic(text: &str) -> Option<RequestTime> {
        let bytes = text.as_bytes();
        if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
            return None;
        }
        let number = |range: std::ops::Range<usize>| -> Option<i16> {
            let digits = &bytes[range];
            let all = digits.iter().all(u8::is_ascii_digit);
            all.then(|| digits.iter().fold(0, |n, d| n * 10 + i16::from(d - b'0')))
        };
        let small = |range| number(range).and_then(|n| i8::try_from(n).ok());
        let civil = jiff::civil::DateTime::new(
            number(0..4)?,
            small(4..6)?,
            small(6..8)?,
            small(9..11)?,
            small(11..13)?,
            small(13..15)?,
            0,
        );
        let zoned = civil.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(RequestTime(zoned.timestamp().as_second()))
    }

    /// Reads the value of a `Date` header: the basic form, or that of HTTP.
    #[must_use]
    pub(crate) fn from_date_header(text: &str) -> Option<RequestTime> {
        RequestTime::from_basic(text).or_else(|| {
            let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
            Some(RequestTime(zoned.timestamp().as_second()))
        })
    }

    /// The basic form of ISO 8601.
    #[must_use]
    pub fn to_basic(self) -> String {
        jiff::Timestamp::from_second(self.0).map_or_else(
            |_| String::from("19700101T000000Z"),
            |t| t.strftime("%Y%m%dT%H%M%SZ").to_string(),
        )
    }

    /// `YYYYMMDD`, the date of a credential scope.
    #[must_use]
    pub(crate) fn day(self) -> String {
        let mut basic = self.to_basic();
        basic.truncate(8);
        basic
    }

    pub(crate) fn plus(self, seconds: i64) -> RequestTime {
        RequestTime(self.0.saturating_add(seconds))
    }
}

fn refusal(status: StatusCode, code: &'static str, message: String) -> FrontDoorError {
    FrontDoorError {
        status,
        code,
        message,
    }
}

/// The request carries no signature.
pub(crate) fn missing_token() -> FrontDoorError {
    let message = String::from("Request is missing Authentication Token");
    refusal(StatusCode::FORBIDDEN, "MissingAuthenticationToken", message)
}

/// A part of the signature is missing or misspelt.
pub(crate) fn incomplete(message: impl Into<String>) -> FrontDoorError {
    refusal(
        StatusCode::BAD_REQUEST,
        "IncompleteSignature",
        message.into(),
    )
}

/// The query string cannot be decoded.
pub(crate) fn malformed_query() -> FrontDoorError {
    let message = String::from("The query string contains a syntax error.");
    refusal(StatusCode::NOT_FOUND, "MalformedQueryString", message)
}

/// The access key is not known, or the request carries a session token that nobody issued.
pub(crate) fn unknown_key() -> FrontDoorError {
    let message = String::from("The security token included in the request is invalid.");
    refusal(StatusCode::FORBIDDEN, "InvalidClientTokenId", message)
}

/// The signature is not the one computed here.
pub(crate) fn mismatch() -> FrontDoorError {
    does_not_match(
        "The request signature we calculated does not match the signature you provided. Check \
         your AWS Secret Access Key and signing method. Consult the service documentation for \
         details.",
    )
}

/// `SignatureDoesNotMatch` with a sentence that says more.
pub(crate) fn does_not_match(message: impl Into<String>) -> FrontDoorError {
    refusal(
        StatusCode::FORBIDDEN,
        "SignatureDoesNotMatch",
        message.into(),
    )
}

/// Signed too long ago.
pub(crate) fn expired(signed: RequestTime, now: RequestTime) -> FrontDoorError {
    does_not_match(format!(
        "Signature expired: {} is now earlier than {} ({} - {} min.)",
        signed.to_basic(),
        now.plus(-SKEW_SECONDS_MAX).to_basic(),
        now.to_basic(),
        SKEW_SECONDS_MAX / 60,
    ))
}

/// Signed in the future.
pub(crate) fn not_yet_current(signed: RequestTime, now: RequestTime) -> FrontDoorError {
    does_not_match(format!(
        "Signature not yet current: {} is still later than {} ({} + {} min.)",
        signed.to_basic(),
        now.plus(SKEW_SECONDS_MAX).to_basic(),
        now.to_basic(),
        SKEW_SECONDS_MAX / 60,
    ))
}

/// A presigned request past its `X-Amz-Expires`.
pub(crate) fn presigned_expired() -> FrontDoorError {
    let message = String::from("Request has expired.");
    refusal(StatusCode::BAD_REQUEST, "RequestExpired", message)
}

/// An `x-amz-*` header that the signature does not cover: it could have been added on the way.
pub(crate) fn header_not_signed(name: &str) -> FrontDoorError {
    let message =
        format!("There were headers present in the request which were not signed: {name}");
    refusal(StatusCode::FORBIDDEN, "AccessDenied", message)
}

/// `x-amz-content-sha256` names another body.
pub(crate) fn body_hash_mismatch() -> FrontDoorError {
    let message = String::from(
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
    refusal(
        StatusCode::BAD_REQUEST,
        "XAmzContentSHA256Mismatch",
        message,
    )
}

/// A body signed chunk by chunk, which only object storage takes.
pub(crate) fn streaming_payload() -> FrontDoorError {
    let message = String::from(
        "Chunk-signed payloads (x-amz-content-sha256: STREAMING-...) are not supported; sign the \
         SHA-256 of the whole body.",
    );
    refusal(StatusCode::BAD_REQUEST, "InvalidRequest", message)
}
