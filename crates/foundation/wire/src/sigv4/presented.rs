//! What a request says about its own signature, before anything is checked.

use http::HeaderMap;

use crate::error::FrontDoorError;
use crate::sigv4::canonical::{decode_query, split_target};
use crate::sigv4::refusal::{self, RequestTime};

pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
/// A week, AWS's bound on presigned requests.
const PRESIGNED_SECONDS_MAX: i64 = 7 * 24 * 3600;

/// The credential scope with the key that it scopes: `KEY/DATE/REGION/SERVICE/aws4_request`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The access key id.
    pub access_key: String,
    /// The day, `YYYYMMDD`.
    pub day: String,
    /// The region, as the client spelt it.
    pub region: String,
    /// The service's signing name, as in `rds`.
    pub service: String,
}

impl Scope {
    /// The scope that a request names, whatever else is wrong with its signature: says in whose form an
    /// error is to be written, and nothing more.
    #[must_use]
    pub fn peek(target: &str, headers: &HeaderMap) -> Option<Scope> {
        let in_header = headers
            .get(http::header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.split_once("Credential="))
            .and_then(|(_, rest)| rest.split([',', ' ']).next())
            .and_then(|text| Scope::read(text).ok());
        in_header.or_else(|| {
            let query = decode_query(split_target(target).1).ok()?;
            let (_, text) = query.iter().find(|(name, _)| name == b"X-Amz-Credential")?;
            Scope::read(std::str::from_utf8(text).ok()?).ok()
        })
    }

    /// The scope as the string to sign has it, without the key.
    pub(crate) fn to_text(&self) -> String {
        let Scope {
            day,
            region,
            service,
            ..
        } = self;
        format!("{day}/{region}/{service}/{TERMINATOR}")
    }

    fn read(text: &str) -> Result<Scope, FrontDoorError> {
        let parts: Vec<&str> = text.split('/').collect();
        let [access_key, day, region, service, terminator] = parts[..] else {
            return Err(refusal::incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term, got '{text}'"
            )));
        };
        if terminator != TERMINATOR {
            return Err(refusal::does_not_match(format!(
                "Credential should be scoped with a valid terminator: '{TERMINATOR}', not \
                 '{terminator}'."
            )));
        }
        Ok(Scope {
            access_key: access_key.to_owned(),
            day: day.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }
}

/// A signature as it was presented: nothing here is to be believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// Key, day, region and service.
    pub scope: Scope,
    /// When the client says that it signed.
    pub signed_at: RequestTime,
    /// Names of the signed headers, in the client's order.
    pub signed_headers: Vec<String>,
    /// How long a presigned request holds, in seconds; none for header signing.
    pub presigned_seconds: Option<i64>,
    /// The signature in hexadecimal.
    pub signature: String,
}

impl Presented {
    /// Reads the signature of a request from its `Authorization` header or its query string.
    ///
    /// # Errors
    /// `MissingAuthenticationToken` when there is none, `IncompleteSignature` when a part is missing
    /// or misspelt, `InvalidClientTokenId` when it comes with a session token, `SignatureDoesNotMatch`
    /// when its scope contradicts its date.
    pub fn read(target: &str, headers: &HeaderMap) -> Result<Presented, FrontDoorError> {
        let query = decode_query(split_target(target).1)?;
        let in_query = query.iter().any(|(name, _)| name == b"X-Amz-Algorithm");
        let in_header = headers.contains_key(http::header::AUTHORIZATION);
        let presented = match (in_header, in_query) {
            (false, false) => return Err(refusal::missing_token()),
            (true, true) => {
                return Err(refusal::incomplete(
                    "A request is signed in its Authorization header or in its query string, not \
                     in both.",
                ));
            }
            (true, false) => read_header(headers)?,
            (false, true) => read_query(&query)?,
        };
        let token_in_query = query
            .iter()
            .any(|(name, _)| name == b"X-Amz-Security-Token");
        if token_in_query || headers.contains_key("x-amz-security-token") {
            return Err(refusal::unknown_key());
        }
        presented.check_scope()
    }

    fn check_scope(self) -> Result<Presented, FrontDoorError> {
        let day = self.signed_at.day();
        if self.scope.day != day {
            return Err(refusal::does_not_match(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
                 from HTTP: '{}' != '{day}', from '{}'.",
                self.scope.day,
                self.signed_at.to_basic(),
            )));
        }
        if !self.signed_headers.iter().any(|name| name == "host") {
            return Err(refusal::does_not_match(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
            ));
        }
        Ok(self)
    }
}

