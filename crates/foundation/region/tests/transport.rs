//! Calls between processes of a region, and of no region.

// A test fails where it unwraps.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
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
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let server = RpcServer::bind(address, identity).await.unwrap();
    let mut router = Router::default();
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
