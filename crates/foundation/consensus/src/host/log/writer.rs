//! The one thread that writes and syncs the shared log.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use openraft::storage::LogFlushed;
use tokio::sync::{Notify, oneshot};

use super::codec::{Kind, encode, entry_key, meta_key};
use super::disk::{Batch, Disk, LogDisk, Space};
use crate::host::faults::Faults;
use crate::host::poison::Poison;
use crate::host::types::{Entry, GroupId, Types};

/// Changes that go into one batch at most.
const BATCH_CHANGES_MAX: usize = 4_096;

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

/// The disk of a host's log, and the way to its writer.
pub(crate) struct SharedLog {
    pub(crate) disk: Disk,
    queue: Sender<Message>,
    /// Wakes the writer of a simulated disk, which is a task.
    bell: Option<Arc<Notify>>,
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
        let disk = Disk::open(folder)?;
        let (mut log, mut writer, waiting) = SharedLog::with(disk, poison, faults);
        let thread = std::thread::Builder::new()
            .name(String::from("group-log"))
            .spawn(move || writer.run(&waiting))
            .map_err(fjall::Error::Io)?;
        log.thread = Mutex::new(Some(thread));
        Ok(log)
    }

    /// The log on a simulated disk: its writer is a task of this runtime.
    pub(crate) fn simulated(
        disk: Arc<dyn LogDisk>,
        poison: Arc<Poison>,
        faults: Arc<Faults>,
    ) -> SharedLog {
        let bell = Arc::new(Notify::new());
        let (mut log, writer, waiting) =
            SharedLog::with(Disk::Simulated(disk.clone()), poison, faults);
        log.bell = Some(bell.clone());
        tokio::spawn(writer.run_simulated(disk, waiting, bell));
        log
    }

    fn with(
        disk: Disk,
        poison: Arc<Poison>,
        faults: Arc<Faults>,
    ) -> (SharedLog, Writer, Receiver<Message>) {
        let (queue, waiting) = channel();
        let durable = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            disk: disk.clone(),
            poison: poison.clone(),
            faults,
            durable: durable.clone(),
        };
        let log = SharedLog {
            disk,
            queue,
            bell: None,
            durable,
            numbers: Mutex::new(0),
            poison,
            thread: Mutex::new(None),
        };
        (log, writer, waiting)
    }

    /// Queues a change.
    pub(crate) fn write(&self, group: GroupId, write: Write) -> io::Result<()> {
        self.poison.check()?;
        self.queue
            .send(Message::Write(group, write))
            .map_err(|_| io::Error::other("the log's writer ended"))?;
        if let Some(bell) = &self.bell {
            bell.notify_one();
        }
        Ok(())
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
    disk: Disk,
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

impl Answers {
    fn are_awaited(&self) -> bool {
        !self.appends.is_empty() || !self.barriers.is_empty()
    }
}

impl Writer {
    fn run(&mut self, waiting: &Receiver<Message>) {
        while let Ok(first) = waiting.recv() {
            let (batch, answers, stop) = self.gather(first, waiting);
            self.carry_out(batch, answers);
            if stop {
                return;
            }
        }
    }

    /// As `run`, with a sync that takes the time that the disk says: what is written is there to read before, and may
    /// be lost until after.
    async fn run_simulated(
        self,
        disk: Arc<dyn LogDisk>,
        waiting: Receiver<Message>,
        bell: Arc<Notify>,
    ) {
        loop {
            bell.notified().await;
            while let Ok(first) = waiting.try_recv() {
                let (batch, answers, stop) = self.gather(first, &waiting);
                if self.poison.check().is_ok() {
                    if let Err(why) = self.disk.commit(batch, false) {
                        self.poison.set(&why);
                    }
                    if answers.are_awaited() {
                        tokio::time::sleep(disk.sync_time()).await;
                    }
                }
                self.carry_out(self.disk.batch(), answers);
                if stop {
                    return;
                }
            }
        }
    }

    /// Takes what waits into one batch; whether a message was the last one.
    fn gather(&self, first: Message, waiting: &Receiver<Message>) -> (Batch, Answers, bool) {
        let mut batch = self.disk.batch();
        let mut answers = Answers::default();
        let mut stop = self.take(first, &mut batch, &mut answers);
        while !stop && batch.len() < BATCH_CHANGES_MAX {
            match waiting.try_recv() {
                Ok(message) => stop = self.take(message, &mut batch, &mut answers),
                Err(_) => break,
            }
        }
        (batch, answers, stop)
    }

    /// Adds a message to the batch; whether it was the last one.
    fn take(&self, message: Message, batch: &mut Batch, answers: &mut Answers) -> bool {
        let Message::Write(group, write) = message else {
            return true;
        };
        match write {
            Write::Append(number, entries, done) => {
                for entry in entries {
                    let key = entry_key(group, entry.log_id.index);
                    self.disk
                        .insert(batch, Space::Entries, &key, encode(&entry));
                }
                answers.appends.push(done);
                answers.number = number;
            }
            Write::Meta(kind, value) => {
                let key = meta_key(group, kind);
                self.disk.insert(batch, Space::Meta, &key, value);
            }
            Write::Remove(from, to) => {
                for index in from..=to {
                    let key = entry_key(group, index);
                    self.disk.remove(batch, Space::Entries, &key);
                }
            }
            Write::Forget => self.forget(group, batch),
            Write::Barrier(done) => answers.barriers.push(done),
        }
        false
    }

    /// Removes all of a group that is in the database. Its earlier changes may be in this very batch: their keys are
    /// in no keyspace yet, so a group is forgotten after a barrier.
    fn forget(&self, group: GroupId, batch: &mut Batch) {
        for space in [Space::Entries, Space::Meta] {
            match self.disk.keys_of(group, space) {
                Ok(keys) => {
                    for key in keys {
                        self.disk.remove(batch, space, &key);
                    }
                }
                Err(e) => self.poison.set(&format!("the log cannot be read: {e}")),
            }
        }
    }

    fn carry_out(&self, batch: Batch, answers: Answers) {
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

    fn commit(&self, batch: Batch, answers: &Answers) -> Result<(), String> {
        self.poison.check().map_err(|e| e.to_string())?;
        let awaited = answers.are_awaited();
        if awaited {
            self.faults.before_sync().map_err(|e| e.to_string())?;
        }
        self.disk.commit(batch, awaited)
    }
}
