//! One connection from its first byte to its last.

use std::io;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::sync::Arc;
use std::time::Duration;

use quorate_control::EndpointProtocol;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::relay::cancel::{CANCEL_BYTES, Opening, classify};
use crate::relay::config::RelayConfig;
use crate::relay::follow::Line;
use crate::relay::memcached;
use crate::relay::pump::pump;
use crate::relay::slot::{Membership, Slot};
use crate::relay::stats::add;

/// Questions to a silent peer that may go unanswered.
const KEEPALIVE_RETRIES: u32 = 3;

/// Carries one client. Runs on a lane; `me` ends it.
pub(crate) async fn carry(line: Arc<Line>, client: StdStream, peer: SocketAddr, me: AbortHandle) {
    let outcome = match TcpStream::from_std(client) {
        Ok(client) => carry_inner(&line, client, &me).await,
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        tracing::debug!(endpoint = %line.id, %peer, %error, "connection ended");
    }
}

async fn carry_inner(line: &Arc<Line>, mut client: TcpStream, me: &AbortHandle) -> io::Result<()> {
    let config = &line.shared.config;
    tune(&client, config, 0)?;
    let deadline = Instant::now() + config.wait();
    let opened = tokio::select! {
        opened = timeout_at(deadline, open(line, &mut client, me)) => opened,
        () = line.slot.gone.cancelled() => return Ok(()),
    };
    let Ok(opened) = opened else {
        add(&line.shared.stats.wait_timeouts);
        return Ok(());
    };
    let Some(Opened {
        mut backend,
        first,
        membership,
    }) = opened?
    else {
        return Ok(());
    };
    backend.write_all(&first).await?;
    let stats = &line.shared.stats;
    let counts = (&stats.to_target_bytes, &stats.to_client_bytes);
    let ended = match line.protocol {
        EndpointProtocol::Memcached => memcached::carry(client, backend, &line.slot, counts).await,
        _ => pump(&mut client, &mut backend, counts.0, counts.1).await,
    };
    drop(membership);
    ended
}

/// A connection whose both sides stand.
struct Opened<'a> {
    backend: TcpStream,
    /// What the client has sent and the target has not seen.
    first: Vec<u8>,
    membership: Membership<'a>,
}

/// Reads what the connection opens with and connects to the target, both at once. None when it is
/// over: the client left, or it was a cancel request, which has been handed on.
async fn open<'a>(
    line: &'a Arc<Line>,
    client: &mut TcpStream,
    me: &AbortHandle,
) -> io::Result<Option<Opened<'a>>> {
    let mut first = [0; CANCEL_BYTES];
    let mut seen = 0;
    let mut opening = match line.protocol {
        EndpointProtocol::Postgres => Opening::Unclear,
        EndpointProtocol::Opaque | EndpointProtocol::Memcached => Opening::Session,
    };
    let connecting = connect(line, me);
    tokio::pin!(connecting);
    let mut connected = None;
    loop {
        if let Opening::Cancel(packet) = opening {
            hand_on_cancel(line, packet);
            return Ok(None);
        }
        if opening == Opening::Session
            && let Some((backend, membership)) = connected.take()
        {
            return Ok(Some(Opened {
                backend,
                first: first[..seen].to_vec(),
                membership,
            }));
        }
        tokio::select! {
            read = client.read(&mut first[seen..]), if opening == Opening::Unclear => {
                let read = read?;
                if read == 0 {
                    return Ok(None);
                }
                seen += read;
                opening = classify(&first[..seen]);
            }
            both = &mut connecting, if connected.is_none() => connected = Some(both),
        }
    }
}

/// Connects to the target of the moment, again and again until one takes the connection.
async fn connect<'a>(line: &'a Arc<Line>, me: &AbortHandle) -> (TcpStream, Membership<'a>) {
    let config = &line.shared.config;
    let slot: &'a Slot = &line.slot;
    let mut targets = slot.subscribe();
    let mut waited = false;
    loop {
        let held = targets.borrow_and_update().clone();
        let address = slot.pick(&held);
        let attempt = async {
            let address = address?;
            let limit = Duration::from_millis(config.connect_ms);
            let stream = timeout(limit, TcpStream::connect(address));
            let stream = stream.await.ok()?.ok()?;
            tune(&stream, config, config.unacknowledged_ms).ok()?;
            Some((stream, address))
        };
        let connected = tokio::select! {
            connected = attempt => connected,
            _ = targets.changed() => continue,
        };
        match connected {
            Some((stream, address)) => {
                if let Some(membership) = slot.enter(held.epoch, address, me.clone()) {
                    return (stream, membership);
                }
            }
            None => {
                if !waited {
                    waited = true;
                    add(&line.shared.stats.waits);
                }
                let pause = async {
                    match address {
                        Some(_) => {
                            tokio::time::sleep(Duration::from_millis(config.connect_pause_ms))
                                .await;
                        }
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = pause => {}
                    _ = targets.changed() => {}
                }
            }
        }
    }
}

/// Gives a cancel request to its handler, on the runtime that made the relay.
fn hand_on_cancel(line: &Arc<Line>, packet: [u8; CANCEL_BYTES]) {
    let shared = &line.shared;
    let target = line.slot.targets().addresses.first().copied();
    let (Some(handler), Some(target)) = (shared.cancels.clone(), target) else {
        return;
    };
    add(&shared.stats.cancels);
    let (line, limit) = (Arc::clone(line), shared.config.wait());
    shared.control.spawn(async move {
        let delivery = handler.deliver(&line.id, &line.region, target, packet);
        if timeout(limit, delivery).await.is_err() {
            tracing::warn!(endpoint = %line.id, "a cancel request could not be handed on in time");
        }
    });
}

/// Sends small packets at once and notices a peer whose machine is gone.
fn tune(stream: &TcpStream, config: &RelayConfig, unacknowledged_ms: u64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(config.keepalive_idle_s))
        .with_interval(Duration::from_secs(config.keepalive_interval_s))
        .with_retries(KEEPALIVE_RETRIES);
    socket.set_tcp_keepalive(&keepalive)?;
    if unacknowledged_ms > 0 {
        socket.set_tcp_user_timeout(Some(Duration::from_millis(unacknowledged_ms)))?;
    }
    Ok(())
}
