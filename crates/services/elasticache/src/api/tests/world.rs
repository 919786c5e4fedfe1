//! A region with three zones and engines in each, and what its answers say.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method};
use quick_xml::Reader;
use quick_xml::events::Event;
use quorate_base::AccountId;
use quorate_control::{Catalog, Endpoint, EndpointPorts, Stored, Txn};
use quorate_wire::service::{Call, Service};

use crate::api::{ElastiCacheRegion, ElastiCacheService};
use crate::model::{Cache, Engine, EngineVersion, Host, MemberState, Status};

pub(super) const GROUP: &str = "Action=CreateReplicationGroup&Version=2015-02-02&CacheNodeType=cache.t3.micro\
     &ReplicationGroupDescription=d&ReplicationGroupId=";
pub(super) const CLUSTER: &str =
    "Action=CreateCacheCluster&CacheNodeType=cache.t3.micro&CacheClusterId=";

const ZONES: [&str; 3] = ["us-east-1a", "us-east-1b", "us-east-1c"];
const ENGINES: [(Engine, &str); 3] = [
    (Engine::Redis, "7.0.15"),
    (Engine::Redis, "6.2.7"),
    (Engine::Memcached, "1.6.18"),
];

/// Ports from a small range.
#[derive(Default)]
struct Ports(Mutex<BTreeSet<u16>>);

impl EndpointPorts for Ports {
    fn reserve(&self, wanted: u16) -> Option<u16> {
        let mut taken = self.0.lock().unwrap();
        let mut ports = std::iter::once(wanted).chain(7000..7100);
        ports.find(|port| taken.insert(*port))
    }
}

/// The leaves of an answer, each with the path of names that leads to it.
#[derive(Debug)]
pub(super) struct Reply(Vec<(String, String)>);

impl Reply {
    fn parse(document: &[u8]) -> Reply {
        let mut reader = Reader::from_reader(document);
        let (mut path, mut leaves, mut text) = (Vec::new(), Vec::new(), String::new());
        loop {
            match reader.read_event().unwrap() {
                Event::Start(tag) => {
                    path.push(String::from_utf8(tag.name().as_ref().to_vec()).unwrap());
                    text.clear();
                }
                Event::Text(part) => text += &part.decode().unwrap(),
                Event::GeneralRef(part) => {
                    let name = part.decode().unwrap();
                    text += &quick_xml::escape::unescape(&format!("&{name};")).unwrap();
                }
                Event::End(_) => {
                    leaves.push((path.join("/"), std::mem::take(&mut text)));
                    path.pop();
                }
                Event::Eof => return Reply(leaves),
                _ => {}
            }
        }
    }

    /// The texts of all leaves whose path ends so.
    pub(super) fn texts(&self, path: &str) -> Vec<&str> {
        let end = format!("/{path}");
        let fits = |leaf: &&(String, String)| leaf.0.ends_with(&end);
        self.0
            .iter()
            .filter(fits)
            .map(|(_, text)| text.as_str())
            .collect()
    }

    /// The text of the first leaf whose path ends so.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.texts(path).first().copied()
    }
}

/// The service with its catalog.
pub(super) struct World {
    service: ElastiCacheService,
    pub(super) catalog: Catalog,
}

impl World {
    pub(super) async fn new() -> World {
        World::with(&ENGINES, true, true).await
    }

    pub(super) async fn with(
        engines: &[(Engine, &str)],
        sentinel: bool,
        cluster_mode: bool,
    ) -> World {
        let catalog = Catalog::in_memory();
        for zone in ZONES {
            let engines = engines.iter().map(|(engine, version)| EngineVersion {
                engine: *engine,
                version: (*version).into(),
            });
            let host = Host {
                engines: engines.collect(),
                sentinel,
            };
            let txn = Txn::new().insert(&format!("{zone}-1"), &host);
            catalog.commit(txn).await.unwrap();
        }
        World::over(catalog, cluster_mode)
    }

    pub(super) fn over(catalog: Catalog, cluster_mode: bool) -> World {
        let region = ElastiCacheRegion {
            name: "us-east-1".parse().unwrap(),
            zones: ZONES.iter().map(|zone| zone.parse().unwrap()).collect(),
            catalog: catalog.clone(),
            endpoint_address: [127, 0, 0, 1].into(),
            ports: Arc::new(Ports::default()),
            cluster_mode,
        };
        World {
            service: ElastiCacheService::new([region]),
            catalog,
        }
    }

    async fn call(&self, body: &str) -> (u16, Reply) {
        let call = Call {
            region: "us-east-1".parse().unwrap(),
            account: AccountId::default(),
            access_key: "AKIATEST".into(),
            request_id: "request-1".into(),
            method: Method::POST,
            target: "/".into(),
            headers: HeaderMap::new(),
            body: Bytes::from(body.to_owned()),
        };
        let response = self.service.call(call).await;
        (response.status().as_u16(), Reply::parse(response.body()))
    }

    /// The answer to a call that succeeds.
    pub(super) async fn ok(&self, body: &str) -> Reply {
        let (status, reply) = self.call(body).await;
        assert_eq!(status, 200, "{body}: {reply:?}");
        reply
    }

    /// Code and message of the answer to a call that is refused.
    pub(super) async fn refused(&self, body: &str) -> (String, String) {
        let (status, reply) = self.call(body).await;
        assert_ne!(status, 200, "{body}");
        let text = |path| reply.text(path).unwrap().to_owned();
        (text("Error/Code"), text("Error/Message"))
    }

    /// Checks that a call is refused with this code and a message that holds these words.
    pub(super) async fn refuses(&self, body: &str, code: &str, words: &str) {
        let (found, message) = self.refused(body).await;
        assert_eq!(found, code, "{body}: {message}");
        assert!(message.contains(words), "{body}: {message}");
    }

    pub(super) async fn cache(&self, id: &str) -> Cache {
        self.catalog.read(id).await.unwrap().unwrap().record
    }

    pub(super) async fn endpoints(&self) -> Vec<Stored<Endpoint>> {
        self.catalog.list().await.unwrap()
    }

    /// Does what controller and agents would: all members run, orders are carried out.
    pub(super) async fn settle(&self, id: &str) {
        self.change(id, |cache| {
            cache.status = Status::Available;
            cache.orders.clear();
            for shard in cache.topology.shards.values_mut() {
                for (number, member) in &mut shard.members {
                    let zone = ZONES[usize::from(number.0 - 1) % ZONES.len()];
                    member.node = Some(format!("{zone}-1").parse().unwrap());
                    member.state = MemberState::Running;
                }
            }
        })
        .await;
    }

    pub(super) async fn change(&self, id: &str, mut change: impl FnMut(&mut Cache)) {
        let change = |cache: &mut Cache| {
            change(cache);
            true
        };
        self.catalog.update::<Cache>(id, change).await.unwrap();
    }

    /// A group with two replicas that fails over, available.
    pub(super) async fn group(&self, id: &str) {
        let more = "&NumCacheClusters=3&AutomaticFailoverEnabled=true&MultiAZEnabled=true";
        self.ok(&format!("{GROUP}{id}{more}")).await;
        self.settle(id).await;
    }
}
