//! What a service keeps in the catalog, and the envelope it is kept in.
//!
//! A record is stored as JSON `{"v": VERSION, "r": …}` under `TABLE/id`. A record of an older version
//! is brought forward by `migrate` when it is read; nothing rewrites the catalog in bulk.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use quorate_base::Revision;

use crate::error::CatalogError;

/// A kind of record that a service owns.
pub trait Record: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The first part of the key, as in `rds/instance`. No id may contain a character below `/`.
    const TABLE: &'static str;
    /// The version that this build writes.
    const VERSION: u32;

    /// Brings the JSON of an older version to `VERSION`. `None` when there is no way.
    fn migrate(version: u32, old: Value) -> Option<Value> {
        let _ = (version, old);
        None
    }
}

/// A record with its place in the catalog and the revision that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<R> {
    /// Id within the record's table.
    pub id: String,
    /// The change that wrote this version; the condition of a replacement.
    pub revision: Revision,
    /// The record.
    pub record: R,
}

/// The catalog key of a record.
#[must_use]
pub fn key_of<R: Record>(id: &str) -> String {
    format!("{}/{id}", R::TABLE)
}

#[derive(Serialize)]
struct EnvelopeOut<'a, R> {
    v: u32,
    r: &'a R,
}

#[derive(Deserialize)]
struct EnvelopeIn {
    v: u32,
    r: Value,
}

/// The stored form of a record.
pub(crate) fn encode<R: Record>(record: &R) -> Vec<u8> {
    serde_json::to_vec(&EnvelopeOut {
        v: R::VERSION,
        r: record,
    })
    .expect("records are plain data with string keys")
}

/// Reads the stored form back.
///
/// # Errors
/// `Unreadable` when the bytes are no envelope, come from a newer build, or have no migration.
pub(crate) fn decode<R: Record>(key: &str, bytes: &[u8]) -> Result<R, CatalogError> {
    let unreadable = |why: String| CatalogError::Unreadable {
        key: key.to_owned(),
        why,
    };
    let envelope: EnvelopeIn =
        serde_json::from_slice(bytes).map_err(|e| unreadable(e.to_string()))?;
    let value = match envelope.v {
        v if v == R::VERSION => envelope.r,
        v if v > R::VERSION => {
            return Err(unreadable(format!(
                "version {v} is newer than this build's {}",
                R::VERSION
            )));
        }
        v => R::migrate(v, envelope.r)
            .ok_or_else(|| unreadable(format!("no migration from version {v}")))?,
    };
    serde_json::from_value(value).map_err(|e| unreadable(e.to_string()))
}
