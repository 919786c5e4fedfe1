//! Listing what is there.

use futures_util::TryStreamExt;
use object_store::path::Path as Key;

use crate::archive::META_SUFFIX;
use crate::bounds::LISTED_MAX;
use crate::{Archive, ArchiveError, ObjectName};

impl Archive {
    /// The names below `under/`, or all, in order. What a crash left behind is no object and is not listed; neither are
    /// files of others in the same place.
    ///
    /// # Errors
    /// [`ArchiveError::TooLarge`] when there are more than 100,000, or why the archive could not be asked.
    pub async fn list(&self, under: Option<&ObjectName>) -> Result<Vec<ObjectName>, ArchiveError> {
        let place = under.map_or("", ObjectName::as_str);
        let doing = format!("listing `{place}` ({self})");
        let prefix = Key::from(format!("{}{place}", self.prefix()));
        let mut keys = self.store().list(Some(&prefix));
        let mut names = Vec::new();
        while let Some(found) = keys
            .try_next()
            .await
            .map_err(ArchiveError::store(doing.clone()))?
        {
            let Some(name) = self.decide_name(found.location.as_ref()) else {
                continue;
            };
            if names.len() == LISTED_MAX {
                return Err(ArchiveError::TooLarge {
                    what: format!("the list of `{place}`"),
                    max: LISTED_MAX as u64,
                });
            }
            names.push(name);
        }
        names.sort();
        Ok(names)
    }

    /// The object that a key describes, if it describes one.
    fn decide_name(&self, key: &str) -> Option<ObjectName> {
        let name = key.strip_prefix(self.prefix())?;
        name.strip_suffix(META_SUFFIX)?.parse().ok()
    }
}
