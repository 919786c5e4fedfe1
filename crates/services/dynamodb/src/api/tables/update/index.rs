//! Global indexes: created, changed and removed.

use quorate_dynamo_lang::ScalarType;

use crate::api::error::ApiError;
use crate::api::tables::describe::warm_units;
use crate::api::tables::request::{IndexRequest, KeyRequest, Units};
use crate::api::tables::rules::{
    GLOBAL_MAX, Owner, Unfinished, attributes, bounds, keys_are_defined, on_demand, one_global,
    projected, warm,
};
use crate::api::tables::update::billing::set_provisioned;
use crate::api::tables::update::{Change, busy};
use crate::model::{
    AttributeDefinition, Billing, IndexNumber, IndexStatus, KeyElement, TableRecord,
};

/// The largest number of units that AWS looks at for an index.
const UNITS_MAX: i64 = 1_000_000_000_000;

impl Change<'_> {
    /// Does what is asked with each index.
    pub(super) fn change_indexes(&self, record: &mut TableRecord) -> Result<(), ApiError> {
        let switched = self.request.billing.is_some();
        for update in self.request.updates() {
            if let Some(request) = &update.update {
                self.change_index(request, switched, record)?;
            }
            if let Some(request) = &update.create {
                self.create_index(request, record)?;
            }
            if let Some(request) = &update.delete {
                self.delete_index(request.name.unwrap_or_default(), record)?;
            }
        }
        Ok(())
    }

    fn change_index(
        &self,
        request: &IndexRequest<'_>,
        switched: bool,
        record: &mut TableRecord,
    ) -> Result<(), ApiError> {
        let name = request.name.unwrap_or_default();
        let huge = |units: Units| {
            let mut both = [units.read, units.write].into_iter().flatten();
            both.any(|value| value > UNITS_MAX)
        };
        if request.provisioned.is_some_and(huge) {
            return Err(ApiError::validation(
                "This operation cannot be performed with given input values. Please contact DynamoDB service team for \
                 more info: Action Blocked: IndexUpdate",
            ));
        }
        let billing = record.billing;
        let at = self.position(name, "update", record)?;
        let index = &mut record.global_indexes[at];
        let throughput = &mut index.throughput;
        match (billing, request.provisioned) {
            (Billing::PayPerRequest, Some(_)) => {
                return Err(ApiError::invalid(format_args!(
                    "The only Updates for index: {name} when TableThroughputMode is PAY_PER_REQUEST can be to \
                     OnDemandThroughput, WarmThroughput"
                )));
            }
            // In a switch of billing the same number as before is a change: nothing was reserved.
            (Billing::Provisioned, Some(units)) if !switched || throughput.read > 0 => {
                set_provisioned(Owner::Index(name), units, throughput, self.now)?;
            }
            (Billing::Provisioned, Some(units)) => {
                (throughput.read, throughput.write) = bounds(Owner::Index(name), units)?;
            }
            (_, None) => {}
        }
        if let Some(units) = request.on_demand {
            on_demand(Owner::Index(name), billing, units, throughput)?;
        }
        if let Some(units) = request.warm {
            let current = warm_units(billing, throughput);
            warm(Owner::Index(name), units, current, throughput)?;
        }
        index.status = IndexStatus::Updating;
        Ok(())
    }

    fn create_index(
        &self,
        request: &IndexRequest<'_>,
        record: &mut TableRecord,
    ) -> Result<(), ApiError> {
        let name = request.name.unwrap_or_default();
        let local = record.local_indexes.iter().any(|index| index.name == name);
        if local || record.global_index(name).is_some() {
            return Err(ApiError::validation(
                "Attempting to create an index which already exists",
            ));
        }
        let given = self.definitions(name)?;
        let keys: Vec<KeyElement> = request
            .keys
            .iter()
            .flatten()
            .map(KeyRequest::element)
            .collect();
        keys_are_defined(&keys, &given)?;
        if record.global_indexes.len() >= GLOBAL_MAX {
            return Err(ApiError::dynamodb(
                "LimitExceededException",
                format!(
                    "Subscriber limit exceeded: Number of global secondary indexes exceeds per-table limit of {GLOBAL_MAX}"
                ),
            ));
        }
        throughput_fits(name, record.billing, request.provisioned)?;
        let unfinished = Unfinished {
            attributes: &given,
            keys: &record.keys,
            billing: record.billing,
        };
        let number = IndexNumber(record.last_index.0.checked_add(1).ok_or_else(|| {
            ApiError::dynamodb(
                "LimitExceededException",
                "Subscriber limit exceeded: this table has had too many indexes; create another table",
            )
        })?);
        let index = one_global(unfinished, request, number)?;
        define(&keys, &given, record)?;
        record.last_index = number;
        record.global_indexes.push(index);
        let local = record.local_indexes.iter().map(|index| &index.projection);
        let global = record.global_indexes.iter().map(|index| &index.projection);
        projected(local.chain(global))?;
        busy(record);
        Ok(())
    }

    /// The definitions in the request, which a new index needs.
    fn definitions(&self, index: &str) -> Result<Vec<AttributeDefinition>, ApiError> {
        match &self.request.attributes {
            Some(requests) => attributes(requests),
            None => Err(ApiError::invalid(format_args!(
                "AttributeDefinitions is not specified for index: {index}"
            ))),
        }
    }

    fn delete_index(&self, name: &str, record: &mut TableRecord) -> Result<(), ApiError> {
        let at = self.position(name, "delete", record)?;
        let index = &mut record.global_indexes[at];
        if index.status == IndexStatus::Creating && !index.backfilling {
            return Err(ApiError::in_use(format_args!(
                "Index creation is in resource allocation phase. Retry deletion during backfilling phase or when the \
                 index is active. Table: {} Index: {name}",
                self.name
            )));
        }
        index.status = IndexStatus::Deleting;
        index.backfilling = false;
        busy(record);
        Ok(())
    }

    /// Where a global index is in the record.
    fn position(&self, name: &str, verb: &str, record: &TableRecord) -> Result<usize, ApiError> {
        let mut indexes = record.global_indexes.iter();
        if let Some(at) = indexes.position(|index| index.name == name) {
            return Ok(at);
        }
        if record.local_indexes.iter().any(|index| index.name == name) {
            return Err(ApiError::validation(format!(
                "Cannot {verb} an index that is not a GlobalSecondaryIndex: {name}"
            )));
        }
        Err(ApiError::dynamodb(
            "ResourceNotFoundException",
            format!(
                "Requested resource not found: Index: {name} not found for table: {}",
                self.name
            ),
        ))
    }
}

