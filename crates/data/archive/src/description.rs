//! The description of an object, `NAME.meta`: a small JSON file with format name, version and checksum.
//!
//! ```json
//! {"format":"quorate-archive-object","version":1,"data":"5f…","size_bytes":12,"sha256":"ab…","crc32":123}
//! ```
//!
//! `data` names the file of bytes in `NAME.data/`; `crc32` is over the other values, so that a damaged
//! description is told from damaged bytes.

use rand::TryRngCore;
use rand::rngs::OsRng;
use serde::{Deserialize, Serialize};

use crate::{ArchiveError, ObjectInfo, ObjectName, Sha256Sum};

const FORMAT: &str = "quorate-archive-object";
const VERSION: u32 = 1;

/// What `NAME.meta` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    /// Where the bytes lie.
    pub(crate) data: DataId,
    /// What the bytes are.
    pub(crate) info: ObjectInfo,
}

/// The name of one file of bytes: random, so that two writers of one name never write the same file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataId(String);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    version: u32,
    data: String,
    size_bytes: u64,
    sha256: Sha256Sum,
    crc32: u32,
}

impl DataId {
    pub(crate) fn random() -> Result<DataId, ArchiveError> {
        let mut bytes = [0; 16];
        OsRng.try_fill_bytes(&mut bytes).map_err(|error| {
            ArchiveError::io("drawing an object's id")(std::io::Error::other(error))
        })?;
        Ok(DataId(hex::encode(bytes)))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Description {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut written = Written {
            format: FORMAT.to_owned(),
            version: VERSION,
            data: self.data.0.clone(),
            size_bytes: self.info.size_bytes,
            sha256: self.info.sha256,
            crc32: 0,
        };
        written.crc32 = checksum(&written);
        serde_json::to_vec(&written).expect("text and numbers are always JSON")
    }

    /// Reads what [`Description::encode`] wrote; anything else is [`ArchiveError::Corrupt`].
    pub(crate) fn decode(name: &ObjectName, bytes: &[u8]) -> Result<Description, ArchiveError> {
        let corrupt = |expected: String, found: String| ArchiveError::Corrupt {
            name: name.clone(),
            expected,
            found,
        };
        let written: Written = serde_json::from_slice(bytes)
            .map_err(|error| corrupt(String::from("a description"), error.to_string()))?;
        if written.format != FORMAT || written.version != VERSION {
            return Err(corrupt(
                format!("a description in format {FORMAT} {VERSION}"),
                format!("{} {}", written.format, written.version),
            ));
        }
        let sum = checksum(&written);
        if sum != written.crc32 || !is_data_id(&written.data) {
            return Err(corrupt(
                format!("a description with CRC {sum}"),
                written.crc32.to_string(),
            ));
        }
        Ok(Description {
            data: DataId(written.data),
            info: ObjectInfo {
                size_bytes: written.size_bytes,
                sha256: written.sha256,
            },
        })
    }
}

fn is_data_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn checksum(w: &Written) -> u32 {
    let text = format!(
        "{} {} {} {} {}",
        w.format, w.version, w.data, w.size_bytes, w.sha256
    );
    crc32fast::hash(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A description as version 1 writes it: what is in archives must stay readable.
    const VERSION_1: &str = concat!(
        r#"{"format":"quorate-archive-object","version":1,"data":"000102030405060708090a0b0c0d0e0f","size_bytes":5,"#,
        r#""sha256":"0707070707070707070707070707070707070707070707070707070707070707","crc32":2853199394}"#
    );

    fn description() -> Description {
        Description {
            data: DataId(String::from("000102030405060708090a0b0c0d0e0f")),
            info: ObjectInfo {
                size_bytes: 5,
                sha256: Sha256Sum::from([7; 32]),
            },
        }
    }

    fn decode(bytes: &[u8]) -> Result<Description, ArchiveError> {
        Description::decode(&"a".parse().unwrap(), bytes)
    }

    #[test]
    fn version_1_is_written_and_read() {
        let written = description().encode();
        assert_eq!(String::from_utf8(written).unwrap(), VERSION_1);
        assert_eq!(decode(VERSION_1.as_bytes()).unwrap(), description());
    }

    #[test]
    fn a_changed_or_torn_description_is_found() {
        for (from, to) in [
            ("\":5,", "\":6,"),
            ("0707", "0708"),
            ("0001", "0002"),
            (":1,", ":2,"),
        ] {
            let changed = VERSION_1.replacen(from, to, 1);
            assert_ne!(changed, VERSION_1);
            let error = decode(changed.as_bytes()).unwrap_err();
            assert!(matches!(error, ArchiveError::Corrupt { .. }), "{error}");
        }
        for length in 0..VERSION_1.len() {
            assert!(decode(&VERSION_1.as_bytes()[..length]).is_err(), "{length}");
        }
    }
}
