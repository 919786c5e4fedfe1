//! What operations cost on the volume: page writes, and bytes in them.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use bytes::Bytes;
use quorate_volume::{Content, PageWrite, Pages, Point};
use quorate_volume_fs::testing::MemoryPages;
use quorate_volume_fs::{AllocateHow, FileSystem, Ino, Owner, RenameHow};

const OWNER: Owner = Owner { uid: 0, gid: 0 };

struct World {
    pages: Arc<MemoryPages>,
    fs: FileSystem,
}

impl World {
    fn new() -> World {
        let pages = Arc::new(MemoryPages::new(8192, 100_000));
        let fs = FileSystem::open_or_format(pages.clone() as Arc<dyn Pages>).unwrap();
        World { pages, fs }
    }

    /// Units, page writes, bytes.
    fn cost(&self, act: impl FnOnce()) -> (usize, usize, usize) {
        let (units, bytes) = (self.pages.units(), self.pages.bytes_written());
        act();
        let new = self.pages.units_from(units);
        let writes = new.iter().map(|(writes, _)| writes.len()).sum();
        (new.len(), writes, self.pages.bytes_written() - bytes)
    }

    fn make(&self, name: &str) -> Ino {
        self.fs
            .make(Ino::ROOT, name.as_bytes(), 0o100_600, 0, OWNER)
            .unwrap()
            .ino
    }

    fn write(&self, ino: Ino, page: u64, fill: u8) {
        let data = Bytes::from(vec![fill; 8192]);
        self.fs.write(ino, page * 8192, &data, None).unwrap();
    }
}

#[test]
fn a_page_more_costs_the_page_and_some_bytes() {
    let world = World::new();
    let file = world.make("file");
    world.write(file, 0, 1);
    let (units, writes, bytes) = world.cost(|| world.write(file, 1, 1));
    assert_eq!((units, writes), (1, 3));
    assert!(bytes < 8192 + 40, "{bytes}");
}

#[test]
fn a_page_again_costs_the_page_alone() {
    let world = World::new();
    let file = world.make("file");
    world.write(file, 0, 1);
    assert_eq!(world.cost(|| world.write(file, 0, 2)), (1, 1, 8192));
    let (units, writes, bytes) = world.cost(|| world.fs.sync(file, true).unwrap());
    assert_eq!((units, writes, bytes), (0, 0, 0), "times can wait");
    let (_, writes, bytes) = world.cost(|| world.fs.sync(file, false).unwrap());
    assert!(writes == 1 && bytes < 32, "{writes} writes, {bytes} bytes");
}

#[test]
fn names_cost_tens_of_bytes() {
    let world = World::new();
    let (_, writes, bytes) = world.cost(|| {
        world.make("16384");
    });
    assert!(writes <= 2 && bytes <= 96, "{writes} writes, {bytes} bytes");
    let (from, to) = ((Ino::ROOT, &b"16384"[..]), (Ino::ROOT, &b"16385"[..]));
    let (_, writes, bytes) = world.cost(|| {
        world.fs.rename(from, to, RenameHow::Replace).unwrap();
    });
    assert!(writes <= 2 && bytes <= 64, "{writes} writes, {bytes} bytes");
    let (_, writes, bytes) = world.cost(|| world.fs.unlink(Ino::ROOT, b"16385").unwrap());
    assert!(writes <= 2 && bytes <= 64, "{writes} writes, {bytes} bytes");
}

#[test]
fn room_for_half_a_gigabyte_costs_tens_of_bytes() {
    let world = World::new();
    let file = world.make("file");
    let (units, writes, bytes) = world.cost(|| {
        let how = AllocateHow::Grow;
        world.fs.allocate(file, 0, 500 << 20, how).unwrap();
    });
    assert_eq!((units, writes), (1, 2));
    assert!(bytes <= 64, "{bytes}");
}

#[test]
fn files_that_grow_in_turn_keep_their_pages_together() {
    let world = World::new();
    let files: Vec<Ino> = (0..8).map(|n| world.make(&format!("{n}"))).collect();
    let from = world.pages.units();
    for page in 0..2_000 {
        for file in &files {
            world.write(*file, page, 1);
        }
    }
    let units = world.pages.units_from(from);
    let data_page = |unit: &(Vec<PageWrite>, Point)| {
        let whole = |write: &&PageWrite| matches!(&write.content, Content::Bytes { data, .. } if data.len() == 8192);
        unit.0.iter().find(whole).unwrap().page.0
    };
    let of_first: Vec<u64> = units.iter().step_by(8).map(data_page).collect();
    let breaks = of_first
        .windows(2)
        .filter(|pair| pair[1] != pair[0] + 1)
        .count();
    assert!(breaks < 100, "{breaks} extents for 2,000 pages");
    world.fs.check().unwrap();
}
