//! Real sockets against a door with one service that tells what it was given.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use quorate_base::{AccountId, UnixMillis};
use quorate_wire::error::FrontDoorError;
use quorate_wire::service::{Answer, Call, Service};
use quorate_wire::sigv4::{RequestTime, Scope, Secret, SignedRequest, sign};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{AccessKey, AccessKeys, FrontDoor, FrontDoorConfig, MetricsPage};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const DEADLINE: Duration = Duration::from_secs(20);

struct Keys;

impl AccessKeys for Keys {
    fn find(&self, id: &str) -> Option<AccessKey> {
        (id == "AKIDEXAMPLE").then(|| AccessKey {
            secret: Secret::new(SECRET),
            account: AccountId::default(),
        })
    }
}

#[derive(Default)]
struct Echo {
    calls: AtomicUsize,
    entered: Notify,
    leave: Notify,
}

impl Service for Echo {
    fn signing_name(&self) -> &'static str {
        "rds"
    }

    fn call(&self, call: Call) -> Answer<'_> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            match call.target.as_str() {
                "/panic" => panic!("asked to"),
                "/wait" => {
                    self.entered.notify_one();
                    self.leave.notified().await;
                }
                _ => {}
            }
            let text = format!("{} {} {}", call.region, call.account, call.target);
            Response::new(Bytes::from([text.as_bytes(), b" ", &call.body].concat()))
        })
    }

    fn refuse(&self, _: &str, error: &FrontDoorError) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(format!("echo refuses: {}", error.code)));
        *response.status_mut() = error.status;
        response
    }
}

struct Page;

impl MetricsPage for Page {
    fn render(&self) -> String {
        String::from("quorate_up 1\n")
    }
}

struct Door {
    at: SocketAddr,
    echo: Arc<Echo>,
    stop: CancellationToken,
    ended: tokio::task::JoinHandle<()>,
}

async fn door(change: impl FnOnce(&mut FrontDoorConfig)) -> Door {
    let mut config = FrontDoorConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        ..FrontDoorConfig::default()
    };
    change(&mut config);
    let echo = Arc::new(Echo::default());
    let services = [Arc::clone(&echo) as Arc<dyn Service>];
    let door = FrontDoor::bind(config, services, Arc::new(Keys)).await;
    let door = door.unwrap().with_metrics(Arc::new(Page));
    let at = door.local_addr().unwrap();
    let stop = CancellationToken::new();
    let ended = tokio::spawn(door.run(stop.clone()));
    Door {
        at,
        echo,
        stop,
        ended,
    }
}

/// The bytes of a signed POST.
fn signed(service: &str, target: &str, body: &str) -> String {
    let at = RequestTime::from_unix_seconds(i64::try_from(UnixMillis::now().0 / 1000).unwrap());
    let date = at.to_basic();
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("localhost"));
    headers.insert("x-amz-date", HeaderValue::from_str(&date).unwrap());
    let request = SignedRequest {
        method: &Method::POST,
        target,
        headers: &headers,
        body: body.as_bytes(),
    };
    let scope = Scope {
        access_key: String::from("AKIDEXAMPLE"),
        day: date[..8].to_owned(),
        region: String::from("us-east-1"),
        service: service.to_owned(),
    };
    let authorization = sign(&request, &scope, at, &Secret::new(SECRET)).unwrap();
    format!(
        "POST {target} HTTP/1.1\r\nhost: localhost\r\nx-amz-date: {date}\r\nauthorization: \
         {authorization}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

impl Door {
    async fn open(&self) -> TcpStream {
        TcpStream::connect(self.at).await.unwrap()
    }

    /// Sends bytes and reads one answer.
    async fn ask(&self, request: &str) -> (StatusCode, String) {
        let mut stream = self.open().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        answer(&mut stream).await
    }
}

/// Reads one answer; its head is returned in front of its body.
async fn answer(stream: &mut TcpStream) -> (StatusCode, String) {
    let mut head = Vec::new();
    let reading = async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let text = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length = text.split("content-length: ").nth(1).unwrap();
        let length = length.split("\r\n").next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let status = text.split(' ').nth(1).unwrap().parse().unwrap();
        (status, text + &String::from_utf8(body).unwrap())
    };
    timeout(DEADLINE, reading).await.unwrap()
}

