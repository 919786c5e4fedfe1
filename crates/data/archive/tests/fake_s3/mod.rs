//! A small S3 server in this process: enough of the API that the real client's requests get real answers.
//!
//! It keeps objects and uploads in memory, lists two keys a page, asks for a signature by the access key `AK`, and
//! answers with what a test has scripted.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use reqwest::Url;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

const LISTED_A_PAGE: usize = 2;
const DATE: &str = "Tue, 24 Nov 2026 12:00:00 GMT";

/// A running server; it ends with this value.
pub(crate) struct FakeS3 {
    pub(crate) address: SocketAddr,
    pub(crate) state: Arc<Mutex<State>>,
    task: AbortHandle,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) objects: BTreeMap<String, Bytes>,
    pub(crate) uploads: BTreeMap<String, BTreeMap<usize, Bytes>>,
    /// Every request: method, path, and the query's keys.
    pub(crate) log: Vec<String>,
    /// Answers to give instead, in order, to requests whose line in the log holds the text.
    pub(crate) script: Vec<Scripted>,
    next_upload: usize,
}

pub(crate) struct Scripted {
    pub(crate) holds: &'static str,
    /// Whether the request is carried out all the same: its answer is what gets lost.
    pub(crate) is_done: bool,
    pub(crate) status: u16,
    pub(crate) code: &'static str,
}

impl FakeS3 {
    pub(crate) async fn start() -> FakeS3 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(|request| answer(&state, request));
                    let connection = hyper::server::conn::http1::Builder::new();
                    let served = connection.serve_connection(TokioIo::new(stream), service);
                    let _client_may_leave = served.await;
                });
            }
        });
        FakeS3 {
            address,
            state,
            task: task.abort_handle(),
        }
    }

    pub(crate) fn script(
        &self,
        holds: &'static str,
        is_done: bool,
        status: u16,
        code: &'static str,
    ) {
        let scripted = Scripted {
            holds,
            is_done,
            status,
            code,
        };
        self.state.lock().unwrap().script.push(scripted);
    }

    /// How many requests had a line in the log that holds the text.
    pub(crate) fn count(&self, holds: &str) -> usize {
        let state = self.state.lock().unwrap();
        state.log.iter().filter(|line| line.contains(holds)).count()
    }
}

impl Drop for FakeS3 {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Answer = Response<Full<Bytes>>;

struct Asked {
    method: Method,
    key: String,
    query: BTreeMap<String, String>,
    headers: HeaderMap,
    body: Bytes,
}

async fn answer(state: &Mutex<State>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let url = Url::parse(&format!("http://s3{}", head.uri)).unwrap();
    let path = url.path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let asked = Asked {
        method: head.method,
        key: key.to_owned(),
        query: url.query_pairs().into_owned().collect(),
        headers: head.headers,
        body,
    };
    let mut state = state.lock().unwrap();
    let keys: Vec<&str> = asked.query.keys().map(String::as_str).collect();
    let line = format!("{} {key} {}", asked.method, keys.join("&"));
    state.log.push(line.clone());
    if !asked.is_signed() {
        return Ok(failure(403, "SignatureDoesNotMatch"));
    }
    if bucket != "backups" {
        return Ok(failure(404, "NoSuchBucket"));
    }
    let found = state.script.iter().position(|s| line.contains(s.holds));
    if let Some(scripted) = found.map(|at| state.script.remove(at)) {
        if scripted.is_done {
            state.carry_out(&asked);
        }
        return Ok(failure(scripted.status, scripted.code));
    }
    Ok(state.carry_out(&asked))
}

impl Asked {
    fn is_signed(&self) -> bool {
        let signature = self.headers.get("authorization");
        signature.is_some_and(|value| {
            let text = value.to_str().unwrap();
            text.starts_with("AWS4-HMAC-SHA256 Credential=AK/") && text.contains("/us-east-1/s3/")
        })
    }

    fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().unwrap())
    }
}

impl State {
    fn carry_out(&mut self, asked: &Asked) -> Answer {
        let upload = asked.query.get("uploadId");
        match (asked.method.as_str(), upload) {
            ("GET", _) if asked.key.is_empty() => self.list(asked),
            ("GET" | "HEAD", _) => self.get(asked),
            ("PUT", Some(upload)) => self.put_part(asked, upload),
            ("PUT", None) => self.put(asked),
            ("POST", None) if asked.query.contains_key("uploads") => self.begin(),
            ("POST", Some(upload)) => self.complete(asked, upload),
            ("DELETE", Some(upload)) => {
                self.uploads.remove(upload);
                plain(204, Bytes::new())
            }
            ("DELETE", None) => {
                self.objects.remove(&asked.key);
                plain(204, Bytes::new())
            }
            _ => failure(501, "NotImplemented"),
        }
    }

