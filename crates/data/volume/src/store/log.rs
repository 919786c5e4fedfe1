//! What waits to be written, and the one thread that writes and syncs it.
//!
//! Appends put their frames into a buffer, in the order of the calls. The thread takes the whole buffer as one batch,
//! writes it, syncs once, and tells who waits; what arrives meanwhile is the next batch.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::cache::RecordCache;
use super::codec::{BATCH_HEADER_BYTES, Kind, push_frame, seal_batch};
use super::entry::Position;
use super::log_files::{LogFiles, offset};
use super::options::Options;
use super::progress::Progress;

/// A file is made longer by so many zeros at once: a sync of bytes that a file has already needs no change of the file
/// system's own records.
const ZEROS_BYTES: usize = 1 << 20;

/// What waits to be written.
pub(super) struct Queue {
    /// Room for a batch's header, then frames; empty when nothing waits.
    buffer: Vec<u8>,
    /// The position of the buffer's first byte.
    base: u64,
    /// The next segment's number.
    pub(super) next_number: u32,
    stopping: bool,
}

impl Queue {
    /// Where the log ends with what waits.
    pub(super) fn end(&self) -> Position {
        Position(self.base + self.buffer.len() as u64)
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Adds a frame; its position and length.
    pub(super) fn push(
        &mut self,
        number: u32,
        kind: Kind,
        payload: impl FnOnce(&mut Vec<u8>),
    ) -> (u64, u32) {
        if self.buffer.is_empty() {
            self.buffer.resize(BATCH_HEADER_BYTES, 0);
        }
        let position = self.end().0;
        (
            position,
            push_frame(&mut self.buffer, number, kind, payload),
        )
    }
}

/// The log of a node.
pub(super) struct Log {
    queue: Mutex<Queue>,
    bell: Condvar,
    pub(super) progress: Progress,
    pub(super) files: LogFiles,
    pub(super) cache: RecordCache,
    pub(super) options: Options,
}

/// The log's writer. It is stopped and waited for when this is dropped: what waits is written before.
pub(super) struct RunningLog {
    pub(super) log: Arc<Log>,
    thread: Option<JoinHandle<()>>,
}

/// Where the writer goes on.
pub(super) struct Tail {
    pub(super) file: Arc<File>,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) next_number: u32,
}

impl RunningLog {
    pub(super) fn start(files: LogFiles, tail: Tail, options: Options) -> io::Result<RunningLog> {
        let log = Arc::new(Log {
            queue: Mutex::new(Queue {
                buffer: Vec::new(),
                base: tail.end,
                next_number: tail.next_number,
                stopping: false,
            }),
            bell: Condvar::new(),
            progress: Progress::new(tail.end),
            files,
            cache: RecordCache::new(options.record_cache_bytes_max),
            options,
        });
        let mut writer = Writer {
            log: Arc::clone(&log),
            zeroed_to: offset(tail.start, tail.end),
            file: tail.file,
            start: tail.start,
            zeros: Vec::new(),
        };
        let thread = std::thread::Builder::new()
            .name(String::from("segment-log"))
            .spawn(move || writer.run())?;
        Ok(RunningLog {
            log,
            thread: Some(thread),
        })
    }
}

impl Drop for RunningLog {
    fn drop(&mut self) {
        self.log.queue().stopping = true;
        self.log.bell.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the segment log's writer panicked");
        }
    }
}

impl Log {
    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the writer that something waits.
    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }
}

struct Writer {
    log: Arc<Log>,
    file: Arc<File>,
    start: u64,
    /// The file's length: what was written, then zeros.
    zeroed_to: u64,
    zeros: Vec<u8>,
}

impl Writer {
    fn run(&mut self) {
        let mut batch = Vec::new();
        while let Some((position, next_number)) = self.take(&mut batch) {
            if self.log.progress.check().is_err() {
                continue;
            }
            seal_batch(&mut batch, position);
            if let Err(error) = self.write(&batch, position, next_number) {
                let why = format!("the log cannot be written: {error}");
                self.log.progress.fail(&why);
                continue;
            }
            let end = position + batch.len() as u64;
            self.log.progress.set_durable(end);
            self.log.cache.shrink(end);
        }
    }

    /// Waits for a batch and takes it; none when the store is closed.
    fn take(&self, batch: &mut Vec<u8>) -> Option<(u64, u32)> {
        batch.clear();
        let mut queue = self.log.queue();
        while queue.buffer.is_empty() {
            if queue.stopping {
                return None;
            }
            queue = self
                .log
                .bell
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut queue.buffer, batch);
        let position = queue.base;
        queue.base += batch.len() as u64;
        Some((position, queue.next_number))
    }

    fn write(&mut self, batch: &[u8], position: u64, next_number: u32) -> io::Result<()> {
        let log = Arc::clone(&self.log);
        log.options.faults.before_write()?;
        if position - self.start >= log.options.log_file_bytes {
            self.file = log.files.create(position, next_number, &[])?;
            self.start = position;
            self.zeroed_to = offset(position, position);
        }
        let at = offset(self.start, position);
        self.file.write_all_at(batch, at)?;
        let end = at + batch.len() as u64;
        if end > self.zeroed_to {
            let max = usize::try_from(log.options.log_file_bytes).unwrap_or(ZEROS_BYTES);
            self.zeros.resize(ZEROS_BYTES.min(max), 0);
            self.file.write_all_at(&self.zeros, end)?;
            self.zeroed_to = end + self.zeros.len() as u64;
        }
        log.options.faults.before_sync()?;
        self.file.sync_data()
    }
}
