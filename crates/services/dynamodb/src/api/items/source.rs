//! What a query or scan reads: the table, a local index or a global index.

use quorate_dynamo_lang::{
    AttributeValue, Condition, KeyCondition, KeySchema, Projection as Paths, SortCondition,
    check_scalar_keys,
};

use crate::api::error::ApiError;
use crate::api::items::capacity::{Consumed, Units};
use crate::api::items::get;
use crate::messages::Freshness;
use crate::model::{IndexNumber, IndexStatus, Projection, TableRecord};

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows<'a> {
    Table,
    Local {
        name: &'a str,
        number: IndexNumber,
        projection: &'a Projection,
    },
    Global {
        name: &'a str,
        number: IndexNumber,
        projection: &'a Projection,
    },
}

/// The rows and their keys.
#[derive(Debug, Clone)]
pub(crate) struct Source<'a> {
    pub(crate) rows: Rows<'a>,
    /// The keys that the rows are sorted by.
    pub(crate) keys: KeySchema,
    /// The table's keys.
    pub(crate) base: KeySchema,
}

impl<'a> Source<'a> {
    /// The table, or its index of that name.
    pub(crate) fn find(
        record: &'a TableRecord,
        index: Option<&str>,
    ) -> Result<Source<'a>, ApiError> {
        let base = record.schema();
        let Some(index) = index else {
            return Ok(Source {
                rows: Rows::Table,
                keys: base.clone(),
                base,
            });
        };
        if let Some(local) = record.local_indexes.iter().find(|i| i.name == index) {
            return Ok(Source {
                rows: Rows::Local {
                    name: &local.name,
                    number: local.number,
                    projection: &local.projection,
                },
                keys: record.schema_of(&local.keys),
                base,
            });
        }
        let global = record.global_indexes.iter().find(|i| i.name == index);
        let missing = || {
            ApiError::validation(format!(
                "The table does not have the specified index: {index}"
            ))
        };
        let global = global.ok_or_else(missing)?;
        if global.status == IndexStatus::Creating {
            return Err(ApiError::validation(format!(
                "Cannot read from backfilling global secondary index: {index}"
            )));
        }
        Ok(Source {
            rows: Rows::Global {
                name: &global.name,
                number: global.number,
                projection: &global.projection,
            },
            keys: record.schema_of(&global.keys),
            base,
        })
    }

    /// The number of the index whose partitions hold the rows.
    pub(crate) fn partitions_of(&self) -> IndexNumber {
        match self.rows {
            Rows::Table | Rows::Local { .. } => IndexNumber::TABLE,
            Rows::Global { number, .. } => number,
        }
    }

    /// How fresh the read is to be.
    pub(crate) fn freshness(&self, consistent: Option<bool>) -> Result<Freshness, ApiError> {
        let freshness = get::freshness(consistent);
        if freshness == Freshness::Strong && matches!(self.rows, Rows::Global { .. }) {
            return Err(ApiError::validation(
                "Consistent reads are not supported on global secondary indexes",
            ));
        }
        Ok(freshness)
    }

    /// Puts the units where `ConsumedCapacity` shows them.
    pub(crate) fn charge(&self, consumed: &mut Consumed, units: Units) {
        let one = |name: &str| [(name.to_owned(), units)].into();
        match self.rows {
            Rows::Table => consumed.table = units,
            Rows::Local { name, .. } => consumed.local = one(name),
            Rows::Global { name, .. } => consumed.global = one(name),
        }
    }

    /// Refuses what looks at keys and must not: a query's filter at those of the rows, and whatever leads into one, or one of the table, as if
    /// it held a document. `filters_by` is the parameter that a query's filter came with.
    pub(crate) fn check_paths(
        &self,
        filter: Option<&Condition>,
        projection: Option<&Paths>,
        filters_by: Option<&str>,
    ) -> Result<(), ApiError> {
        let names: Vec<&str> = self.keys.attributes().map(|(name, _)| name).collect();
        let mut scalars = names.clone();
        scalars.extend(self.base.attributes().map(|(name, _)| name));
        if let Some(projection) = projection {
            check_scalar_keys(projection.paths(), &scalars)?;
        }
        if let Some(filter) = filter {
            check_scalar_keys(filter.attributes(), &scalars)?;
            if let Some(parameter) = filters_by {
                filter.check_filter_keys(parameter, &names)?;
            }
        }
        Ok(())
    }

    /// The types and contents of a key condition's values.
    pub(crate) fn check_condition(&self, condition: &KeyCondition) -> Result<(), ApiError> {
        let single = condition.hash.iter().chain(&condition.range_equals);
        for (name, value) in single {
            self.check_value(name, value)?;
        }
        if let Some((name, sort)) = &condition.range {
            for value in sort.values() {
                self.check_value(name, value)?;
            }
            if let SortCondition::Between(low, high) = sort
                && let (Some(low_key), Some(high_key)) = (comparable(low), comparable(high))
                && low_key > high_key
            {
                return Err(ApiError::validation(
                    "Invalid KeyConditionExpression: The BETWEEN operator requires upper bound to be greater than or \
                     equal to lower bound",
                ));
            }
        }
        Ok(())
    }

    fn check_value(&self, name: &str, value: &AttributeValue) -> Result<(), ApiError> {
        let kind = self.keys.attributes().find(|(n, _)| *n == name);
        if kind.is_some_and(|(_, kind)| !kind.matches(value)) {
            return Err(ApiError::validation(
                "One or more parameter values were invalid: Condition parameter type does not match schema type",
            ));
        }
        let empty = match value {
            AttributeValue::S(text) => text.is_empty(),
            AttributeValue::B(bytes) => bytes.is_empty(),
            _ => false,
        };
        if empty {
            return Err(ApiError::validation(format!(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
                 empty {} value. Key: {name}",
                if matches!(value, AttributeValue::S(_)) {
                    "string"
                } else {
                    "binary"
                }
            )));
        }
        Ok(())
    }
}

/// A key value's bytes, which sort as the values do.
fn comparable(value: &AttributeValue) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    quorate_dynamo_lang::key_codec::encode_into(value, &mut bytes);
    (!bytes.is_empty()).then_some(bytes)
}
