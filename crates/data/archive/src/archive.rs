//! The archive: where its objects lie, and how a name is claimed.
//!
//! ```text
//! PREFIX/
//!   a/b.rdb.meta            the description: with it the object is there, without it it is not
//!   a/b.rdb.data/5f0c…      its bytes, under an id that no other writer uses
//! ```
//!
//! Invariants:
//! - A description is created, never replaced, and only after the bytes that it names are durable.
//! - It goes, durably, before its bytes do.
//! - So bytes without a description are what a crash left; nothing lists or reads them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, ObjectStoreExt, PutMode, PutPayload, RetryConfig,
};

use crate::bounds::{
    CLAIMS_MAX, CONNECT_TIMEOUT, DESCRIPTION_BYTES_MAX, REQUEST_TIMEOUT, RETRIES_MAX, RETRY_FOR,
    RETRY_PAUSE, RETRY_PAUSE_MAX,
};
use crate::credentials::Credentials;
use crate::description::{DataId, Description};
use crate::error::{is_device_failure, is_not_found};
use crate::folder::Folder;
use crate::{ArchiveConfig, ArchiveError, ObjectInfo, ObjectName, S3Config};

/// What stands after the name in a description's key.
pub(crate) const META_SUFFIX: &str = ".meta";
const DATA_SUFFIX: &str = ".data";

/// Named immutable objects. Clones share connections and cost nothing.
#[derive(Clone)]
pub struct Archive {
    inner: Arc<Inner>,
}

struct Inner {
    store: Box<dyn ObjectStore>,
    folder: Option<Folder>,
    prefix: String,
    /// The place in words, for errors and logs.
    place: String,
    /// Set once a device failed under a write: what its cache holds is unknown from then on.
    is_poisoned: AtomicBool,
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Archive({})", self.inner.place)
    }
}

/// The place in words: the folder, or the bucket and its server.
impl fmt::Display for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.place)
    }
}

impl Archive {
    /// Opens a folder, which is made when it is missing, or a bucket, which is not asked yet.
    ///
    /// Reads the credentials for S3, and makes ring this process's cryptography for TLS when none is set.
    ///
    /// # Errors
    /// [`ArchiveError::BadConfig`]; [`ArchiveError::Refused`] without credentials or without the right to write to the
    /// folder; [`ArchiveError::Io`].
    pub fn open(config: &ArchiveConfig) -> Result<Archive, ArchiveError> {
        config.validate()?;
        let inner = match config {
            ArchiveConfig::Folder(path) => {
                let folder = Folder::open(path)?;
                let place = format!("the folder {}", path.display());
                let store = LocalFileSystem::new_with_prefix(folder.root())
                    .map_err(ArchiveError::store(format!("opening {place}")))?
                    .with_fsync(true);
                Inner::new(Box::new(store), Some(folder), String::new(), place)
            }
            ArchiveConfig::S3(s3) => {
                let server = s3.endpoint.as_deref().unwrap_or("AWS");
                let place = format!("the bucket {} at {server}", s3.bucket);
                let prefix = s3
                    .prefix
                    .as_ref()
                    .map_or(String::new(), |p| format!("{p}/"));
                let store = open_bucket(s3)?
                    .build()
                    .map_err(ArchiveError::store(format!("opening {place}")))?;
                Inner::new(Box::new(store), None, prefix, place)
            }
        };
        Ok(Archive {
            inner: Arc::new(inner),
        })
    }

    /// Size and checksum of an object, as its description says. An object that is answered for survives a crash, also one
    /// whose writer died before it was told so.
    ///
    /// # Errors
    /// [`ArchiveError::NotFound`], [`ArchiveError::Corrupt`], or why the archive could not be asked.
    pub async fn head(&self, name: &ObjectName) -> Result<ObjectInfo, ArchiveError> {
        let found = self.description(name).await?;
        let found = found.ok_or_else(|| ArchiveError::NotFound { name: name.clone() })?;
        self.sync_way(&self.description_key(name)).await?;
        Ok(found.info)
    }

    pub(crate) fn store(&self) -> &dyn ObjectStore {
        &*self.inner.store
    }

    pub(crate) fn folder(&self) -> Option<&Folder> {
        self.inner.folder.as_ref()
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.inner.prefix
    }

    pub(crate) fn description_key(&self, name: &ObjectName) -> Key {
        Key::from(format!("{}{name}{META_SUFFIX}", self.inner.prefix))
    }

    pub(crate) fn data_key(&self, name: &ObjectName, data: &DataId) -> Key {
        let (prefix, id) = (&self.inner.prefix, data.as_str());
        Key::from(format!("{prefix}{name}{DATA_SUFFIX}/{id}"))
    }

    /// What is being done, in words.
    pub(crate) fn doing(&self, what: &str, name: &ObjectName) -> String {
        format!("{what} the object `{name}` ({})", self.inner.place)
    }

    /// Reads a name's description, if there is one.
    pub(crate) async fn description(
        &self,
        name: &ObjectName,
    ) -> Result<Option<Description>, ArchiveError> {
        let doing = self.doing("reading the description of", name);
        let answer = match self.store().get(&self.description_key(name)).await {
            Err(error) if is_not_found(&error) => return Ok(None),
            answer => answer.map_err(ArchiveError::store(doing.clone()))?,
        };
        if answer.meta.size > DESCRIPTION_BYTES_MAX {
            return Err(ArchiveError::Corrupt {
                name: name.clone(),
                expected: String::from("a description"),
                found: format!("{} bytes", answer.meta.size),
            });
        }
        match answer.bytes().await {
            Err(error) if is_not_found(&error) => Ok(None),
            bytes => {
                let bytes = bytes.map_err(ArchiveError::store(doing))?;
                Description::decode(name, &bytes).map(Some)
            }
        }
    }

