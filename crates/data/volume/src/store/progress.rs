//! How far the log is on disk, and whether the store has stopped.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use tokio::sync::watch;

use super::entry::Position;
use super::error::StoreError;

#[derive(Debug, Clone, Default)]
struct Reached {
    durable: u64,
    failed: Option<Arc<str>>,
}

/// Told by the log's writer, watched by all who wait.
pub(super) struct Progress {
    reached: watch::Sender<Reached>,
    /// For threads that wait: held while `reached` changes.
    changing: Mutex<()>,
    changed: Condvar,
}

impl Progress {
    pub(super) fn new(durable: u64) -> Progress {
        Progress {
            reached: watch::Sender::new(Reached {
                durable,
                failed: None,
            }),
            changing: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Reached)) {
        let held = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.reached.send_modify(change);
        drop(held);
        self.changed.notify_all();
    }

    pub(super) fn set_durable(&self, to: u64) {
        self.change(|reached| reached.durable = to);
    }

    /// Stops the store for good.
    pub(super) fn fail(&self, why: &str) {
        tracing::error!(why, "the segment store stops");
        self.change(|reached| {
            reached.failed.get_or_insert_with(|| Arc::from(why));
        });
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        match &self.reached.borrow().failed {
            Some(why) => Err(StoreError::Stopped(Arc::clone(why))),
            None => Ok(()),
        }
    }

    /// Stops the store when `result` is a failure of a disk.
    pub(super) fn sound<T, E>(&self, result: Result<T, E>) -> Result<T, StoreError>
    where
        E: Into<StoreError>,
    {
        result.map_err(Into::into).inspect_err(|error| {
            if matches!(error, StoreError::Io(_) | StoreError::Pages(_)) {
                self.fail(&error.to_string());
            }
        })
    }

    fn is_there(&self, reached: &Reached, position: Position) -> Option<Result<(), StoreError>> {
        match &reached.failed {
            Some(why) => Some(Err(StoreError::Stopped(Arc::clone(why)))),
            None => (reached.durable >= position.0).then_some(Ok(())),
        }
    }

    pub(super) async fn wait(&self, position: Position) -> Result<(), StoreError> {
        let mut seen = self.reached.subscribe();
        let reached = seen
            .wait_for(|reached| self.is_there(reached, position).is_some())
            .await
            .map_err(|_| StoreError::Stopped(Arc::from("the store is closed")))?;
        self.is_there(&reached, position).unwrap_or(Ok(()))
    }

    pub(super) fn wait_blocking(&self, position: Position) -> Result<(), StoreError> {
        let mut held = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(answer) = self.is_there(&self.reached.borrow(), position) {
                return answer;
            }
            held = self
                .changed
                .wait(held)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) async fn wait_failed(&self) -> Arc<str> {
        let mut seen = self.reached.subscribe();
        match seen.wait_for(|reached| reached.failed.is_some()).await {
            Ok(reached) => reached.failed.clone().unwrap_or_else(|| Arc::from("")),
            Err(_) => Arc::from("the store is closed"),
        }
    }
}
