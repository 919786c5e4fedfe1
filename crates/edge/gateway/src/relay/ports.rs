//! Ports held for endpoints that are about to be.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Mutex;
use std::time::Instant;

use socket2::{Domain, Protocol, Socket, Type};

use crate::relay::config::RelayConfig;

/// Connections that the kernel holds for an endpoint until they are taken.
const BACKLOG: i32 = 1024;

/// Listeners that wait for their endpoint record, each with the end of its wait.
#[derive(Default)]
pub(crate) struct Reservations {
    held: Mutex<HashMap<u16, (TcpListener, Instant)>>,
}

impl Reservations {
    /// Binds `wanted`, else the first free port of the range; none when all are taken. `owned` says
    /// which ports endpoints have already, bound at the moment or not.
    pub(crate) fn reserve(
        &self,
        wanted: u16,
        config: &RelayConfig,
        owned: impl Fn(u16) -> bool,
    ) -> Option<u16> {
        self.expire();
        let mut held = self.held.lock().expect("no holder of the lock panics");
        let candidates = std::iter::once(wanted)
            .filter(|port| *port != 0)
            .chain(config.port_first..=config.port_last);
        for port in candidates {
            if held.contains_key(&port) || owned(port) {
                continue;
            }
            if let Ok(listener) = bind(config.address, port) {
                held.insert(port, (listener, Instant::now() + config.reservation()));
                return Some(port);
            }
        }
        None
    }

    /// Gives up the listener that was held for a port, if there is one.
    pub(crate) fn claim(&self, port: u16) -> Option<TcpListener> {
        let mut held = self.held.lock().expect("no holder of the lock panics");
        held.remove(&port).map(|(listener, _)| listener)
    }

    /// Frees the ports whose time is over.
    pub(crate) fn expire(&self) {
        let now = Instant::now();
        let mut held = self.held.lock().expect("no holder of the lock panics");
        held.retain(|_, (_, until)| *until > now);
    }
}

/// A listener on the gateway's address, as the relays want it.
pub(crate) fn bind(address: IpAddr, port: u16) -> std::io::Result<TcpListener> {
    let address = SocketAddr::from((address, port));
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A gateway that starts again must not wait for its old connections to be forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
