//! Provisioned, on-demand and warm throughput, of a table or of a global index.

use std::fmt;

use crate::api::error::ApiError;
use crate::api::tables::request::Units;
use crate::model::{Billing, Throughput};

/// What an account may provision for one table or index, as AWS's default quota; `DescribeLimits` tells it.
pub(in crate::api::tables) const TABLE_UNITS_MAX: i64 = 40_000;
/// The largest number that AWS takes for units at all.
const UNITS_MAX: i64 = 1_000_000_000_000;
/// What a table on demand can take at once.
pub(in crate::api::tables) const ON_DEMAND_WARM_READ: u64 = 12_000;
/// What a table on demand can take at once.
pub(in crate::api::tables) const ON_DEMAND_WARM_WRITE: u64 = 4_000;

/// Whose throughput it is.
#[derive(Debug, Clone, Copy)]
pub(in crate::api::tables) enum Owner<'a> {
    /// The table's.
    Table,
    /// A global index's, by its name.
    Index(&'a str),
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Table => f.write_str("table"),
            Owner::Index(name) => write!(f, "index {name}"),
        }
    }
}

/// Throughput of a table or index that is being created.
pub(in crate::api::tables) fn created(
    owner: Owner<'_>,
    billing: Billing,
    provisioned: Option<Units>,
    on_demand_asked: Option<Units>,
    warm_asked: Option<Units>,
) -> Result<Throughput, ApiError> {
    let mut throughput = Throughput::default();
    match (billing, provisioned) {
        (Billing::Provisioned, Some(units)) => {
            (throughput.read, throughput.write) = bounds(owner, units)?;
        }
        (Billing::Provisioned, None) => return Err(not_provisioned(owner)),
        (Billing::PayPerRequest, Some(_)) => return Err(not_on_demand(owner)),
        (Billing::PayPerRequest, None) => {}
    }
    if let Some(units) = on_demand_asked {
        on_demand(owner, billing, units, &mut throughput)?;
        if negative(units) {
            return Err(out_of_range(owner, "MaxReadRequestUnits"));
        }
    }
    if let Some(units) = warm_asked {
        warm_at_creation(owner, billing, units, &mut throughput)?;
    }
    Ok(throughput)
}

fn not_provisioned(owner: Owner<'_>) -> ApiError {
    match owner {
        Owner::Table => ApiError::invalid(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
        ),
        Owner::Index(name) => ApiError::invalid(format_args!(
            "ProvisionedThroughput is not specified for index: {name}"
        )),
    }
}

fn not_on_demand(owner: Owner<'_>) -> ApiError {
    match owner {
        Owner::Table => ApiError::invalid(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
        ),
        Owner::Index(name) => ApiError::invalid(format_args!(
            "ProvisionedThroughput should not be specified for index: {name} when BillingMode is PAY_PER_REQUEST"
        )),
    }
}

/// Provisioned units, which the model has checked to be there and above zero, within what can be provisioned.
pub(in crate::api::tables) fn bounds(
    owner: Owner<'_>,
    units: Units,
) -> Result<(u64, u64), ApiError> {
    let one = |name: &str, value: Option<i64>| {
        let value = value.unwrap_or_default();
        if value > UNITS_MAX {
            return Err(ApiError::validation(format!(
                "Given value {value} for {name} is out of bounds"
            )));
        }
        Ok(value)
    };
    let read = one("ReadCapacityUnits", units.read)?;
    let write = one("WriteCapacityUnits", units.write)?;
    for value in [read, write] {
        if value > TABLE_UNITS_MAX {
            return Err(ApiError::dynamodb(
                "LimitExceededException",
                format!(
                    "Subscriber limit exceeded: {value} units for a {owner} exceed the limit of {TABLE_UNITS_MAX}"
                ),
            ));
        }
    }
    Ok((read.unsigned_abs(), write.unsigned_abs()))
}

