//! Random operations, crashes at any place, and what is there afterwards.
//!
//! `QUORATE_VOLUME_FS_SEED` runs one seed; otherwise a few are run.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod model;

use std::sync::Arc;

use bytes::Bytes;
use model::{Id, Model, Node, ROOT};
use quorate_volume::Pages;
use quorate_volume_fs::testing::MemoryPages;
use quorate_volume_fs::{AllocateHow, FileSystem, FsError, Ino, Owner, RenameHow, SetAttributes};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const OPERATIONS: usize = 250;
const LIVES: usize = 4;
const OWNER: Owner = Owner { uid: 0, gid: 0 };
/// Large files make truncations that free their pages in several units.
const SIZE_MAX: u64 = 3_000_000;

struct World {
    random: ChaCha8Rng,
    pages: Arc<MemoryPages>,
    fs: FileSystem,
    model: Model,
    /// Held as the kernel would hold what is open.
    open: Vec<Id>,
    /// From how many units on the volume holds this.
    story: Vec<(usize, Model)>,
}

impl World {
    fn new(seed: u64, pages: MemoryPages, model: Model) -> World {
        let pages = Arc::new(pages);
        let fs = FileSystem::open_or_format(pages.clone() as Arc<dyn Pages>).unwrap();
        World {
            random: ChaCha8Rng::seed_from_u64(seed),
            story: vec![(0, model.clone())],
            pages,
            fs,
            model,
            open: Vec::new(),
        }
    }

    fn any(&mut self, wanted: impl Fn(&Node) -> bool) -> Option<Id> {
        let nodes = self.model.nodes.iter();
        let mut ids: Vec<Id> = nodes
            .filter(|(_, n)| wanted(n))
            .map(|(id, _)| *id)
            .collect();
        ids.sort_unstable();
        ids.choose(&mut self.random).copied()
    }

    fn folder(&mut self) -> Id {
        let found = self.any(|node| matches!(node, Node::Folder(_)));
        // Not one that has lost its name: only the root and named ones.
        found
            .filter(|id| *id == ROOT || self.model.links(*id) > 0)
            .unwrap_or(ROOT)
    }

    fn name(&mut self) -> String {
        let n = self.random.random_range(0..8);
        match self.random.random_range(0..20) {
            0 => format!("{n}-{}", "long".repeat(60)),
            _ => format!("name-{n}"),
        }
    }

    fn step(&mut self) {
        let units = self.pages.units();
        let before = self.model.clone();
        match self.random.random_range(0..100) {
            0..12 => self.make(),
            12..16 => self.link(),
            16..24 => self.unlink(),
            24..28 => self.remove_folder(),
            28..38 => self.rename(),
            38..74 => self.write(),
            74..82 => self.truncate(),
            82..90 => self.allocate(),
            90..93 => self.open(),
            93..96 => self.close(),
            96..98 => self.sync(),
            98..99 => self.refused(),
            _ => self.model.assert_is(&self.fs),
        }
        self.model.reap(&self.open);
        let changed = self.pages.units() > units;
        if changed {
            self.story.push((units + 1, self.model.clone()));
        } else {
            // Without a unit nothing may have changed.
            let (old, new) = (before.nodes.len(), self.model.nodes.len());
            assert!(new <= old, "something was made without a unit");
        }
    }

    fn make(&mut self) {
        let (parent, name) = (self.folder(), self.name());
        let expected = self.model.check_new(parent, &name);
        let (at, bytes) = (Ino(parent), name.as_bytes());
        let (made, node) = match self.random.random_range(0..10) {
            0..6 => {
                let made = self.fs.make(at, bytes, 0o100_644, 0, OWNER);
                (made, Node::File(Arc::default()))
            }
            6..9 => {
                let made = self.fs.make_folder(at, bytes, 0o755, OWNER);
                (made, Node::Folder(Default::default()))
            }
            _ => {
                let target = "t".repeat(self.random.random_range(1..4000));
                let made = self.fs.make_link(at, bytes, target.as_bytes(), OWNER);
                (made, Node::Link(target))
            }
        };
        match made {
            Ok(made) => {
                assert_eq!(expected, Ok(()));
                self.model.make(parent, &name, made.ino.0, node);
                self.fs.forget(made.ino, 1);
            }
            Err(error) => assert_eq!(expected, Err(error)),
        }
    }

