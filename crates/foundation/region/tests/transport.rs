//! Calls between processes of a region, and of no region.

// A test fails where it unwraps.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quorate_base::{NodeId, RegionName};
use quorate_region::transport::{CallError, Caller, Requester, Router, RpcServer};
use quorate_region::{CertificateAuthority, Identity, NodeInfo, RegionMap};

const TIMEOUT: Duration = Duration::from_secs(5);

fn region() -> (RegionMap, NodeId) {
    let region: RegionName = "us-east-1".parse().unwrap();
    let id = region.zone('a').node(1);
    let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    (
        RegionMap {
            region,
            nodes: vec![NodeInfo {
                id: id.clone(),
                address,
                voter: true,
            }],
        },
        id,
    )
}

async fn start(identity: &Identity) -> SocketAddr {
    start_with(identity, Router::default()).await
}

async fn start_with(identity: &Identity, mut router: Router) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let server = RpcServer::bind(address, identity).await.unwrap();
    router.on("double", |_: Requester, n: u64| async move { Ok(n * 2) });
    router.on("fail", |_: Requester, (): ()| async move {
        Err::<(), _>(String::from("no"))
    });
    router.on("whoami", |who: Requester, node: NodeId| async move {
        Ok(who.is_node(&node))
    });
    tokio::spawn(server.serve(router));
    address
}

