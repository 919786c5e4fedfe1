//! Decoded copies of one table of the catalog, kept from one look to the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_base::Revision;

use crate::error::CatalogError;
use crate::record::{Record, Stored, decode, key_of};
use crate::view::View;

/// All records of a table as a view held them at the last refresh. A refresh decodes only what has changed.
#[derive(Debug, Clone)]
pub struct Mirror<R> {
    records: BTreeMap<String, Arc<Stored<R>>>,
    /// What the view held at the last refresh, at least; none before.
    seen: Option<Revision>,
}

impl<R> Default for Mirror<R> {
    fn default() -> Mirror<R> {
        Mirror {
            records: BTreeMap::new(),
            seen: None,
        }
    }
}

impl<R: Record> Mirror<R> {
    /// Takes over what the view holds; whether anything was different.
    ///
    /// # Errors
    /// `Unreadable` when this build cannot read an entry; the mirror is then as it was before.
    pub fn refresh(&mut self, view: &View) -> Result<bool, CatalogError> {
        // Read before the records: they may be newer than it says, never older.
        let revision = view.revision();
        if self.seen == Some(revision) {
            return Ok(false);
        }
        let prefix = key_of::<R>("");
        let mut changed = false;
        let records = view.with(|store| {
            let mut records = BTreeMap::new();
            for (key, entry) in store.scan(&prefix) {
                let id = &key[prefix.len()..];
                let kept = self.records.get(id);
                let stored = match kept.filter(|kept| kept.revision == entry.revision) {
                    Some(kept) => kept.clone(),
                    None => {
                        changed = true;
                        Arc::new(Stored {
                            id: id.to_owned(),
                            revision: entry.revision,
                            record: decode(key, &entry.value)?,
                        })
                    }
                };
                records.insert(id.to_owned(), stored);
            }
            Ok(records)
        })?;
        changed |= records.len() != self.records.len();
        self.records = records;
        self.seen = Some(revision);
        Ok(changed)
    }

    /// The record of that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Stored<R>>> {
        self.records.get(id)
    }

    /// All records in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Stored<R>>> {
        self.records.values()
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::catalog::Catalog;
    use crate::txn::Txn;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Colour(String);

    impl Record for Colour {
        const TABLE: &'static str = "test/colour";
        const VERSION: u32 = 1;
    }

    async fn put(catalog: &Catalog, id: &str, colour: &str) {
        let txn = Txn::new().put(id, &Colour(colour.to_owned()));
        catalog.commit(txn).await.unwrap();
    }

    #[tokio::test]
    async fn a_refresh_takes_over_changes_and_keeps_the_rest() {
        let catalog = Catalog::in_memory();
        put(&catalog, "a", "red").await;
        put(&catalog, "b", "blue").await;
        let mut mirror = Mirror::<Colour>::default();
        assert!(mirror.refresh(catalog.view()).unwrap());
        let kept = mirror.get("a").unwrap().clone();
        assert!(!mirror.refresh(catalog.view()).unwrap());
        put(&catalog, "b", "green").await;
        assert!(mirror.refresh(catalog.view()).unwrap());
        assert!(Arc::ptr_eq(&kept, mirror.get("a").unwrap()));
        assert_eq!(mirror.get("b").unwrap().record.0, "green");
        let txn = Txn::new().discard::<Colour>("a");
        catalog.commit(txn).await.unwrap();
        assert!(mirror.refresh(catalog.view()).unwrap());
        assert!(mirror.get("a").is_none());
    }
}
