//! The check itself: read, compute again, compare in constant time.

use http::{HeaderMap, Method};
use quorate_base::UnixMillis;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::FrontDoorError;
use crate::sigv4::canonical::{canonical_request, decode_query, split_target};
use crate::sigv4::presented::{ALGORITHM, Presented, Scope};
use crate::sigv4::refusal::{self, RequestTime, SKEW_SECONDS_MAX};
use crate::sigv4::signing_key::{Secret, SigningKeys, hmac};

/// A request as it came over the wire.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// HTTP method.
    pub method: &'a Method,
    /// Path and query string, as they came (no scheme, no host).
    pub target: &'a str,
    /// All headers, `host` among them.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a [u8],
}

/// Who signed, for what, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Access key, region and service of the signature.
    pub scope: Scope,
    /// When it was signed.
    pub signed_at: RequestTime,
}

/// Checks signatures; keeps a bounded number of derived keys between requests.
#[derive(Default)]
pub struct Verifier {
    keys: SigningKeys,
}

impl Verifier {
    /// Checks the signature of a request. `secret_of` gives the secret of an access key id, none when
    /// there is no such key.
    ///
    /// # Errors
    /// AWS's refusal for what is wrong: `MissingAuthenticationToken`, `IncompleteSignature`,
    /// `InvalidClientTokenId`, `SignatureDoesNotMatch`, `RequestExpired`, `AccessDenied` (an `x-amz-`
    /// header that is not signed), `XAmzContentSHA256Mismatch`, `InvalidRequest` (chunked payloads),
    /// `MalformedQueryString`.
    pub fn verify(
        &self,
        request: &SignedRequest<'_>,
        now: UnixMillis,
        secret_of: impl FnOnce(&str) -> Option<Secret>,
    ) -> Result<Verified, FrontDoorError> {
        let presented = Presented::read(request.target, request.headers)?;
        let seconds = i64::try_from(now.0 / 1000).unwrap_or(i64::MAX);
        check_time(&presented, RequestTime(seconds))?;
        check_unsigned_headers(&presented, request.headers)?;
        let secret = secret_of(&presented.scope.access_key).ok_or_else(refusal::unknown_key)?;
        let body_hash = check_body_hash(request)?;

        let computed = self.compute(request, &presented, &body_hash, &secret)?;
        let same = computed.as_bytes().ct_eq(presented.signature.as_bytes());
        if !bool::from(same) {
            return Err(refusal::mismatch());
        }
        Ok(Verified {
            scope: presented.scope,
            signed_at: presented.signed_at,
        })
    }

    /// The signature that a request ought to have.
    fn compute(
        &self,
        request: &SignedRequest<'_>,
        presented: &Presented,
        body_hash: &str,
        secret: &Secret,
    ) -> Result<String, FrontDoorError> {
        let (path, query) = split_target(request.target);
        let canonical = canonical_request(
            request.method.as_str(),
            path,
            &decode_query(query)?,
            &presented.signed_headers,
            request.headers,
            body_hash,
        );
        let to_sign = format!(
            "{ALGORITHM}\n{}\n{}\n{}",
            presented.signed_at.to_basic(),
            presented.scope.to_text(),
            hex::encode(Sha256::digest(&canonical)),
        );
        let key = self.keys.derive(&presented.scope, secret);
        Ok(hex::encode(hmac(&key, to_sign.as_bytes())))
    }
}

/// Signs a request with all the headers that it has: returns the value of its `Authorization` header.
/// `request` must carry `host` and an `x-amz-date` of `signed_at`.
///
/// # Errors
/// `MalformedQueryString` when the target's query cannot be decoded.
pub fn sign(
    request: &SignedRequest<'_>,
    scope: &Scope,
    signed_at: RequestTime,
    secret: &Secret,
) -> Result<String, FrontDoorError> {
    let mut names: Vec<String> = request.headers.keys().map(ToString::to_string).collect();
    names.sort();
    let signed_headers = names.join(";");
    let presented = Presented {
        scope: scope.clone(),
        signed_at,
        signed_headers: names,
        presigned_seconds: None,
        signature: String::new(),
    };
    let body_hash = hex::encode(Sha256::digest(request.body));
    let signature = Verifier::default().compute(request, &presented, &body_hash, secret)?;
    Ok(format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={signed_headers}, Signature={signature}",
        scope.access_key,
        scope.to_text(),
    ))
}

fn check_time(presented: &Presented, now: RequestTime) -> Result<(), FrontDoorError> {
    let signed = presented.signed_at;
    if signed > now.plus(SKEW_SECONDS_MAX) {
        return Err(refusal::not_yet_current(signed, now));
    }
    match presented.presigned_seconds {
        Some(seconds) if now > signed.plus(seconds) => Err(refusal::presigned_expired()),
        None if signed < now.plus(-SKEW_SECONDS_MAX) => Err(refusal::expired(signed, now)),
        _ => Ok(()),
    }
}

/// Headers that AWS gives a meaning must be covered: `x-amz-target` alone says what to do.
fn check_unsigned_headers(
    presented: &Presented,
    headers: &HeaderMap,
) -> Result<(), FrontDoorError> {
    let unsigned = headers.keys().map(http::HeaderName::as_str).find(|name| {
        name.starts_with("x-amz-") && !presented.signed_headers.iter().any(|signed| signed == name)
    });
    unsigned.map_or(Ok(()), |name| Err(refusal::header_not_signed(name)))
}

/// The hash of the body that came. What the client says of it in `x-amz-content-sha256` must agree
/// when it is a hash. `UNSIGNED-PAYLOAD` is a rule of object storage: here the body that came is what
/// must have been signed, so such a signature does not match.
fn check_body_hash(request: &SignedRequest<'_>) -> Result<String, FrontDoorError> {
    let computed = hex::encode(Sha256::digest(request.body));
    let Some(claimed) = request.headers.get("x-amz-content-sha256") else {
        return Ok(computed);
    };
    let claimed = claimed.as_bytes().trim_ascii();
    if claimed.starts_with(b"STREAMING-") {
        return Err(refusal::streaming_payload());
    }
    let is_hash = claimed.len() == 64 && claimed.iter().all(u8::is_ascii_hexdigit);
    if is_hash && !claimed.eq_ignore_ascii_case(computed.as_bytes()) {
        return Err(refusal::body_hash_mismatch());
    }
    Ok(computed)
}
