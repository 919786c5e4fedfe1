//! What a member's folder is: which life of the member, and its port. `member.json`, replaced whole.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use quorate_engines::EngineError;

const FORMAT: &str = "quorate-cache-member";
const VERSION: u32 = 1;

/// The content of `member.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    format: String,
    version: u32,
    /// The member's `incarnation`.
    pub(crate) incarnation: u32,
    /// Where its engine listens.
    pub(crate) port: u16,
    /// Whether the engine ended in order when it last ran, and so wrote down everything that it had.
    #[serde(default)]
    pub(crate) is_whole: bool,
}

impl Marker {
    pub(crate) fn new(incarnation: u32, port: u16) -> Marker {
        Marker {
            format: FORMAT.to_owned(),
            version: VERSION,
            incarnation,
            port,
            is_whole: false,
        }
    }

    /// The same, of an engine that ended in order, or did not.
    pub(crate) fn with_whole(self, is_whole: bool) -> Marker {
        Marker { is_whole, ..self }
    }

    /// Reads a folder's marker; none when there is none, or it is no marker: the folder is then of no use.
    pub(crate) fn read(root: &Path) -> Result<Option<Marker>, EngineError> {
        let path = root.join("member.json");
        match fs::read(&path) {
            Ok(bytes) => {
                let read = serde_json::from_slice::<Marker>(&bytes).ok();
                Ok(read.filter(|m| m.format == FORMAT && m.version == VERSION))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(EngineError::io(format!("read {}", path.display()))(e)),
        }
    }

    /// Writes the marker by a temporary neighbour, fsync and rename.
    pub(crate) fn write(&self, root: &Path) -> Result<(), EngineError> {
        let path = root.join("member.json");
        let temporary = root.join("member.json.tmp");
        let bytes = serde_json::to_vec(self).expect("a marker is plain data");
        let written = || -> io::Result<()> {
            let mut file = fs::File::create(&temporary)?;
            io::Write::write_all(&mut file, &bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            fs::File::open(root)?.sync_all()
        };
        written().map_err(EngineError::io(format!("write {}", path.display())))
    }
}
