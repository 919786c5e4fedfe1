//! Signatures made by botocore and AWS's published vectors are taken; each tampered variant is
//! refused with AWS's code.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use proptest::prelude::*;
use quorate_base::UnixMillis;

use super::{RequestTime, Scope, Secret, SignedRequest, Verified, Verifier, sign};
use crate::error::FrontDoorError;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

macro_rules! fixture {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!("../../fixtures/sigv4/", $name, ".request")),
        )
    };
}

const ACCEPTED: [(&str, &str); 10] = [
    fixture!("get-vanilla"),
    fixture!("get-query-order"),
    fixture!("get-dot-segments"),
    fixture!("get-escaped-path"),
    fixture!("get-spaces-in-header"),
    fixture!("rds-describe"),
    fixture!("rds-content-hash"),
    fixture!("sts-identity"),
    fixture!("dynamodb-target"),
    fixture!("presigned"),
];

#[derive(Clone)]
struct Owned {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Owned {
    fn parse(text: &str) -> Owned {
        let (head, body) = text.split_once("\n\n").unwrap();
        let mut lines = head.lines();
        let mut start = lines.next().unwrap().splitn(3, ' ');
        let method = start.next().unwrap().parse().unwrap();
        let target = start.next().unwrap().to_owned();
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let body = body.as_bytes().to_vec();
        Owned {
            method,
            target,
            headers,
            body,
        }
    }

    fn rds() -> Owned {
        Owned::parse(fixture!("rds-describe").1)
    }

    fn presigned() -> Owned {
        Owned::parse(fixture!("presigned").1)
    }

    fn with(mut self, name: &'static str, value: &str) -> Owned {
        let value = HeaderValue::from_str(value).unwrap();
        self.headers.insert(name, value);
        self
    }

    fn without(mut self, name: &str) -> Owned {
        self.headers.remove(name);
        self
    }

    fn authorization(self, from: &str, to: &str) -> Owned {
        let text = self.headers["authorization"].to_str().unwrap();
        let changed = text.replacen(from, to, 1);
        assert_ne!(text, changed);
        self.with("authorization", &changed)
    }

    fn verify_at(&self, seconds_later: i64) -> Result<Verified, FrontDoorError> {
        let signed = RequestTime::from_basic("20150830T123600Z").unwrap();
        let now = u64::try_from(signed.plus(seconds_later).0).unwrap() * 1000;
        let request = SignedRequest {
            method: &self.method,
            target: &self.target,
            headers: &self.headers,
            body: &self.body,
        };
        Verifier::default().verify(&request, UnixMillis(now), |key| {
            (key == "AKIDEXAMPLE").then(|| Secret::new(SECRET))
        })
    }

