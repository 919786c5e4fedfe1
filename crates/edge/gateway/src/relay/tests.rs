//! Real sockets on loopback; a catalog in memory says where connections go.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use quorate_base::{Epoch, RegionName};
use quorate_control::{
    Boxed, Catalog, ClusterConfiguration, Endpoint, EndpointPorts, EndpointProtocol, Txn,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{CancelHandler, Relay, RelayConfig, RelayStatsRead};

const DEADLINE: Duration = Duration::from_secs(20);
const ID: &str = "rds:orders";

/// Each test has a range of ports to itself.
static NEXT_RANGE: AtomicU16 = AtomicU16::new(21_000);

struct World {
    relay: Relay,
    catalog: Catalog,
    _stop: DropGuard,
}

type Delivered = (String, RegionName, SocketAddr, [u8; 16]);

struct Cancels(mpsc::UnboundedSender<Delivered>);

impl CancelHandler for Cancels {
    fn deliver<'a>(
        &'a self,
        endpoint_id: &'a str,
        region: &'a RegionName,
        target: SocketAddr,
        packet: [u8; 16],
    ) -> Boxed<'a, ()> {
        let delivered = (endpoint_id.to_owned(), region.clone(), target, packet);
        self.0.send(delivered).unwrap();
        Box::pin(std::future::ready(()))
    }
}

fn region() -> RegionName {
    "us-east-1".parse().unwrap()
}

fn world(change: impl FnOnce(&mut RelayConfig), cancels: Option<Arc<dyn CancelHandler>>) -> World {
    let first = NEXT_RANGE.fetch_add(10, Ordering::Relaxed);
    let mut config = RelayConfig {
        port_first: first,
        port_last: first + 9,
        wait_ms: 20_000,
        connect_pause_ms: 5,
        bind_pause_max_ms: 100,
        ..RelayConfig::default()
    };
    change(&mut config);
    let stop = CancellationToken::new();
    let relay = Relay::start(config, cancels, stop.clone()).unwrap();
    let catalog = Catalog::in_memory();
    relay.follow(region(), catalog.view().clone());
    World {
        relay,
        catalog,
        _stop: stop.drop_guard(),
    }
}

impl World {
    async fn set(&self, port: u16, target: Option<SocketAddr>, epoch: u64) {
        self.set_as(EndpointProtocol::Opaque, port, target, epoch)
            .await;
    }

    async fn set_as(
        &self,
        protocol: EndpointProtocol,
        port: u16,
        target: Option<SocketAddr>,
        epoch: u64,
    ) {
        let endpoint = Endpoint {
            port,
            targets: target.into_iter().collect(),
            epoch: Epoch(epoch),
            protocol,
            cluster: None,
        };
        let txn = Txn::new().put(ID, &endpoint);
        self.catalog.commit(txn).await.unwrap();
    }

    async fn set_targets(&self, port: u16, targets: &[SocketAddr]) {
        let endpoint = Endpoint {
            port,
            targets: targets.to_vec(),
            epoch: Epoch(1),
            protocol: EndpointProtocol::Opaque,
            cluster: None,
        };
        self.catalog
            .commit(Txn::new().put(ID, &endpoint))
            .await
            .unwrap();
    }

    /// An endpoint in front of a fresh listener that plays the database.
    async fn endpoint(&self, protocol: EndpointProtocol) -> (u16, TcpListener) {
        let database = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = self.relay.reserve(0).unwrap();
        let at = database.local_addr().unwrap();
        self.set_as(protocol, port, Some(at), 1).await;
        (port, database)
    }

