//! Pairs of units: provisioned, on demand, warm.

use crate::api::constraints::{Fields, Place, Violations};
use crate::api::error::ApiError;

/// Units for reads and for writes, as they were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api::tables) struct Units {
    pub(in crate::api::tables) read: Option<i64>,
    pub(in crate::api::tables) write: Option<i64>,
}

impl Units {
    /// `ProvisionedThroughput`.
    pub(in crate::api::tables) fn provisioned(
        fields: &Fields<'_>,
    ) -> Result<Option<Units>, ApiError> {
        let names = ("ReadCapacityUnits", "WriteCapacityUnits");
        Units::of(fields, "ProvisionedThroughput", names)
    }

    /// `OnDemandThroughput`.
    pub(in crate::api::tables) fn on_demand(
        fields: &Fields<'_>,
    ) -> Result<Option<Units>, ApiError> {
        let names = ("MaxReadRequestUnits", "MaxWriteRequestUnits");
        Units::of(fields, "OnDemandThroughput", names)
    }

    /// `WarmThroughput`.
    pub(in crate::api::tables) fn warm(fields: &Fields<'_>) -> Result<Option<Units>, ApiError> {
        let names = ("ReadUnitsPerSecond", "WriteUnitsPerSecond");
        Units::of(fields, "WarmThroughput", names)
    }

    fn of(
        fields: &Fields<'_>,
        name: &str,
        (read, write): (&str, &str),
    ) -> Result<Option<Units>, ApiError> {
        let Some(fields) = fields.structure(name, name)? else {
            return Ok(None);
        };
        Ok(Some(Units {
            read: fields.long(read)?,
            write: fields.long(write)?,
        }))
    }

    /// Holds provisioned throughput against the model; `at` is the place of the structure that it is a member of.
    pub(in crate::api::tables) fn check_provisioned(
        units: Option<Units>,
        at: Option<&Place<'_>>,
        violations: &mut Violations,
    ) {
        const NAME: &str = "ProvisionedThroughput";
        let Some(units) = units else { return };
        let here = at.map_or(Place::of(NAME), |at| at.member(NAME));
        // AWS tells of writes first.
        for (name, value) in [
            ("WriteCapacityUnits", units.write),
            ("ReadCapacityUnits", units.read),
        ] {
            let place = here.member(name);
            violations.required(&place, value.as_ref());
            if let Some(value) = value {
                violations.at_least(&place, value, 1);
            }
        }
    }
}