    fn link(&mut self) {
        let named = |world: &World, id: Id| world.model.links(id) > 0;
        let Some(id) = self.any(|_| true).filter(|id| named(self, *id)) else {
            return;
        };
        let (parent, name) = (self.folder(), self.name());
        let done = self.fs.link(Ino(id), Ino(parent), name.as_bytes());
        if done.is_ok() {
            self.fs.forget(Ino(id), 1);
        }
        let expected = self.model.link(id, parent, &name);
        assert_eq!(done.map(|_| ()), expected);
    }

    fn unlink(&mut self) {
        let (parent, name) = (self.folder(), self.name());
        let done = self.fs.unlink(Ino(parent), name.as_bytes());
        assert_eq!(done, self.model.unlink(parent, &name).map(|_| ()));
    }

    fn remove_folder(&mut self) {
        let (parent, name) = (self.folder(), self.name());
        let done = self.fs.remove_folder(Ino(parent), name.as_bytes());
        assert_eq!(done, self.model.remove_folder(parent, &name));
    }

    fn rename(&mut self) {
        let (parent, name) = (self.folder(), self.name());
        let (new_parent, new_name) = (self.folder(), self.name());
        let exchange = self.random.random_bool(0.3);
        let how = match exchange {
            true => RenameHow::Exchange,
            false => RenameHow::Replace,
        };
        let from = (Ino(parent), name.as_bytes());
        let done = self
            .fs
            .rename(from, (Ino(new_parent), new_name.as_bytes()), how);
        let (from, to) = ((parent, &name[..]), (new_parent, &new_name[..]));
        let expected = self.model.rename(from, to, exchange);
        assert_eq!(done, expected.map(|_| ()));
    }

    fn file(&mut self) -> Option<Id> {
        self.any(|node| matches!(node, Node::File(_)))
    }

    fn range(&mut self) -> (u64, u64) {
        let small = self.random.random_bool(0.5);
        let max = if small { 40_000 } else { SIZE_MAX };
        let mut offset = self.random.random_range(0..max);
        let mut len = self
            .random
            .random_range(1..if small { 20_000 } else { 200_000 });
        if self.random.random_bool(0.5) {
            offset = offset / 4096 * 4096;
            len = u64::max(len / 4096 * 4096, 4096);
        }
        (offset, len)
    }

    fn write(&mut self) {
        let Some(id) = self.file() else { return };
        let (offset, len) = self.range();
        let fill = *[0, 0, 1, 2, 3].choose(&mut self.random).unwrap();
        let data = vec![fill; usize::try_from(len).unwrap()];
        let bytes = Bytes::from(data.clone());
        self.fs.write(Ino(id), offset, &bytes, None).unwrap();
        let file = self.model.data(id);
        let (from, to) = (offset as usize, (offset + len) as usize);
        file.resize(file.len().max(to), 0);
        file[from..to].copy_from_slice(&data);
    }

    fn truncate(&mut self) {
        let Some(id) = self.file() else { return };
        let size = match self.random.random_range(0..3) {
            0 => 0,
            1 => self.random.random_range(0..50_000),
            _ => self.random.random_range(0..SIZE_MAX),
        };
        let set = SetAttributes {
            size: Some(size),
            ..SetAttributes::default()
        };
        self.fs.set_attributes(Ino(id), set).unwrap();
        self.model
            .data(id)
            .resize(usize::try_from(size).unwrap(), 0);
    }

    fn allocate(&mut self) {
        let Some(id) = self.file() else { return };
        let (offset, mut len) = self.range();
        if self.random.random_bool(0.2) {
            len = SIZE_MAX;
        }
        let how = *[
            AllocateHow::Grow,
            AllocateHow::KeepSize,
            AllocateHow::PunchHole,
            AllocateHow::PunchHole,
            AllocateHow::ZeroRange { grow: true },
            AllocateHow::ZeroRange { grow: false },
        ]
        .choose(&mut self.random)
        .unwrap();
        self.fs.allocate(Ino(id), offset, len, how).unwrap();
        let file = self.model.data(id);
        let end = (offset + len) as usize;
        if matches!(
            how,
            AllocateHow::Grow | AllocateHow::ZeroRange { grow: true }
        ) {
            file.resize(file.len().max(end), 0);
        }
        if matches!(how, AllocateHow::PunchHole | AllocateHow::ZeroRange { .. }) {
            let to = end.min(file.len());
            let from = (offset as usize).min(to);
            file[from..to].fill(0);
        }
    }