#[tokio::test]
async fn processes_of_a_region_call_each_other() {
    let (map, node) = region();
    let ca = CertificateAuthority::create(&map.region).unwrap();
    let identity = Identity::for_node(&ca, &map, &node).unwrap();
    let address = start(&identity).await;

    let gateway = Identity::for_gateway(&ca, &map, "gateway-1").unwrap();
    let caller = Caller::new(&Identity::from_token(&gateway.token().0).unwrap()).unwrap();
    let answer: u64 = caller
        .call(&node, address, "double", &21_u64, TIMEOUT)
        .await
        .unwrap();
    assert_eq!(answer, 42);
    let refused = caller
        .call::<_, ()>(&node, address, "fail", &(), TIMEOUT)
        .await;
    assert_eq!(
        refused,
        Err(CallError::Refused {
            node: node.clone(),
            why: String::from("no")
        })
    );
    let is_node: bool = caller
        .call(&node, address, "whoami", &node, TIMEOUT)
        .await
        .unwrap();
    assert!(!is_node, "a gateway is not the node");
    let own = Caller::new(&identity).unwrap();
    assert!(
        own.call::<_, bool>(&node, address, "whoami", &node, TIMEOUT)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_process_without_the_regions_certificate_gets_nothing() {
    let (map, node) = region();
    let ca = CertificateAuthority::create(&map.region).unwrap();
    let identity = Identity::for_node(&ca, &map, &node).unwrap();
    let address = start(&identity).await;

    let other_ca = CertificateAuthority::create(&map.region).unwrap();
    let stranger = Identity::for_node(&other_ca, &map, &node).unwrap();
    let caller = Caller::new(&stranger).unwrap();
    assert!(
        caller
            .call::<_, u64>(&node, address, "double", &21_u64, TIMEOUT)
            .await
            .is_err()
    );

    // The right CA, another region: the certificate's name gives it away.
    let elsewhere = RegionMap {
        region: "eu-west-1".parse().unwrap(),
        ..map.clone()
    };
    let foreign = Identity::for_gateway(&ca, &elsewhere, "gateway-1").unwrap();
    let caller = Caller::new(&foreign).unwrap();
    assert!(
        caller
            .call::<_, u64>(&node, address, "double", &21_u64, TIMEOUT)
            .await
            .is_err()
    );
}

#[test]
fn a_damaged_token_is_refused_and_shows_nothing() {
    let (map, node) = region();
    let ca = CertificateAuthority::create(&map.region).unwrap();
    let identity = Identity::for_node(&ca, &map, &node).unwrap();
    let token = identity.token().0;
    assert!(Identity::from_token(&token[..token.len() / 2]).is_err());
    assert!(Identity::from_token("hello").is_err());
    assert!(!format!("{identity:?}").contains("PRIVATE"));
}

#[test]
fn an_identity_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (map, node) = region();
    let ca = CertificateAuthority::create(&map.region).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity");
    Identity::for_node(&ca, &map, &node)
        .unwrap()
        .save(&path)
        .unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(Identity::load(&path).unwrap().map, map);
}

/// A node, a caller of its region, and the node's address; the router's methods come on top of the usual ones.
async fn pair(router: Router) -> (NodeId, Caller, SocketAddr) {
    let (map, node) = region();
    let ca = CertificateAuthority::create(&map.region).unwrap();
    let identity = Identity::for_node(&ca, &map, &node).unwrap();
    let address = start_with(&identity, router).await;
    (node, Caller::new(&identity).unwrap(), address)
}

#[tokio::test]
async fn calls_on_one_connection_do_not_wait_for_each_other() {
    let mut router = Router::default();
    router.on("never", |_: Requester, (): ()| {
        std::future::pending::<Result<(), String>>()
    });
    router.on(
        "echo",
        |_: Requester, bytes: Vec<u8>| async move { Ok(bytes) },
    );
    let (node, caller, address) = pair(router).await;
    let mut never = std::pin::pin!(caller.call::<_, ()>(&node, address, "never", &(), TIMEOUT));
    let sizes = [0, 1, 1_000, 100_000, 3 << 20];
    let echoes = sizes.map(|size| {
        let (node, caller) = (&node, &caller);
        async move {
            let sent = vec![7; size];
            let got: Vec<u8> = caller
                .call(node, address, "echo", &sent, TIMEOUT)
                .await
                .unwrap();
            assert!(got == sent, "{size} bytes came back as {}", got.len());
        }
    });
    let echoes = async {
        for echo in echoes {
            echo.await;
        }
    };
    tokio::select! {
        answer = &mut never => panic!("answered: {answer:?}"),
        () = echoes => {}
    }
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_is_ended_there() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let running = Arc::new(AtomicUsize::new(0));
    let mut router = Router::default();
    let counted = running.clone();
    router.on("never", move |_: Requester, (): ()| {
        counted.fetch_add(1, Ordering::SeqCst);
        let held = Counted(counted.clone());
        async move {
            let _held = held;
            std::future::pending::<Result<(), String>>().await
        }
    });
    let (node, caller, address) = pair(router).await;
    let timeout = Duration::from_millis(200);
    let answer = caller
        .call::<_, ()>(&node, address, "never", &(), timeout)
        .await;
    assert!(
        matches!(answer, Err(CallError::NoAnswer { .. })),
        "{answer:?}"
    );
    until(|| running.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn an_answer_that_will_not_come_is_not_waited_for() {
    let mut router = Router::default();
    router.on("panic", |_: Requester, (): ()| async move {
        if true {
            panic!("as a broken handler does");
        }
        Ok(())
    });
    let (node, caller, address) = pair(router).await;
    let answer = caller
        .call::<_, ()>(&node, address, "panic", &(), TIMEOUT)
        .await;
    assert!(
        matches!(answer, Err(CallError::NoAnswer { .. })),
        "{answer:?}"
    );
    let answer: u64 = caller
        .call(&node, address, "double", &4_u64, TIMEOUT)
        .await
        .unwrap();
    assert_eq!(answer, 8, "the connection goes on");
    let unknown = caller
        .call::<_, ()>(&node, address, "unknown", &(), TIMEOUT)
        .await;
    assert!(
        matches!(unknown, Err(CallError::Refused { .. })),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn a_connection_that_broke_is_made_again() {
    let (node, caller, address) = pair(Router::default()).await;
    let (inside, outside) = relay(address).await;
    let double = async || {
        caller
            .call::<_, u64>(&node, outside, "double", &4_u64, TIMEOUT)
            .await
    };
    assert_eq!(double().await, Ok(8));
    inside.abort();
    let _ = inside.await;
    // The listener is gone with the relay.
    until_async(async || matches!(double().await, Err(CallError::Unreachable { .. }))).await;
    let _again = relay_at(address, outside).await;
    until_async(async || double().await == Ok(8)).await;
}

/// Passes one connection after the other on.
async fn relay(to: SocketAddr) -> (tokio::task::JoinHandle<()>, SocketAddr) {
    relay_at(to, "127.0.0.1:0".parse().unwrap()).await
}

async fn relay_at(to: SocketAddr, at: SocketAddr) -> (tokio::task::JoinHandle<()>, SocketAddr) {
    let listener = tokio::net::TcpListener::bind(at).await.unwrap();
    let at = listener.local_addr().unwrap();
    let relaying = tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut far = tokio::net::TcpStream::connect(to).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        }
    });
    (relaying, at)
}

async fn until(done: impl Fn() -> bool) {
    until_async(async || done()).await;
}

async fn until_async(done: impl AsyncFn() -> bool) {
    let waiting = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, waiting)
        .await
        .expect("it takes too long");
}