    /// Makes the object: creates its description, after the bytes are durable. Removes the bytes when another writer
    /// has the name; leaves them when the outcome is unknown.
    pub(crate) async fn claim(
        &self,
        name: &ObjectName,
        description: &Description,
    ) -> Result<(), ArchiveError> {
        let data = self.data_key(name, &description.data);
        self.sync_way(&data).await?;
        for _ in 0..CLAIMS_MAX {
            let key = self.description_key(name);
            let payload = PutPayload::from(description.encode());
            match self
                .store()
                .put_opts(&key, payload, PutMode::Create.into())
                .await
            {
                Ok(_) => return self.sync_way(&key).await,
                Err(
                    object_store::Error::AlreadyExists { .. }
                    | object_store::Error::Precondition { .. },
                ) => {}
                Err(error) => return Err(self.failed_write("describing", name, error)),
            }
            // A request that was sent twice is refused by its own first copy, and S3 refuses with "conflict" while
            // another request for the key is under way. So what is there now decides.
            match self.description(name).await? {
                Some(there) if there == *description => return self.sync_way(&key).await,
                Some(_) => {
                    self.discard(name, &data).await;
                    return Err(ArchiveError::AlreadyThere { name: name.clone() });
                }
                None => {}
            }
        }
        Err(ArchiveError::Unreachable {
            doing: self.doing("describing", name),
            detail: format!("{CLAIMS_MAX} claims of the name met another one"),
        })
    }

    /// Removes bytes that no description names. A failure costs space, not truth: it is logged.
    pub(crate) async fn discard(&self, name: &ObjectName, data: &Key) {
        match self.store().delete(data).await {
            Err(error) if !is_not_found(&error) => {
                tracing::warn!(%name, key = %data, %error, "bytes without a description are left in the archive");
            }
            _ => {}
        }
    }

    /// Refuses to write after a device has failed.
    pub(crate) fn check_writable(&self, what: &str, name: &ObjectName) -> Result<(), ArchiveError> {
        if self.inner.is_poisoned.load(Ordering::SeqCst) {
            let why = "the disk failed under an earlier write; check it, then start again";
            return Err(ArchiveError::io(self.doing(what, name))(
                std::io::Error::other(why),
            ));
        }
        Ok(())
    }

    /// The error of a write; one of the device closes the archive for writes.
    pub(crate) fn failed_write(
        &self,
        what: &str,
        name: &ObjectName,
        error: object_store::Error,
    ) -> ArchiveError {
        self.poison_if_device(&error);
        ArchiveError::store(self.doing(what, name))(error)
    }

    async fn sync_way(&self, key: &Key) -> Result<(), ArchiveError> {
        match self.folder() {
            Some(folder) => self.checked(folder.sync_way(key.as_ref()).await),
            None => Ok(()),
        }
    }

    /// Passes a result of the folder on; an error of the device closes the archive for writes.
    pub(crate) fn checked<T>(&self, result: Result<T, ArchiveError>) -> Result<T, ArchiveError> {
        result.inspect_err(|error| self.poison_if_device(error))
    }

    fn poison_if_device(&self, error: &(dyn std::error::Error + 'static)) {
        if self.folder().is_some() && is_device_failure(error) {
            self.inner.is_poisoned.store(true, Ordering::SeqCst);
        }
    }
}

impl Inner {
    fn new(
        store: Box<dyn ObjectStore>,
        folder: Option<Folder>,
        prefix: String,
        place: String,
    ) -> Inner {
        Inner {
            store,
            folder,
            prefix,
            place,
            is_poisoned: AtomicBool::new(false),
        }
    }
}

fn open_bucket(config: &S3Config) -> Result<AmazonS3Builder, ArchiveError> {
    // Fails only when the process has chosen already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let credentials = Credentials::load(config)?;
    let retry = RetryConfig {
        max_retries: RETRIES_MAX,
        retry_timeout: RETRY_FOR,
        backoff: BackoffConfig {
            init_backoff: RETRY_PAUSE,
            max_backoff: RETRY_PAUSE_MAX,
            base: 2.0,
        },
    };
    let client = ClientOptions::new()
        .with_allow_http(config.allow_http)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_timeout(REQUEST_TIMEOUT);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(&config.region)
        .with_access_key_id(credentials.access_key_id)
        .with_secret_access_key(credentials.secret_access_key)
        .with_client_options(client)
        .with_retry(retry)
        // One object is removed at a time, and not every server has the request for many.
        .with_disable_bulk_delete(true);
    if let Some(token) = credentials.session_token {
        builder = builder.with_token(token);
    }
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_whose_device_failed_takes_no_more_writes() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        std::fs::write(&source, b"bytes").unwrap();
        let archive = Archive::open(&ArchiveConfig::Folder(folder.path().join("a"))).unwrap();
        let (one, two): (ObjectName, ObjectName) = ("1".parse().unwrap(), "2".parse().unwrap());
        archive.store_file(&one, &source).await.unwrap();

        let failure = object_store::Error::Generic {
            store: "LocalFileSystem",
            source: Box::new(std::io::Error::from_raw_os_error(5)),
        };
        archive.clone().failed_write("storing", &two, failure);
        let refusals = [
            archive.store_file(&two, &source).await.map(|_| ()),
            archive.copy(&one, &two).await.map(|_| ()),
            archive.remove(&one).await,
        ];
        for refusal in refusals {
            let error = refusal.unwrap_err();
            assert!(matches!(error, ArchiveError::Io { .. }), "{error}");
        }
        archive.head(&one).await.unwrap();
    }
}
