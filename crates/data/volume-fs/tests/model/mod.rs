//! What files, folders and links should be, in the simplest form.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use quorate_volume_fs::{FileSystem, FsError, Ino};

pub(crate) type Id = u64;
pub(crate) const ROOT: Id = 1;

#[derive(Clone, Debug)]
pub(crate) enum Node {
    File(Arc<Vec<u8>>),
    Folder(BTreeMap<String, Id>),
    Link(String),
}

/// Nodes by the numbers that the file system gave them.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) nodes: HashMap<Id, Node>,
}

impl Model {
    pub(crate) fn new() -> Model {
        let root = Node::Folder(BTreeMap::new());
        Model {
            nodes: HashMap::from([(ROOT, root)]),
        }
    }

    pub(crate) fn folder(&mut self, id: Id) -> &mut BTreeMap<String, Id> {
        match self.nodes.get_mut(&id) {
            Some(Node::Folder(entries)) => entries,
            other => panic!("{id} is no folder: {other:?}"),
        }
    }

    pub(crate) fn data(&mut self, id: Id) -> &mut Vec<u8> {
        match self.nodes.get_mut(&id) {
            Some(Node::File(data)) => Arc::make_mut(data),
            other => panic!("{id} is no file: {other:?}"),
        }
    }

    fn is_folder(&self, id: Id) -> bool {
        matches!(self.nodes[&id], Node::Folder(_))
    }

    fn is_empty(&self, id: Id) -> bool {
        matches!(&self.nodes[&id], Node::Folder(entries) if entries.is_empty())
    }

    pub(crate) fn links(&self, id: Id) -> u32 {
        let folders = self.nodes.values().filter_map(|node| match node {
            Node::Folder(entries) => Some(entries),
            _ => None,
        });
        let names = folders.flat_map(|entries| entries.values());
        u32::try_from(names.filter(|other| **other == id).count()).unwrap()
    }

    fn lies_in(&self, id: Id, above: Id) -> bool {
        id == above
            || match &self.nodes[&above] {
                Node::Folder(entries) => entries.values().any(|inner| self.lies_in(id, *inner)),
                _ => false,
            }
    }

    pub(crate) fn make(&mut self, parent: Id, name: &str, id: Id, node: Node) {
        self.folder(parent).insert(name.to_owned(), id);
        self.nodes.insert(id, node);
    }

    pub(crate) fn check_new(&mut self, parent: Id, name: &str) -> Result<(), FsError> {
        match self.folder(parent).contains_key(name) {
            true => Err(FsError::Exists),
            false => Ok(()),
        }
    }

    pub(crate) fn link(&mut self, id: Id, parent: Id, name: &str) -> Result<(), FsError> {
        if self.is_folder(id) {
            return Err(FsError::NotPermitted);
        }
        self.check_new(parent, name)?;
        self.folder(parent).insert(name.to_owned(), id);
        Ok(())
    }

    pub(crate) fn unlink(&mut self, parent: Id, name: &str) -> Result<Id, FsError> {
        let id = *self.folder(parent).get(name).ok_or(FsError::NotFound)?;
        if self.is_folder(id) {
            return Err(FsError::IsFolder);
        }
        self.folder(parent).remove(name);
        Ok(id)
    }

    pub(crate) fn remove_folder(&mut self, parent: Id, name: &str) -> Result<(), FsError> {
        let id = *self.folder(parent).get(name).ok_or(FsError::NotFound)?;
        if !self.is_folder(id) {
            return Err(FsError::NotFolder);
        }
        if !self.is_empty(id) {
            return Err(FsError::NotEmpty);
        }
        self.folder(parent).remove(name);
        self.nodes.remove(&id);
        Ok(())
    }

    /// Says what lost its name.
    pub(crate) fn rename(
        &mut self,
        (parent, name): (Id, &str),
        (new_parent, new_name): (Id, &str),
        exchange: bool,
    ) -> Result<Option<Id>, FsError> {
        let from = *self.folder(parent).get(name).ok_or(FsError::NotFound)?;
        let to = self.folder(new_parent).get(new_name).copied();
        if self.lies_in(new_parent, from) && self.is_folder(from) {
            return Err(FsError::Invalid);
        }
        let Some(to) = to else {
            if exchange {
                return Err(FsError::NotFound);
            }
            self.folder(parent).remove(name);
            self.folder(new_parent).insert(new_name.to_owned(), from);
            return Ok(None);
        };
        if to == from {
            return Ok(None);
        }
        if exchange {
            if self.is_folder(to) && self.lies_in(parent, to) {
                return Err(FsError::Invalid);
            }
            self.folder(parent).insert(name.to_owned(), to);
            self.folder(new_parent).insert(new_name.to_owned(), from);
            return Ok(None);
        }
        match (self.is_folder(from), self.is_folder(to)) {
            (true, false) => return Err(FsError::NotFolder),
            (false, true) => return Err(FsError::IsFolder),
            (true, true) if !self.is_empty(to) => return Err(FsError::NotEmpty),
            _ => {}
        }
        self.folder(parent).remove(name);
        self.folder(new_parent).insert(new_name.to_owned(), from);
        Ok(Some(to))
    }

    /// Forgets what has no name and is not among `open`.
    pub(crate) fn reap(&mut self, open: &[Id]) {
        let gone = |id: &Id| *id != ROOT && !open.contains(id) && self.links(*id) == 0;
        let gone: Vec<Id> = self.nodes.keys().copied().filter(gone).collect();
        for id in gone {
            self.nodes.remove(&id);
        }
    }

    /// Panics unless the file system is this.
    pub(crate) fn assert_is(&self, fs: &FileSystem) {
        let mut seen = 0;
        self.assert_folder(fs, ROOT, &mut seen);
        fs.check().unwrap();
    }

    fn assert_folder(&self, fs: &FileSystem, folder: Id, seen: &mut usize) {
        *seen += 1;
        let Node::Folder(expected) = &self.nodes[&folder] else {
            panic!("{folder} is no folder");
        };
        let mut entries = fs.entries(Ino(folder)).unwrap();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let found = entries.iter().map(|entry| {
            let name = String::from_utf8(entry.name.clone()).unwrap();
            (name, entry.attributes.ino.0)
        });
        let found: Vec<(String, Id)> = found.collect();
        let expected: Vec<(String, Id)> = expected.clone().into_iter().collect();
        assert_eq!(found, expected, "folder {folder}");
        for entry in entries {
            let id = entry.attributes.ino.0;
            match &self.nodes[&id] {
                Node::Folder(_) => self.assert_folder(fs, id, seen),
                Node::Link(target) => {
                    assert_eq!(fs.read_link(Ino(id)).unwrap(), target.as_bytes());
                }
                Node::File(data) => {
                    assert_eq!(entry.attributes.links, self.links(id));
                    assert_eq!(entry.attributes.size, data.len() as u64);
                    let found = fs.read(Ino(id), 0, 1 << 30).unwrap();
                    if found != **data {
                        let differs = found.iter().zip(data.iter()).position(|(a, b)| a != b);
                        panic!("file {id} differs at byte {differs:?} of {}", data.len());
                    }
                }
            }
        }
    }
}
