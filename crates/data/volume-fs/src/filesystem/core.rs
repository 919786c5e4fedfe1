//! Opening, and the way of each unit into the log.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime};

use quorate_volume::{Pages, PagesError, Point};

use crate::error::FsError;
use crate::inode::{ROOT, to_nanos};
use crate::load;
use crate::state::State;
use crate::unit::Unit;

type OnFailure = Arc<dyn Fn(&PagesError) + Send + Sync>;

/// Files, folders and links in the pages of a volume. Calls block; they come from many threads.
pub struct FileSystem {
    pub(crate) shared: Arc<Shared>,
    timer: Option<JoinHandle<()>>,
}

/// How much there is of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// Bytes of a page.
    pub page_bytes: u64,
    /// Pages that the volume may have.
    pub pages_max: u64,
    /// Pages in use, those of metadata among them.
    pub pages_used: u64,
    /// Files, folders and links.
    pub inodes: u64,
}

pub(crate) struct Shared {
    pub(crate) pages: Arc<dyn Pages>,
    state: Mutex<State>,
    pub(crate) read_only: bool,
    /// Told when the last hold has ended.
    pub(crate) holds_ended: Condvar,
    /// Told when a hold opens while the timer sleeps without an end.
    timer: Condvar,
    timer_idle: AtomicBool,
    holds_open: AtomicBool,
    closing: AtomicBool,
    on_failure: Mutex<Option<OnFailure>>,
}

impl FileSystem {
    /// Makes an empty file system; what the volume held is lost.
    ///
    /// # Errors
    /// When the pages cannot be written.
    pub fn format(pages: &Arc<dyn Pages>) -> Result<(), FsError> {
        load::format(pages.as_ref(), to_nanos(SystemTime::now()))
    }

    /// Opens the file system for reading and writing. Files that had no name any more are freed.
    ///
    /// # Errors
    /// When the pages cannot be had, hold no file system, or a damaged one.
    pub fn open(pages: Arc<dyn Pages>) -> Result<FileSystem, FsError> {
        let state = found(load::load(pages.as_ref())?)?;
        FileSystem::start(pages, state, false)
    }

    /// Opens the file system, having made one when the volume was never written.
    ///
    /// # Errors
    /// As [`FileSystem::open`] and [`FileSystem::format`].
    pub fn open_or_format(pages: Arc<dyn Pages>) -> Result<FileSystem, FsError> {
        if let Some(state) = load::load(pages.as_ref())? {
            return FileSystem::start(pages, state, false);
        }
        FileSystem::format(&pages)?;
        FileSystem::open(pages)
    }

    /// Opens the file system for reading.
    ///
    /// # Errors
    /// As [`FileSystem::open`].
    pub fn open_read_only(pages: Arc<dyn Pages>) -> Result<FileSystem, FsError> {
        let state = found(load::load(pages.as_ref())?)?;
        FileSystem::start(pages, state, true)
    }

    fn start(
        pages: Arc<dyn Pages>,
        mut state: State,
        read_only: bool,
    ) -> Result<FileSystem, FsError> {
        if !read_only {
            state.dying = without_user(&state);
        }
        let shared = Arc::new(Shared {
            pages,
            state: Mutex::new(state),
            read_only,
            holds_ended: Condvar::new(),
            timer: Condvar::new(),
            timer_idle: AtomicBool::new(false),
            holds_open: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            on_failure: Mutex::new(None),
        });
        shared.reap();
        let ends_holds = shared.clone();
        let timer = std::thread::Builder::new()
            .name("volume-fs-holds".to_owned())
            .spawn(move || ends_holds.end_overdue_holds())
            .map_err(|error| PagesError::Unavailable(format!("no thread: {error}")))?;
        Ok(FileSystem {
            shared,
            timer: Some(timer),
        })
    }

    /// Has `act` called once when nothing can be written any more, with the reason, by a thread of its own.
    pub fn on_failure(&self, act: impl Fn(&PagesError) + Send + Sync + 'static) {
        let mut slot = self.shared.on_failure.lock().expect("nobody panics here");
        *slot = Some(Arc::new(act));
    }

