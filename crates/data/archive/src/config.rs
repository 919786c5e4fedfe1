//! Where the archive is, as the configuration says it. Credentials are no part of it.

use std::path::{Path, PathBuf};

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::bounds::PREFIX_BYTES_MAX;
use crate::{ArchiveError, ObjectName};

/// Where objects are kept: `archive.folder = "/srv/quorate"`, or a table `[archive.s3]`.
///
/// Every node of a region must reach the same archive, and may write there: on several hosts a folder is one on a
/// shared file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArchiveConfig {
    /// An absolute path; the folder is made when it is missing.
    Folder(PathBuf),
    /// A bucket of S3, or of a server that speaks its API.
    S3(S3Config),
}

/// A bucket.
///
/// The server must honour `If-None-Match: *` on `PUT`, as AWS, MinIO and Ceph do: two writers of one name are told
/// apart by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// The bucket; it must be there.
    pub bucket: String,
    /// The region that requests are signed for.
    #[serde(default = "default_region")]
    pub region: String,
    /// The server's URL, as in `https://minio.example:9000`; without one it is AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Lets `endpoint` be an `http` URL.
    #[serde(default)]
    pub allow_http: bool,
    /// What stands before every key, in the form of an object's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<ObjectName>,
    /// A file in the form of AWS's `~/.aws/credentials`, whose `[default]` section is read. Without one,
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (and `AWS_SESSION_TOKEN`) are taken from the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_file: Option<PathBuf>,
}

fn default_region() -> String {
    String::from("us-east-1")
}

impl ArchiveConfig {
    /// Checks what can be checked without the disk and the network.
    ///
    /// # Errors
    /// [`ArchiveError::BadConfig`].
    pub fn validate(&self) -> Result<(), ArchiveError> {
        let refusal = match self {
            ArchiveConfig::Folder(folder) => decide_path_refusal("folder", folder),
            ArchiveConfig::S3(s3) => s3.decide_refusal(),
        };
        refusal.map_or(Ok(()), |why| Err(ArchiveError::BadConfig { why }))
    }
}

impl S3Config {
    fn decide_refusal(&self) -> Option<String> {
        if !is_bucket(&self.bucket) {
            return Some(format!(
                "`{}` is no bucket: 3 to 63 lower-case letters, digits, `-` and `.`",
                self.bucket
            ));
        }
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if self.region.is_empty() || !self.region.bytes().all(is_plain) {
            return Some(format!("`{}` is no region", self.region));
        }
        let prefix = self.prefix.as_ref().map_or("", ObjectName::as_str);
        if prefix.len() > PREFIX_BYTES_MAX {
            return Some(format!("prefix: longer than {PREFIX_BYTES_MAX} bytes"));
        }
        if let Some(file) = &self.credentials_file
            && let Some(why) = decide_path_refusal("credentials_file", file)
        {
            return Some(why);
        }
        let endpoint = self.endpoint.as_ref()?;
        decide_endpoint_refusal(endpoint, self.allow_http)
    }
}

fn decide_path_refusal(what: &str, path: &Path) -> Option<String> {
    (!path.is_absolute()).then(|| format!("{what}: `{}` is not absolute", path.display()))
}

/// Says nothing of the URL itself once it holds a password.
fn decide_endpoint_refusal(endpoint: &str, allow_http: bool) -> Option<String> {
    let Ok(url) = endpoint.parse::<Url>() else {
        return Some(String::from("endpoint: no URL"));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Some(String::from(
            "endpoint: credentials do not belong in the URL; name a credentials_file",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() || url.host_str().is_none() {
        return Some(format!("endpoint: `{endpoint}` is no address of a server"));
    }
    match url.scheme() {
        "https" => None,
        "http" if allow_http => None,
        "http" => Some(format!(
            "endpoint: `{endpoint}` is not encrypted; set allow_http = true if that is meant"
        )),
        _ => Some(format!("endpoint: `{endpoint}` is neither https nor http")),
    }
}

/// AWS's rules of bucket names, those on their characters.
fn is_bucket(text: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let is_end = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    (3..=63).contains(&text.len())
        && text.bytes().all(is_inner)
        && is_end(text.as_bytes().first())
        && is_end(text.as_bytes().last())
        && !text.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(), String> {
        let config: ArchiveConfig = toml::from_str(text).map_err(|e| e.to_string())?;
        let written = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<ArchiveConfig>(&written).unwrap(), config);
        config.validate().map_err(|e| e.to_string())
    }

    #[test]
    fn a_folder_and_a_bucket_are_read() {
        read("folder = '/srv/a'").unwrap();
        read("[s3]\nbucket = 'backups'").unwrap();
        read(
            "[s3]\nbucket = 'b.1'\nregion = 'eu-west-1'\nendpoint = 'http://127.0.0.1:9000'\nallow_http = true\n\
             prefix = 'quorate/east'\ncredentials_file = '/etc/quorate/s3'",
        )
        .unwrap();
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for text in [
            "",
            "folder = 'relative'",
            "folder = '/a'\n[s3]\nbucket = 'abc'",
            "[s3]\nbucket = 'Upper'",
            "[s3]\nbucket = 'a..b'",
            "[s3]\nbucket = 'abc'\nregion = ''",
            "[s3]\nbucket = 'abc'\nendpoint = 'http://h:1'",
            "[s3]\nbucket = 'abc'\nendpoint = 'ftp://h'",
            "[s3]\nbucket = 'abc'\nendpoint = 'h'",
            "[s3]\nbucket = 'abc'\nprefix = '../x'",
            "[s3]\nbucket = 'abc'\ncredentials_file = 'x'",
            "[s3]\nbucket = 'abc'\nsecret_access_key = 'x'",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_repeated() {
        let why = read("[s3]\nbucket = 'abc'\nendpoint = 'https://me:hunter2@h'").unwrap_err();
        assert!(!why.contains("hunter2"), "{why}");
    }
}
