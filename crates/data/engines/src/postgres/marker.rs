//! What a member's folder is: which resource, which life of it, and what it last ran as.
//!
//! `member.json` is `{"format":"quorate-member","version":1,"member":{…},"checksum":"…"}`; the
//! checksum is FNV-1a of the member as this version writes it. It is replaced whole, so a crash
//! leaves the older one.

use std::fs;
use std::io;

use quorate_base::Epoch;
use serde::{Deserialize, Serialize};

use super::paths::MemberPaths;
use crate::account::EngineAccount;
use crate::durable;
use crate::error::EngineError;
use crate::folder::fnv1a;

const FORMAT: &str = "quorate-member";
const VERSION: u32 = 1;

/// What a member ran as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberRole {
    /// It took writes.
    Primary,
    /// It followed, to be promoted.
    Standby,
    /// It followed, to serve reads.
    Replica,
}

/// The content of a member's marker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberMarker {
    /// The id of the resource that the data belongs to.
    pub resource: String,
    /// Tells this life of the resource's name from an earlier one, deleted since.
    pub incarnation: String,
    /// The epoch that it last ran in.
    pub epoch: Epoch,
    /// What it last ran as.
    pub role: MemberRole,
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    format: String,
    version: u32,
    member: MemberMarker,
    checksum: String,
}

impl MemberMarker {
    /// Writes the marker durably.
    ///
    /// # Errors
    /// [`EngineError::Io`]; the older marker then still stands.
    pub fn write(&self, paths: &MemberPaths, account: &EngineAccount) -> Result<(), EngineError> {
        let failed = || EngineError::io(format!("write {}", paths.marker().display()));
        let envelope = Envelope {
            format: FORMAT.to_owned(),
            version: VERSION,
            member: self.clone(),
            checksum: self.checksum(),
        };
        let text = serde_json::to_vec_pretty(&envelope).map_err(|e| failed()(e.into()))?;
        durable::write_whole(&paths.marker(), &text, 0o600, account).map_err(failed())
    }

    /// Reads the marker; `None` when there is none.
    ///
    /// # Errors
    /// [`EngineError::Io`] when it cannot be read, [`EngineError::Unexpected`] when it is of
    /// another version or damaged.
    pub fn read(paths: &MemberPaths) -> Result<Option<MemberMarker>, EngineError> {
        let path = paths.marker();
        let wrong = |answer: String| EngineError::Unexpected {
            doing: format!("read {}", path.display()),
            answer,
        };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(EngineError::io(format!("read {}", path.display()))(error)),
        };
        let envelope: Envelope =
            serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
        if envelope.format != FORMAT || envelope.version != VERSION {
            return Err(wrong(format!(
                "{} version {}",
                envelope.format, envelope.version
            )));
        }
        if envelope.checksum != envelope.member.checksum() {
            return Err(wrong(String::from("its checksum does not fit")));
        }
        Ok(Some(envelope.member))
    }

    fn checksum(&self) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        format!("{:016x}", fnv1a(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A marker of version 1 as it stands on disks.
    const VERSION_1: &str = include_str!("../../tests/fixtures/member-v1.json");

    fn marker() -> MemberMarker {
        MemberMarker {
            resource: String::from("orders"),
            incarnation: String::from("db-1"),
            epoch: Epoch(7),
            role: MemberRole::Standby,
        }
    }

    #[test]
    fn a_marker_reads_what_it_wrote_and_sees_damage() {
        let account = EngineAccount::resolve(None).unwrap();
        let root = tempfile::tempdir().unwrap();
        let paths = MemberPaths::new(root.path(), &account).unwrap();
        assert_eq!(MemberMarker::read(&paths).unwrap(), None);
        marker().write(&paths, &account).unwrap();
        assert_eq!(MemberMarker::read(&paths).unwrap(), Some(marker()));
        let text = fs::read_to_string(paths.marker()).unwrap();
        fs::write(paths.marker(), text.replace("\"epoch\": 7", "\"epoch\": 8")).unwrap();
        assert!(MemberMarker::read(&paths).is_err());
        fs::write(paths.marker(), "{").unwrap();
        assert!(MemberMarker::read(&paths).is_err());
    }

    #[test]
    fn version_1_stays_readable() {
        let account = EngineAccount::resolve(None).unwrap();
        let root = tempfile::tempdir().unwrap();
        let paths = MemberPaths::new(root.path(), &account).unwrap();
        fs::write(paths.marker(), VERSION_1).unwrap();
        assert_eq!(MemberMarker::read(&paths).unwrap(), Some(marker()));
    }
}
