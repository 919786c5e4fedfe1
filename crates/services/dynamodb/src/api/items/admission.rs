//! Whether an operation on items is let in under the throughput of its table and indexes, and what it is charged.
//!
//! A provisioned table keeps 300 s of units that were not used, as AWS does. A table on demand is limited where maxima are
//! set, and nowhere else.

use serde_json::{Map, Value};

use quorate_dynamo_lang::item_bytes;
use quorate_dynamo_store::WriteOp;

use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::items::capacity::{Consumed, Units};
use crate::api::items::coordinator::cancelled_because;
use crate::model::{
    Billing, GlobalIndex, IndexNumber, IndexStatus, Projection, TableRecord, Throughput,
};
use crate::routing::TableRoute;
use crate::throttle::{Key, Limit, Limits, Side};

/// AWS's "5 minutes (300 seconds) of unused read and write capacity".
const BURST_S: u64 = 300;
/// Maxima on demand are no reservation: nothing is saved up.
const ON_DEMAND_BURST_S: u64 = 1;

/// What was taken for an operation, by limit. One that fails has cost that much.
#[must_use]
#[derive(Default)]
pub(crate) struct Admitted {
    held: Vec<(Key, u64)>,
}

/// Lets a read of the table (`IndexNumber::TABLE`) or of one of its global indexes in.
///
/// # Errors
/// AWS's throttling exceptions.
pub(crate) async fn read(
    context: &Context<'_>,
    route: &TableRoute,
    index: IndexNumber,
    strong: bool,
) -> Result<Admitted, ApiError> {
    let record = &route.table.record;
    let global = record.global_indexes.iter().find(|i| i.number == index);
    let throughput = global.map_or(&record.throughput, |index| &index.throughput);
    let mut gate = Gate::of(context, route, Side::Read);
    let estimate = Units::read(0, strong).millis();
    gate.pass(index, throughput, || estimate).await?;
    Ok(gate.admitted)
}

/// Lets a write in, under the limits of the table and of the global indexes that it may change.
///
/// # Errors
/// As `read`.
pub(crate) async fn write(
    context: &Context<'_>,
    route: &TableRoute,
    op: &WriteOp,
) -> Result<Admitted, ApiError> {
    let record = &route.table.record;
    let mut gate = Gate::of(context, route, Side::Write);
    let estimate = || match op {
        WriteOp::Put { item, .. } => Units::write(item_bytes(item) as u64).millis(),
        _ => Units::write(0).millis(),
    };
    gate.pass(IndexNumber::TABLE, &record.throughput, estimate)
        .await?;
    for index in &record.global_indexes {
        if index.status != IndexStatus::Deleting && may_change(record, index, op) {
            gate.pass(index.number, &index.throughput, || 0).await?;
        }
    }
    Ok(gate.admitted)
}

impl Admitted {
    /// Charges a read.
    pub(crate) fn settle_read(self, context: &Context<'_>, units: Units) {
        for (key, estimate) in self.held {
            let limits = &context.region.limits;
            limits.settle(key, estimate, units.millis());
        }
    }

    /// Takes it back: the operation was not made.
    pub(crate) fn give_back(self, context: &Context<'_>) {
        for (key, estimate) in self.held {
            context.region.limits.settle(key, estimate, 0);
        }
    }

    /// Charges a write: what local indexes cost is the table's.
    pub(crate) fn settle_write(
        self,
        context: &Context<'_>,
        record: &TableRecord,
        consumed: &Consumed,
    ) {
        let local = consumed.local.values();
        let own = local.fold(consumed.table, |sum, units| sum.plus(*units));
        for (key, estimate) in self.held {
            let cost = if key.index == IndexNumber::TABLE {
                own
            } else {
                let index = record.global_indexes.iter().find(|i| i.number == key.index);
                let units = index.and_then(|index| consumed.global.get(&index.name));
                units.copied().unwrap_or_default()
            };
            let limits = &context.region.limits;
            limits.settle(key, estimate, cost.millis());
        }
    }
}

/// Lets the actions of a transaction in, all or none.
///
/// # Errors
/// `TransactionCanceledException` with a reason for each action.
pub(crate) async fn all(
    context: &Context<'_>,
    asked: impl Iterator<Item = impl Future<Output = Result<Admitted, ApiError>>>,
) -> Result<Vec<Admitted>, ApiError> {
    let mut admitted = Vec::new();
    let mut reasons = Vec::new();
    for one in asked {
        match one.await {
            Ok(one) => {
                admitted.push(one);
                reasons.push(("None", Map::new()));
            }
            Err(e) if is_throttled(&e) => reasons.push(cancellation_reason(e)),
            Err(e) => return Err(e),
        }
    }
    if admitted.len() == reasons.len() {
        return Ok(admitted);
    }
    for one in admitted {
        one.give_back(context);
    }
    Err(cancelled_because(reasons))
}