    fn code(&self) -> (u16, &'static str) {
        let refused = self.verify_at(0).unwrap_err();
        (refused.status.as_u16(), refused.code)
    }
}

#[test]
fn requests_signed_by_botocore_are_taken() {
    for (name, text) in ACCEPTED {
        let verified = Owned::parse(text).verify_at(60);
        let verified = verified.unwrap_or_else(|refused| panic!("{name}: {refused}"));
        assert_eq!(verified.scope.access_key, "AKIDEXAMPLE", "{name}");
        assert_eq!(verified.scope.region, "us-east-1", "{name}");
    }
    let verified = Owned::rds().verify_at(0).unwrap();
    assert_eq!(verified.scope.service, "rds");
}

/// From the "Signature Version 4 Test Suite" that AWS published.
#[test]
fn published_vectors_are_taken() {
    for (method, target, signature) in [
        (
            "GET",
            "/",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "POST",
            "/",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
    ] {
        let text = format!(
            "{method} {target} HTTP/1.1\nhost: example.amazonaws.com\nx-amz-date: \
             20150830T123600Z\nauthorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/\
             us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, \
             Signature={signature}\n\n"
        );
        Owned::parse(&text).verify_at(0).unwrap();
    }
}

#[test]
fn a_request_that_was_changed_on_the_way_does_not_match() {
    let mut body = Owned::rds();
    body.body.push(b'x');
    let mut method = Owned::rds();
    method.method = Method::PUT;
    let mut path = Owned::rds();
    path.target = String::from("/other");
    let mut query = Owned::rds();
    query.target = String::from("/?a=b");
    let mut presigned = Owned::presigned();
    presigned.target = presigned.target.replace("DescribeDB", "DeleteDB");
    let mut presigned_body = Owned::presigned();
    presigned_body.body = b"Action=DeleteDBInstance".to_vec();
    for tampered in [
        body,
        method,
        path,
        query,
        presigned,
        presigned_body,
        Owned::rds().with("content-type", "text/plain"),
        Owned::rds().with("host", "elsewhere"),
        Owned::rds().with("x-amz-date", "20150830T123601Z"),
        Owned::rds().authorization("us-east-1", "us-east-2"),
        Owned::rds().authorization("/rds/", "/sts/"),
        Owned::rds().authorization("Signature=0", "Signature=1"),
        Owned::rds().authorization("Signature=", "Signature=ff"),
        Owned::rds().authorization("content-type;host", "host"),
    ] {
        assert_eq!(tampered.code(), (403, "SignatureDoesNotMatch"));
    }
}

#[test]
fn incomplete_signatures_say_what_is_missing() {
    let cases = [
        (
            Owned::rds().authorization("Credential=", "Cred="),
            "Authorization header requires 'Credential' parameter.",
        ),
        (
            Owned::rds().authorization("Signature=", "Sig="),
            "Authorization header requires 'Signature' parameter.",
        ),
        (
            Owned::rds().without("x-amz-date"),
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
        ),
        (
            Owned::rds().authorization("SignedHeaders=", "SignedHeaders"),
            "missing equal-sign",
        ),
        (
            Owned::rds().authorization("AWS4-HMAC-SHA256", "Basic"),
            "Unsupported AWS 'algorithm': 'Basic'",
        ),
        (
            Owned::rds().authorization("/us-east-1", ""),
            "exactly 5 slash-delimited elements",
        ),
        (
            Owned::rds().with("x-amz-date", "yesterday"),
            "Date must be in ISO-8601 'basic format'",
        ),
    ];
    for (request, sentence) in cases {
        let refused = request.verify_at(0).unwrap_err();
        assert_eq!(refused.code, "IncompleteSignature");
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(refused.message.contains(sentence), "{}", refused.message);
    }
    let mut twice = Owned::rds();
    twice.headers.append(
        "authorization",
        HeaderValue::from_static("AWS4-HMAC-SHA256 a=b"),
    );
    assert_eq!(twice.code(), (400, "IncompleteSignature"));
    let mut both = Owned::presigned();
    both.headers.append(
        "authorization",
        HeaderValue::from_static("AWS4-HMAC-SHA256 a=b"),
    );
    assert_eq!(both.code(), (400, "IncompleteSignature"));
    let mut long = Owned::presigned();
    long.target = long.target.replace("Expires=3600", "Expires=604801");
    assert_eq!(long.code(), (400, "IncompleteSignature"));
}

#[test]
fn refusals_carry_the_codes_of_aws() {
    let unsigned = Owned::rds().without("authorization");
    assert_eq!(unsigned.code(), (403, "MissingAuthenticationToken"));
    let unknown = Owned::rds().authorization("AKIDEXAMPLE", "AKIDUNKNOWN");
    assert_eq!(unknown.code(), (403, "InvalidClientTokenId"));
    let session = Owned::parse(fixture!("session-token").1);
    assert_eq!(session.code(), (403, "InvalidClientTokenId"));
    let no_host = Owned::rds().authorization("host;", "");
    assert_eq!(no_host.code(), (403, "SignatureDoesNotMatch"));
    let other_day = Owned::rds().authorization("/20150830/", "/20150831/");
    assert_eq!(other_day.code(), (403, "SignatureDoesNotMatch"));
    let terminator = Owned::rds().authorization("aws4_request", "aws5_request");
    assert_eq!(terminator.code(), (403, "SignatureDoesNotMatch"));
    let added = Owned::rds().with("x-amz-target", "DynamoDB_20120810.DeleteTable");
    assert_eq!(added.code(), (403, "AccessDenied"));
    let mut escape = Owned::rds();
    escape.target = String::from("/?a=%4");
    assert_eq!(escape.code(), (404, "MalformedQueryString"));
    let mut hash = Owned::parse(fixture!("rds-content-hash").1);
    hash.body.push(b'x');
    assert_eq!(hash.code(), (400, "XAmzContentSHA256Mismatch"));
    let signed = "content-type;host;x-amz-content-sha256;x-amz-date";
    let claims = |hash| {
        Owned::rds()
            .authorization("content-type;host;x-amz-date", signed)
            .with("x-amz-content-sha256", hash)
    };
    let chunked = claims("STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    assert_eq!(chunked.code(), (400, "InvalidRequest"));
    let unsigned_payload = claims("UNSIGNED-PAYLOAD");
    assert_eq!(unsigned_payload.code(), (403, "SignatureDoesNotMatch"));
}

#[test]
fn a_clock_that_is_off_is_told_by_how_much() {
    assert!(Owned::rds().verify_at(300).is_ok());
    assert!(Owned::rds().verify_at(-300).is_ok());
    let late = Owned::rds().verify_at(301).unwrap_err();
    assert_eq!(late.code, "SignatureDoesNotMatch");
    assert_eq!(
        late.message,
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z \
         (20150830T124101Z - 5 min.)"
    );
    let early = Owned::rds().verify_at(-301).unwrap_err();
    assert_eq!(
        early.message,
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z \
         (20150830T123059Z + 5 min.)"
    );
}

#[test]
fn a_presigned_request_holds_as_long_as_it_says() {
    assert!(Owned::presigned().verify_at(3600).is_ok());
    let late = Owned::presigned().verify_at(3601).unwrap_err();
    assert_eq!(
        (late.status, late.code),
        (StatusCode::BAD_REQUEST, "RequestExpired")
    );
    let early = Owned::presigned().verify_at(-301).unwrap_err();
    assert_eq!(early.code, "SignatureDoesNotMatch");
}

#[test]
fn a_key_made_again_under_the_same_id_is_not_answered_from_the_kept_keys() {
    let verifier = Verifier::default();
    let owned = Owned::rds();
    let request = SignedRequest {
        method: &owned.method,
        target: &owned.target,
        headers: &owned.headers,
        body: &owned.body,
    };
    let now = UnixMillis(1_440_938_160_000);
    let verify = |secret: &str| verifier.verify(&request, now, |_| Some(Secret::new(secret)));
    verify(SECRET).unwrap();
    assert_eq!(verify("another").unwrap_err().code, "SignatureDoesNotMatch");
    verify(SECRET).unwrap();
}

#[test]
fn a_request_signed_here_is_taken_and_is_what_botocore_makes() {
    let owned = Owned::rds();
    let expected = owned.headers["authorization"].to_str().unwrap().to_owned();
    let owned = owned.without("authorization");
    let scope = Scope {
        access_key: String::from("AKIDEXAMPLE"),
        day: String::from("20150830"),
        region: String::from("us-east-1"),
        service: String::from("rds"),
    };
    let request = SignedRequest {
        method: &owned.method,
        target: &owned.target,
        headers: &owned.headers,
        body: &owned.body,
    };
    let at = RequestTime::from_basic("20150830T123600Z").unwrap();
    let made = sign(&request, &scope, at, &Secret::new(SECRET)).unwrap();
    assert_eq!(made, expected);
}

#[test]
fn a_scope_is_seen_although_the_signature_is_refused() {
    for request in [
        Owned::parse(fixture!("session-token").1),
        Owned::presigned(),
        Owned::rds().without("x-amz-date"),
    ] {
        let scope = Scope::peek(&request.target, &request.headers).unwrap();
        assert_eq!(scope.service, "rds");
    }
    let unsigned = Owned::rds().without("authorization");
    assert_eq!(Scope::peek(&unsigned.target, &unsigned.headers), None);
}

#[test]
fn secrets_are_not_printed() {
    assert_eq!(format!("{:?}", Secret::new(SECRET)), "Secret(…)");
}

proptest! {
    #[test]
    fn arbitrary_requests_are_refused_without_a_panic(
        target in ".*",
        names in prop::collection::vec("(authorization|x-amz-date|date|host|x-amz-content-sha256|[a-z-]{1,12})", 0..6),
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 6),
        parameters in "(AWS4-HMAC-SHA256 )?(Credential=|Signature=|SignedHeaders=|[a-z0-9/,;= ]|é){0,20}",
        body in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in names.iter().zip(&values) {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value)) {
                headers.append(name, value);
            }
        }
        if let Ok(value) = HeaderValue::from_str(&parameters) {
            headers.append("authorization", value);
        }
        let owned = Owned { method: Method::POST, target, headers, body };
        prop_assert!(owned.verify_at(0).is_err());
    }

    #[test]
    fn arbitrary_dates_are_read_or_refused(text in "[0-9]{8}T[0-9]{6}Z|.{0,20}") {
        if let Some(time) = RequestTime::from_basic(&text) {
            prop_assert_eq!(time.to_basic(), text);
        }
    }

    #[test]
    fn arbitrary_presigned_queries_are_refused_without_a_panic(
        values in prop::collection::vec("[a-zA-Z0-9%/+:-]{0,40}", 6),
    ) {
        let names = ["Credential", "Date", "Expires", "SignedHeaders", "Signature", "Security-Token"];
        let mut target = String::from("/?X-Amz-Algorithm=AWS4-HMAC-SHA256");
        for (name, value) in names.iter().zip(&values) {
            target += &format!("&X-Amz-{name}={value}");
        }
        let owned = Owned { method: Method::GET, target, headers: HeaderMap::new(), body: Vec::new() };
        prop_assert!(owned.verify_at(0).is_err());
    }
}
