//! The catalog over three voters: agreement, watches, sessions, and what survives.

// A test fails where it unwraps.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quorate_base::{NodeId, RegionName};
use quorate_consensus::{GroupConfig, Voter};
use quorate_control::{
    Catalog, CatalogError, Lease, LeaseConfig, NodeRecord, Record, Remote, Replica, Txn,
};
use quorate_region::transport::{Caller, Router, RpcServer};
use quorate_region::{CertificateAuthority, Identity, NodeInfo, RegionMap};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Note {
    text: String,
}

impl Record for Note {
    const TABLE: &'static str = "test/note";
    const VERSION: u32 = 2;

    fn migrate(version: u32, old: serde_json::Value) -> Option<serde_json::Value> {
        (version == 1).then(|| serde_json::json!({ "text": old }))
    }
}

fn note(text: &str) -> Note {
    Note {
        text: text.to_owned(),
    }
}

struct Running {
    replica: Arc<Replica>,
    server: JoinHandle<()>,
}

struct World {
    folder: tempfile::TempDir,
    ca: CertificateAuthority,
    map: RegionMap,
    running: Vec<Option<Running>>,
}

impl World {
    async fn start() -> World {
        let region: RegionName = "us-east-1".parse().unwrap();
        let nodes = ['a', 'b', 'c'].map(|letter| {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address: SocketAddr = listener.local_addr().unwrap();
            NodeInfo {
                id: region.zone(letter).node(1),
                address,
                voter: true,
            }
        });
        let ca = CertificateAuthority::create(&region).unwrap();
        let map = RegionMap {
            region,
            nodes: nodes.into(),
        };
        let folder = tempfile::tempdir().unwrap();
        let mut world = World {
            folder,
            ca,
            map,
            running: vec![None, None, None],
        };
        for at in 0..3 {
            world.start_voter(at).await;
        }
        world
    }

    fn voters(&self) -> Vec<Voter> {
        self.map
            .voters()
            .map(|n| Voter {
                node: n.id.clone(),
                address: n.address,
            })
            .collect()
    }

    async fn start_voter(&mut self, at: usize) {
        let own = self.voters().swap_remove(at);
        let identity = Identity::for_node(&self.ca, &self.map, &own.node).unwrap();
        let caller = Arc::new(Caller::new(&identity).unwrap());
        let folder = self.folder.path().join(own.node.as_str());
        let lease = LeaseConfig {
            lease_ms: 1_000,
            margin_ms: 100,
        };
        let timing = GroupConfig::default();
        let replica = Replica::open(&own, self.voters(), &folder, &timing, lease, caller)
            .await
            .unwrap();
        let mut router = Router::default();
        replica.route(&mut router);
        let server = RpcServer::bind(own.address, &identity).await.unwrap();
        let server = tokio::spawn(server.serve(router));
        replica.form().await.unwrap();
        self.running[at] = Some(Running { replica, server });
    }

    async fn stop_voter(&mut self, at: usize) {
        let running = self.running[at].take().unwrap();
        running.server.abort();
        running.replica.shutdown().await;
    }

    fn catalog(&self, at: usize) -> Catalog {
        self.running[at].as_ref().unwrap().replica.catalog()
    }

    fn gateway(&self) -> Arc<Caller> {
        let identity = Identity::for_gateway(&self.ca, &self.map, "g").unwrap();
        Arc::new(Caller::new(&identity).unwrap())
    }

