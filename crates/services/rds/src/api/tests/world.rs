//! A region with three zones and PostgreSQL in each, and what its answers say.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method};
use quick_xml::Reader;
use quick_xml::events::Event;
use quorate_base::{Epoch, UnixMillis};
use quorate_control::{Catalog, EndpointPorts, Txn};
use quorate_wire::service::{Call, Service};

use crate::api::{RdsRegion, RdsService};
use crate::model::{
    EngineParameters, EngineVersion, Host, Instance, Member, MemberState, ParameterContext,
    ParameterSpec, Status,
};

pub(crate) const CREATE: &str = "Action=CreateDBInstance&Version=2014-10-31&DBInstanceClass=db.t3.micro&Engine=postgres\
     &MasterUsername=app&MasterUserPassword=secret99&AllocatedStorage=20&DBInstanceIdentifier=";

const ZONES: [&str; 3] = ["us-east-1a", "us-east-1b", "us-east-1c"];

/// Ports from a small range.
#[derive(Default)]
struct Ports(Mutex<BTreeSet<u16>>);

impl EndpointPorts for Ports {
    fn reserve(&self, wanted: u16) -> Option<u16> {
        let mut taken = self.0.lock().unwrap();
        std::iter::once(wanted)
            .chain(6000..6040)
            .find(|port| taken.insert(*port))
    }
}

/// An element of an answer.
#[derive(Debug, Default, Clone)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Node>,
}

impl Node {
    pub(crate) fn parse(document: &[u8]) -> Node {
        let mut reader = Reader::from_reader(document);
        let mut open = vec![Node::default()];
        loop {
            match reader.read_event().unwrap() {
                Event::Start(tag) => open.push(Node::named(tag.name().as_ref())),
                Event::Empty(tag) => {
                    let node = Node::named(tag.name().as_ref());
                    open.last_mut().unwrap().children.push(node);
                }
                Event::Text(text) => open.last_mut().unwrap().text += &text.decode().unwrap(),
                Event::GeneralRef(reference) => {
                    let name = reference.decode().unwrap();
                    let text = quick_xml::escape::unescape(&format!("&{name};"))
                        .unwrap()
                        .into_owned();
                    open.last_mut().unwrap().text += &text;
                }
                Event::End(_) => {
                    let node = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(node);
                }
                Event::Eof => return open.pop().unwrap().children.pop().unwrap(),
                _ => {}
            }
        }
    }

    fn named(name: &[u8]) -> Node {
        Node {
            name: String::from_utf8(name.to_vec()).unwrap(),
            ..Node::default()
        }
    }

    /// All elements that a path of names leads to, from anywhere below this one.
    pub(crate) fn all(&self, path: &str) -> Vec<&Node> {
        let (first, rest) = path
            .split_once('/')
            .map_or((path, None), |(a, b)| (a, Some(b)));
        let mut found = Vec::new();
        for child in &self.children {
            if child.name == first {
                match rest {
                    Some(rest) => found.extend(child.all_here(rest)),
                    None => found.push(child),
                }
            }
            found.extend(child.all(path));
        }
        found
    }

    fn all_here(&self, path: &str) -> Vec<&Node> {
        let (first, rest) = path
            .split_once('/')
            .map_or((path, None), |(a, b)| (a, Some(b)));
        let here = self.children.iter().filter(|child| child.name == first);
        match rest {
            Some(rest) => here.flat_map(|child| child.all_here(rest)).collect(),
            None => here.collect(),
        }
    }

    pub(crate) fn texts(&self, path: &str) -> Vec<&str> {
        self.all(path)
            .iter()
            .map(|node| node.text.as_str())
            .collect()
    }

    /// The text of the first element that the path leads to.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.texts(path).first().copied()
    }
}

/// The service with its catalog.
pub(crate) struct World {
    pub(crate) service: RdsService,
    pub(crate) catalog: Catalog,
}

impl World {
    /// A region whose hosts have these versions of PostgreSQL.
    pub(crate) async fn with_versions(versions: &[&str]) -> World {
        let catalog = Catalog::in_memory();
        for zone in ZONES {
            let host = Host {
                engines: versions
                    .iter()
                    .map(|version| EngineVersion {
                        engine: "postgres".into(),
                        version: (*version).into(),
                    })
                    .collect(),
                volumes_refused: None,
            };
            let txn = Txn::new().insert(&format!("{zone}-1"), &host);
            catalog.commit(txn).await.unwrap();
        }
        for version in versions {
            let txn = Txn::new().insert(&format!("postgres-{version}"), &parameters());
            catalog.commit(txn).await.unwrap();
        }
        World::over(catalog)
    }