    /// Why nothing can be written any more.
    #[must_use]
    pub fn failure(&self) -> Option<PagesError> {
        self.shared.lock().failed.clone()
    }

    /// Whether it was opened for reading only.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.shared.read_only
    }

    /// How much there is of what.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let state = self.shared.lock();
        Statistics {
            page_bytes: state.page_bytes,
            pages_max: self.shared.pages.pages_max(),
            pages_used: state.used(),
            inodes: state.inodes.len() as u64,
        }
    }

    /// Whether some `write()` has arrived in part.
    pub(crate) fn has_open_holds(&self) -> bool {
        self.shared.holds_open.load(Ordering::Acquire)
    }

    /// Takes note that a thread has begun something else: a `write()` of which it sent a part is over.
    pub fn thread_moved_on(&self, thread: u32) {
        if thread != 0 && self.has_open_holds() {
            let mut state = self.shared.lock();
            state.holds.end_of_thread(thread);
            self.shared.mark_if_owed(&mut state);
        }
    }
}

impl Drop for FileSystem {
    fn drop(&mut self) {
        {
            let _state = self.shared.lock();
            self.shared.closing.store(true, Ordering::Release);
        }
        self.shared.timer.notify_all();
        if let Some(timer) = self.timer.take() {
            // A panic of the timer has been reported by the panic hook.
            let _ = timer.join();
        }
    }
}

fn found(state: Option<State>) -> Result<State, FsError> {
    state.ok_or_else(|| FsError::Corrupt("the volume was never formatted".to_owned()))
}