    async fn leader(&self) -> usize {
        for _ in 0..400 {
            for (at, running) in self.running.iter().enumerate() {
                if running
                    .as_ref()
                    .is_some_and(|r| r.replica.watch_leadership().borrow().own)
                {
                    return at;
                }
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("no leader within ten seconds");
    }
}

/// Tries again while the catalog has no leader.
async fn commit(catalog: &Catalog, txn: &Txn) -> Result<(), CatalogError> {
    for _ in 0..100 {
        match catalog.commit(txn.clone()).await {
            Err(CatalogError::Unavailable(_)) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other => return other.map(|_| ()),
        }
    }
    panic!("no leader within ten seconds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_process_reads_what_any_process_committed() {
    let world = World::start().await;
    commit(
        &world.catalog(1),
        &Txn::new().insert("one", &note("from b")),
    )
    .await
    .unwrap();
    let gateway = Remote::follow(world.voters(), world.gateway()).catalog();
    for catalog in [
        world.catalog(0),
        world.catalog(1),
        world.catalog(2),
        gateway.clone(),
    ] {
        let read = catalog.read::<Note>("one").await.unwrap().unwrap();
        assert_eq!(read.record, note("from b"));
    }
    commit(&gateway, &Txn::new().insert("two", &note("from a gateway")))
        .await
        .unwrap();
    let list = world.catalog(2).list::<Note>().await.unwrap();
    assert_eq!(
        list.iter().map(|n| n.id.as_str()).collect::<Vec<_>>(),
        ["one", "two"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_happens_whole_or_not_at_all() {
    let world = World::start().await;
    let catalog = world.catalog(0);
    commit(&catalog, &Txn::new().insert("one", &note("first")))
        .await
        .unwrap();
    let read = catalog.read::<Note>("one").await.unwrap().unwrap();
    commit(&catalog, &Txn::new().replace(&read, &note("second")))
        .await
        .unwrap();
    let stale = Txn::new()
        .insert("two", &note("beside"))
        .replace(&read, &note("third"));
    let conflict = commit(&catalog, &stale).await.unwrap_err();
    assert_eq!(
        conflict,
        CatalogError::Conflict {
            key: String::from("test/note/one")
        }
    );
    assert!(catalog.read::<Note>("two").await.unwrap().is_none());
    assert_eq!(
        catalog.read::<Note>("one").await.unwrap().unwrap().record,
        note("second")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalog_outlives_its_leader_and_a_restart_of_all_voters() {
    let mut world = World::start().await;
    commit(&world.catalog(0), &Txn::new().insert("one", &note("kept")))
        .await
        .unwrap();
    let leader = world.leader().await;
    world.stop_voter(leader).await;
    let other = (leader + 1) % 3;
    commit(
        &world.catalog(other),
        &Txn::new().insert("two", &note("without it")),
    )
    .await
    .unwrap();
    for at in 0..3 {
        if world.running[at].is_some() {
            world.stop_voter(at).await;
        }
    }
    for at in 0..3 {
        world.start_voter(at).await;
    }
    world.leader().await;
    let gateway = Remote::follow(world.voters(), world.gateway()).catalog();
    let list = gateway.list::<Note>().await.unwrap();
    assert_eq!(
        list.iter().map(|n| n.id.as_str()).collect::<Vec<_>>(),
        ["one", "two"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_quorum_nothing_is_committed_and_nothing_is_read() {
    let mut world = World::start().await;
    commit(&world.catalog(0), &Txn::new().insert("one", &note("kept")))
        .await
        .unwrap();
    world.stop_voter(1).await;
    world.stop_voter(2).await;
    let catalog = world.catalog(0);
    let written = catalog
        .commit(Txn::new().insert("two", &note("alone")))
        .await;
    assert!(
        matches!(written, Err(CatalogError::Unavailable(_))),
        "{written:?}"
    );
    let read = catalog.read::<Note>("one").await;
    assert!(
        matches!(read, Err(CatalogError::Unavailable(_))),
        "{read:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_falls_silent_loses_its_session() {
    let world = World::start().await;
    let node: NodeId = world.map.region.zone('b').node(2);
    let record = NodeRecord {
        address: "127.0.0.1:1".parse().unwrap(),
        voter: false,
        started_at: quorate_base::UnixMillis::now(),
        version: String::from("test"),
    };
    commit(
        &world.catalog(0),
        &Txn::new().insert(node.as_str(), &record),
    )
    .await
    .unwrap();
    let identity = Identity::for_node(&world.ca, &world.map, &node).unwrap();
    let caller = Arc::new(Caller::new(&identity).unwrap());
    let remote = Remote::follow(world.voters(), caller.clone());
    let lease = Lease::new(LeaseConfig {
        lease_ms: 1_000,
        margin_ms: 100,
    });
    lease.observe("engine", Some(b"runs".to_vec()));
    let keeper = lease.clone();
    let (voters, view) = (world.voters(), remote.catalog().view().clone());
    let renewing = tokio::spawn(async move { keeper.keep(node, voters, caller, view).await });
    lease.watch().wait_for(Option::is_some).await.unwrap();
    assert!(lease.is_held());
    let session = loop {
        // A leader that was just elected has not heard of anybody yet.
        let session = remote.sessions().await.unwrap().sessions.remove(0);
        assert!(session.alive);
        if session.silent_ms.is_some() {
            break session;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(session.observed["engine"], b"runs");
    renewing.abort();
    let mut seen_alive_after_end = false;
    loop {
        let alive = remote.sessions().await.unwrap().sessions.remove(0).alive;
        if !alive {
            break;
        }
        seen_alive_after_end |= !lease.is_held();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(
        seen_alive_after_end,
        "the node's lease ends before the leader says so"
    );
}

#[tokio::test]
async fn records_of_an_older_version_are_brought_forward() {
    #[derive(Clone, Serialize, Deserialize)]
    struct NoteV1(String);
    impl Record for NoteV1 {
        const TABLE: &'static str = "test/note";
        const VERSION: u32 = 1;
    }
    let catalog = Catalog::in_memory();
    catalog
        .commit(Txn::new().insert("old", &NoteV1(String::from("first"))))
        .await
        .unwrap();
    assert_eq!(
        catalog.read::<Note>("old").await.unwrap().unwrap().record,
        note("first")
    );
    catalog
        .commit(Txn::new().insert("new", &note("second")))
        .await
        .unwrap();
    let newer = catalog.read::<NoteV1>("new").await;
    assert!(matches!(newer, Err(CatalogError::Unreadable { .. })));
}
