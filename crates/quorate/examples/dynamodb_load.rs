//! Load for a DynamoDB endpoint, Quorate's or another's: signed requests over kept connections, one under way on each.
//!
//! Prints one line of JSON: operations a second, latency by percentile, failures. `bench/dynamodb.py` runs it. The
//! credentials come from `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::{Parser, ValueEnum};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rand::Rng;
use serde_json::json;
use tokio::net::TcpStream;

use quorate_base::UnixMillis;
use quorate_wire::sigv4::{RequestTime, Scope, Secret, SignedRequest, sign};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Op {
    /// PutItem of a random item.
    Put,
    /// GetItem with ConsistentRead.
    GetStrong,
    /// GetItem without.
    GetEventual,
    /// UpdateItem ADD on one counter.
    UpdateHot,
    /// UpdateItem ADD on random counters.
    UpdateMany,
    /// Query of the first 20 items of a collection.
    Query,
    /// A constant behind the signature check: sts GetCallerIdentity.
    Floor,
}

#[derive(Debug, Parser)]
struct Arguments {
    /// Host and port.
    #[arg(long)]
    endpoint: SocketAddr,
    /// The table: partition key `pk` (S), sort key `sk` (N).
    #[arg(long, default_value = "bench")]
    table: String,
    #[arg(long, value_enum)]
    op: Op,
    /// Connections, each with one request under way.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Seconds that count; one more before them does not.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Items, in collections of 20.
    #[arg(long, default_value_t = 10_000)]
    items: u64,
    /// Bytes of an item's payload.
    #[arg(long, default_value_t = 1_000)]
    bytes: usize,
    /// Writes every item once instead, in order, and ends.
    #[arg(long)]
    fill: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = std::sync::Arc::new(Arguments::parse());
    let begin = Instant::now() + Duration::from_secs(u64::from(!arguments.fill));
    let end = begin + Duration::from_secs(arguments.seconds);
    let mut clients = tokio::task::JoinSet::new();
    for at in 0..arguments.connections {
        let arguments = arguments.clone();
        clients.spawn(async move {
            let mut client = Client::connect(&arguments).await?;
            client.run(&arguments, at as u64, begin, end).await
        });
    }
    let (mut micros, mut failed) = (Vec::new(), 0);
    while let Some(joined) = clients.join_next().await {
        let (of_client, failures) = joined??;
        micros.extend(of_client);
        failed += failures;
    }
    micros.sort_unstable();
    let elapsed = if arguments.fill {
        begin.elapsed().as_secs_f64()
    } else {
        end.duration_since(begin).as_secs_f64()
    };
    let percentile = |p: usize| {
        let at = (micros.len() * p / 1_000).min(micros.len().saturating_sub(1));
        micros.get(at).map_or(0.0, |us| f64::from(*us) / 1_000.0)
    };
    #[allow(clippy::print_stdout, clippy::cast_precision_loss)]
    {
        let line = json!({
            "per_second": micros.len() as f64 / elapsed, "failed": failed,
            "p50_ms": percentile(500), "p90_ms": percentile(900), "p99_ms": percentile(990),
            "p999_ms": percentile(999), "worst_ms": percentile(1_000),
        });
        println!("{line}");
    }
    Ok(())
}

/// One connection.
struct Client {
    connection: SendRequest<Full<Bytes>>,
    host: HeaderValue,
    access_key: String,
    secret: Secret,
}

impl Client {
    async fn connect(arguments: &Arguments) -> anyhow::Result<Client> {
        let stream = TcpStream::connect(arguments.endpoint).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        Ok(Client {
            connection,
            host: HeaderValue::from_str(&arguments.endpoint.to_string())?,
            access_key: std::env::var("AWS_ACCESS_KEY_ID").context("AWS_ACCESS_KEY_ID")?,
            secret: Secret::new(std::env::var("AWS_SECRET_ACCESS_KEY")?),
        })
    }