/// Waits until the other side has closed.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end, too.
    let _ = timeout(DEADLINE, stream.read_to_end(&mut rest))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_signed_request_reaches_its_service() {
    let door = door(|_| {}).await;
    let (status, text) = door.ask(&signed("rds", "/?a=b", "Action=X")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        text.contains("us-east-1 123456789012 /?a=b Action=X"),
        "{text}"
    );
    assert!(text.contains("x-amzn-requestid: "));
}

#[tokio::test]
async fn nothing_without_a_good_signature_reaches_a_service() {
    let door = door(|_| {}).await;
    let good = signed("rds", "/", "Action=X");
    let (status, text) = door.ask(&good.replace("Action=X", "Action=Y")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(
        text.ends_with("echo refuses: SignatureDoesNotMatch"),
        "{text}"
    );
    let (_, text) = door.ask(&good.replace("AKIDEXAMPLE", "AKIDOTHER")).await;
    assert!(
        text.ends_with("echo refuses: InvalidClientTokenId"),
        "{text}"
    );
    let unsigned = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    let (status, text) = door.ask(unsigned).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(
        text.contains("<Code>MissingAuthenticationToken</Code>"),
        "{text}"
    );
    assert_eq!(door.echo.calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_browser_may_ask_whether_a_page_may_call() {
    let door = door(|_| {}).await;
    let preflight = "OPTIONS / HTTP/1.1\r\nhost: x\r\norigin: http://app.example\r\n\
        access-control-request-method: POST\r\naccess-control-request-headers: x-amz-target\r\n\r\n";
    let (status, text) = door.ask(preflight).await;
    assert_eq!(status, StatusCode::OK);
    for header in [
        "access-control-allow-origin: *",
        "access-control-allow-methods: post",
        "access-control-allow-headers: x-amz-target",
        "access-control-max-age: 172800",
    ] {
        assert!(text.contains(header), "{header} in {text}");
    }
    let call = signed("rds", "/", "").replacen("host:", "origin: http://app.example\r\nhost:", 1);
    let (status, text) = door.ask(&call).await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains("access-control-allow-origin: *"), "{text}");
    assert_eq!(door.echo.calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_service_that_is_not_here_is_a_clear_error() {
    let door = door(|_| {}).await;
    let (status, text) = door.ask(&signed("s3", "/", "")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(
        text.contains("one of rds, sts, not &apos;s3&apos;"),
        "{text}"
    );
}

#[tokio::test]
async fn caller_identity_names_the_account() {
    let door = door(|_| {}).await;
    let ask = |body| signed("sts", "/", body);
    let (status, text) = door
        .ask(&ask("Action=GetCallerIdentity&Version=2011-06-15"))
        .await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        text.contains("<Arn>arn:aws:iam::123456789012:root</Arn>"),
        "{text}"
    );
    let (status, text) = door.ask(&ask("Action=AssumeRole")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("<Code>InvalidAction</Code>"), "{text}");
}

#[tokio::test]
async fn local_pages_need_no_signature() {
    let door = door(|_| {}).await;
    for (path, expected) in [
        ("/", "Quorate"),
        ("/health", "{\"status\":\"ok\"}"),
        ("/metrics", "quorate_up 1"),
    ] {
        let (status, text) = door
            .ask(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"))
            .await;
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains(expected), "{text}");
    }
    let (status, _) = door.ask("GET /?Action=X HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let door = door(|_| {}).await;
    let mut stream = door.open().await;
    let both = signed("rds", "/1", "one") + &signed("rds", "/2", "two");
    stream.write_all(both.as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.1.ends_with("/1 one"));
    assert!(answer(&mut stream).await.1.ends_with("/2 two"));
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_refused_announced_or_not() {
    let door = door(|c| c.body_bytes_max = 1000).await;
    let announced = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\n\r\n";
    assert_eq!(door.ask(announced).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let chunk = "a".repeat(1001);
    let chunked = format!(
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n{chunk}\r\n0\r\n\r\n"
    );
    assert_eq!(door.ask(&chunked).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn bodies_that_find_no_room_are_put_off() {
    let door = door(|c| {
        (c.body_bytes_max, c.bodies_bytes_max) = (1000, 1000);
        c.body_timeout_ms = 300;
    })
    .await;
    let mut first = door.open().await;
    let wait = signed("rds", "/wait", &"a".repeat(900));
    first.write_all(wait.as_bytes()).await.unwrap();
    timeout(DEADLINE, door.echo.entered.notified())
        .await
        .unwrap();
    let (status, _) = door.ask(&signed("rds", "/", &"b".repeat(200))).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    door.echo.leave.notify_one();
    assert_eq!(answer(&mut first).await.0, StatusCode::OK);
}

#[tokio::test]
async fn oversized_headers_are_refused() {
    let door = door(|c| c.header_bytes_max = 8192).await;
    let long = format!(
        "GET / HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n",
        "a".repeat(20_000)
    );
    let (status, _) = door.ask(&long).await;
    assert_eq!(status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    let many = format!(
        "GET / HTTP/1.1\r\nhost: x\r\n{}\r\n",
        "a: b\r\n".repeat(200)
    );
    let (status, _) = door.ask(&many).await;
    assert_eq!(status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[tokio::test]
async fn slow_clients_are_told_and_closed() {
    let door = door(|c| (c.header_timeout_ms, c.body_timeout_ms) = (200, 200)).await;
    for begun in [
        "POST / HTTP/1.1\r\nhost: ",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab",
    ] {
        let mut stream = door.open().await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        let (status, text) = answer(&mut stream).await;
        assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
        assert!(text.contains("<Code>RequestTimeout</Code>"), "{text}");
        closed(&mut stream).await;
    }
    let mut silent = door.open().await;
    closed(&mut silent).await;
}

#[tokio::test]
async fn malformed_requests_get_a_400() {
    let door = door(|_| {}).await;
    for request in [
        "nonsense\r\n\r\n",
        "GET / HTTP/1.1\r\nbad header\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n",
    ] {
        assert_eq!(
            door.ask(request).await.0,
            StatusCode::BAD_REQUEST,
            "{request}"
        );
    }
}

#[tokio::test]
async fn a_service_that_panics_or_hangs_costs_one_answer() {
    let door = door(|c| c.answer_timeout_ms = 200).await;
    let mut stream = door.open().await;
    for (target, expected) in [
        ("/panic", StatusCode::INTERNAL_SERVER_ERROR),
        ("/wait", StatusCode::SERVICE_UNAVAILABLE),
        ("/", StatusCode::OK),
    ] {
        let request = signed("rds", target, "");
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(answer(&mut stream).await.0, expected);
    }
}

#[tokio::test]
async fn stopping_answers_what_is_under_way() {
    let door = door(|_| {}).await;
    let _idle = door.open().await;
    let mut stream = door.open().await;
    let request = signed("rds", "/wait", "");
    stream.write_all(request.as_bytes()).await.unwrap();
    timeout(DEADLINE, door.echo.entered.notified())
        .await
        .unwrap();
    door.stop.cancel();
    door.echo.leave.notify_one();
    assert_eq!(answer(&mut stream).await.0, StatusCode::OK);
    timeout(DEADLINE, door.ended).await.unwrap().unwrap();
    assert!(TcpStream::connect(door.at).await.is_err());
}
