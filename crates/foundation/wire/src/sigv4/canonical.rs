//! The canonical form of a request: what both sides hash.

use http::HeaderMap;

use crate::error::FrontDoorError;
use crate::sigv4::refusal;

/// Decoded names and values of a query string, in the order in which they came.
pub(crate) type Query = Vec<(Vec<u8>, Vec<u8>)>;

/// Splits a request target into its path and its query string.
pub(crate) fn split_target(target: &str) -> (&str, &str) {
    target.split_once('?').unwrap_or((target, ""))
}

/// Decodes a query string.
///
/// # Errors
/// `MalformedQueryString` when an escape is cut short or is not hexadecimal.
pub(crate) fn decode_query(query: &str) -> Result<Query, FrontDoorError> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

fn decode(text: &str) -> Result<Vec<u8>, FrontDoorError> {
    let digit = |byte: Option<u8>| {
        let value = byte.and_then(|b| char::from(b).to_digit(16));
        value.ok_or_else(refusal::malformed_query)
    };
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let value = digit(bytes.next())? * 16 + digit(bytes.next())?;
                decoded.push(u8::try_from(value).map_err(|_| refusal::malformed_query())?);
            }
            b'+' => decoded.push(b' '),
            other => decoded.push(other),
        }
    }
    Ok(decoded)
}

/// AWS's `UriEncode`: everything but unreserved characters, in upper-case hexadecimal.
fn encode_into(out: &mut String, bytes: &[u8], keep_slash: bool) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            b'/' if keep_slash => out.push('/'),
            _ => {
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
}

/// The path without empty and dot segments, encoded once more than it came (all services but object
/// storage sign it so).
pub(crate) fn canonical_path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut normal = String::from("/");
    normal += &segments.join("/");
    if path.ends_with('/') && !segments.is_empty() {
        normal.push('/');
    }
    let mut out = String::with_capacity(normal.len());
    encode_into(&mut out, normal.as_bytes(), true);
    out
}

/// The query string sorted by encoded name, then value, without the signature itself.
pub(crate) fn canonical_query(query: &Query) -> String {
    let mut pairs: Vec<(String, String)> = query
        .iter()
        .filter(|(name, _)| name != b"X-Amz-Signature")
        .map(|(name, value)| {
            let (mut n, mut v) = (String::new(), String::new());
            encode_into(&mut n, name, false);
            encode_into(&mut v, value, false);
            (n, v)
        })
        .collect();
    pairs.sort();
    let mut out = String::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        out += &name;
        out.push('=');
        out += &value;
    }
    out
}

/// `name:value` lines of the signed headers: values trimmed, runs of white space folded to one
/// space, repeated headers joined by commas. A signed header that is absent has an empty value.
pub(crate) fn canonical_headers(names: &[String], headers: &HeaderMap) -> Vec<u8> {
    let mut out = Vec::new();
    for name in names {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        for (index, value) in headers.get_all(name).iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            let words = value
                .as_bytes()
                .split(|byte| matches!(byte, b' ' | b'\t'))
                .filter(|word| !word.is_empty());
            for (index, word) in words.enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                out.extend_from_slice(word);
            }
        }
        out.push(b'\n');
    }
    out
}

/// The whole canonical request.
pub(crate) fn canonical_request(
    method: &str,
    path: &str,
    query: &Query,
    signed_headers: &[String],
    headers: &HeaderMap,
    body_hash: &str,
) -> Vec<u8> {
    let (path, query) = (canonical_path(path), canonical_query(query));
    let mut out = format!("{method}\n{path}\n{query}\n").into_bytes();
    out.extend(canonical_headers(signed_headers, headers));
    out.push(b'\n');
    out.extend_from_slice(signed_headers.join(";").as_bytes());
    out.push(b'\n');
    out.extend_from_slice(body_hash.as_bytes());
    out
}
