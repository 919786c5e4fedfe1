//! The last epoch at which this node opened a volume for writing, on disk.
//!
//! Invariant: it is there before the volume is opened. A node that restarts finds it and asks for the next epoch: no volume
//! is opened twice at one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use quorate_base::Epoch;
use quorate_engines::EngineError;

const NAME: &str = "opened-epoch";

/// Notes an epoch in the member's folder.
pub(super) fn write(folder: &Path, epoch: Epoch) -> Result<(), EngineError> {
    let path = folder.join(NAME);
    let new = folder.join("opened-epoch.new");
    let write = || {
        let mut file = File::create(&new)?;
        write!(file, "{}", epoch.0)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(EngineError::io(format!("write {}", path.display())))
}

/// What was noted last.
pub(super) fn read(folder: &Path) -> Result<Option<Epoch>, EngineError> {
    let path = folder.join(NAME);
    let failed = || EngineError::io(format!("read {}", path.display()));
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed()(e)),
    };
    let epoch = text.trim().parse().map(Epoch);
    let epoch = epoch.map_err(|e| failed()(io::Error::other(format!("no epoch: {e}"))))?;
    Ok(Some(epoch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_found_again_and_rubbish_is_told() {
        let folder = std::env::temp_dir().join(format!("quorate-opened-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(read(&folder).unwrap(), None);
        write(&folder, Epoch(7)).unwrap();
        write(&folder, Epoch(8)).unwrap();
        assert_eq!(read(&folder).unwrap(), Some(Epoch(8)));
        fs::write(folder.join(NAME), "x").unwrap();
        assert!(read(&folder).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
