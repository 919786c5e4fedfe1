//! When to stop: a signal, or the word or the end of the process that started this one.

use std::io::Read;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a node's parent says when all nodes stop, before it closes the pipe.
pub(crate) const STOP_ENGINES: &[u8] = b"stop engines\n";

/// What a node is to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeStop {
    /// Engines.
    pub(crate) engines: CancellationToken,
    /// Everything: what the engines of other nodes need while they stop is among it.
    pub(crate) all: CancellationToken,
}

impl NodeStop {
    fn everything(&self) {
        self.all.cancel();
        self.engines.cancel();
    }

    /// Waits until all nodes stop their engines, and this one is still needed by others.
    pub(crate) async fn region_stops(&self) {
        self.engines.cancelled().await;
        if self.all.is_cancelled() {
            std::future::pending().await
        }
    }
}

/// A token that is cancelled by Ctrl-C or SIGTERM.
pub(crate) fn on_signals() -> anyhow::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.cancel();
    });
    Ok(token)
}

/// When a node stops: by a signal, or, with a parent, by what comes through standard input.
pub(crate) fn of_node(has_parent: bool) -> anyhow::Result<NodeStop> {
    let stop = NodeStop::default();
    let (signalled, stopped) = (on_signals()?, stop.clone());
    tokio::spawn(async move {
        signalled.cancelled().await;
        stopped.everything();
    });
    if has_parent {
        with_parent(&stop);
    }
    Ok(stop)
}

/// The first word stops engines; the end of standard input, when `quorate up` is gone, stops everything.
fn with_parent(stop: &NodeStop) {
    let stop = stop.clone();
    // A thread of its own: a runtime does not end while one of its threads reads.
    std::thread::spawn(move || {
        let mut word = [0; 64];
        let mut input = std::io::stdin().lock();
        while input.read(&mut word).is_ok_and(|n| n > 0) {
            stop.engines.cancel();
        }
        stop.everything();
    });
}
