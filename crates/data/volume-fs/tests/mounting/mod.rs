//! A file system over pages in memory, mounted in a folder of its own.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use quorate_volume::Pages;
use quorate_volume_fs::FileSystem;
use quorate_volume_fs::fuse::{MountOptions, Mounted, mount, supported};
use quorate_volume_fs::testing::MemoryPages;

/// Says why mounting is not possible here, so that the test can be left out.
pub(crate) fn can_mount() -> bool {
    match supported() {
        Ok(()) => true,
        Err(why) => {
            println!("left out: {why}");
            false
        }
    }
}

pub(crate) struct Place {
    pub(crate) pages: Arc<MemoryPages>,
    mounted: Option<Mounted>,
    folder: tempfile::TempDir,
}

impl Place {
    /// Mounts what the pages hold, having formatted them when they are empty.
    pub(crate) fn new(pages: MemoryPages) -> Place {
        let folder = tempfile::Builder::new()
            .prefix("quorate-test-volume-fs-")
            .tempdir()
            .unwrap();
        let mut place = Place {
            pages: Arc::new(pages),
            mounted: None,
            folder,
        };
        std::fs::create_dir(place.path()).unwrap();
        place.mount();
        place
    }

    pub(crate) fn empty() -> Place {
        Place::new(MemoryPages::new(8192, 1 << 20))
    }

    pub(crate) fn mount(&mut self) {
        let pages: Arc<dyn Pages> = self.pages.clone();
        let file_system = Arc::new(FileSystem::open_or_format(pages).unwrap());
        let mounted = mount(file_system, &self.path(), &MountOptions::default()).unwrap();
        self.mounted = Some(mounted);
    }

    pub(crate) fn unmount(&mut self) {
        self.mounted.take().unwrap().unmount().unwrap();
    }

    pub(crate) fn file_system(&self) -> &Arc<FileSystem> {
        self.mounted.as_ref().unwrap().file_system()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("mnt")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Before the folder goes, or its removal would empty the mounted file system.
        self.mounted = None;
        if !std::thread::panicking() {
            let left = std::fs::read_dir(self.path()).map(Iterator::count);
            assert_eq!(left.ok(), Some(0), "nothing stays mounted");
        }
    }
}
