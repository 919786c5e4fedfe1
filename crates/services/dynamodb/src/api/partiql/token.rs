//! `NextToken`: where the next page of a SELECT begins.
//!
//! It is opaque, and only good for the statement that it came from: it begins with a digest of the statement, its
//! parameters and the rest of the token. That finds mistakes; a caller who forges one gets no further than a start key
//! of his own choice, which is checked like any other.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use quorate_dynamo_lang::json::{ValueRef, WireItem};
use quorate_dynamo_lang::{AttributeValue, Item};

use crate::api::error::ApiError;

/// Bytes of the digest that a token begins with.
const DIGEST_BYTES: usize = 16;

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Place {
    /// How many reads of the statement are done.
    pub(super) done: usize,
    /// The key at which the read after them stopped.
    pub(super) last: Option<Item>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    done: usize,
    last: Option<WireItem>,
}

/// What tokens of a statement have in common.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    digest: Sha256,
}

impl Tokens {
    /// The tokens of this statement.
    pub(super) fn of(statement: &str, parameters: &[AttributeValue]) -> Tokens {
        let mut digest = Sha256::new();
        digest.update(statement.len().to_be_bytes());
        digest.update(statement);
        for value in parameters {
            let text = serde_json::to_vec(&ValueRef(value)).unwrap_or_default();
            digest.update(text);
        }
        Tokens { digest }
    }

    /// The token of this place.
    pub(super) fn write(&self, place: Place) -> String {
        let written = Written {
            done: place.done,
            last: place.last.map(WireItem),
        };
        let body = serde_json::to_vec(&written).expect("a place is plain data with string keys");
        let mut token = self.digest(&body);
        token.extend(body);
        STANDARD.encode(token)
    }

    /// The place of a token of this statement.
    ///
    /// # Errors
    /// `ValidationException` when it is none.
    pub(super) fn read(&self, token: &str) -> Result<Place, ApiError> {
        let invalid =
            || ApiError::validation("The NextToken is not one that a statement has returned");
        let bytes = STANDARD.decode(token).map_err(|_| invalid())?;
        let (digest, body) = bytes.split_at_checked(DIGEST_BYTES).ok_or_else(invalid)?;
        let written: Written = serde_json::from_slice(body).map_err(|_| invalid())?;
        if self.digest(body) != digest {
            return Err(ApiError::validation(
                "The NextToken was returned for another request",
            ));
        }
        Ok(Place {
            done: written.done,
            last: written.last.map(|WireItem(item)| item),
        })
    }

    fn digest(&self, body: &[u8]) -> Vec<u8> {
        let whole = self.digest.clone().chain_update(body).finalize();
        whole[..DIGEST_BYTES].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_statement_alone() {
        let value = |text: &str| AttributeValue::S(text.to_owned());
        let tokens = Tokens::of("SELECT * FROM t WHERE a = ?", &[value("x")]);
        let place = Place {
            done: 3,
            last: Some(Item::from([(String::from("pk"), value("p"))])),
        };
        let token = tokens.write(place.clone());
        assert_eq!(tokens.read(&token), Ok(place));
        let other = Tokens::of("SELECT * FROM t WHERE a = ?", &[value("y")]);
        assert!(other.read(&token).is_err());
        let mut bytes = STANDARD.decode(&token).unwrap();
        let last = bytes.len() - 5;
        bytes[last] ^= 1;
        assert!(tokens.read(&STANDARD.encode(bytes)).is_err());
        for broken in ["", "x", "AAAA", &token[..token.len() - 4]] {
            assert_eq!(tokens.read(broken).unwrap_err().code, "ValidationException");
        }
    }
}