    async fn until(&self, what: &str, holds: impl Fn(RelayStatsRead) -> bool) {
        until(what, || holds(self.relay.stats())).await;
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(DEADLINE, waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

async fn client(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

async fn accepted(database: &TcpListener) -> TcpStream {
    timeout(DEADLINE, database.accept())
        .await
        .unwrap()
        .unwrap()
        .0
}

async fn expect(stream: &mut TcpStream, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    timeout(DEADLINE, stream.read_exact(&mut read))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read, bytes);
}

/// Waits for the end of a connection; true when nothing came before it.
async fn ended(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    // A reset is an end, too.
    let _ = timeout(DEADLINE, stream.read_to_end(&mut rest))
        .await
        .expect("hangs");
    rest.is_empty()
}

#[tokio::test]
async fn bytes_flow_both_ways_and_a_half_close_is_passed_on() {
    let world = world(|_| {}, None);
    let (port, database) = world.endpoint(EndpointProtocol::Opaque).await;
    let mut client = client(port).await;
    let mut server = accepted(&database).await;
    client.write_all(b"question").await.unwrap();
    expect(&mut server, b"question").await;
    client.shutdown().await.unwrap();
    assert!(ended(&mut server).await);
    server.write_all(b"answer after the end").await.unwrap();
    drop(server);
    expect(&mut client, b"answer after the end").await;
    assert!(ended(&mut client).await);
    world.until("closed", |stats| stats.open == 0).await;
    let stats = world.relay.stats();
    assert_eq!((stats.to_target_bytes, stats.to_client_bytes), (8, 20));
    assert_eq!((stats.opened, stats.cuts), (1, 0));
}

#[tokio::test]
async fn a_reader_that_stops_stops_the_writer() {
    const TOTAL: u64 = 256 * 1024 * 1024;
    let world = world(|_| {}, None);
    let (port, database) = world.endpoint(EndpointProtocol::Opaque).await;
    let mut client = client(port).await;
    let mut server = accepted(&database).await;
    let writing = tokio::spawn(async move {
        let block: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
        for _ in 0..TOTAL >> 20 {
            server.write_all(&block).await.unwrap();
        }
    });
    // Kernel buffers fill, then nothing moves although the writer has more.
    let mut carried = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = world.relay.stats().to_client_bytes;
        if now == carried && now > 0 {
            break;
        }
        carried = now;
    }
    assert!(
        carried < TOTAL / 4,
        "{carried} bytes were taken from a writer nobody reads"
    );
    let (mut total, mut buffer) = (0u64, vec![0; 1 << 16]);
    loop {
        let read = timeout(DEADLINE, client.read(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        if read == 0 {
            break;
        }
        for (index, byte) in buffer[..read].iter().enumerate().step_by(997) {
            assert_eq!(u64::from(*byte), (total + index as u64) % 256);
        }
        total += read as u64;
    }
    assert_eq!(total, TOTAL);
    writing.await.unwrap();
}

#[tokio::test]
async fn a_change_of_epoch_cuts_what_hangs_on_the_old_target() {
    let world = world(|_| {}, None);
    let (port, old) = world.endpoint(EndpointProtocol::Opaque).await;
    let mut before = client(port).await;
    let mut server = accepted(&old).await;
    before.write_all(b"x").await.unwrap();
    expect(&mut server, b"x").await;

    world.set(port, None, 2).await;
    assert!(ended(&mut before).await);
    assert!(ended(&mut server).await);
    let mut waiting = client(port).await;
    waiting.write_all(b"early").await.unwrap();
    world.until("waits", |stats| stats.waits == 1).await;

    let new = TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.set(port, Some(new.local_addr().unwrap()), 2).await;
    let mut server = accepted(&new).await;
    expect(&mut server, b"early").await;
    // The same address under another epoch is another database.
    world.set(port, Some(new.local_addr().unwrap()), 3).await;
    assert!(ended(&mut waiting).await);
    world.until("closed", |stats| stats.open == 0).await;
    assert_eq!(world.relay.stats().cuts, 2);
    assert_eq!(world.relay.endpoints()[0].epoch, Epoch(3));
}

#[tokio::test]
async fn a_target_that_refuses_is_tried_until_it_takes_the_connection() {
    let world = world(|_| {}, None);
    let (port, database) = world.endpoint(EndpointProtocol::Opaque).await;
    let at = database.local_addr().unwrap();
    drop(database);
    let mut client = client(port).await;
    client.write_all(b"hello").await.unwrap();
    world.until("waits", |stats| stats.waits == 1).await;
    let database = TcpListener::bind(at).await.unwrap();
    expect(&mut accepted(&database).await, b"hello").await;
}

#[tokio::test]
async fn a_wait_without_a_target_has_an_end() {
    let world = world(|c| c.wait_ms = 150, None);
    let (port, _database) = world.endpoint(EndpointProtocol::Opaque).await;
    world.set(port, None, 2).await;
    let turned = || world.relay.endpoints().iter().any(|e| e.epoch == Epoch(2));
    until("turned", turned).await;
    assert!(ended(&mut client(port).await).await);
    world
        .until("counted", |s| s.wait_timeouts == 1 && s.open == 0)
        .await;
}

#[tokio::test]
async fn an_endpoint_that_goes_cuts_its_connections_and_frees_its_port() {
    let world = world(|_| {}, None);
    let (port, database) = world.endpoint(EndpointProtocol::Opaque).await;
    let mut client = client(port).await;
    let _server = accepted(&database).await;
    world
        .catalog
        .commit(Txn::new().discard::<Endpoint>(ID))
        .await
        .unwrap();
    assert!(ended(&mut client).await);
    let free = || std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    until("the port is free", free).await;
    assert!(world.relay.endpoints().is_empty());
}

#[tokio::test]
async fn a_cancel_request_goes_to_its_handler_and_not_to_the_database() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let world = world(|_| {}, Some(Arc::new(Cancels(tell))));
    let (port, database) = world.endpoint(EndpointProtocol::Postgres).await;
    let packet = [0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 1, 2, 3, 4, 5, 6];
    let mut canceller = client(port).await;
    canceller.set_nodelay(true).unwrap();
    for part in packet.chunks(5) {
        canceller.write_all(part).await.unwrap();
    }
    let delivered = timeout(DEADLINE, told.recv()).await.unwrap().unwrap();
    let target = database.local_addr().unwrap();
    assert_eq!(delivered, (ID.to_owned(), region(), target, packet));
    assert!(ended(&mut canceller).await);
    // The connection that was opened for it in advance carries nothing.
    assert!(ended(&mut accepted(&database).await).await);

    let mut session = client(port).await;
    let ssl_request = [0, 0, 0, 8, 4, 210, 22, 47];
    session.write_all(&ssl_request).await.unwrap();
    let mut server = accepted(&database).await;
    expect(&mut server, &ssl_request).await;
    server.write_all(b"S").await.unwrap();
    expect(&mut session, b"S").await;
    assert_eq!(world.relay.stats().cancels, 1);
}

#[tokio::test]
async fn a_busy_port_is_answered_with_one_of_the_range() {
    let world = world(|_| {}, None);
    let busy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let wanted = busy.local_addr().unwrap().port();
    let first = world.relay.reserve(wanted).unwrap();
    assert_ne!(first, wanted);
    let second = world.relay.reserve(first).unwrap();
    assert_ne!(second, first);
    drop(busy);
    assert_eq!(world.relay.reserve(wanted), Some(wanted));
    // Eight are left of the range.
    for _ in 0..8 {
        assert!(world.relay.reserve(0).is_some());
    }
    assert_eq!(world.relay.reserve(0), None);
}

#[tokio::test]
async fn a_reservation_that_nobody_claims_ends() {
    let world = world(|c| c.reservation_ms = 100, None);
    let unclaimed = world.relay.reserve(0).unwrap();
    assert!(std::net::TcpListener::bind(("127.0.0.1", unclaimed)).is_err());
    let free = || std::net::TcpListener::bind(("127.0.0.1", unclaimed)).is_ok();
    until("the port is free", free).await;
}

#[tokio::test]
async fn a_port_taken_at_start_is_bound_once_it_is_free() {
    let world = world(|_| {}, None);
    let thief = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = thief.local_addr().unwrap().port();
    let database = TcpListener::bind("127.0.0.1:0").await.unwrap();
    world
        .set(port, Some(database.local_addr().unwrap()), 1)
        .await;
    until("seen", || !world.relay.endpoints().is_empty()).await;
    assert!(!world.relay.endpoints()[0].listening);
    // It belongs to the endpoint, bound or not.
    assert_ne!(world.relay.reserve(port), Some(port));
    drop(thief);
    let listens = || world.relay.endpoints().iter().any(|e| e.listening);
    until("listens", listens).await;
    let mut client = client(port).await;
    client.write_all(b"x").await.unwrap();
    expect(&mut accepted(&database).await, b"x").await;
}

#[tokio::test]
async fn connections_beyond_the_bound_are_closed() {
    let world = world(|c| c.connections_max = 1, None);
    let (port, database) = world.endpoint(EndpointProtocol::Opaque).await;
    let _first = client(port).await;
    let _server = accepted(&database).await;
    assert!(ended(&mut client(port).await).await);
    assert_eq!(world.relay.stats().refused, 1);
}

#[tokio::test]
async fn connections_are_spread_and_only_those_to_a_target_that_went_are_cut() {
    let world = world(|_| {}, None);
    let one = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let two = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at_one, at_two) = (one.local_addr().unwrap(), two.local_addr().unwrap());
    let port = world.relay.reserve(0).unwrap();
    world.set_targets(port, &[at_one, at_two]).await;
    let mut clients = [client(port).await, client(port).await];
    let mut to_one = accepted(&one).await;
    let mut to_two = accepted(&two).await;
    to_one.write_all(b"1").await.unwrap();
    to_two.write_all(b"2").await.unwrap();
    let mut seen = Vec::new();
    for client in &mut clients {
        seen.push(client.read_u8().await.unwrap());
    }
    world.set_targets(port, &[at_two]).await;
    for (client, seen) in clients.iter_mut().zip(&seen) {
        if *seen == b'1' {
            assert!(ended(client).await);
        } else {
            client.write_all(b"still here").await.unwrap();
            expect(&mut to_two, b"still here").await;
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, b"12");
    assert_eq!(world.relay.stats().cuts, 1);
}

#[tokio::test]
async fn a_configuration_endpoint_tells_the_nodes_and_carries_the_rest() {
    let world = world(|_| {}, None);
    let (port, node) = world.endpoint(EndpointProtocol::Memcached).await;
    let at = node.local_addr().unwrap();
    let tell = async |version| {
        let endpoint = Endpoint {
            port,
            targets: vec![at],
            epoch: Epoch(1),
            protocol: EndpointProtocol::Memcached,
            cluster: Some(ClusterConfiguration {
                version,
                nodes: vec![at],
            }),
        };
        world
            .catalog
            .commit(Txn::new().put(ID, &endpoint))
            .await
            .unwrap();
    };
    tell(1).await;
    let mut client = client(port).await;
    let mut server = accepted(&node).await;
    for version in [1, 2] {
        tell(version).await;
        let body = format!("{version}\n{0}|{0}|{1}\n", at.ip(), at.port());
        let answer = format!("CONFIG cluster 0 {}\r\n{body}\r\nEND\r\n", body.len());
        // The record reaches the relay by itself: it is asked until it has.
        let told = async {
            loop {
                client
                    .write_all(b"get a\r\nconfig get cluster\r\n")
                    .await
                    .unwrap();
                expect(&mut server, b"get a\r\nmn\r\n").await;
                server.write_all(b"END\r\nMN\r\n").await.unwrap();
                expect(&mut client, b"END\r\n").await;
                let mut got = vec![0; answer.len()];
                client.read_exact(&mut got).await.unwrap();
                if got == answer.as_bytes() {
                    return;
                }
            }
        };
        timeout(DEADLINE, told).await.unwrap();
    }
}
