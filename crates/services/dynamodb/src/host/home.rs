//! The folder that a node's replicas are in, and its name for itself.
//!
//! ```text
//! home     the name: sixteen hexadecimal digits
//! items/   the partitions' items
//! log/     the groups' log
//! ```
//!
//! Invariant: a name stands for items and log together. When one of the two is lost the other is worth nothing: replicas
//! are made anew, under another name.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::model::HomeId;

/// What is done about a folder when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// It is as it was left.
    Keep,
    /// All is there but the name, as from a version that gave none.
    Name,
    /// Items or log are missing.
    Renew,
}

fn decide_opening(name: bool, items: bool, log: bool) -> Opening {
    match (name, items && log) {
        (true, true) => Opening::Keep,
        (false, true) => Opening::Name,
        (_, false) => Opening::Renew,
    }
}

/// Where the items are.
pub(crate) fn items_folder(folder: &Path) -> PathBuf {
    folder.join("items")
}

/// Where the log is.
pub(crate) fn log_folder(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// Opens the folder; its name is another one when something of it was lost. Blocks.
///
/// # Errors
/// When it cannot be read or written, or the name is damaged.
pub(crate) fn open(folder: &Path) -> io::Result<HomeId> {
    let (name, items, log) = (
        folder.join("home"),
        items_folder(folder),
        log_folder(folder),
    );
    let opening = decide_opening(name.exists(), items.exists(), log.exists());
    if opening == Opening::Keep {
        let text = std::fs::read_to_string(&name)?;
        let number = u64::from_str_radix(text.trim(), 16);
        return number.map(HomeId).map_err(io::Error::other);
    }
    if opening == Opening::Renew {
        tracing::info!(folder = %folder.display(), "the replicas of this node begin with nothing");
        // The name first: what is half removed must not look whole.
        remove(|| std::fs::remove_file(&name))?;
        sync(folder)?;
        for part in [&items, &log] {
            remove(|| std::fs::remove_dir_all(part))?;
            std::fs::create_dir_all(part)?;
        }
    }
    let home = HomeId(rand::random());
    let unfinished = folder.join("home.unfinished");
    let mut file = File::create(&unfinished)?;
    writeln!(file, "{:016x}", home.0)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, &name)?;
    sync(folder)?;
    Ok(home)
}

fn remove(remove: impl Fn() -> io::Result<()>) -> io::Result<()> {
    match remove() {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_name_until_something_of_it_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let first = open(folder).unwrap();
        assert_eq!(open(folder).unwrap(), first);
        let kept = items_folder(folder).join("row");
        std::fs::write(&kept, b"row").unwrap();
        assert_eq!(open(folder).unwrap(), first);

        std::fs::remove_file(folder.join("home")).unwrap();
        let named = open(folder).unwrap();
        assert_ne!(named, first);
        assert!(kept.exists(), "a folder without a name keeps what it has");

        std::fs::remove_dir_all(log_folder(folder)).unwrap();
        let renewed = open(folder).unwrap();
        assert_ne!(renewed, named);
        assert!(!kept.exists(), "items without their log are worth nothing");
        assert_eq!(open(folder).unwrap(), renewed);
    }

    #[test]
    fn what_is_missing_decides() {
        let cases = [
            (true, true, true, Opening::Keep),
            (false, true, true, Opening::Name),
            (true, false, true, Opening::Renew),
            (true, true, false, Opening::Renew),
            (false, false, false, Opening::Renew),
        ];
        for (name, items, log, opening) in cases {
            assert_eq!(decide_opening(name, items, log), opening);
        }
    }
}
