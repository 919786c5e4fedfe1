//! Random reads and writes of one file through the kernel, by calls and by mapped memory, against a copy of what it should hold.
//!
//! `QUORATE_VOLUME_FS_SEED` runs one seed.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod mounting;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use mounting::{Place, can_mount};
use nix::fcntl::{FallocateFlags, fallocate};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SIZE_MAX: usize = 400_000;
const OPERATIONS: usize = 3_000;

struct World {
    random: ChaCha8Rng,
    place: Place,
    file: File,
    copy: Vec<u8>,
}

fn open(path: &Path) -> File {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).unwrap()
}

impl World {
    fn range(&mut self) -> (usize, usize) {
        let from = self.random.random_range(0..SIZE_MAX);
        let len = self.random.random_range(1..=60_000.min(SIZE_MAX - from));
        (from, from + len)
    }

    fn step(&mut self) {
        let (from, to) = self.range();
        match self.random.random_range(0..100) {
            0..40 => {
                let fill = self.random.random_range(0..3);
                self.file
                    .write_all_at(&vec![fill; to - from], from as u64)
                    .unwrap();
                self.grow(to);
                self.copy[from..to].fill(fill);
            }
            40..70 => self.read(from, to),
            70..80 => {
                self.file.set_len(from as u64).unwrap();
                self.copy.resize(from, 0);
            }
            80..88 => {
                let punch = FallocateFlags::FALLOC_FL_PUNCH_HOLE;
                let flags = punch | FallocateFlags::FALLOC_FL_KEEP_SIZE;
                fallocate(&self.file, flags, from as i64, (to - from) as i64).unwrap();
                self.zero(from, to);
            }
            88..92 => {
                let flags = FallocateFlags::FALLOC_FL_ZERO_RANGE;
                fallocate(&self.file, flags, from as i64, (to - from) as i64).unwrap();
                self.grow(to);
                self.zero(from, to);
            }
            92..95 => {
                let flags = FallocateFlags::empty();
                fallocate(&self.file, flags, from as i64, (to - from) as i64).unwrap();
                self.grow(to);
            }
            95..98 => self.file.sync_all().unwrap(),
            _ => self.mount_again(),
        }
        assert_eq!(self.file.metadata().unwrap().len(), self.copy.len() as u64);
    }

    fn grow(&mut self, to: usize) {
        self.copy.resize(self.copy.len().max(to), 0);
    }

    fn zero(&mut self, from: usize, to: usize) {
        let to = to.min(self.copy.len());
        self.copy[from.min(to)..to].fill(0);
    }

    fn read(&self, from: usize, to: usize) {
        let mut data = vec![0; to - from];
        let mut had = 0;
        while had < data.len() {
            let read = self
                .file
                .read_at(&mut data[had..], (from + had) as u64)
                .unwrap();
            if read == 0 {
                break;
            }
            had += read;
        }
        let to = to.min(self.copy.len());
        assert!(data[..had] == self.copy[from.min(to)..to], "{from}..{to}");
    }

    fn mount_again(&mut self) {
        let path = self.place.path().join("file");
        self.file = File::open("/dev/null").unwrap();
        self.place.unmount();
        self.place.mount();
        self.place.file_system().check().unwrap();
        self.file = open(&path);
        self.read(0, SIZE_MAX);
    }
}

#[test]
fn one_file_holds_what_was_written_in_every_way() {
    if !can_mount() {
        return;
    }
    let given = std::env::var("QUORATE_VOLUME_FS_SEED");
    let seed = given.map_or_else(|_| rand::rng().random(), |seed| seed.parse().unwrap());
    println!("seed {seed}");
    let place = Place::empty();
    let file = open(&place.path().join("file"));
    let mut world = World {
        random: ChaCha8Rng::seed_from_u64(seed),
        place,
        file,
        copy: Vec::new(),
    };
    for _ in 0..OPERATIONS {
        world.step();
    }
    world.mount_again();
}

#[test]
fn many_threads_leave_a_sound_file_system() {
    if !can_mount() {
        return;
    }
    let mut place = Place::empty();
    let root = place.path();
    let workers: Vec<_> = (0..6u8)
        .map(|worker| {
            let root = root.clone();
            std::thread::spawn(move || work(&root, worker))
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    place.file_system().check().unwrap();
    for worker in 0..6u8 {
        let kept = fs::read(root.join(format!("kept-{worker}"))).unwrap();
        assert!(kept == vec![worker + 1; 30_000]);
    }
    place.unmount();
    place.mount();
    place.file_system().check().unwrap();
    assert_eq!(fs::read_dir(&root).unwrap().count(), 6);
}

fn work(root: &Path, worker: u8) {
    let mut random = ChaCha8Rng::seed_from_u64(worker.into());
    let at = |name: String| root.join(name);
    for round in 0..60 {
        let path = at(format!("new-{worker}-{round}"));
        let file = open(&path);
        let len = random.random_range(1..200_000);
        file.write_all_at(&vec![worker + 1; len], 0).unwrap();
        let mut data = vec![0; len];
        file.read_exact_at(&mut data, 0).unwrap();
        assert!(
            data.iter().all(|byte| *byte == worker + 1),
            "another file's bytes"
        );
        match random.random_range(0..4) {
            0 => file.sync_all().unwrap(),
            1 => file.set_len(10).unwrap(),
            _ => {}
        }
        file.set_len(30_000).unwrap();
        file.write_all_at(&[worker + 1; 30_000], 0).unwrap();
        fs::rename(&path, at(format!("kept-{worker}"))).unwrap();
    }
}

/// Maps a file for reading and writing, and changes it there.
const MAPS: &str = r#"
import mmap, os, sys
path = sys.argv[1]
fd = os.open(path, os.O_RDWR)
with mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE) as m:
    assert m[5000:5003] == b"old", m[5000:5003]
    m[5000:5003] = b"new"
    m[100000:100004] = b"far!"
    os.pwrite(fd, b"call", 20000)
    assert m[20000:20004] == b"call"
    assert os.pread(fd, 3, 5000) == b"new"
    m.flush()
os.close(fd)
"#;

#[test]
fn mapped_memory_and_calls_see_the_same_bytes() {
    if !can_mount() {
        return;
    }
    if Command::new("python3").arg("--version").output().is_err() {
        println!("left out: needs python3, since mapping is unsafe in Rust");
        return;
    }
    let mut place = Place::empty();
    let path = place.path().join("file");
    let mut data = vec![0; 150_000];
    data[5000..5003].copy_from_slice(b"old");
    fs::write(&path, &data).unwrap();
    let python = Command::new("python3")
        .args(["-c", MAPS])
        .arg(&path)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&python.stderr);
    assert!(python.status.success(), "{errors}");
    data[5000..5003].copy_from_slice(b"new");
    data[100_000..100_004].copy_from_slice(b"far!");
    data[20_000..20_004].copy_from_slice(b"call");
    assert!(fs::read(&path).unwrap() == data);
    place.unmount();
    place.mount();
    assert!(fs::read(&path).unwrap() == data);
}
