//! Copying an object to another name.

use object_store::path::Path as Key;
use object_store::{ObjectStoreExt, WriteMultipart};

use crate::bounds::{COPY_BYTES_MAX, PARTS_IN_FLIGHT_MAX};
use crate::description::{DataId, Description};
use crate::error::is_not_found;
use crate::{Archive, ArchiveError, ObjectInfo, ObjectName};

impl Archive {
    /// Copies an object to a name that is free; it is durable, and lives on when `from` is removed.
    ///
    /// In a folder both share the bytes on disk (a hard link). A bucket copies them itself up to 5 GiB; a larger object
    /// is read, checked and written in parts. After [`ArchiveError::Unreachable`] the copy may be there.
    ///
    /// # Errors
    /// [`ArchiveError::NotFound`] for `from`, [`ArchiveError::AlreadyThere`] for `to`, [`ArchiveError::Corrupt`], or why
    /// the archive could not be used.
    pub async fn copy(
        &self,
        from: &ObjectName,
        to: &ObjectName,
    ) -> Result<ObjectInfo, ArchiveError> {
        self.check_writable("copying to", to)?;
        let source = self.description(from).await?;
        let source = source.ok_or_else(|| ArchiveError::NotFound { name: from.clone() })?;
        if self.description(to).await?.is_some() {
            return Err(ArchiveError::AlreadyThere { name: to.clone() });
        }
        let copy = Description {
            data: DataId::random()?,
            info: source.info,
        };
        let key = self.data_key(to, &copy.data);
        if self.folder().is_some() || source.info.size_bytes <= COPY_BYTES_MAX {
            self.copy_in_place(from, &source, to, &key).await?;
        } else {
            self.copy_in_parts(from, &source, to, &key).await?;
        }
        self.claim(to, &copy).await?;
        Ok(copy.info)
    }

    async fn copy_in_place(
        &self,
        from: &ObjectName,
        source: &Description,
        to: &ObjectName,
        key: &Key,
    ) -> Result<(), ArchiveError> {
        let source_key = self.data_key(from, &source.data);
        self.check_data(from, &source_key, source).await?;
        match self.store().copy(&source_key, key).await {
            Err(error) if is_not_found(&error) => Err(self.missing_data(from, source).await),
            Err(error) => Err(self.failed_write("copying to", to, error)),
            Ok(()) => Ok(()),
        }
    }

    async fn copy_in_parts(
        &self,
        from: &ObjectName,
        source: &Description,
        to: &ObjectName,
        key: &Key,
    ) -> Result<(), ArchiveError> {
        let mut upload = self.begin_upload(to, key).await?;
        if let Err(error) = self.send_parts(from, source, to, &mut upload).await {
            self.abort(to, upload).await;
            return Err(error);
        }
        self.finish_upload(to, upload).await
    }

    async fn send_parts(
        &self,
        from: &ObjectName,
        source: &Description,
        to: &ObjectName,
        upload: &mut WriteMultipart,
    ) -> Result<(), ArchiveError> {
        let mut parts = self.read(from, source).await?;
        while let Some(part) = parts.next().await? {
            let free = upload.wait_for_capacity(PARTS_IN_FLIGHT_MAX).await;
            free.map_err(|error| self.failed_write("copying to", to, error))?;
            upload.put(part);
        }
        Ok(())
    }
}
