//! Storing: from a file, in parts, under an id of its own; then the name is claimed.

use std::path::Path;

use bytes::{Bytes, BytesMut};
use object_store::path::Path as Key;
use object_store::{ObjectStoreExt, PutPayload, WriteMultipart};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::bounds::{OBJECT_BYTES_MAX, PART_BYTES, PARTS_IN_FLIGHT_MAX};
use crate::description::{DataId, Description};
use crate::summing::Summing;
use crate::{Archive, ArchiveError, ObjectInfo, ObjectName};

impl Archive {
    /// Stores a copy of a file under a name that is free, and returns once it is durable.
    ///
    /// The object appears whole or not at all, and is the bytes that were read: who changes the file meanwhile gets a
    /// mixture. After [`ArchiveError::Unreachable`] and after an error of the disk, the object may be there: ask
    /// [`Archive::head`]. Dropping the future leaves bytes without a name, at most.
    ///
    /// # Errors
    /// [`ArchiveError::AlreadyThere`] when the name is taken, also when another writer took it first;
    /// [`ArchiveError::TooLarge`]; [`ArchiveError::NoSpace`]; or why the archive or the file could not be used.
    pub async fn store_file(
        &self,
        name: &ObjectName,
        file: &Path,
    ) -> Result<ObjectInfo, ArchiveError> {
        self.check_writable("storing", name)?;
        let mut source = Source::open(file).await?;
        // Cheap, before gigabytes are sent; the claim decides.
        if self.description(name).await?.is_some() {
            return Err(ArchiveError::AlreadyThere { name: name.clone() });
        }
        let data = DataId::random()?;
        let key = self.data_key(name, &data);
        let info = self.upload(name, &key, &mut source).await?;
        self.claim(name, &Description { data, info }).await?;
        Ok(info)
    }

    async fn upload(
        &self,
        name: &ObjectName,
        key: &Key,
        source: &mut Source,
    ) -> Result<ObjectInfo, ArchiveError> {
        let first = source.next_part().await?;
        if first.len() < PART_BYTES {
            self.put_whole(name, key, first).await?;
            return Ok(source.info());
        }
        let mut upload = self.begin_upload(name, key).await?;
        let mut part = first;
        while !part.is_empty() {
            if let Err(error) = upload.wait_for_capacity(PARTS_IN_FLIGHT_MAX).await {
                self.abort(name, upload).await;
                return Err(self.failed_write("storing", name, error));
            }
            upload.put(part);
            part = match source.next_part().await {
                Ok(part) => part,
                Err(error) => {
                    self.abort(name, upload).await;
                    return Err(error);
                }
            };
        }
        self.finish_upload(name, upload).await?;
        Ok(source.info())
    }

    async fn put_whole(
        &self,
        name: &ObjectName,
        key: &Key,
        bytes: Bytes,
    ) -> Result<(), ArchiveError> {
        match self.store().put(key, PutPayload::from(bytes)).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed_write("storing", name, error)),
        }
    }

    pub(crate) async fn begin_upload(
        &self,
        name: &ObjectName,
        key: &Key,
    ) -> Result<WriteMultipart, ArchiveError> {
        match self.store().put_multipart(key).await {
            Ok(upload) => Ok(WriteMultipart::new_with_chunk_size(upload, PART_BYTES)),
            Err(error) => Err(self.failed_write("storing", name, error)),
        }
    }

    pub(crate) async fn finish_upload(
        &self,
        name: &ObjectName,
        upload: WriteMultipart,
    ) -> Result<(), ArchiveError> {
        match upload.finish().await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed_write("storing", name, error)),
        }
    }

    /// Gives an upload up. A failure leaves parts that the bucket's own rules clear away: it is logged.
    pub(crate) async fn abort(&self, name: &ObjectName, upload: WriteMultipart) {
        if let Err(error) = upload.abort().await {
            tracing::warn!(%name, %error, "parts of an upload that was given up are left in the archive");
        }
    }
}

/// The file that is read, in parts, with the sum over what was read.
struct Source {
    file: File,
    doing: String,
    summing: Summing,
}

impl Source {
    async fn open(path: &Path) -> Result<Source, ArchiveError> {
        let doing = format!("reading {}", path.display());
        let file = File::open(path).await;
        let file = file.map_err(ArchiveError::io(doing.clone()))?;
        let metadata = file.metadata().await;
        let size_bytes = metadata.map_err(ArchiveError::io(doing.clone()))?.len();
        check_size(&path.display().to_string(), size_bytes)?;
        Ok(Source {
            file,
            doing,
            summing: Summing::default(),
        })
    }

    /// The next [`PART_BYTES`], fewer at the end, none after it.
    async fn next_part(&mut self) -> Result<Bytes, ArchiveError> {
        let mut part = BytesMut::with_capacity(PART_BYTES);
        let mut rest = (&mut self.file).take(PART_BYTES as u64);
        while part.len() < PART_BYTES {
            let read = rest.read_buf(&mut part).await;
            if read.map_err(ArchiveError::io(self.doing.clone()))? == 0 {
                break;
            }
        }
        let part = part.freeze();
        self.summing.add(&part).await?;
        check_size(&self.doing, self.summing.size_bytes())?;
        Ok(part)
    }

    fn info(&self) -> ObjectInfo {
        self.summing.info()
    }
}

fn check_size(what: &str, size_bytes: u64) -> Result<(), ArchiveError> {
    if size_bytes <= OBJECT_BYTES_MAX {
        return Ok(());
    }
    Err(ArchiveError::TooLarge {
        what: what.to_owned(),
        max: OBJECT_BYTES_MAX,
    })
}
