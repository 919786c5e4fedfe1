//! The list of a snapshot's objects, itself an object: JSON with format and version. The archive keeps its checksum.

use quorate_archive::{ObjectInfo, ObjectName};
use serde::{Deserialize, Serialize};

use quorate_volume::protocol::Lsn;

use crate::aurora::agent::transfer::error::TransferError;
use crate::model::PasswordVerifier;

const FORMAT: &str = "quorate-cluster-snapshot";
const VERSION: u32 = 1;

/// What a snapshot consists of: enough to restore it without any record of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// The cluster's identifier.
    pub(super) cluster: String,
    pub(super) cluster_resource_id: String,
    pub(super) engine_version: String,
    pub(super) master_username: String,
    pub(super) master_verifier: PasswordVerifier,
    pub(super) database_name: Option<String>,
    /// What the pages are as of.
    pub(super) lsn: Lsn,
    pub(super) page_bytes: u32,
    pub(super) pages_per_group: u64,
    /// Protection groups.
    pub(super) groups: u32,
    /// The files of pages, ascending.
    pub(super) parts: Vec<ManifestPart>,
}

/// One file of pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ManifestPart {
    pub(super) object: ObjectName,
    pub(super) pages: u64,
    pub(super) info: ObjectInfo,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<M> {
    format: String,
    version: u32,
    snapshot: M,
}

/// What is read first, whatever else there is.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

impl Manifest {
    pub(super) fn encode(&self) -> Vec<u8> {
        let written = Written {
            format: FORMAT.to_owned(),
            version: VERSION,
            snapshot: self,
        };
        serde_json::to_vec_pretty(&written).expect("text and numbers are always JSON")
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Manifest, TransferError> {
        let unreadable = |e: serde_json::Error| TransferError::Manifest(e.to_string());
        let head: Head = serde_json::from_slice(bytes).map_err(unreadable)?;
        if head.format != FORMAT || head.version != VERSION {
            return Err(TransferError::Manifest(format!(
                "it has format {} {}",
                head.format, head.version
            )));
        }
        let written: Written<Manifest> = serde_json::from_slice(bytes).map_err(unreadable)?;
        Ok(written.snapshot)
    }

    /// Bytes of all files of pages.
    pub(super) fn size_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.info.size_bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 1 is written: what is in archives must stay readable.
    const VERSION_1: &str = r#"{
        "format": "quorate-cluster-snapshot", "version": 1, "snapshot": {
            "cluster": "c", "cluster_resource_id": "cluster-TEST", "engine_version": "15.18",
            "master_username": "admin1", "master_verifier": "SCRAM-SHA-256$4096:a$b:c",
            "database_name": "shop", "lsn": 12, "page_bytes": 8192, "pages_per_group": 64, "groups": 2,
            "parts": [{"object": "a/b.pages", "pages": 3, "info": {"size_bytes": 9, "sha256":
                "0707070707070707070707070707070707070707070707070707070707070707"}}]
        }
    }"#;

    #[test]
    fn version_1_is_read_and_written() {
        let manifest = Manifest::decode(VERSION_1.as_bytes()).unwrap();
        assert_eq!((manifest.lsn, manifest.size_bytes()), (Lsn(12), 9));
        assert_eq!(Manifest::decode(&manifest.encode()).unwrap(), manifest);
        let same: serde_json::Value = serde_json::from_slice(&manifest.encode()).unwrap();
        assert_eq!(
            same,
            serde_json::from_str::<serde_json::Value>(VERSION_1).unwrap()
        );
    }

    #[test]
    fn another_version_is_refused_by_its_name() {
        let later = VERSION_1.replacen("\"version\": 1", "\"version\": 2", 1);
        let error = Manifest::decode(later.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("quorate-cluster-snapshot 2"));
    }
}
