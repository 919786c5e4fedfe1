//! Signed calls to the region's own API.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use quorate_base::{RegionName, UnixMillis};
use quorate_wire::sigv4::{RequestTime, Scope, Secret, SignedRequest, sign};

use crate::layout::Credentials;

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A client of the RDS API.
pub(crate) struct ApiClient {
    pub(crate) api: SocketAddr,
    pub(crate) region: RegionName,
    pub(crate) credentials: Credentials,
}

impl ApiClient {
    /// Calls an action; an error holds the API's answer.
    pub(crate) async fn call(
        &self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        let mut body = format!("Action={action}&Version=2014-10-31");
        for (name, value) in parameters {
            // Names and values of this program's own calls: nothing in them wants escaping.
            debug_assert!(
                value
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
            );
            body.push_str(&format!("&{name}={value}"));
        }
        tokio::time::timeout(TIMEOUT, self.send(body))
            .await
            .with_context(|| format!("{action}: no answer in {} s", TIMEOUT.as_secs()))?
            .with_context(|| format!("{action} failed"))
    }

    async fn send(&self, body: String) -> anyhow::Result<()> {
        let mut request = Request::new(Full::new(Bytes::from(body.clone())));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = self.headers(&body)?;
        let stream = TcpStream::connect(self.api).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let status = response.status();
        let answer = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await;
        driver.abort();
        let answer = answer.map_err(anyhow::Error::from_boxed)?.to_bytes();
        if !status.is_success() {
            bail!("{status}: {}", String::from_utf8_lossy(&answer));
        }
        Ok(())
    }

    fn headers(&self, body: &str) -> anyhow::Result<HeaderMap> {
        let now = RequestTime::from_unix_seconds(i64::try_from(UnixMillis::now().0 / 1_000)?);
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(&self.api.to_string())?);
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
        headers.insert("x-amz-date", HeaderValue::from_str(&now.to_basic())?);
        let scope = Scope {
            access_key: self.credentials.access_key_id.clone(),
            day: now.to_basic().chars().take(8).collect(),
            region: self.region.to_string(),
            service: String::from("rds"),
        };
        let signed = SignedRequest {
            method: &Method::POST,
            target: "/",
            headers: &headers,
            body: body.as_bytes(),
        };
        let secret = Secret::new(self.credentials.secret_access_key.clone());
        let authorization = sign(&signed, &scope, now, &secret)?;
        headers.insert(
            header::AUTHORIZATION,
            HeaderValue::from_str(&authorization)?,
        );
        Ok(headers)
    }
}
