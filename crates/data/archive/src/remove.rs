//! Removing an object: first its description, durably, then its bytes.

use object_store::ObjectStoreExt;

use crate::error::is_not_found;
use crate::{Archive, ArchiveError, ObjectName};

impl Archive {
    /// Removes an object; fine when it is gone. It does not come back after a crash.
    ///
    /// # Errors
    /// [`ArchiveError::Corrupt`] when the description cannot be read: the object stays, for somebody to look at. Else why
    /// the archive could not be used.
    pub async fn remove(&self, name: &ObjectName) -> Result<(), ArchiveError> {
        self.check_writable("removing", name)?;
        let meta = self.description_key(name);
        let Some(description) = self.description(name).await? else {
            // Another remove may have taken it away a moment ago, and not have synced that.
            return self.sync_removal(meta.as_ref()).await;
        };
        match self.store().delete(&meta).await {
            Err(error) if !is_not_found(&error) => {
                return Err(self.failed_write("removing", name, error));
            }
            _ => self.sync_removal(meta.as_ref()).await?,
        }
        let data = self.data_key(name, &description.data);
        self.discard(name, &data).await;
        match self.folder() {
            Some(folder) => self.checked(folder.remove_if_empty(data.as_ref()).await),
            None => Ok(()),
        }
    }

    async fn sync_removal(&self, key: &str) -> Result<(), ArchiveError> {
        match self.folder() {
            Some(folder) => self.checked(folder.sync_removal(key).await),
            None => Ok(()),
        }
    }
}