/// Puts the maxima on demand into the throughput; -1 removes one.
pub(in crate::api::tables) fn on_demand(
    owner: Owner<'_>,
    billing: Billing,
    units: Units,
    throughput: &mut Throughput,
) -> Result<(), ApiError> {
    let members = [
        (
            "MaxReadRequestUnits",
            units.read,
            &mut throughput.on_demand_read_max,
        ),
        (
            "MaxWriteRequestUnits",
            units.write,
            &mut throughput.on_demand_write_max,
        ),
    ];
    for (name, value, max) in members {
        let Some(value) = value else { continue };
        if billing == Billing::Provisioned {
            let whose = match owner {
                Owner::Table => String::new(),
                Owner::Index(index) => format!(" for index : {index}"),
            };
            return Err(ApiError::invalid(format_args!(
                "{name} for OnDemandThroughput{whose} cannot be specified when the table BillingMode is PROVISIONED"
            )));
        }
        *max = match value {
            -1 => None,
            1..=UNITS_MAX => Some(value.unsigned_abs()),
            _ => return Err(out_of_range(owner, name)),
        };
    }
    Ok(())
}

fn negative(units: Units) -> bool {
    [units.read, units.write]
        .into_iter()
        .flatten()
        .any(|value| value < 0)
}

fn out_of_range(owner: Owner<'_>, name: &str) -> ApiError {
    let whose = match owner {
        Owner::Table => String::from("table"),
        Owner::Index(index) => format!("index : {index}"),
    };
    ApiError::invalid(format_args!(
        "Requested {name} for OnDemandThroughput for {whose} is outside of valid range"
    ))
}

fn warm_at_creation(
    owner: Owner<'_>,
    billing: Billing,
    units: Units,
    throughput: &mut Throughput,
) -> Result<(), ApiError> {
    let (read, write, why_read, why_write) = match billing {
        Billing::PayPerRequest => (
            ON_DEMAND_WARM_READ,
            ON_DEMAND_WARM_WRITE,
            "initial throughput for OnDemand",
            "initial throughput for OnDemand",
        ),
        Billing::Provisioned => (
            throughput.read,
            throughput.write,
            "ReadCapacityUnits of ProvisionedThroughput",
            "WriteCapacityUnits of ProvisionedThroughput",
        ),
    };
    let one = |name: &str, value: Option<i64>, least: u64, why: &str| {
        let Some(value) = value else { return Ok(None) };
        match u64::try_from(value) {
            Ok(value) if value >= least => within_quota(owner, name, value).map(Some),
            _ => Err(ApiError::invalid(format_args!(
                "Requested {name} for WarmThroughput for {owner} is lower than {why}"
            ))),
        }
    };
    throughput.warm_read = one("ReadUnitsPerSecond", units.read, read, why_read)?;
    throughput.warm_write = one("WriteUnitsPerSecond", units.write, write, why_write)?;
    Ok(())
}

/// Raises the warm throughput, which never sinks. `current` is what it is.
pub(in crate::api::tables) fn warm(
    owner: Owner<'_>,
    units: Units,
    current: (u64, u64),
    throughput: &mut Throughput,
) -> Result<(), ApiError> {
    let one = |name: &str, value: Option<i64>, current: u64| {
        let Some(value) = value else { return Ok(None) };
        match u64::try_from(value) {
            Ok(value) if value >= current => within_quota(owner, name, value).map(Some),
            _ => Err(ApiError::invalid(format_args!(
                "Requested {name} for WarmThroughput for {owner} is lower than current WarmThroughput, decreasing \
                 WarmThroughput is not supported"
            ))),
        }
    };
    if let Some(read) = one("ReadUnitsPerSecond", units.read, current.0)? {
        throughput.warm_read = Some(read);
    }
    if let Some(write) = one("WriteUnitsPerSecond", units.write, current.1)? {
        throughput.warm_write = Some(write);
    }
    Ok(())
}

fn within_quota(owner: Owner<'_>, name: &str, value: u64) -> Result<u64, ApiError> {
    if value > TABLE_UNITS_MAX.unsigned_abs() {
        return Err(ApiError::dynamodb(
            "LimitExceededException",
            format!(
                "Subscriber limit exceeded: {name} {value} for a {owner} exceeds the limit of {TABLE_UNITS_MAX}"
            ),
        ));
    }
    Ok(value)
}
