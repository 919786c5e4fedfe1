//! A `write()` that arrives in pieces leaves no consistency point between them.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod mounting;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mounting::{Place, can_mount};
use quorate_volume::{Pages, Point};
use quorate_volume_fs::testing::MemoryPages;
use quorate_volume_fs::{FileSystem, Ino, Owner};

const PAGE: u64 = 8192;
const OWNER: Owner = Owner { uid: 0, gid: 0 };

struct World {
    pages: Arc<MemoryPages>,
    fs: Arc<FileSystem>,
    file: Ino,
    other: Ino,
    from: usize,
}

fn world() -> World {
    let pages = Arc::new(MemoryPages::new(8192, 10_000));
    let fs = FileSystem::open_or_format(pages.clone() as Arc<dyn Pages>).unwrap();
    let make = |name: &[u8]| fs.make(Ino::ROOT, name, 0o100_600, 0, OWNER).unwrap().ino;
    let (file, other) = (make(b"file"), make(b"other"));
    World {
        from: pages.units(),
        pages,
        fs: Arc::new(fs),
        file,
        other,
    }
}

impl World {
    fn write(&self, ino: Ino, offset: u64, len: usize, thread: u32) {
        let data = Bytes::from(vec![7; len]);
        self.fs.write(ino, offset, &data, Some(thread)).unwrap();
    }

    fn points(&self) -> Vec<Point> {
        let units = self.pages.units_from(self.from);
        units.into_iter().map(|(_, point)| point).collect()
    }

    fn wait_for_points(&self, expected: &[Point]) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.points() != expected {
            assert!(Instant::now() < deadline, "{:?}", self.points());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

use Point::{Consistent, Inside};

#[test]
fn no_point_lies_between_half_a_page_and_its_rest() {
    let world = world();
    world.write(world.file, PAGE, 4096, 1);
    world.write(world.other, 100, 100, 2);
    world.write(world.file, PAGE + 4096, 100, 1);
    world.write(world.file, PAGE + 4196, 3996, 1);
    world.write(world.other, 200, 100, 2);
    assert_eq!(
        world.points(),
        [Inside, Inside, Inside, Consistent, Consistent]
    );
}

#[test]
fn another_operation_of_the_thread_ends_the_hold() {
    let world = world();
    world.write(world.file, 0, 4096, 1);
    world.fs.thread_moved_on(2);
    assert_eq!(world.points(), [Inside]);
    world.fs.thread_moved_on(1);
    assert_eq!(world.points(), [Inside, Consistent]);
}

#[test]
fn a_write_elsewhere_ends_the_hold() {
    let world = world();
    world.write(world.file, 0, 4096, 1);
    world.write(world.file, 10 * PAGE, 8192, 2);
    assert_eq!(world.points(), [Inside, Consistent]);
}

#[test]
fn a_hold_after_a_hold_of_the_same_thread_has_a_point_between_them() {
    let world = world();
    world.write(world.file, 0, 4096, 1);
    world.write(world.other, 0, 4096, 1);
    world.fs.thread_moved_on(1);
    assert_eq!(world.points(), [Inside, Consistent, Inside, Consistent]);
}

#[test]
fn time_ends_a_hold() {
    let world = world();
    world.write(world.file, 0, 4096, 1);
    world.wait_for_points(&[Inside, Consistent]);
}

#[test]
fn a_sync_of_the_file_ends_its_hold() {
    let world = world();
    world.write(world.file, 0, 4096, 1);
    world.fs.sync(world.file, true).unwrap();
    assert_eq!(world.points(), [Inside, Consistent]);
}

#[test]
fn a_sync_of_another_file_waits_for_the_end_of_the_hold() {
    let world = world();
    world.write(world.file, 0, 4096, 1);
    world.write(world.other, 100, 100, 2);
    world.fs.sync(world.other, true).unwrap();
    assert_eq!(world.points(), [Inside, Inside, Consistent]);
    assert!(world.pages.synced() >= world.from + 3);
}

#[test]
fn holds_without_end_do_not_stop_a_sync() {
    let world = world();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writers: Vec<_> = (1..4)
        .map(|thread| {
            let (fs, stop) = (world.fs.clone(), stop.clone());
            let name = [b'a' + thread as u8];
            let ino = fs.make(Ino::ROOT, &name, 0o100_600, 0, OWNER).unwrap().ino;
            std::thread::spawn(move || {
                let data = Bytes::from_static(&[7; 4096]);
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    fs.write(ino, 0, &data, Some(thread)).unwrap();
                    // As if the next piece never came: each hold ends by its time or its successor.
                    std::thread::sleep(Duration::from_millis(7 * u64::from(thread)));
                }
            })
        })
        .collect();
    let (fs, other) = (world.fs.clone(), world.other);
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for _ in 0..20 {
            fs.write(other, 100, &Bytes::from_static(b"x"), Some(99))
                .unwrap();
            fs.sync(other, true).unwrap();
        }
        done.send(()).unwrap();
    });
    is_done
        .recv_timeout(Duration::from_secs(60))
        .expect("syncs go on");
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for writer in writers {
        writer.join().unwrap();
    }
}

#[test]
fn through_the_kernel_half_a_page_waits_for_the_next_call_of_its_thread() {
    if !can_mount() {
        return;
    }
    let place = Place::empty();
    let file = File::create(place.path().join("file")).unwrap();
    let from = place.pages.units();
    file.write_all_at(&[1; 4096], 0).unwrap();
    let held = place.pages.units_from(from);
    assert_eq!(held.last().map(|(_, point)| *point), Some(Inside));
    fs::metadata(place.path().join("absent")).unwrap_err();
    let ended = place.pages.units_from(from);
    assert_eq!(ended.last().map(|(_, point)| *point), Some(Consistent));
}