/// Throughput of an index that is added, in the words of `UpdateTable`.
fn throughput_fits(
    name: &str,
    billing: Billing,
    provisioned: Option<Units>,
) -> Result<(), ApiError> {
    match (billing, provisioned) {
        (Billing::Provisioned, None) => Err(ApiError::invalid(format_args!(
            "Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: {name}"
        ))),
        (Billing::PayPerRequest, Some(_)) => Err(ApiError::invalid(format_args!(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: {name} when BillingMode is \
             PAY_PER_REQUEST"
        ))),
        _ => Ok(()),
    }
}

/// Adds the definitions of a new key's attributes to the table. What the request defines beside them is not looked at,
/// as with AWS.
fn define(
    keys: &[KeyElement],
    given: &[AttributeDefinition],
    record: &mut TableRecord,
) -> Result<(), ApiError> {
    for key in keys {
        let Some(definition) = given.iter().find(|d| d.name == key.name) else {
            continue;
        };
        match record.scalar_of(&key.name) {
            Some(scalar) if scalar == definition.scalar => {}
            Some(scalar) => return Err(redefined(&key.name, scalar)),
            None => record.attributes.push(definition.clone()),
        }
    }
    record.attributes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(())
}

fn redefined(name: &str, scalar: ScalarType) -> ApiError {
    ApiError::invalid(format_args!(
        "Attributes cannot be redefined. Please check that your attribute has the same type as previously defined. \
         Existing schema: {name}:{scalar:?}"
    ))
}