/// Inodes that nobody can reach.
fn without_user(state: &State) -> Vec<u64> {
    let gone = |ino: &u64| {
        let inode = &state.inodes[ino];
        inode.links == 0 && inode.lookups == 0 && *ino != ROOT
    };
    state.inodes.keys().copied().filter(gone).collect()
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no operation panics half done")
    }

    /// The lock for an operation that writes.
    pub(crate) fn lock_to_write(&self) -> Result<MutexGuard<'_, State>, FsError> {
        if self.read_only {
            return Err(FsError::ReadOnly);
        }
        let state = self.lock();
        match &state.failed {
            Some(error) => Err(FsError::Pages(error.clone())),
            None => Ok(state),
        }
    }

    /// Runs an operation that writes. When it fails after it has changed something, the state is read anew.
    pub(crate) fn change<T>(
        &self,
        act: impl FnOnce(&mut State, &mut Unit, i64) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        let mut state = self.lock_to_write()?;
        let done = self.apply(&mut state, act);
        let reap = !state.dying.is_empty();
        drop(state);
        if reap {
            self.reap();
        }
        done
    }

    pub(crate) fn apply<T>(
        &self,
        state: &mut State,
        act: impl FnOnce(&mut State, &mut Unit, i64) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        let mut unit = Unit::default();
        match act(state, &mut unit, to_nanos(SystemTime::now())) {
            Ok(done) => {
                self.commit(state, unit)?;
                Ok(done)
            }
            Err(error) => {
                if !unit.is_empty() {
                    self.reload(state);
                }
                self.mark_if_owed(state);
                Err(error)
            }
        }
    }

    /// Adds a unit to the log.
    pub(crate) fn commit(&self, state: &mut State, unit: Unit) -> Result<(), FsError> {
        let open = !state.holds.none_open();
        self.holds_open.store(open, Ordering::Release);
        if open && self.timer_idle.swap(false, Ordering::AcqRel) {
            self.timer.notify_all();
        }
        if unit.is_empty() && (open || !state.point_owed) {
            return Ok(());
        }
        let point = if open {
            Point::Inside
        } else {
            Point::Consistent
        };
        let (writes, touched) = unit.finish();
        match self.pages.write(writes, point) {
            Ok(lsn) => {
                state.logged(&touched, lsn);
                state.point_owed = open;
                if !open {
                    self.holds_ended.notify_all();
                }
                Ok(())
            }
            Err(error) => Err(self.refused(state, error)),
        }
    }

    /// Marks a consistency point when the last hold has ended and nothing was written since. A failure is kept in the state.
    pub(crate) fn mark_if_owed(&self, state: &mut State) {
        if state.failed.is_none() {
            let _ = self.commit(state, Unit::default());
        }
    }

    fn refused(&self, state: &mut State, error: PagesError) -> FsError {
        match error {
            PagesError::NoSpace(_) | PagesError::BeyondEnd(_) | PagesError::ReadOnly => {
                self.reload(state);
            }
            PagesError::Fenced | PagesError::Unavailable(_) => self.fail(state, &error),
        }
        error.into()
    }

    /// Nothing is written from here on.
    pub(crate) fn fail(&self, state: &mut State, error: &PagesError) {
        if state.failed.is_none() {
            state.failed = Some(error.clone());
            self.holds_ended.notify_all();
            let slot = self.on_failure.lock().expect("nobody panics here");
            if let Some(act) = slot.clone() {
                let error = error.clone();
                std::thread::spawn(move || act(&error));
            }
        }
    }

    /// Reads the state anew after an operation that changed it in memory and did not reach the log.
    fn reload(&self, state: &mut State) {
        let loaded = load::load(self.pages.as_ref());
        let mut fresh = match loaded {
            Ok(Some(fresh)) => fresh,
            Ok(None) => {
                let gone = PagesError::Unavailable("the superblock is gone".to_owned());
                return self.fail(state, &gone);
            }
            Err(error) => {
                let error = PagesError::Unavailable(error.to_string());
                return self.fail(state, &error);
            }
        };
        fresh.take_over(state);
        fresh.dying = without_user(&fresh);
        *state = fresh;
    }

    /// Frees what nobody can reach, in units of bounded size. A failure is kept in the state; the next mount goes on.
    pub(crate) fn reap(&self) {
        loop {
            let Ok(mut state) = self.lock_to_write() else {
                return;
            };
            let Some(ino) = state.dying.last().copied() else {
                return;
            };
            let freed = self.apply(&mut state, |state, unit, _| state.free_some(unit, ino));
            match freed {
                Ok(true) => state.dying.retain(|dying| *dying != ino),
                Ok(false) => {}
                Err(_) => return,
            }
        }
    }

    fn end_overdue_holds(&self) {
        let mut state = self.lock();
        while !self.closing.load(Ordering::Acquire) {
            let now = Instant::now();
            let Some(ends) = state.holds.next_end() else {
                self.timer_idle.store(true, Ordering::Release);
                state = self
                    .timer
                    .wait(state)
                    .expect("no operation panics half done");
                continue;
            };
            if ends > now {
                let waited = self.timer.wait_timeout(state, ends - now);
                state = waited.expect("no operation panics half done").0;
                continue;
            }
            state.holds.end_overdue(now);
            self.mark_if_owed(&mut state);
        }
    }
}

impl State {
    /// Takes over what a volume does not hold from the state before.
    fn take_over(&mut self, old: &mut State) {
        self.next_ino = old.next_ino.max(self.next_ino);
        self.next_cookie = self.next_cookie.max(old.next_cookie);
        self.holds = std::mem::take(&mut old.holds);
        self.point_owed = old.point_owed;
        self.last = old.last;
        self.failed = old.failed.take();
        for (ino, before) in &old.inodes {
            let Some(inode) = self.inodes.get_mut(ino) else {
                continue;
            };
            inode.lookups = before.lookups;
            inode.last = before.last;
            inode.pages_lost = before.pages_lost + 1;
            let (Some(folder), Some(known)) = (&mut inode.folder, &before.folder) else {
                continue;
            };
            folder.order.clear();
            for (name, entry) in &mut folder.entries {
                entry.cookie = match known.entries.get(name) {
                    Some(known) => known.cookie,
                    None => {
                        self.next_cookie += 1;
                        self.next_cookie
                    }
                };
                folder.order.insert(entry.cookie, name.clone());
            }
        }
        self.next_cookie += 1;
    }
}