    fn put(&mut self, asked: &Asked) -> Answer {
        if asked.header("if-none-match") == Some("*") && self.objects.contains_key(&asked.key) {
            return failure(412, "PreconditionFailed");
        }
        let Some(source) = asked.header("x-amz-copy-source") else {
            self.objects.insert(asked.key.clone(), asked.body.clone());
            return plain(200, Bytes::new());
        };
        let source = source
            .trim_start_matches('/')
            .strip_prefix("backups/")
            .unwrap();
        let Some(bytes) = self.objects.get(source).cloned() else {
            return failure(404, "NoSuchKey");
        };
        self.objects.insert(asked.key.clone(), bytes);
        xml("<CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>")
    }

    fn get(&self, asked: &Asked) -> Answer {
        let Some(bytes) = self.objects.get(&asked.key) else {
            return failure(404, "NoSuchKey");
        };
        let size = bytes.len();
        let Some(range) = asked.header("range").map(|text| read_range(text, size)) else {
            return plain(200, bytes.clone());
        };
        let mut answer = plain(206, bytes.slice(range.clone()));
        let shown = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        answer
            .headers_mut()
            .insert("content-range", shown.parse().unwrap());
        answer
    }

    fn begin(&mut self) -> Answer {
        self.next_upload += 1;
        let upload = format!("upload-{}", self.next_upload);
        self.uploads.insert(upload.clone(), BTreeMap::new());
        xml(&format!(
            "<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
        ))
    }

    fn put_part(&mut self, asked: &Asked, upload: &str) -> Answer {
        let Some(parts) = self.uploads.get_mut(upload) else {
            return failure(404, "NoSuchUpload");
        };
        parts.insert(
            asked.query["partNumber"].parse().unwrap(),
            asked.body.clone(),
        );
        plain(200, Bytes::new())
    }

    fn complete(&mut self, asked: &Asked, upload: &str) -> Answer {
        let Some(parts) = self.uploads.remove(upload) else {
            return failure(404, "NoSuchUpload");
        };
        let named = std::str::from_utf8(&asked.body).unwrap();
        assert_eq!(named.matches("<PartNumber>").count(), parts.len());
        let bytes: Vec<u8> = parts.into_values().flatten().collect();
        self.objects.insert(asked.key.clone(), Bytes::from(bytes));
        xml("<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>")
    }

    fn list(&self, asked: &Asked) -> Answer {
        assert_eq!(asked.query["list-type"], "2");
        let prefix = asked.query.get("prefix").map_or("", String::as_str);
        let after = asked
            .query
            .get("continuation-token")
            .map_or("", String::as_str);
        let of_prefix = |key: &&String| key.starts_with(prefix) && key.as_str() > after;
        let keys: Vec<&String> = self.objects.keys().filter(of_prefix).collect();
        let page = &keys[..keys.len().min(LISTED_A_PAGE)];
        let contents: String = page.iter().map(|key| self.listed(key)).collect();
        let next = match page.last().filter(|_| page.len() < keys.len()) {
            None => String::new(),
            Some(last) => format!("<NextContinuationToken>{last}</NextContinuationToken>"),
        };
        xml(&format!(
            "<ListBucketResult>{contents}{next}</ListBucketResult>"
        ))
    }

    fn listed(&self, key: &str) -> String {
        format!(
            "<Contents><Key>{key}</Key><Size>{}</Size><ETag>\"e\"</ETag>\
             <LastModified>2026-11-24T12:00:00.000Z</LastModified></Contents>",
            self.objects[key].len()
        )
    }
}

fn read_range(text: &str, size: usize) -> Range<usize> {
    let (first, last) = text
        .strip_prefix("bytes=")
        .unwrap()
        .split_once('-')
        .unwrap();
    let last: usize = last.parse().unwrap();
    first.parse().unwrap()..size.min(last + 1)
}

fn plain(status: u16, body: Bytes) -> Answer {
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap())
        .header("etag", "\"e\"")
        .header("last-modified", DATE)
        .header("content-length", body.len())
        .body(Full::new(body))
        .unwrap()
}

fn xml(body: &str) -> Answer {
    plain(200, Bytes::from(body.to_owned()))
}

fn failure(status: u16, code: &str) -> Answer {
    plain(
        status,
        Bytes::from(format!("<Error><Code>{code}</Code></Error>")),
    )
}
