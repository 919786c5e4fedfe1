//! A table of a running region, through signed calls of its DynamoDB API.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rand::Rng;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use quorate_base::{UnixMillis, ZoneName};
use quorate_drills::{Boxed, DrillTable, Freshness, Reply};
use quorate_dynamodb::routing::{PartitionCalls, Routes};
use quorate_oracle::WriteId;
use quorate_region::Identity;
use quorate_wire::sigv4::{RequestTime, Scope, Secret, SignedRequest, sign};

use crate::drill::api::ApiClient;
use crate::gateway::GatewayRegion;
use crate::layout::Layout;

/// Longest wait for an answer: longer than the API looks for a leader and waits for a quorum.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// How long a table may take to become active.
const ACTIVE_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The connection of what is not a client's.
const OWN: u32 = u32::MAX;
/// How the keys of the ledger's items begin.
const ROW: &str = "row-";

type Connection = SendRequest<Full<Bytes>>;

/// A table that a drill makes in the region of a data folder.
pub(crate) struct LiveTable {
    region: GatewayRegion,
    calls: PartitionCalls,
    api: ApiClient,
    name: String,
    /// A connection of each client that is not in use.
    connections: Mutex<HashMap<u32, Connection>>,
}

impl LiveTable {
    /// Reaches the first region of a data folder.
    pub(crate) fn open(layout: &Layout) -> anyhow::Result<LiveTable> {
        let name = layout.pick_region(None)?;
        let running = layout
            .running()
            .context("no region runs here: start one with `quorate up`")?;
        let region = GatewayRegion::follow(Identity::load(&layout.gateway_identity(&name))?)?;
        let routes = Arc::new(Routes::new(region.remote.catalog().view().clone()));
        Ok(LiveTable {
            calls: PartitionCalls::new(region.caller.clone(), routes),
            region,
            api: ApiClient {
                api: running.api,
                region: name,
                credentials: layout.credentials()?,
            },
            name: format!("drill-{:08x}", rand::rng().random::<u32>()),
            connections: Mutex::default(),
        })
    }

    /// One call; the status and the answer's body.
    async fn call(
        &self,
        client: u32,
        operation: &str,
        body: &Value,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let called = tokio::time::timeout(TIMEOUT, self.send(client, operation, body));
        called.await.context("no answer in time")?
    }

    async fn send(
        &self,
        client: u32,
        operation: &str,
        body: &Value,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let kept = self
            .connections
            .lock()
            .expect("no holder panics")
            .remove(&client);
        let mut connection = match kept {
            Some(connection) if !connection.is_closed() => connection,
            _ => self.connect().await?,
        };
        connection.ready().await?;
        let body = body.to_string();
        let mut request = Request::new(Full::new(Bytes::from(body.clone())));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = self.headers(operation, &body)?;
        let response = connection.send_request(request).await?;
        let status = response.status();
        let answer = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let answer = answer.collect().await.map_err(anyhow::Error::from_boxed)?;
        let mut connections = self.connections.lock().expect("no holder panics");
        connections.insert(client, connection);
        Ok((status, serde_json::from_slice(&answer.to_bytes())?))
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(self.api.api).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        Ok(connection)
    }

    fn headers(&self, operation: &str, body: &str) -> anyhow::Result<HeaderMap> {
        let now = RequestTime::from_unix_seconds(i64::try_from(UnixMillis::now().0 / 1_000)?);
        let mut headers = HeaderMap::new();
        let text = HeaderValue::from_str;
        headers.insert(header::HOST, text(&self.api.api.to_string())?);
        let json = HeaderValue::from_static("application/x-amz-json-1.0");
        headers.insert(header::CONTENT_TYPE, json);
        let target = format!("DynamoDB_20120810.{operation}");
        headers.insert("x-amz-target", text(&target)?);
        headers.insert("x-amz-date", text(&now.to_basic())?);
        let scope = Scope {
            access_key: self.api.credentials.access_key_id.clone(),
            day: now.to_basic().chars().take(8).collect(),
            region: self.api.region.to_string(),
            service: String::from("dynamodb"),
        };
        let signed = SignedRequest {
            method: &Method::POST,
            target: "/",
            headers: &headers,
            body: body.as_bytes(),
        };
        let secret = Secret::new(self.api.credentials.secret_access_key.clone());
        let authorization = sign(&signed, &scope, now, &secret)?;
        headers.insert(header::AUTHORIZATION, text(&authorization)?);
        Ok(headers)
    }

    /// A call that has to succeed.
    async fn ask(&self, operation: &str, body: Value) -> anyhow::Result<Value> {
        let (status, answer) = self.call(OWN, operation, &body).await?;
        if !status.is_success() {
            bail!("{operation}: {status}: {answer}");
        }
        Ok(answer)
    }

