//! An endpoint's listener: bound for as long as the endpoint is there.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::relay::connection::carry;
use crate::relay::follow::Line;
use crate::relay::ports::bind;
use crate::relay::stats::add;

/// Pause after the kernel had no descriptor for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// First pause before a taken port is tried again; doubled each time.
const BIND_PAUSE: Duration = Duration::from_millis(100);

/// Listens until the endpoint is gone. `reserved` is the listener held since the port was given out.
pub(crate) async fn listen(line: Arc<Line>, reserved: Option<StdListener>) {
    tokio::select! {
        () = line.slot.gone.cancelled() => {}
        () = take_all(&line, reserved) => {}
    }
    line.listening.store(false, Ordering::Relaxed);
}

async fn take_all(line: &Arc<Line>, reserved: Option<StdListener>) {
    let listener = match reserved.and_then(|held| TcpListener::from_std(held).ok()) {
        Some(listener) => listener,
        None => bind_at_last(line).await,
    };
    line.listening.store(true, Ordering::Relaxed);
    tracing::info!(endpoint = %line.id, region = %line.region, port = line.port, "endpoint listens");
    loop {
        match listener.accept().await {
            Ok((client, peer)) => {
                if let Err(error) = hand_over(line, client, peer) {
                    tracing::debug!(endpoint = %line.id, %peer, %error, "connection refused");
                }
            }
            Err(error) => {
                tracing::warn!(endpoint = %line.id, %error, "an endpoint could not accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Tries that may fail before somebody is told.
const TRIES_BEFORE_TOLD: u32 = 3;

/// Binds the endpoint's port, waiting for whoever holds it.
async fn bind_at_last(line: &Line) -> TcpListener {
    let config = &line.shared.config;
    let pause_max = Duration::from_millis(config.bind_pause_max_ms).max(BIND_PAUSE);
    let mut pause = BIND_PAUSE;
    let mut tries = 0_u32;
    loop {
        match bind(config.address, line.port).and_then(TcpListener::from_std) {
            Ok(listener) => return listener,
            // A renamed endpoint's port is free again a moment after its first try.
            Err(error) if tries != TRIES_BEFORE_TOLD => {
                tries = tries.saturating_add(1);
                tracing::debug!(endpoint = %line.id, port = line.port, %error, "port still taken");
            }
            Err(error) => {
                tries += 1;
                tracing::error!(
                    endpoint = %line.id,
                    region = %line.region,
                    address = %config.address,
                    port = line.port,
                    %error,
                    "an endpoint's port cannot be bound: its database is out of reach until the \
                     program that holds the port ends"
                );
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(pause_max);
    }
}

/// Moves a connection to its lane.
fn hand_over(line: &Arc<Line>, client: TcpStream, peer: SocketAddr) -> io::Result<()> {
    let shared = &line.shared;
    let Ok(place) = Arc::clone(&line.places).try_acquire_owned() else {
        add(&shared.stats.refused);
        return Err(io::Error::other("the endpoint has too many connections"));
    };
    let client = client.into_std()?;
    add(&shared.stats.opened);
    add(&shared.stats.open);
    let open = Open {
        line: Arc::clone(line),
        _place: place,
    };
    let (tell, told) = oneshot::channel();
    let task = shared.lanes.pick().spawn(async move {
        // Dropped with the task, however it ends.
        let open = open;
        if let Ok(me) = told.await {
            carry(Arc::clone(&open.line), client, peer, me).await;
        }
    });
    // The task waits for its own handle; it cannot be gone before it has it.
    let _ = tell.send(task.abort_handle());
    Ok(())
}

/// Counts a connection as open for as long as it lives.
struct Open {
    line: Arc<Line>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Open {
    fn drop(&mut self) {
        let open = &self.line.shared.stats.open;
        open.fetch_sub(1, Ordering::Relaxed);
    }
}