    /// Asks until the time is over; the microseconds of each answer that counts, and how many failed.
    async fn run(
        &mut self,
        arguments: &Arguments,
        client: u64,
        begin: Instant,
        end: Instant,
    ) -> anyhow::Result<(Vec<u32>, u64)> {
        let (mut micros, mut failed) = (Vec::new(), 0);
        let mut next = client;
        loop {
            let asked = Instant::now();
            let over = if arguments.fill {
                next >= arguments.items
            } else {
                asked >= end
            };
            if over {
                return Ok((micros, failed));
            }
            let item = if arguments.fill {
                next
            } else {
                rand::rng().random_range(0..arguments.items)
            };
            next += arguments.connections as u64;
            let op = if arguments.fill {
                Op::Put
            } else {
                arguments.op
            };
            let good = self.ask(op, arguments, item).await?;
            if asked >= begin || arguments.fill {
                if good {
                    micros.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
                } else {
                    failed += 1;
                }
            }
        }
    }

    async fn ask(&mut self, op: Op, arguments: &Arguments, item: u64) -> anyhow::Result<bool> {
        let (service, target, body) = question(op, arguments, item);
        let at = RequestTime::from_unix_seconds(i64::try_from(UnixMillis::now().0 / 1_000)?);
        let date = at.to_basic();
        let mut headers = HeaderMap::new();
        headers.insert("host", self.host.clone());
        headers.insert("x-amz-date", HeaderValue::from_str(&date)?);
        let content = if op == Op::Floor {
            "application/x-www-form-urlencoded"
        } else {
            "application/x-amz-json-1.0"
        };
        headers.insert("content-type", HeaderValue::from_static(content));
        if let Some(target) = target {
            headers.insert("x-amz-target", HeaderValue::from_str(&target)?);
        }
        let scope = Scope {
            access_key: self.access_key.clone(),
            day: date[..8].to_owned(),
            region: String::from("us-east-1"),
            service: service.to_owned(),
        };
        let request = SignedRequest {
            method: &Method::POST,
            target: "/",
            headers: &headers,
            body: body.as_bytes(),
        };
        let authorization = sign(&request, &scope, at, &self.secret)
            .map_err(|e| anyhow::anyhow!("cannot sign: {e:?}"))?;
        headers.insert("authorization", HeaderValue::from_str(&authorization)?);
        let mut request = Request::post("/").body(Full::new(Bytes::from(body)))?;
        *request.headers_mut() = headers;
        self.connection.ready().await?;
        let response = self.connection.send_request(request).await?;
        let status = response.status();
        let answer = response.into_body().collect().await?.to_bytes();
        if status.is_client_error() {
            bail!("{status}: {}", String::from_utf8_lossy(&answer));
        }
        Ok(status.is_success())
    }
}

/// The service, the target header and the body of a request.
fn question(op: Op, arguments: &Arguments, item: u64) -> (&'static str, Option<String>, String) {
    let table = &arguments.table;
    let key = json!({"pk": {"S": format!("c{}", item / 20)}, "sk": {"N": (item % 20).to_string()}});
    let counter = |pk: String| {
        json!({
            "TableName": table, "Key": {"pk": {"S": pk}, "sk": {"N": "0"}},
            "UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": {"N": "1"}},
        })
    };
    let (name, body) = match op {
        Op::Put => {
            let mut whole = key;
            whole["payload"] = json!({"S": "x".repeat(arguments.bytes)});
            ("PutItem", json!({"TableName": table, "Item": whole}))
        }
        Op::GetStrong => (
            "GetItem",
            json!({"TableName": table, "Key": key, "ConsistentRead": true}),
        ),
        Op::GetEventual => ("GetItem", json!({"TableName": table, "Key": key})),
        Op::UpdateHot => ("UpdateItem", counter(String::from("hot"))),
        Op::UpdateMany => ("UpdateItem", counter(format!("counter{item}"))),
        Op::Query => (
            "Query",
            json!({
                "TableName": table, "KeyConditionExpression": "pk = :pk", "Limit": 20,
                "ExpressionAttributeValues": {":pk": {"S": format!("c{}", item / 20)}},
            }),
        ),
        Op::Floor => {
            let form = "Action=GetCallerIdentity&Version=2011-06-15";
            return ("sts", None, form.to_owned());
        }
    };
    let target = format!("DynamoDB_20120810.{name}");
    ("dynamodb", Some(target), body.to_string())
}