/// Whether an error is one of this module's.
pub(crate) fn is_throttled(e: &ApiError) -> bool {
    matches!(
        e.code,
        "ProvisionedThroughputExceededException" | "ThrottlingException"
    )
}

/// The reason of a cancelled transaction that says the same.
pub(crate) fn cancellation_reason(e: ApiError) -> (&'static str, Map<String, Value>) {
    let code = match e.code {
        "ThrottlingException" => "ThrottlingError",
        _ => "ProvisionedThroughputExceeded",
    };
    let words = (String::from("Message"), Value::String(e.message));
    (code, [words].into_iter().collect())
}

/// One operation before the limits that it has to pass.
struct Gate<'a> {
    context: &'a Context<'a>,
    route: &'a TableRoute,
    side: Side,
    admitted: Admitted,
}

impl<'a> Gate<'a> {
    fn of(context: &'a Context<'a>, route: &'a TableRoute, side: Side) -> Gate<'a> {
        Gate {
            context,
            route,
            side,
            admitted: Admitted::default(),
        }
    }

    async fn pass(
        &mut self,
        index: IndexNumber,
        throughput: &Throughput,
        estimate: impl FnOnce() -> u64,
    ) -> Result<(), ApiError> {
        let record = &self.route.table.record;
        let Some(limit) = limit_of(record.billing, throughput, self.side) else {
            return Ok(());
        };
        let key = Key {
            table: record.number,
            index,
            side: self.side,
        };
        let estimate = estimate();
        let region = self.context.region;
        let limits: &Limits = &region.limits;
        let name = &self.route.table.id;
        let passed = limits
            .admit(&region.calls, name, key, limit, estimate)
            .await;
        if passed {
            self.admitted.held.push((key, estimate));
            return Ok(());
        }
        std::mem::take(&mut self.admitted).give_back(self.context);
        Err(refusal(record.billing, index))
    }
}

fn limit_of(billing: Billing, throughput: &Throughput, side: Side) -> Option<Limit> {
    let (provisioned, max) = match side {
        Side::Read => (throughput.read, throughput.on_demand_read_max),
        Side::Write => (throughput.write, throughput.on_demand_write_max),
    };
    match billing {
        Billing::Provisioned => Some(Limit {
            rate: provisioned,
            burst_s: BURST_S,
        }),
        Billing::PayPerRequest => max.map(|rate| Limit {
            rate,
            burst_s: ON_DEMAND_BURST_S,
        }),
    }
}

/// AWS's words. Source: the cancellation reasons of `TransactWriteItems` in the API reference, which list them all.
fn refusal(billing: Billing, index: IndexNumber) -> ApiError {
    match (billing, index) {
        (Billing::PayPerRequest, _) => ApiError::throttling(
            "Throughput exceeds the maximum OnDemandThroughput configured on table or index",
        ),
        (Billing::Provisioned, IndexNumber::TABLE) => ApiError::dynamodb(
            "ProvisionedThroughputExceededException",
            "The level of configured provisioned throughput for the table was exceeded. Consider increasing your \
             provisioning level with the UpdateTable API.",
        ),
        (Billing::Provisioned, _) => ApiError::dynamodb(
            "ProvisionedThroughputExceededException",
            "The level of configured provisioned throughput for one or more global secondary indexes of the table was \
             exceeded. Consider increasing your provisioning level for the under-provisioned global secondary indexes \
             with the UpdateTable API.",
        ),
    }
}

/// Whether the write may change a row of the index, as far as can be told without the item that is there.
fn may_change(record: &TableRecord, index: &GlobalIndex, op: &WriteOp) -> bool {
    let keyed = |name: &str| index.keys.iter().any(|key| key.name == name);
    match op {
        // The item that is replaced may be in the index although this one is not, but a put into a sparse index that
        // leaves it out is the common case.
        WriteOp::Put { item, .. } => index.keys.iter().all(|key| item.contains_key(&key.name)),
        WriteOp::Check { .. } => false,
        WriteOp::Delete { .. } | WriteOp::Expire { .. } => true,
        WriteOp::Update { update, .. } => {
            let projected = |name: &str| match &index.projection {
                Projection::All => true,
                Projection::KeysOnly => false,
                Projection::Include(names) => names.iter().any(|n| n == name),
            };
            // The table's own keys may be all that the index wants: then the update may make the item.
            let of_table = |name: &str| record.keys.iter().any(|key| key.name == name);
            index.keys.iter().all(|key| of_table(&key.name))
                || update
                    .touched()
                    .any(|path| keyed(&path.attribute) || projected(&path.attribute))
        }
    }
}
