//! Billing and the table's own throughput.

use quorate_base::UnixMillis;

use crate::api::error::ApiError;
use crate::api::tables::describe::{decreases_today, warm_units};
use crate::api::tables::request::Units;
use crate::api::tables::rules::{Owner, bounds, on_demand, warm};
use crate::api::tables::update::{Change, busy};
use crate::model::{Billing, IndexStatus, TableRecord, Throughput};

/// Throughput can be lowered so often a day, and after that once an hour.
const DECREASES_FREE: u32 = 4;
const HOUR_MS: u64 = 60 * 60 * 1000;

impl Change<'_> {
    /// Changes billing and the table's own throughput. Indexes that a switch of billing needs are checked here and
    /// changed with the indexes.
    pub(super) fn change_billing(&self, record: &mut TableRecord) -> Result<(), ApiError> {
        let request = self.request;
        let before = record.billing;
        let asked = match request.billing {
            Some("PROVISIONED") => Some(Billing::Provisioned),
            Some(_) => Some(Billing::PayPerRequest),
            None => None,
        };
        let billing = asked.unwrap_or(before);
        if billing == Billing::PayPerRequest && request.provisioned.is_some() {
            return Err(ApiError::invalid(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
            ));
        }
        if asked == Some(Billing::Provisioned) && request.provisioned.is_none() {
            return Err(ApiError::invalid(
                "ProvisionedThroughput must be specified when BillingMode is PROVISIONED",
            ));
        }
        if asked.is_some() {
            busy(record);
        }
        match (before, billing) {
            (Billing::PayPerRequest, Billing::Provisioned) => self.to_provisioned(record)?,
            (Billing::Provisioned, Billing::PayPerRequest) => self.to_on_demand(record),
            _ => {
                if let Some(units) = request.provisioned {
                    set_provisioned(Owner::Table, units, &mut record.throughput, self.now)?;
                    busy(record);
                }
            }
        }
        if let Some(units) = request.on_demand {
            on_demand(Owner::Table, billing, units, &mut record.throughput)?;
        }
        if let Some(units) = request.warm {
            let current = warm_units(billing, &record.throughput);
            warm(Owner::Table, units, current, &mut record.throughput)?;
        }
        Ok(())
    }

    /// From on demand to provisioned: every index needs its own throughput, and the maxima on demand are forgotten.
    fn to_provisioned(&self, record: &mut TableRecord) -> Result<(), ApiError> {
        let given = |name: &str| {
            let mut updates = self
                .request
                .updates()
                .iter()
                .filter_map(|u| u.update.as_ref());
            updates.any(|u| u.name == Some(name) && u.provisioned.is_some())
        };
        let missing = record.global_indexes.iter().filter(|i| !given(&i.name));
        let missing: Vec<&str> = missing.map(|i| i.name.as_str()).collect();
        if !missing.is_empty() {
            return Err(ApiError::invalid(format_args!(
                "ProvisionedThroughput must be specified for index: {}",
                missing.join(",")
            )));
        }
        record.billing = Billing::Provisioned;
        if let Some(units) = self.request.provisioned {
            let (read, write) = bounds(Owner::Table, units)?;
            record.throughput.read = read;
            record.throughput.write = write;
        }
        let indexes = record.global_indexes.iter_mut().map(|i| &mut i.throughput);
        for throughput in indexes.chain([&mut record.throughput]) {
            throughput.on_demand_read_max = None;
            throughput.on_demand_write_max = None;
        }
        Ok(())
    }

    /// From provisioned to on demand: nothing is reserved any more.
    fn to_on_demand(&self, record: &mut TableRecord) {
        record.billing = Billing::PayPerRequest;
        record.on_demand_since = Some(self.now);
        release(&mut record.throughput);
        for index in &mut record.global_indexes {
            release(&mut index.throughput);
            if index.status == IndexStatus::Active {
                index.status = IndexStatus::Updating;
            }
        }
    }
}

/// Gives up what is reserved. The warm throughput stays what it was.
fn release(throughput: &mut Throughput) {
    keep_warm(throughput);
    throughput.read = 0;
    throughput.write = 0;
}

/// Warm throughput never sinks.
fn keep_warm(throughput: &mut Throughput) {
    throughput.warm_read = throughput.warm_read.max(Some(throughput.read));
    throughput.warm_write = throughput.warm_write.max(Some(throughput.write));
}

/// Changes provisioned throughput and notes when.
pub(super) fn set_provisioned(
    owner: Owner<'_>,
    units: Units,
    throughput: &mut Throughput,
    now: UnixMillis,
) -> Result<(), ApiError> {
    let (read, write) = bounds(owner, units)?;
    if (read, write) == (throughput.read, throughput.write) {
        return Err(unchanged(owner, throughput));
    }
    if read < throughput.read || write < throughput.write {
        let today = decreases_today(throughput, now);
        if let Some(last) = throughput.decreased_at
            && today >= DECREASES_FREE
            && now.millis_since(last) < HOUR_MS
        {
            return Err(lowered_too_often(today, last));
        }
        throughput.decreases_today = today + 1;
        throughput.decreased_at = Some(now);
        keep_warm(throughput);
    }
    if read > throughput.read || write > throughput.write {
        throughput.increased_at = Some(now);
    }
    throughput.read = read;
    throughput.write = write;
    Ok(())
}

fn unchanged(owner: Owner<'_>, throughput: &Throughput) -> ApiError {
    let Throughput { read, write, .. } = throughput;
    // AWS says "the index" once and "index" afterwards.
    let (which, whose) = match owner {
        Owner::Table => (String::from("the table"), String::from("the table")),
        Owner::Index(name) => (format!("the index {name}"), format!("index {name}")),
    };
    ApiError::validation(format!(
        "The provisioned throughput for {which} will not change. The requested value equals the current value. Current \
         ReadCapacityUnits provisioned for {whose}: {read}. Requested ReadCapacityUnits: {read}. Current \
         WriteCapacityUnits provisioned for {whose}: {write}. Requested WriteCapacityUnits: {write}. Refer to the \
         Amazon DynamoDB Developer Guide for current limits and how to request higher limits."
    ))
}

fn lowered_too_often(today: u32, last: UnixMillis) -> ApiError {
    let next = UnixMillis(last.0 + HOUR_MS).to_iso8601();
    ApiError::dynamodb(
        "LimitExceededException",
        format!(
            "Subscriber limit exceeded: Provisioned throughput decreases are limited within a given UTC day. After the \
             first {DECREASES_FREE} decreases, each subsequent decrease in the same UTC day can be performed at most \
             once every 3600 seconds. Number of decreases today: {today}. Last decrease at {}. Next decrease can be \
             made at {next}",
            last.to_iso8601()
        ),
    )
}