fn read_header(headers: &HeaderMap) -> Result<Presented, FrontDoorError> {
    let text = single(headers, "authorization")?.unwrap_or_default();
    let (algorithm, parameters) = text.split_once(' ').unwrap_or((text, ""));
    if algorithm != ALGORITHM {
        return Err(refusal::incomplete(format!(
            "Unsupported AWS 'algorithm': '{algorithm}'; only '{ALGORITHM}' is supported."
        )));
    }
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for parameter in parameters.split(',').map(str::trim) {
        if parameter.is_empty() {
            continue;
        }
        let Some((name, value)) = parameter.split_once('=') else {
            return Err(refusal::incomplete(format!(
                "'{parameter}' not a valid key=value pair (missing equal-sign) in Authorization \
                 header."
            )));
        };
        match name {
            "Credential" => credential = Some(value),
            "SignedHeaders" => signed_headers = Some(value),
            "Signature" => signature = Some(value),
            _ => {}
        }
    }
    let amz_date = single(headers, "x-amz-date")?;
    let date = match amz_date {
        Some(date) => Some(date),
        None => single(headers, "date")?,
    };
    let mut missing = String::new();
    for (what, absent) in [
        ("Credential", credential.is_none()),
        ("Signature", signature.is_none()),
        ("SignedHeaders", signed_headers.is_none()),
    ] {
        if absent {
            missing += &format!("Authorization header requires '{what}' parameter. ");
        }
    }
    if date.is_none() {
        missing += "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' \
                    header. ";
    }
    let (Some(credential), Some(signature), Some(signed_headers), Some(date)) =
        (credential, signature, signed_headers, date)
    else {
        return Err(refusal::incomplete(missing.trim_end()));
    };
    let signed_at = if amz_date.is_some() {
        RequestTime::from_basic(date)
    } else {
        RequestTime::from_date_header(date)
    };
    Ok(Presented {
        scope: Scope::read(credential)?,
        signed_at: signed_at.ok_or_else(|| bad_date(date))?,
        signed_headers: names(signed_headers),
        presigned_seconds: None,
        signature: signature.to_owned(),
    })
}

fn read_query(query: &[(Vec<u8>, Vec<u8>)]) -> Result<Presented, FrontDoorError> {
    let value = |wanted: &str| -> Result<Option<String>, FrontDoorError> {
        let mut found = query
            .iter()
            .filter(|(name, _)| name == wanted.as_bytes())
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        let first = found.next();
        if found.next().is_some() {
            return Err(refusal::incomplete(format!(
                "AWS query-string parameters must include '{wanted}' once only."
            )));
        }
        Ok(first)
    };
    let algorithm = value("X-Amz-Algorithm")?.unwrap_or_default();
    if algorithm != ALGORITHM {
        return Err(refusal::incomplete(format!(
            "Unsupported AWS 'algorithm': '{algorithm}'; only '{ALGORITHM}' is supported."
        )));
    }
    let required = |name: &str| {
        value(name)?.ok_or_else(|| {
            refusal::incomplete(format!(
                "AWS query-string parameters must include '{name}'. Re-examine the query-string \
                 parameters."
            ))
        })
    };
    let date = required("X-Amz-Date")?;
    let presigned_seconds = match value("X-Amz-Expires")? {
        None => None,
        Some(text) => Some(
            text.parse::<i64>()
                .ok()
                .filter(|seconds| (1..=PRESIGNED_SECONDS_MAX).contains(seconds))
                .ok_or_else(|| {
                    refusal::incomplete(format!(
                        "X-Amz-Expires must be a number of seconds from 1 to \
                         {PRESIGNED_SECONDS_MAX}"
                    ))
                })?,
        ),
    };
    Ok(Presented {
        scope: Scope::read(&required("X-Amz-Credential")?)?,
        signed_at: RequestTime::from_basic(&date).ok_or_else(|| bad_date(&date))?,
        signed_headers: names(&required("X-Amz-SignedHeaders")?),
        presigned_seconds: Some(presigned_seconds.unwrap_or(refusal::SKEW_SECONDS_MAX)),
        signature: required("X-Amz-Signature")?,
    })
}

fn names(text: &str) -> Vec<String> {
    text.split(';').map(str::to_ascii_lowercase).collect()
}

/// The one value of a header that may come once only.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, FrontDoorError> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    let text = first.to_str().ok().filter(|_| values.next().is_none());
    text.map(|text| Some(text.trim())).ok_or_else(|| {
        refusal::incomplete(format!(
            "The header '{name}' must come once, in plain ASCII."
        ))
    })
}

fn bad_date(text: &str) -> FrontDoorError {
    refusal::incomplete(format!(
        "Date must be in ISO-8601 'basic format'. Got '{text}'. See \
         http://en.wikipedia.org/wiki/ISO_8601"
    ))
}