    /// The service over a catalog as it is.
    pub(crate) fn over(catalog: Catalog) -> World {
        let region = RdsRegion {
            name: "us-east-1".parse().unwrap(),
            zones: ZONES.iter().map(|zone| zone.parse().unwrap()).collect(),
            catalog: catalog.clone(),
            endpoint_address: "127.0.0.1".into(),
            ports: Arc::new(Ports::default()),
            ca_identifier: "quorate-ca".into(),
        };
        World {
            service: RdsService::new([region]),
            catalog,
        }
    }

    pub(crate) async fn new() -> World {
        World::with_versions(&["15.17", "15.18", "16.9"]).await
    }

    /// Status and document of the answer to a call.
    pub(crate) async fn call_in(&self, region: &str, body: &str) -> (u16, Node) {
        let call = Call {
            region: region.parse().unwrap(),
            account: quorate_base::AccountId::default(),
            access_key: "AKIATEST".into(),
            request_id: "request-1".into(),
            method: Method::POST,
            target: "/".into(),
            headers: HeaderMap::new(),
            body: Bytes::from(body.to_owned()),
        };
        let response = self.service.call(call).await;
        let status = response.status().as_u16();
        (status, Node::parse(response.body()))
    }

    /// The answer to a call that succeeds.
    pub(crate) async fn ok(&self, body: &str) -> Node {
        let (status, node) = self.call_in("us-east-1", body).await;
        assert_eq!(status, 200, "{body}: {node:?}");
        node
    }

    /// Status, code and message of the answer to a call that is refused.
    pub(crate) async fn refused(&self, body: &str) -> (u16, String, String) {
        let (status, node) = self.call_in("us-east-1", body).await;
        assert_ne!(status, 200, "{body}");
        let text = |path| node.text(path).unwrap().to_owned();
        (status, text("Error/Code"), text("Error/Message"))
    }

    pub(crate) async fn instance(&self, id: &str) -> Instance {
        self.catalog.read(id).await.unwrap().unwrap().record
    }

    /// Creates an instance and does what the controller would: it becomes available.
    pub(crate) async fn available(&self, id: &str, more: &str) {
        self.ok(&format!("{CREATE}{id}{more}")).await;
        self.settle(id).await;
    }

    pub(crate) async fn settle(&self, id: &str) {
        self.change(id, |instance| {
            instance.status = Status::Available;
            instance.topology.serving = Some(Epoch::FIRST);
            instance.topology.primary = Some("us-east-1a-1".parse().unwrap());
            let zones: &[&str] = if instance.settings.multi_az {
                &["a", "b"]
            } else {
                &["a"]
            };
            for zone in zones {
                let member = Member {
                    state: MemberState::Running,
                    address: None,
                    incarnation: 0,
                    since: UnixMillis(0),
                };
                let node = format!("us-east-1{zone}-1").parse().unwrap();
                instance.topology.members.insert(node, member);
            }
        })
        .await;
    }

    pub(crate) async fn change(&self, id: &str, mut change: impl FnMut(&mut Instance)) {
        let change = |instance: &mut Instance| {
            change(instance);
            true
        };
        self.catalog.update::<Instance>(id, change).await.unwrap();
    }
}

fn parameters() -> EngineParameters {
    let spec = |name: &str, context, data_type: &str, range: Option<(&str, &str)>| ParameterSpec {
        name: name.into(),
        context,
        data_type: data_type.into(),
        range: range.map(|(min, max)| (min.into(), max.into())),
        allowed: Vec::new(),
        default: String::new(),
        description: format!("About {name}."),
    };
    use ParameterContext::{Internal, Reload, Start};
    EngineParameters {
        parameters: vec![
            spec("block_size", Internal, "integer", None),
            spec("DateStyle", Reload, "string", None),
            spec("fsync", Reload, "bool", None),
            spec("log_statement", Reload, "enum", None),
            spec("max_connections", Start, "integer", Some(("1", "262143"))),
            spec(
                "shared_buffers",
                Start,
                "integer",
                Some(("16", "1073741823")),
            ),
            spec("work_mem", Reload, "integer", Some(("64", "2147483647"))),
        ],
    }
}
