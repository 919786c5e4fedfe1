//! Bodies on the wire: gzip both ways, and the checksum that SDKs verify.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};

use crate::api::error::ApiError;

/// Bytes that a compressed body may unfold to: as many as a plain one may have.
const BODY_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Answers below this are sent as they are: compressing them costs more than it saves.
const COMPRESSED_BYTES_MIN: usize = 1_024;

/// The body as the operation reads it.
///
/// # Errors
/// When it says that it is compressed and is not, or unfolds to more than a body may have.
pub(crate) fn unpack(headers: &HeaderMap, body: &Bytes) -> Result<Bytes, ApiError> {
    let encoding = headers.get(CONTENT_ENCODING).map(|v| v.as_bytes());
    match encoding {
        None | Some(b"identity" | b"") => Ok(body.clone()),
        Some(b"gzip") => {
            let mut plain = Vec::new();
            GzDecoder::new(body.as_ref())
                .take(BODY_BYTES_MAX + 1)
                .read_to_end(&mut plain)
                .map_err(|_| ApiError::serialization("The request's body is not valid gzip"))?;
            if plain.len() as u64 > BODY_BYTES_MAX {
                return Err(ApiError::too_large());
            }
            Ok(Bytes::from(plain))
        }
        Some(_) => Err(ApiError::serialization(
            "The request's Content-Encoding is not supported: use gzip or none",
        )),
    }
}

/// The answer's body compressed, when the caller takes gzip and it is worth it.
pub(crate) fn pack(headers: &HeaderMap, body: &[u8]) -> Option<Vec<u8>> {
    if body.len() < COMPRESSED_BYTES_MIN || !takes_gzip(headers) {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 2), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            parts.next() == Some("gzip") && parts.all(|p| p.replace(' ', "") != "q=0")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: http::HeaderName, value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let body = vec![b'a'; 5_000];
        let packed = pack(&headers(ACCEPT_ENCODING, "br, gzip"), &body).unwrap();
        assert!(packed.len() < 200);
        let plain = unpack(&headers(CONTENT_ENCODING, "gzip"), &Bytes::from(packed)).unwrap();
        assert_eq!(plain, body);
    }

    #[test]
    fn nothing_is_packed_for_who_does_not_take_it() {
        let body = vec![b'a'; 5_000];
        for takes in ["identity", "gzip;q=0", "br"] {
            assert!(pack(&headers(ACCEPT_ENCODING, takes), &body).is_none());
        }
        assert!(pack(&headers(ACCEPT_ENCODING, "gzip"), b"{}").is_none());
    }

    #[test]
    fn a_body_that_unfolds_to_too_much_is_refused_early() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        for _ in 0..17 {
            encoder.write_all(&vec![0; 1024 * 1024]).unwrap();
        }
        let bomb = Bytes::from(encoder.finish().unwrap());
        assert!(bomb.len() < 100_000);
        let refused = unpack(&headers(CONTENT_ENCODING, "gzip"), &bomb).unwrap_err();
        assert_eq!(refused.code, "RequestEntityTooLarge");
        let rubbish = Bytes::from_static(b"no gzip");
        assert!(unpack(&headers(CONTENT_ENCODING, "gzip"), &rubbish).is_err());
    }
}
