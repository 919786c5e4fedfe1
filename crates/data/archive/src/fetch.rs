//! Fetching: in parts to a temporary neighbour, checked, synced, renamed.

use std::path::Path;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path as Key;
use tempfile::NamedTempFile;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::bounds::{PART_BYTES, PARTS_IN_FLIGHT_MAX};
use crate::description::Description;
use crate::error::is_not_found;
use crate::folder::{blocking, sync_folder};
use crate::summing::Summing;
use crate::{Archive, ArchiveError, ObjectInfo, ObjectName};

impl Archive {
    /// Fetches an object to a file, which is there whole, checked and durable, or not at all.
    ///
    /// The file belongs to this process and is for its owner alone (mode 0600); one that was there is replaced. The
    /// temporary neighbour (`.quorate-fetch-…`) goes with every failure but a crash; its folder's owner clears that.
    /// With `expected`, an object of another size or sum is refused before a byte is fetched.
    ///
    /// # Errors
    /// [`ArchiveError::NotFound`]; [`ArchiveError::Corrupt`]; [`ArchiveError::NoSpace`]; or why the archive or the file
    /// could not be used.
    pub async fn fetch_file(
        &self,
        name: &ObjectName,
        file: &Path,
        expected: Option<&ObjectInfo>,
    ) -> Result<ObjectInfo, ArchiveError> {
        let description = self.description(name).await?;
        let description =
            description.ok_or_else(|| ArchiveError::NotFound { name: name.clone() })?;
        if let Some(expected) = expected {
            check(name, expected, &description.info)?;
        }
        let doing = format!("writing {}", file.display());
        let target = file.to_owned();
        let temporary = blocking(doing.clone(), move || new_neighbour(&target)).await?;
        let (open, temporary) = temporary.into_parts();
        let mut open = File::from_std(open);
        let mut parts = self.read(name, &description).await?;
        while let Some(part) = parts.next().await? {
            let written = open.write_all(&part).await;
            written.map_err(ArchiveError::io(doing.clone()))?;
        }
        open.flush()
            .await
            .map_err(ArchiveError::io(doing.clone()))?;
        let (open, target) = (open.into_std().await, file.to_owned());
        blocking(doing, move || {
            open.sync_all()?;
            temporary.persist(&target)?;
            sync_folder(&target)
        })
        .await?;
        Ok(description.info)
    }

    /// Begins to read an object's bytes.
    pub(crate) async fn read(
        &self,
        name: &ObjectName,
        description: &Description,
    ) -> Result<CheckedParts, ArchiveError> {
        let key = self.data_key(name, &description.data);
        self.check_data(name, &key, description).await?;
        Ok(CheckedParts {
            archive: self.clone(),
            name: name.clone(),
            description: description.clone(),
            parts: self.parts(key, description.info.size_bytes),
            summing: Summing::default(),
        })
    }

    /// Sees that the bytes are there, and no more and no fewer than described.
    pub(crate) async fn check_data(
        &self,
        name: &ObjectName,
        key: &Key,
        description: &Description,
    ) -> Result<(), ArchiveError> {
        let found = match self.store().head(key).await {
            Err(error) if is_not_found(&error) => {
                return Err(self.missing_data(name, description).await);
            }
            found => found.map_err(ArchiveError::store(self.doing("reading", name)))?,
        };
        if found.size != description.info.size_bytes {
            return Err(ArchiveError::Corrupt {
                name: name.clone(),
                expected: description.info.to_string(),
                found: format!("{} bytes", found.size),
            });
        }
        Ok(())
    }

    /// Bytes that are not there: the object was removed meanwhile, or it is damaged.
    pub(crate) async fn missing_data(
        &self,
        name: &ObjectName,
        description: &Description,
    ) -> ArchiveError {
        match self.description(name).await {
            Err(error) => error,
            Ok(Some(there)) if there == *description => ArchiveError::Corrupt {
                name: name.clone(),
                expected: description.info.to_string(),
                found: String::from("no bytes at all"),
            },
            Ok(_) => ArchiveError::NotFound { name: name.clone() },
        }
    }

    fn parts(&self, key: Key, size_bytes: u64) -> Parts {
        let archive = self.clone();
        stream::iter((0..size_bytes).step_by(PART_BYTES))
            .map(move |start| {
                let end = size_bytes.min(start + PART_BYTES as u64);
                let (archive, key) = (archive.clone(), key.clone());
                async move { archive.store().get_range(&key, start..end).await }
            })
            .buffered(PARTS_IN_FLIGHT_MAX)
            .boxed()
    }
}

type Parts = BoxStream<'static, Result<Bytes, object_store::Error>>;

/// An object's bytes, part by part and in order. The end is an end only if they are those that it describes.
pub(crate) struct CheckedParts {
    archive: Archive,
    name: ObjectName,
    description: Description,
    parts: Parts,
    summing: Summing,
}

impl CheckedParts {
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ArchiveError> {
        match self.parts.try_next().await {
            Ok(Some(part)) => {
                self.summing.add(&part).await?;
                Ok(Some(part))
            }
            Ok(None) => {
                check(&self.name, &self.description.info, &self.summing.info())?;
                Ok(None)
            }
            Err(error) if is_not_found(&error) => {
                let missing = self.archive.missing_data(&self.name, &self.description);
                Err(missing.await)
            }
            Err(error) => {
                let doing = self.archive.doing("reading", &self.name);
                Err(ArchiveError::store(doing)(error))
            }
        }
    }
}

fn check(name: &ObjectName, expected: &ObjectInfo, found: &ObjectInfo) -> Result<(), ArchiveError> {
    if expected == found {
        return Ok(());
    }
    Err(ArchiveError::Corrupt {
        name: name.clone(),
        expected: expected.to_string(),
        found: found.to_string(),
    })
}

fn new_neighbour(target: &Path) -> std::io::Result<NamedTempFile> {
    let folder = target.parent().filter(|p| !p.as_os_str().is_empty());
    tempfile::Builder::new()
        .prefix(".quorate-fetch-")
        .tempfile_in(folder.unwrap_or(Path::new(".")))
}
