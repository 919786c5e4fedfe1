//! The threads that copy: each a single-threaded runtime that owns its connections.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// A fixed set of copying threads; they end when `stop` is cancelled, and their connections with them.
pub(crate) struct Lanes {
    handles: Vec<Handle>,
    next: AtomicUsize,
}

impl Lanes {
    /// Starts `count` threads.
    pub(crate) fn start(count: usize, stop: &CancellationToken) -> io::Result<Lanes> {
        let handles = (0..count)
            .map(|number| {
                let runtime = Builder::new_current_thread().enable_all().build()?;
                let (handle, stop) = (runtime.handle().clone(), stop.clone());
                std::thread::Builder::new()
                    .name(format!("relay-{number}"))
                    .spawn(move || runtime.block_on(stop.cancelled()))?;
                Ok(handle)
            })
            .collect::<io::Result<Vec<_>>>()?;
        Ok(Lanes {
            handles,
            next: AtomicUsize::new(0),
        })
    }

    /// The lane for the next connection, in turn.
    pub(crate) fn pick(&self) -> &Handle {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        &self.handles[turn % self.handles.len()]
    }
}
