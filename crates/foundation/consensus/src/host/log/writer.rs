//! The one thread that writes and syncs the shared log.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};
use openraft::storage::LogFlushed;
use tokio::sync::oneshot;

use super::codec::{Kind, encode, entry_key, meta_key};
use crate::host::faults::Faults;
use crate::host::poison::Poison;
use crate::host::types::{Entry, GroupId, Types};

/// Changes that go into one batch at most.
const BATCH_CHANGES_MAX: usize = 4_096;
/// Memory that entries take before fjall writes them out as a table.
const MEMTABLE_BYTES: u64 = 32 << 20;

/// One thing to be written. The group's number and the position in the queue make its order.
pub(crate) enum Write {
    /// Entries, and whom to tell.
    Append(u64, Vec<Entry>, LogFlushed<Types>),
    /// Something about the group.
    Meta(Kind, Vec<u8>),
    /// Entries from one index to another, both included, are gone.
    Remove(u64, u64),
    /// The group is gone.
    Forget,
    /// Nothing: whom to tell once all before it is durable.
    Barrier(oneshot::Sender<()>),
}

enum Message {
    Write(GroupId, Write),
    Stop,
}

/// The database of a host's log, and the way to its writer.
pub(crate) struct SharedLog {
    pub(crate) entries: Keyspace,
    pub(crate) meta: Keyspace,
    queue: Sender<Message>,
    /// The number of the last append that is durable; appends are numbered in the order of the queue.
    durable: Arc<AtomicU64>,
    numbers: Mutex<u64>,
    poison: Arc<Poison>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl SharedLog {
    /// Opens the database in `folder`, or makes it there.
    pub(crate) fn open(
        folder: &Path,
        poison: Arc<Poison>,
        faults: Arc<Faults>,
    ) -> fjall::Result<SharedLog> {
        let db = Database::builder(folder).open()?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let entries = db.keyspace("entries", options)?;
        let meta = db.keyspace("meta", KeyspaceCreateOptions::default)?;
        let (queue, waiting) = channel();
        let durable = Arc::new(AtomicU64::new(0));
        let mut writer = Writer {
            db,
            entries: entries.clone(),
            meta: meta.clone(),
            poison: poison.clone(),
            faults,
            durable: durable.clone(),
        };
        let thread = std::thread::Builder::new()
            .name(String::from("group-log"))
            .spawn(move || writer.run(&waiting))
            .map_err(fjall::Error::Io)?;
        Ok(SharedLog {
            entries,
            meta,
            queue,
            durable,
            numbers: Mutex::new(0),
            poison,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Queues a change.
    pub(crate) fn write(&self, group: GroupId, write: Write) -> io::Result<()> {
        self.poison.check()?;
        self.queue
            .send(Message::Write(group, write))
            .map_err(|_| io::Error::other("the log's writer ended"))
    }

    /// Queues an append. Its number is drawn and queued under one lock, so that numbers in the queue ascend.
    pub(crate) fn append(
        &self,
        group: GroupId,
        entries: Vec<Entry>,
        done: LogFlushed<Types>,
        numbered: impl FnOnce(u64),
    ) -> io::Result<()> {
        let mut number = self.numbers.lock().expect("no holder panics");
        *number += 1;
        numbered(*number);
        self.write(group, Write::Append(*number, entries, done))
    }

    /// Waits until all that this caller queued before is durable.
    pub(crate) async fn barrier(&self, group: GroupId) -> io::Result<()> {
        let (done, waiting) = oneshot::channel();
        self.write(group, Write::Barrier(done))?;
        waiting
            .await
            .map_err(|_| io::Error::other("the log could not be synced"))
    }

    pub(crate) fn poison(&self) -> &Poison {
        &self.poison
    }

    /// The number of the last append that is durable.
    pub(crate) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Writes what waits and ends the writer. Blocks.
    pub(crate) fn stop(&self) {
        let _ = self.queue.send(Message::Stop);
        let thread = self.thread.lock().expect("no holder panics").take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the log's writer panicked");
        }
    }
}

struct Writer {
    db: Database,
    entries: Keyspace,
    meta: Keyspace,
    poison: Arc<Poison>,
    faults: Arc<Faults>,
    durable: Arc<AtomicU64>,
}

/// What to do once a batch is durable.
#[derive(Default)]
struct Answers {
    appends: Vec<LogFlushed<Types>>,
    barriers: Vec<oneshot::Sender<()>>,
    number: u64,
}

impl Writer {
    fn run(&mut self, waiting: &Receiver<Message>) {
        while let Ok(first) = waiting.recv() {
            let mut batch = self.db.batch();
            let mut answers = Answers::default();
            let mut stop = self.take(first, &mut batch, &mut answers);
            while !stop && batch.len() < BATCH_CHANGES_MAX {
                match waiting.try_recv() {
                    Ok(message) => stop = self.take(message, &mut batch, &mut answers),
                    Err(_) => break,
                }
            }
            self.carry_out(batch, answers);
            if stop {
                return;
            }
        }
    }

    /// Adds a message to the batch; whether it was the last one.
    fn take(&self, message: Message, batch: &mut OwnedWriteBatch, answers: &mut Answers) -> bool {
        let Message::Write(group, write) = message else {
            return true;
        };
        match write {
            Write::Append(number, entries, done) => {
                for entry in entries {
                    let key = entry_key(group, entry.log_id.index);
                    batch.insert(&self.entries, key, encode(&entry));
                }
                answers.appends.push(done);
                answers.number = number;
            }
            Write::Meta(kind, value) => batch.insert(&self.meta, meta_key(group, kind), value),
            Write::Remove(from, to) => {
                for index in from..=to {
                    batch.remove(&self.entries, entry_key(group, index));
                }
            }
            Write::Forget => self.forget(group, batch),
            Write::Barrier(done) => answers.barriers.push(done),
        }
        false
    }

    /// Removes all of a group that is in the database. Its earlier changes may be in this very batch: their keys are
    /// in no keyspace yet, so a group is forgotten after a barrier.
    fn forget(&self, group: GroupId, batch: &mut OwnedWriteBatch) {
        for keyspace in [&self.entries, &self.meta] {
            for item in keyspace.prefix(group.0.to_be_bytes()) {
                match item.key() {
                    Ok(key) => batch.remove(keyspace, key),
                    Err(e) => self.poison.set(&format!("the log cannot be read: {e}")),
                }
            }
        }
    }

    fn carry_out(&self, batch: OwnedWriteBatch, answers: Answers) {
        if let Err(why) = self.commit(batch, &answers) {
            self.poison
                .set(&format!("the log cannot be written: {why}"));
            for append in answers.appends {
                append.log_io_completed(Err(io::Error::other(why.clone())));
            }
            // Barriers are dropped, which tells who waits.
            return;
        }
        if answers.number > 0 {
            self.durable.store(answers.number, Ordering::Release);
        }
        for append in answers.appends {
            append.log_io_completed(Ok(()));
        }
        for barrier in answers.barriers {
            // Who gave up waiting needs no answer.
            let _ = barrier.send(());
        }
    }

    fn commit(&self, batch: OwnedWriteBatch, answers: &Answers) -> Result<(), String> {
        self.poison.check().map_err(|e| e.to_string())?;
        let awaited = !answers.appends.is_empty() || !answers.barriers.is_empty();
        if awaited {
            self.faults.before_sync().map_err(|e| e.to_string())?;
        }
        if !batch.is_empty() {
            let durability = awaited.then_some(PersistMode::SyncData);
            return batch
                .durability(durability)
                .commit()
                .map_err(|e| e.to_string());
        }
        if awaited {
            return self
                .db
                .persist(PersistMode::SyncData)
                .map_err(|e| e.to_string());
        }
        Ok(())
    }
}
