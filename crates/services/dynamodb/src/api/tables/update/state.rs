//! Whether a table can be changed in the state that it is in.

use crate::api::error::ApiError;
use crate::api::tables::update::Change;
use crate::model::{GlobalIndex, IndexStatus, TableRecord, TableStatus};

impl Change<'_> {
    /// Holds the request against what the table is busy with.
    pub(super) fn check_state(&self, table: &TableRecord) -> Result<(), ApiError> {
        let name = self.name;
        match table.status {
            TableStatus::Creating => {
                return Err(ApiError::in_use(format_args!(
                    "Table is being created: {name}"
                )));
            }
            TableStatus::Deleting => {
                return Err(ApiError::in_use(format_args!(
                    "Table is being deleted: {name}"
                )));
            }
            TableStatus::Updating | TableStatus::Active => {}
        }
        self.one_index_at_a_time(table)?;
        self.updated_indexes_are_still(table)?;
        let request = self.request;
        if request.provisioned.is_some() || request.billing.is_some() {
            self.indexes_are_still(table)?;
            if table.status == TableStatus::Updating {
                return Err(ApiError::in_use(format_args!(
                    "Table IOPS are currently being updated. Table: {name}"
                )));
            }
        }
        if request.on_demand.is_some() {
            let creating = names_with(table, IndexStatus::Creating);
            if !creating.is_empty() {
                return Err(ApiError::in_use(format_args!(
                    "OnDemandThroughput cannot be updated while index creation is in progress for indexes: [{creating}]"
                )));
            }
        }
        if request.class.is_some() && table.status == TableStatus::Updating {
            return Err(ApiError::in_use(format_args!(
                "Table is being updated: {name}"
            )));
        }
        Ok(())
    }

    /// Only one index is made or removed at a time. One that is being filled can be given up.
    fn one_index_at_a_time(&self, table: &TableRecord) -> Result<(), ApiError> {
        let updates = self.request.updates();
        let changes = |u: &&super::request::IndexUpdate<'_>| u.update.is_none();
        let mut asked = updates.iter().filter(changes);
        let Some(first) = asked.next() else {
            return Ok(());
        };
        let other = |index: &GlobalIndex| match index.status {
            IndexStatus::Creating => first.delete.is_none() || index.name != first.name(),
            IndexStatus::Deleting => true,
            IndexStatus::Updating | IndexStatus::Active => false,
        };
        if asked.next().is_some() || table.global_indexes.iter().any(other) {
            return Err(ApiError::dynamodb(
                "LimitExceededException",
                "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
            ));
        }
        Ok(())
    }

    /// An index is not changed while it comes, goes or changes.
    fn updated_indexes_are_still(&self, table: &TableRecord) -> Result<(), ApiError> {
        let updates = self.request.updates().iter();
        let names = updates.filter_map(|u| u.update.as_ref()?.name);
        for index in names.filter_map(|name| table.global_index(name)) {
            let word = match index.status {
                IndexStatus::Creating => "created",
                IndexStatus::Updating => "updated",
                IndexStatus::Deleting => "deleted",
                IndexStatus::Active => continue,
            };
            return Err(ApiError::in_use(format_args!(
                "Index is being {word}. Table: {} Index: {}",
                self.name, index.name
            )));
        }
        Ok(())
    }

    /// Throughput of the table is not changed while its indexes come and go.
    fn indexes_are_still(&self, table: &TableRecord) -> Result<(), ApiError> {
        for (status, word) in [
            (IndexStatus::Creating, "created"),
            (IndexStatus::Deleting, "deleted"),
        ] {
            let names = names_with(table, status);
            if !names.is_empty() {
                return Err(ApiError::in_use(format_args!(
                    "Can't change table IOPS when an index is being {word}. Table: {} Indexes: [{names}]",
                    self.name
                )));
            }
        }
        Ok(())
    }
}

fn names_with(table: &TableRecord, status: IndexStatus) -> String {
    let with = table.global_indexes.iter().filter(|i| i.status == status);
    with.map(|i| i.name.as_str()).collect::<Vec<_>>().join(", ")
}
