//! A table's keys with their types.

use quorate_dynamo_lang::KeySchema;

use crate::model::table::{KeyElement, KeyRole, TableRecord};

impl TableRecord {
    /// The table's own keys.
    #[must_use]
    pub fn schema(&self) -> KeySchema {
        self.schema_of(&self.keys)
    }

    /// Keys with the types that the table defines.
    #[must_use]
    pub fn schema_of(&self, keys: &[KeyElement]) -> KeySchema {
        let of_role = |role: KeyRole| {
            keys.iter()
                .filter(|key| key.role == role)
                .filter_map(|key| Some((key.name.clone(), self.scalar_of(&key.name)?)))
                .collect()
        };
        KeySchema {
            hash: of_role(KeyRole::Hash),
            range: of_role(KeyRole::Range),
        }
    }

    /// The names and keys of all indexes.
    pub fn index_schemas(&self) -> impl Iterator<Item = (&str, KeySchema)> {
        let local = self.local_indexes.iter().map(|i| (&i.name, &i.keys));
        let global = self.global_indexes.iter().map(|i| (&i.name, &i.keys));
        local
            .chain(global)
            .map(|(name, keys)| (name.as_str(), self.schema_of(keys)))
    }
}
