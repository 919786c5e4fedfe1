//! A region with a catalog in memory, and what its answers say.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};
use quorate_base::{AccountId, UnixMillis};
use quorate_control::Catalog;
use quorate_region::transport::Caller;
use quorate_region::{CertificateAuthority, Identity, RegionMap};
use quorate_wire::service::{Call, Service};
use serde_json::{Value, json};

use crate::api::{DynamoDbRegion, DynamoDbService, NoFigures};
use crate::controller::{Placement, decide_table};
use crate::model::{IdCounter, PartitionRecord, PartitionState, TableRecord};
use crate::routing::{PartitionCalls, Routes};
use crate::throttle::Limits;

/// The service with its catalog.
pub(super) struct World {
    service: DynamoDbService,
    pub(super) catalog: Catalog,
}

impl World {
    pub(super) fn new() -> World {
        let catalog = Catalog::in_memory();
        let region = DynamoDbRegion {
            name: "us-east-1".parse().unwrap(),
            catalog: catalog.clone(),
            calls: Arc::new(calls(&catalog)),
            figures: Arc::new(NoFigures),
            limits: Limits::default(),
        };
        World {
            service: DynamoDbService::new([region]),
            catalog,
        }
    }

    /// Status and body of the answer to a call with these bytes.
    pub(super) async fn raw(&self, operation: &str, body: impl Into<Bytes>) -> (u16, Value) {
        let mut headers = HeaderMap::new();
        let target = format!("DynamoDB_20120810.{operation}");
        headers.insert("x-amz-target", target.parse().unwrap());
        let call = Call {
            region: "us-east-1".parse().unwrap(),
            account: AccountId::default(),
            access_key: "AKIATEST".into(),
            request_id: "request-1".into(),
            method: Method::POST,
            target: "/".into(),
            headers,
            body: body.into(),
        };
        let response = self.service.call(call).await;
        let body = serde_json::from_slice(response.body()).unwrap();
        (response.status().as_u16(), body)
    }

    /// The answer to a call that succeeds.
    pub(super) async fn ok(&self, operation: &str, body: Value) -> Value {
        let (status, answer) = self.raw(operation, body.to_string()).await;
        assert_eq!(status, 200, "{operation} {body}: {answer}");
        answer
    }

    /// Code and message of the answer to a call that is refused.
    pub(super) async fn refused(&self, operation: &str, body: Value) -> (String, String) {
        let (status, answer) = self.raw(operation, body.to_string()).await;
        assert_eq!(status, 400, "{operation} {body}: {answer}");
        let code = answer["__type"].as_str().unwrap();
        let code = code.rsplit('#').next().unwrap().to_owned();
        let message = answer.get("message").or(answer.get("Message"));
        let message = message.and_then(Value::as_str).unwrap_or_default();
        (code, message.to_owned())
    }

    /// The message of a `ValidationException`.
    pub(super) async fn invalid(&self, operation: &str, body: Value) -> String {
        let (code, message) = self.refused(operation, body.clone()).await;
        assert_eq!(code, "ValidationException", "{operation} {body}: {message}");
        message
    }

    /// Does what the controller and the nodes would do until there is nothing to do.
    pub(super) async fn settle(&self) {
        let region: quorate_base::RegionName = "us-east-1".parse().unwrap();
        let alive: Vec<_> = ['a', 'b', 'c'].map(|z| region.zone(z).node(1)).into();
        for _ in 0..20 {
            let mut quiet = true;
            for table in self.catalog.list::<TableRecord>().await.unwrap() {
                let all = self.catalog.list::<PartitionRecord>().await.unwrap();
                let placement = Placement::new(&alive, all.iter().map(|p| &p.record));
                let own: Vec<_> = all
                    .into_iter()
                    .filter(|p| p.record.table == table.record.number)
                    .collect();
                let later = UnixMillis(UnixMillis::now().0 + 10_000);
                let decision = decide_table(&table, &own, &placement, later);
                if !decision.is_empty() {
                    quiet = false;
                    let counter = self.catalog.read(IdCounter::ID).await.unwrap();
                    let txn = decision.txn(&table, counter.as_ref());
                    self.catalog.commit(txn).await.unwrap();
                }
            }
            self.serve().await;
            if quiet {
                return;
            }
        }
        panic!("the controller does not come to rest");
    }

    /// All partitions serve and have filled every index.
    async fn serve(&self) {
        for partition in self.catalog.list::<PartitionRecord>().await.unwrap() {
            let mut record = partition.record.clone();
            record.state = PartitionState::Serving;
            record.backfilled = (1..30)
                .map(crate::model::IndexNumber)
                .collect::<BTreeSet<_>>();
            let txn = quorate_control::Txn::new().replace(&partition, &record);
            self.catalog.commit(txn).await.unwrap();
        }
    }

    /// Creates a table and settles it.
    pub(super) async fn table(&self, body: Value) -> String {
        let name = body["TableName"].as_str().unwrap().to_owned();
        self.ok("CreateTable", body).await;
        self.settle().await;
        name
    }

    /// The table as it is described.
    pub(super) async fn describe(&self, name: &str) -> Value {
        let answer = self.ok("DescribeTable", json!({ "TableName": name })).await;
        answer["Table"].clone()
    }
}

/// Calls by the catalog's routes, to nodes that nobody runs.
fn calls(catalog: &Catalog) -> PartitionCalls {
    let map = RegionMap {
        region: "us-east-1".parse().unwrap(),
        nodes: Vec::new(),
    };
    let ca = CertificateAuthority::create(&map.region).unwrap();
    let identity = Identity::for_gateway(&ca, &map, "gateway-1").unwrap();
    let caller = Arc::new(Caller::new(&identity).unwrap());
    PartitionCalls::new(caller, Arc::new(Routes::new(catalog.view().clone())))
}

/// A request for a table on demand with the key `a`, changed by `more`: a member that is null is taken away.
pub(super) fn simple(more: Value) -> Value {
    let mut body = json!({
        "TableName": "orders",
        "AttributeDefinitions": [{ "AttributeName": "a", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "a", "KeyType": "HASH" }],
        "BillingMode": "PAY_PER_REQUEST",
    });
    merge(&mut body, more);
    body
}

/// Puts the members of `more` into `body`.
pub(super) fn merge(body: &mut Value, more: Value) {
    for (name, value) in more.as_object().unwrap().clone() {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(&name);
        } else {
            body[name] = value;
        }
    }
}

/// Attribute definitions of strings.
pub(super) fn attributes(names: &[&str]) -> Value {
    let one = |name: &&str| json!({ "AttributeName": name, "AttributeType": "S" });
    names.iter().map(one).collect()
}

/// A key: names before the bar are partition keys, after it sort keys, as in `a b|c`.
pub(super) fn keys(text: &str) -> Value {
    let (hash, range) = text.split_once('|').unwrap_or((text, ""));
    let one =
        |role: &'static str| move |name: &str| json!({ "AttributeName": name, "KeyType": role });
    let hash = hash.split_whitespace().map(one("HASH"));
    hash.chain(range.split_whitespace().map(one("RANGE")))
        .collect()
}

/// An index that holds everything.
pub(super) fn index(name: &str, key: &str) -> Value {
    json!({ "IndexName": name, "KeySchema": keys(key), "Projection": { "ProjectionType": "ALL" } })
}
