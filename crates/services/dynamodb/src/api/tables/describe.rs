//! `TableDescription`: how a table's record looks to a caller.

use quorate_base::UnixMillis;
use quorate_dynamo_lang::ScalarType;
use serde_json::{Map, Value, json};

use crate::api::context::Context;
use crate::api::tables::rules::{ON_DEMAND_WARM_READ, ON_DEMAND_WARM_WRITE};
use crate::model::{
    Billing, GlobalIndex, IndexNumber, IndexStatus, KeyElement, KeyRole, LocalIndex, Projection,
    TableClass, TableRecord, TableStatus, Throughput,
};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Describes a table.
pub(super) fn table_description(context: &Context<'_>, name: &str, table: &TableRecord) -> Value {
    let (items, bytes) = figures(context, table, IndexNumber::TABLE);
    let arn = context.table_arn(name);
    let mut shown = Map::new();
    let mut put = |member: &str, value: Value| {
        shown.insert(member.to_owned(), value);
    };
    put("TableName", json!(name));
    put("TableArn", json!(arn));
    put("TableId", json!(table.table_id));
    put("TableStatus", json!(status(table.status)));
    put("CreationDateTime", seconds(table.created_at));
    put("TableSizeBytes", json!(bytes));
    put("ItemCount", json!(items));
    put(
        "DeletionProtectionEnabled",
        json!(table.deletion_protection),
    );
    put("ProvisionedThroughput", provisioned(&table.throughput));
    // A table that is going away is told of without what it was made of, as AWS does.
    if table.status != TableStatus::Deleting {
        put("AttributeDefinitions", attributes(table));
        put("KeySchema", key_schema(&table.keys));
        put("WarmThroughput", warm(table.billing, &table.throughput));
    }
    optional(table, &mut shown);
    if table.status != TableStatus::Deleting {
        indexes(context, &arn, table, &mut shown);
    }
    Value::Object(shown)
}

/// Warm throughput as it is: what was asked for, at least what the billing gives.
pub(super) fn warm_units(billing: Billing, throughput: &Throughput) -> (u64, u64) {
    let (read, write) = match billing {
        Billing::PayPerRequest => (ON_DEMAND_WARM_READ, ON_DEMAND_WARM_WRITE),
        Billing::Provisioned => (throughput.read, throughput.write),
    };
    (
        throughput.warm_read.unwrap_or(0).max(read),
        throughput.warm_write.unwrap_or(0).max(write),
    )
}

/// AWS's word for a table's status.
pub(super) fn status(status: TableStatus) -> &'static str {
    match status {
        TableStatus::Creating => "CREATING",
        TableStatus::Updating => "UPDATING",
        TableStatus::Deleting => "DELETING",
        TableStatus::Active => "ACTIVE",
    }
}

/// How often throughput was lowered today (UTC).
pub(super) fn decreases_today(throughput: &Throughput, now: UnixMillis) -> u32 {
    match throughput.decreased_at {
        Some(at) if at.0 / DAY_MS == now.0 / DAY_MS => throughput.decreases_today,
        _ => 0,
    }
}

/// Members that are only there when there is something to say.
fn optional(table: &TableRecord, shown: &mut Map<String, Value>) {
    let mut put = |member: &str, value: Value| {
        shown.insert(member.to_owned(), value);
    };
    if let Some(since) = table.on_demand_since {
        let mode = match table.billing {
            Billing::Provisioned => "PROVISIONED",
            Billing::PayPerRequest => "PAY_PER_REQUEST",
        };
        put(
            "BillingModeSummary",
            json!({ "BillingMode": mode, "LastUpdateToPayPerRequestDateTime": seconds(since) }),
        );
    }
    if let Some(on_demand) = on_demand(&table.throughput) {
        put("OnDemandThroughput", on_demand);
    }
    if table.class == TableClass::InfrequentAccess || table.class_changed_at.is_some() {
        let class = match table.class {
            TableClass::Standard => "STANDARD",
            TableClass::InfrequentAccess => "STANDARD_INFREQUENT_ACCESS",
        };
        let mut summary = json!({ "TableClass": class });
        if let Some(at) = table.class_changed_at {
            summary["LastUpdateDateTime"] = seconds(at);
        }
        put("TableClassSummary", summary);
    }
    if let Some(arn) = &table.sse_key_arn {
        put(
            "SSEDescription",
            json!({ "Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": arn }),
        );
    }
}

fn indexes(context: &Context<'_>, arn: &str, table: &TableRecord, shown: &mut Map<String, Value>) {
    if !table.local_indexes.is_empty() {
        let one = |index| local(context, arn, table, index);
        let list: Vec<Value> = table.local_indexes.iter().map(one).collect();
        shown.insert(String::from("LocalSecondaryIndexes"), list.into());
    }
    if !table.global_indexes.is_empty() {
        let one = |index| global(context, arn, table, index);
        let list: Vec<Value> = table.global_indexes.iter().map(one).collect();
        shown.insert(String::from("GlobalSecondaryIndexes"), list.into());
    }
}

