//! Work that blocks, off the async threads.

use std::io;

use crate::host::clock::is_simulated;

/// Does the work on a thread that may wait; in a simulation, which has one thread and waits for nothing, in place.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    if is_simulated() {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)
}