    async fn make(&self) -> anyhow::Result<()> {
        let table = json!({
            "TableName": self.name,
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        });
        self.ask("CreateTable", table).await?;
        let deadline = tokio::time::Instant::now() + ACTIVE_WITHIN;
        loop {
            let described = self
                .ask("DescribeTable", json!({"TableName": self.name}))
                .await?;
            if described["Table"]["TableStatus"] == "ACTIVE" {
                return Ok(());
            }
            if tokio::time::Instant::now() >= deadline {
                bail!("{} does not become active", self.name);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn write(&self, client: u32, body: &Value) -> Reply {
        match self.call(client, "PutItem", body).await {
            Ok((status, answer)) => write_reply(status, &answer),
            Err(e) => Reply::Unknown(format!("{e:#}")),
        }
    }

    async fn rows(&self) -> anyhow::Result<Vec<WriteId>> {
        let mut rows = Vec::new();
        let mut scan = json!({"TableName": self.name, "ConsistentRead": true});
        loop {
            let page = self.ask("Scan", scan.clone()).await?;
            for item in page["Items"].as_array().context("a page has items")? {
                let id = item["id"]["S"].as_str().context("an item has its key")?;
                if let Some(row) = id.strip_prefix(ROW) {
                    rows.push(WriteId(row.parse()?));
                }
            }
            match page.get("LastEvaluatedKey") {
                Some(last) => scan["ExclusiveStartKey"] = last.clone(),
                None => return Ok(rows),
            }
        }
    }

    fn item(&self, key: &str, value: u64) -> Value {
        json!({
            "TableName": self.name,
            "Item": {"id": {"S": key}, "v": {"N": value.to_string()}},
        })
    }
}

/// The number of an item.
fn value_of(item: &Value) -> Option<u64> {
    item["v"]["N"].as_str()?.parse().ok()
}

/// An error as it is counted: without what differs from one to the next.
fn named(status: StatusCode, answer: &Value) -> String {
    let code = answer["__type"].as_str().unwrap_or("no code");
    let code = code.rsplit('#').next().unwrap_or(code);
    format!("{} {code}", status.as_u16())
}

fn write_reply(status: StatusCode, answer: &Value) -> Reply {
    let error = named(status, answer);
    if status.is_success() {
        Reply::Done
    } else if error.ends_with("ConditionalCheckFailedException") {
        Reply::Found(value_of(&answer["Item"]))
    } else if status.is_client_error() {
        Reply::Failed(error)
    } else {
        Reply::Unknown(error)
    }
}

impl DrillTable for LiveTable {
    fn create(&self) -> Boxed<'_, anyhow::Result<()>> {
        Box::pin(self.make())
    }

    fn leader_zone(&self) -> Boxed<'_, anyhow::Result<ZoneName>> {
        Box::pin(async move {
            // Answers only once the view has the table.
            self.region
                .remote
                .catalog()
                .list::<quorate_dynamodb::model::TableRecord>()
                .await?;
            let leader = self.calls.leader_of(&self.name).await?;
            Ok(leader.context("no replica leads")?.zone())
        })
    }

    fn put<'a>(&'a self, client: u32, key: &'a str, value: u64) -> Boxed<'a, Reply> {
        Box::pin(async move { self.write(client, &self.item(key, value)).await })
    }

    fn compare_and_set<'a>(
        &'a self,
        client: u32,
        key: &'a str,
        expected: Option<u64>,
        value: u64,
    ) -> Boxed<'a, Reply> {
        let mut body = self.item(key, value);
        body["ReturnValuesOnConditionCheckFailure"] = json!("ALL_OLD");
        match expected {
            None => body["ConditionExpression"] = json!("attribute_not_exists(id)"),
            Some(expected) => {
                body["ConditionExpression"] = json!("v = :v");
                let expected = expected.to_string();
                body["ExpressionAttributeValues"] = json!({":v": {"N": expected}});
            }
        }
        Box::pin(async move { self.write(client, &body).await })
    }

    fn read<'a>(&'a self, client: u32, key: &'a str, freshness: Freshness) -> Boxed<'a, Reply> {
        Box::pin(async move {
            let body = json!({
                "TableName": self.name,
                "Key": {"id": {"S": key}},
                "ConsistentRead": freshness == Freshness::Strong,
            });
            match self.call(client, "GetItem", &body).await {
                Ok((status, answer)) if status.is_success() => {
                    Reply::Found(value_of(&answer["Item"]))
                }
                Ok((status, answer)) => Reply::Failed(named(status, &answer)),
                Err(e) => Reply::Failed(format!("{e:#}")),
            }
        })
    }

    fn append(&self, client: u32, id: WriteId) -> Boxed<'_, Reply> {
        let mut body = self.item(&format!("{ROW}{}", id.0), id.0);
        body["ConditionExpression"] = json!("attribute_not_exists(id)");
        Box::pin(async move { self.write(client, &body).await })
    }

    fn ledger(&self) -> Boxed<'_, anyhow::Result<Vec<WriteId>>> {
        Box::pin(self.rows())
    }

    fn remove(&self) -> Boxed<'_, anyhow::Result<()>> {
        Box::pin(async move {
            let table = json!({"TableName": self.name});
            self.ask("DeleteTable", table).await.map(|_| ())
        })
    }
}