fn local(context: &Context<'_>, arn: &str, table: &TableRecord, index: &LocalIndex) -> Value {
    let (items, bytes) = figures(context, table, index.number);
    json!({
        "IndexName": index.name,
        "IndexArn": format!("{arn}/index/{}", index.name),
        "KeySchema": key_schema(&index.keys),
        "Projection": projection(&index.projection),
        "IndexSizeBytes": bytes,
        "ItemCount": items,
    })
}

fn global(context: &Context<'_>, arn: &str, table: &TableRecord, index: &GlobalIndex) -> Value {
    let (items, bytes) = figures(context, table, index.number);
    let status = match index.status {
        IndexStatus::Creating => "CREATING",
        IndexStatus::Updating => "UPDATING",
        IndexStatus::Deleting => "DELETING",
        IndexStatus::Active => "ACTIVE",
    };
    let mut shown = json!({
        "IndexName": index.name,
        "IndexArn": format!("{arn}/index/{}", index.name),
        "IndexStatus": status,
        "KeySchema": key_schema(&index.keys),
        "Projection": projection(&index.projection),
        "ProvisionedThroughput": provisioned(&index.throughput),
        "WarmThroughput": warm(table.billing, &index.throughput),
        "IndexSizeBytes": bytes,
        "ItemCount": items,
    });
    // Only an index that was added to a table tells whether it is being filled.
    if index.status == IndexStatus::Creating && table.status != TableStatus::Creating {
        shown["Backfilling"] = json!(index.backfilling);
    }
    if let Some(on_demand) = on_demand(&index.throughput) {
        shown["OnDemandThroughput"] = on_demand;
    }
    shown
}

fn figures(context: &Context<'_>, table: &TableRecord, index: IndexNumber) -> (u64, u64) {
    context.region.figures.figures(table.number, index)
}

fn attributes(table: &TableRecord) -> Value {
    let one = |attribute: &crate::model::AttributeDefinition| {
        let kind = match attribute.scalar {
            ScalarType::S => "S",
            ScalarType::N => "N",
            ScalarType::B => "B",
        };
        json!({ "AttributeName": attribute.name, "AttributeType": kind })
    };
    table.attributes.iter().map(one).collect()
}

fn key_schema(keys: &[KeyElement]) -> Value {
    let one = |key: &KeyElement| {
        let role = match key.role {
            KeyRole::Hash => "HASH",
            KeyRole::Range => "RANGE",
        };
        json!({ "AttributeName": key.name, "KeyType": role })
    };
    keys.iter().map(one).collect()
}

fn projection(projection: &Projection) -> Value {
    match projection {
        Projection::KeysOnly => json!({ "ProjectionType": "KEYS_ONLY" }),
        Projection::All => json!({ "ProjectionType": "ALL" }),
        Projection::Include(names) => {
            json!({ "ProjectionType": "INCLUDE", "NonKeyAttributes": names })
        }
    }
}

fn provisioned(throughput: &Throughput) -> Value {
    let mut shown = json!({
        "ReadCapacityUnits": throughput.read,
        "WriteCapacityUnits": throughput.write,
        "NumberOfDecreasesToday": decreases_today(throughput, UnixMillis::now()),
    });
    for (member, at) in [
        ("LastIncreaseDateTime", throughput.increased_at),
        ("LastDecreaseDateTime", throughput.decreased_at),
    ] {
        if let Some(at) = at {
            shown[member] = seconds(at);
        }
    }
    shown
}

fn warm(billing: Billing, throughput: &Throughput) -> Value {
    let (read, write) = warm_units(billing, throughput);
    json!({ "ReadUnitsPerSecond": read, "WriteUnitsPerSecond": write, "Status": "ACTIVE" })
}

/// The maxima on demand; -1 is AWS's word for none.
fn on_demand(throughput: &Throughput) -> Option<Value> {
    let (read, write) = (
        throughput.on_demand_read_max,
        throughput.on_demand_write_max,
    );
    if read.is_none() && write.is_none() {
        return None;
    }
    let shown = |max: Option<u64>| max.map_or(json!(-1), |max| json!(max));
    Some(json!({ "MaxReadRequestUnits": shown(read), "MaxWriteRequestUnits": shown(write) }))
}

/// A time as AWS's JSON has it: seconds, milliseconds after the point.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 are exact in a float for 285,000 years"
)]
fn seconds(at: UnixMillis) -> Value {
    json!(at.0 as f64 / 1000.0)
}