    fn open(&mut self) {
        let (parent, name) = (self.folder(), self.name());
        match self.fs.look_up(Ino(parent), name.as_bytes()) {
            Ok(found) => {
                assert_eq!(self.model.folder(parent)[&name], found.ino.0);
                match self.model.nodes[&found.ino.0] {
                    Node::File(_) => self.open.push(found.ino.0),
                    _ => self.fs.forget(found.ino, 1),
                }
            }
            Err(error) => {
                assert_eq!(error, FsError::NotFound);
                assert!(!self.model.folder(parent).contains_key(&name));
            }
        }
    }

    fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let at = self.random.random_range(0..self.open.len());
        let id = self.open.swap_remove(at);
        let data = self.fs.read(Ino(id), 0, 1 << 30).unwrap();
        assert!(&data == self.model.data(id), "what is open has its bytes");
        self.fs.forget(Ino(id), 1);
    }

    fn sync(&mut self) {
        match self.any(|_| true) {
            Some(id) if self.random.random_bool(0.8) => self.fs.sync(Ino(id), false).unwrap(),
            _ => self.fs.sync_all().unwrap(),
        }
    }

    /// The volume has no room for an operation: nothing has changed.
    fn refused(&mut self) {
        let full = quorate_volume::PagesError::NoSpace("a test".to_owned());
        self.pages.refuse(Some(full));
        let (parent, name, id) = (self.folder(), self.name(), self.file());
        let (at, bytes) = (Ino(parent), name.as_bytes());
        let done = match (self.random.random_range(0..4), id) {
            (0, Some(id)) => {
                let data = Bytes::from_static(&[9; 10_000]);
                self.fs.write(Ino(id), 5_000, &data, None).map(|()| true)
            }
            (1, Some(id)) => {
                let set = SetAttributes {
                    size: Some(1),
                    ..SetAttributes::default()
                };
                self.fs.set_attributes(Ino(id), set).map(|_| true)
            }
            (2, _) => self.fs.unlink(at, bytes).map(|()| true),
            _ => self.fs.make(at, bytes, 0o100_600, 0, OWNER).map(|_| true),
        };
        assert!(done.is_err(), "there was no room");
        self.pages.refuse(None);
        self.model.assert_is(&self.fs);
    }

    /// What is there after a crash, and what should be.
    fn crash(&mut self) -> (MemoryPages, Model) {
        let points = self.pages.crash_points(self.pages.synced());
        // Before the first unit there is no file system.
        let points: Vec<usize> = points.into_iter().filter(|at| *at > 0).collect();
        let at = *points.choose(&mut self.random).unwrap();
        let mut told = self.story.iter().rev();
        let mut model = told.find(|(from, _)| *from <= at).unwrap().1.clone();
        model.reap(&[]);
        (self.pages.after(at), model)
    }
}

fn run(seed: u64) {
    println!("seed {seed}");
    let pages = MemoryPages::new(4096, 20_000);
    let mut world = World::new(seed, pages, Model::new());
    for life in 0..LIVES as u64 {
        for _ in 0..OPERATIONS {
            world.step();
        }
        world.model.assert_is(&world.fs);
        for _ in 0..10 {
            let (pages, model) = world.crash();
            let fs = FileSystem::open(Arc::new(pages)).unwrap();
            model.assert_is(&fs);
        }
        let (pages, model) = world.crash();
        world = World::new(seed + 1_000 * (life + 1), pages, model);
        world.model.assert_is(&world.fs);
    }
}

#[test]
fn after_any_crash_the_files_are_those_of_some_moment_since_the_last_sync() {
    match std::env::var("QUORATE_VOLUME_FS_SEED") {
        Ok(seed) => run(seed.parse().unwrap()),
        Err(_) => (0..4).for_each(run),
    }
}
