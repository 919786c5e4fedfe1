//! A node's store of items and what a crash leaves of it.
//!
//! The store is the real one, in a folder in memory. Flushed states are kept as copies of the folder: a process that
//! starts after a crash begins with the newest copy.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use nix::unistd::{Whence, lseek};
use quorate_consensus::{Command, DurableMachine};
use quorate_dynamo_store::Store;

use crate::observe::{Chain, Observed};
use crate::rules::Rules;
use crate::stage::Stage;

/// What is on a node's disk besides the log; it outlives the node's processes.
pub(crate) struct ItemsDisk {
    folder: PathBuf,
    /// The newest flushed state.
    image: Mutex<Option<Image>>,
    copies: Mutex<u64>,
    lies: bool,
}

struct Image {
    folder: PathBuf,
    chains: BTreeMap<u64, Chain>,
}

/// Copies what a sparse file holds at its beginning; the database's journal is allocated far beyond.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let from = File::open(from)?;
    let length = from.metadata()?.len();
    let end = match length {
        0 => 0,
        _ => lseek(&from, 0, Whence::SeekHole)?,
    };
    lseek(&from, 0, Whence::SeekSet)?;
    let mut to = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(to)?;
    io::copy(
        &mut (&from).take(u64::try_from(end).unwrap_or(length)),
        &mut to,
    )?;
    to.set_len(length)
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            copy_file(&entry.path(), &target)?;
        }
    }
    Ok(())
}

impl ItemsDisk {
    pub(crate) fn new(folder: PathBuf, lies: bool) -> ItemsDisk {
        ItemsDisk {
            folder,
            image: Mutex::default(),
            copies: Mutex::default(),
            lies,
        }
    }

    fn next_folder(&self) -> PathBuf {
        let mut copies = self.copies.lock().expect("no holder panics");
        *copies += 1;
        self.folder.join(format!("items-{copies}"))
    }

    /// Opens what the last crash left.
    pub(crate) fn open(self: &Arc<Self>) -> io::Result<Arc<Items>> {
        let folder = self.next_folder();
        let image = self.image.lock().expect("no holder panics");
        let mut chains = BTreeMap::new();
        if let Some(image) = &*image {
            copy_folder(&image.folder, &folder)?;
            chains.clone_from(&image.chains);
        }
        Ok(Arc::new(Items {
            store: Store::open(&folder)?,
            folder,
            disk: self.clone(),
            chains: Mutex::new(chains),
        }))
    }
}

/// The store of one life of a node.
pub(crate) struct Items {
    pub(crate) store: Store,
    folder: PathBuf,
    disk: Arc<ItemsDisk>,
    chains: Mutex<BTreeMap<u64, Chain>>,
}

impl Drop for Items {
    fn drop(&mut self) {
        // Of another life nobody reads; what stays goes with the world's folder.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Items {
    fn chains(&self) -> MutexGuard<'_, BTreeMap<u64, Chain>> {
        self.chains.lock().expect("no holder panics")
    }

    pub(crate) fn chain(&self, partition: u64) -> Chain {
        self.chains().get(&partition).copied().unwrap_or_default()
    }

    pub(crate) fn forget(&self, partition: u64) {
        self.chains().remove(&partition);
    }

    /// Makes the state of this moment the one that a crash leaves.
    pub(crate) fn flush(&self) -> io::Result<()> {
        self.store.flush()?;
        if self.disk.lies {
            return Ok(());
        }
        let folder = self.disk.next_folder();
        copy_folder(&self.folder, &folder)?;
        let image = Image {
            folder,
            chains: self.chains().clone(),
        };
        let mut newest = self.disk.image.lock().expect("no holder panics");
        if let Some(older) = newest.replace(image) {
            fs::remove_dir_all(older.folder)?;
        }
        Ok(())
    }
}

/// A partition's machine that is watched: what it applies is compared with what the others did at the same place.
pub(crate) struct Watched {
    pub(crate) machine: Arc<dyn DurableMachine>,
    pub(crate) partition: u64,
    pub(crate) node: usize,
    pub(crate) items: Arc<Items>,
    pub(crate) stage: Stage,
    pub(crate) observed: Arc<Mutex<Observed>>,
    pub(crate) rules: Rules,
}

impl Watched {
    fn set_chain(&self, chain: Chain) {
        let mut observed = self.observed.lock().expect("no holder panics");
        if let Some(breach) = observed.applied(self.partition, self.node, chain) {
            self.stage.scene().breach(breach);
        }
        self.items.chains().insert(self.partition, chain);
    }
}

impl DurableMachine for Watched {
    fn mark(&self) -> io::Result<Option<Vec<u8>>> {
        self.machine.mark()
    }

    fn is_whole(&self) -> bool {
        self.machine.is_whole()
    }

    fn apply(&self, commands: &[Command<'_>], mark: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let mut chain = self.items.chain(self.partition);
        for command in commands {
            chain = chain.link(command.term, command.bytes);
            self.set_chain(chain);
        }
        if self.rules.commands_left_out && self.node == 1 && chain.count % 40 == 7 {
            let empty: Vec<_> = commands
                .iter()
                .map(|command| Command {
                    term: command.term,
                    bytes: &command.bytes[..8],
                })
                .collect();
            return self.machine.apply(&empty, mark);
        }
        self.machine.apply(commands, mark)
    }

    fn flush(&self) -> io::Result<()> {
        self.items.flush()
    }

    fn write_snapshot(&self, out: &mut dyn Write) -> io::Result<Vec<u8>> {
        let chain = self.items.chain(self.partition);
        out.write_all(&chain.count.to_le_bytes())?;
        out.write_all(&chain.sum.to_le_bytes())?;
        self.machine.write_snapshot(out)
    }

    fn read_snapshot(&self, from: &mut dyn Read, mark: &[u8]) -> io::Result<()> {
        let mut number = || {
            let mut bytes = [0; 8];
            from.read_exact(&mut bytes)?;
            io::Result::Ok(u64::from_le_bytes(bytes))
        };
        let chain = Chain {
            count: number()?,
            sum: number()?,
        };
        self.machine.read_snapshot(from, mark)?;
        self.set_chain(chain);
        self.observed.lock().expect("no holder panics").snapshots += 1;
        self.stage.note(format!(
            "{}: partition {} is loaded from a snapshot at {}",
            self.node, self.partition, chain.count
        ));
        self.items.flush()
    }
}
