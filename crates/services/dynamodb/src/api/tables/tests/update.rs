//! What `UpdateTable` changes, and what it refuses.

use serde_json::{Value, json};

use super::world::{World, attributes, index, merge, simple};

const INVALID: &str = "One or more parameter values were invalid: ";
const BUSY: &str = "Attempt to change a resource which is still in use: ";

fn on(more: Value) -> Value {
    let mut body = json!({ "TableName": "orders" });
    merge(&mut body, more);
    body
}

fn units(read: i64, write: i64) -> Value {
    json!({ "ReadCapacityUnits": read, "WriteCapacityUnits": write })
}

fn provisioned(more: Value) -> Value {
    let mut body = simple(json!({ "BillingMode": null, "ProvisionedThroughput": units(5, 5) }));
    merge(&mut body, more);
    body
}

/// An index with throughput.
fn with_units(name: &str, key: &str, read: i64, write: i64) -> Value {
    let mut one = index(name, key);
    one["ProvisionedThroughput"] = units(read, write);
    one
}

fn indexes(updates: Value) -> Value {
    on(json!({ "GlobalSecondaryIndexUpdates": updates }))
}

/// Each request is refused; `…` stands for AWS's usual beginning of a `ValidationException`.
async fn refused(world: &World, cases: Vec<(Value, &str)>) {
    for (body, expected) in cases {
        let expected = expected.replace('…', INVALID);
        let (code, message) = world.refused("UpdateTable", body.clone()).await;
        assert_eq!(message, expected, "{code} {body}");
    }
}

#[tokio::test]
async fn throughput_is_changed_and_noted() {
    let world = World::new();
    world.table(provisioned(json!({}))).await;
    let change = |read, write| on(json!({ "ProvisionedThroughput": units(read, write) }));
    let answer = world.ok("UpdateTable", change(10, 5)).await;
    assert_eq!(answer["TableDescription"]["TableStatus"], "UPDATING");
    assert_eq!(
        world.refused("UpdateTable", change(11, 5)).await,
        (
            "ResourceInUseException".into(),
            format!("{BUSY}Table IOPS are currently being updated. Table: orders")
        )
    );
    assert_eq!(
        world
            .refused("DeleteTable", json!({ "TableName": "orders" }))
            .await
            .1,
        format!("{BUSY}Table: orders is in the process of being updated.")
    );
    world.settle().await;
    let table = world.describe("orders").await;
    assert_eq!(table["TableStatus"], "ACTIVE");
    assert_eq!(table["ProvisionedThroughput"]["ReadCapacityUnits"], 10);
    assert!(table["ProvisionedThroughput"]["LastIncreaseDateTime"].is_f64());
    assert_eq!(
        world.invalid("UpdateTable", change(10, 5)).await,
        "The provisioned throughput for the table will not change. The requested value equals the current value. \
         Current ReadCapacityUnits provisioned for the table: 10. Requested ReadCapacityUnits: 10. Current \
         WriteCapacityUnits provisioned for the table: 5. Requested WriteCapacityUnits: 5. Refer to the Amazon DynamoDB \
         Developer Guide for current limits and how to request higher limits."
    );
    for (count, read) in [(1, 9), (2, 8), (3, 7), (4, 6)] {
        world.ok("UpdateTable", change(read, 5)).await;
        world.settle().await;
        let table = world.describe("orders").await;
        assert_eq!(
            table["ProvisionedThroughput"]["NumberOfDecreasesToday"],
            count
        );
        // Warm throughput never sinks.
        assert_eq!(table["WarmThroughput"]["ReadUnitsPerSecond"], 10);
    }
    let (code, message) = world.refused("UpdateTable", change(5, 5)).await;
    assert_eq!(code, "LimitExceededException");
    assert!(
        message.contains("Number of decreases today: 4."),
        "{message}"
    );
}

#[tokio::test]
async fn billing_is_switched_and_back() {
    let world = World::new();
    world
        .table(provisioned(
            json!({ "GlobalSecondaryIndexes": [with_units("global", "a", 3, 3)] }),
        ))
        .await;
    world
        .ok(
            "UpdateTable",
            on(json!({
                "BillingMode": "PAY_PER_REQUEST",
                "OnDemandThroughput": { "MaxReadRequestUnits": 100 },
            })),
        )
        .await;
    world.settle().await;
    let table = world.describe("orders").await;
    assert_eq!(
        table["BillingModeSummary"]["BillingMode"],
        "PAY_PER_REQUEST"
    );
    assert_eq!(table["ProvisionedThroughput"]["ReadCapacityUnits"], 0);
    assert_eq!(table["OnDemandThroughput"]["MaxReadRequestUnits"], 100);
    let global = &table["GlobalSecondaryIndexes"][0];
    assert_eq!(global["ProvisionedThroughput"]["ReadCapacityUnits"], 0);
    assert_eq!(global["IndexStatus"], "ACTIVE");
    let back = |more: Value| {
        let mut body = on(json!({ "BillingMode": "PROVISIONED" }));
        merge(&mut body, more);
        body
    };
    refused(&world, vec![
        (
            back(json!({})),
            "…ProvisionedThroughput must be specified when BillingMode is PROVISIONED",
        ),
        (
            back(json!({ "ProvisionedThroughput": units(5, 5) })),
            "…ProvisionedThroughput must be specified for index: global",
        ),
        (
            on(json!({ "ProvisionedThroughput": units(5, 5) })),
            "…Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
        ),
        (
            indexes(json!([{ "Update": { "IndexName": "global", "ProvisionedThroughput": units(1, 1) } }])),
            "…The only Updates for index: global when TableThroughputMode is PAY_PER_REQUEST can be to \
             OnDemandThroughput, WarmThroughput",
        ),
    ])
    .await;
    world
        .ok(
            "UpdateTable",
            back(json!({
                "ProvisionedThroughput": units(5, 5),
                "GlobalSecondaryIndexUpdates":
                    [{ "Update": { "IndexName": "global", "ProvisionedThroughput": units(3, 3) } }],
            })),
        )
        .await;
    world.settle().await;
    let table = world.describe("orders").await;
    assert_eq!(table["BillingModeSummary"]["BillingMode"], "PROVISIONED");
    assert!(table.get("OnDemandThroughput").is_none());
    let global = &table["GlobalSecondaryIndexes"][0];
    assert_eq!(global["ProvisionedThroughput"]["ReadCapacityUnits"], 3);
    // On demand again is no error, and changes nothing.
    world
        .ok(
            "UpdateTable",
            on(json!({ "BillingMode": "PAY_PER_REQUEST" })),
        )
        .await;
    world.settle().await;
    world
        .ok(
            "UpdateTable",
            on(json!({ "BillingMode": "PAY_PER_REQUEST" })),
        )
        .await;
}

const ONE_AT_A_TIME: &str = "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table";

fn create(name: &str, key: &str, names: &[&str]) -> Value {
    let mut body = indexes(json!([{ "Create": index(name, key) }]));
    body["AttributeDefinitions"] = attributes(names);
    body
}

fn delete(name: &str) -> Value {
    indexes(json!([{ "Delete": { "IndexName": name } }]))
}

#[tokio::test]
async fn an_index_is_added() {
    let world = World::new();
    world.table(simple(json!({}))).await;
    let answer = world
        .ok(
            "UpdateTable",
            create("global", "b|c", &["b", "c", "unused"]),
        )
        .await;
    let table = &answer["TableDescription"];
    assert_eq!(table["TableStatus"], "UPDATING");
    assert_eq!(
        table["GlobalSecondaryIndexes"][0]["IndexStatus"],
        "CREATING"
    );
    assert_eq!(table["GlobalSecondaryIndexes"][0]["Backfilling"], false);
    assert_eq!(table["AttributeDefinitions"], attributes(&["a", "b", "c"]));
    refused(&world, vec![
        (create("other", "b", &["b"]), ONE_AT_A_TIME),
        (
            on(json!({ "BillingMode": "PAY_PER_REQUEST" })),
            "Attempt to change a resource which is still in use: Can't change table IOPS when an index is being \
             created. Table: orders Indexes: [global]",
        ),
        (
            on(json!({ "OnDemandThroughput": { "MaxReadRequestUnits": 5 } })),
            "Attempt to change a resource which is still in use: OnDemandThroughput cannot be updated while index \
             creation is in progress for indexes: [global]",
        ),
        (
            delete("global"),
            "Attempt to change a resource which is still in use: Index creation is in resource allocation phase. Retry \
             deletion during backfilling phase or when the index is active. Table: orders Index: global",
        ),
    ])
    .await;
    world.settle().await;
    let table = world.describe("orders").await;
    let global = &table["GlobalSecondaryIndexes"][0];
    assert_eq!(global["IndexStatus"], "ACTIVE");
    assert!(global.get("Backfilling").is_none());
}

#[tokio::test]
async fn an_index_that_is_there_can_be_removed_and_not_added_again() {
    let world = World::new();
    world.table(simple(json!({}))).await;
    world.ok("UpdateTable", create("global", "b", &["b"])).await;
    world.settle().await;
    refused(&world, vec![
        (
            create("global", "b", &["b"]),
            "Attempting to create an index which already exists",
        ),
        (
            indexes(json!([{ "Create": index("other", "b") }])),
            "…AttributeDefinitions is not specified for index: other",
        ),
        (
            create("other", "d", &["b"]),
            "…Some index key attributes are not defined in AttributeDefinitions. Keys: [d], AttributeDefinitions: [b]",
        ),
        (
            delete("unknown"),
            "Requested resource not found: Index: unknown not found for table: orders",
        ),
        (
            indexes(json!([{ "Delete": { "IndexName": "global" } }, { "Delete": { "IndexName": "other" } }])),
            ONE_AT_A_TIME,
        ),
    ])
    .await;
    let answer = world.ok("UpdateTable", delete("global")).await;
    let shown = &answer["TableDescription"]["GlobalSecondaryIndexes"][0];
    assert_eq!(shown["IndexStatus"], "DELETING");
    let (_, message) = world
        .refused("DeleteTable", json!({ "TableName": "orders" }))
        .await;
    assert_eq!(
        message,
        format!("{BUSY}Cannot delete table while indexes are being created, updated, or deleted.")
    );
    world.settle().await;
    let table = world.describe("orders").await;
    assert_eq!(table["TableStatus"], "ACTIVE");
    assert!(table.get("GlobalSecondaryIndexes").is_none());
    assert_eq!(table["AttributeDefinitions"], attributes(&["a"]));
}

#[tokio::test]
async fn throughput_of_indexes() {
    let world = World::new();
    world
        .table(provisioned(json!({
            "AttributeDefinitions": attributes(&["a", "b"]),
            "KeySchema": super::world::keys("a|b"),
            "LocalSecondaryIndexes": [index("local", "a|b")],
            "GlobalSecondaryIndexes": [with_units("global", "b", 3, 3)],
        })))
        .await;
    let update = |name: &str, read, write| json!([{ "Update": { "IndexName": name, "ProvisionedThroughput": units(read, write) } }]);
    refused(&world, vec![
        (
            indexes(update("global", 3, 3)),
            "The provisioned throughput for the index global will not change. The requested value equals the current \
             value. Current ReadCapacityUnits provisioned for index global: 3. Requested ReadCapacityUnits: 3. Current \
             WriteCapacityUnits provisioned for index global: 3. Requested WriteCapacityUnits: 3. Refer to the Amazon \
             DynamoDB Developer Guide for current limits and how to request higher limits.",
        ),
        (
            indexes(update("local", 1, 1)),
            "Cannot update an index that is not a GlobalSecondaryIndex: local",
        ),
        (
            indexes(json!([{ "Delete": { "IndexName": "local" } }])),
            "Cannot delete an index that is not a GlobalSecondaryIndex: local",
        ),
        (
            indexes(update("unknown", 1_000_000_000_001, 1)),
            "This operation cannot be performed with given input values. Please contact DynamoDB service team for more \
             info: Action Blocked: IndexUpdate",
        ),
        (
            on(json!({
                "AttributeDefinitions": attributes(&["b"]),
                "GlobalSecondaryIndexUpdates": [{ "Create": index("other", "b") }],
            })),
            "…Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: other",
        ),
    ])
    .await;
    let answer = world
        .ok("UpdateTable", indexes(update("global", 4, 3)))
        .await;
    let table = &answer["TableDescription"];
    assert_eq!(table["TableStatus"], "ACTIVE");
    assert_eq!(
        table["GlobalSecondaryIndexes"][0]["IndexStatus"],
        "UPDATING"
    );
    assert_eq!(
        world
            .refused("UpdateTable", indexes(update("global", 5, 3)))
            .await
            .1,
        format!("{BUSY}Index is being updated. Table: orders Index: global")
    );
    world.settle().await;
    let table = world.describe("orders").await;
    let global = &table["GlobalSecondaryIndexes"][0];
    assert_eq!(global["IndexStatus"], "ACTIVE");
    assert_eq!(global["ProvisionedThroughput"]["ReadCapacityUnits"], 4);
}

#[tokio::test]
async fn one_change_at_a_time() {
    let world = World::new();
    let nothing = "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, \
        GlobalSecondaryIndexUpdates, SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, \
        ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or \
        TableClass is required";
    let create = json!([{ "Create": with_units("global", "a", 1, 1) }]);
    let sse = json!({ "Enabled": true });
    let warm = json!({ "ReadUnitsPerSecond": 13_000 });
    refused(&world, vec![
        (on(json!({})), nothing),
        (indexes(json!([])), nothing),
        (
            on(json!({ "GlobalSecondaryIndexUpdates": [], "DeletionProtectionEnabled": true })),
            "…List of GlobalSecondaryIndexUpdates is empty",
        ),
        (
            indexes(json!([{}])),
            "…One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, \
             GlobalSecondaryIndexUpdate.Delete must not be null",
        ),
        (
            indexes(json!([{ "Delete": { "IndexName": "abc" }, "Update": { "IndexName": "abc" } }])),
            "…Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object",
        ),
        (
            indexes(json!([{ "Delete": { "IndexName": "abc" } }, { "Delete": { "IndexName": "abc" } }])),
            "…Only one global secondary index update per index is allowed simultaneously. Index: abc",
        ),
        (
            on(json!({ "SSESpecification": sse, "DeletionProtectionEnabled": true })),
            "…Server-Side Encryption modification must be the only operation in the request",
        ),
        (
            on(json!({ "TableClass": "STANDARD", "DeletionProtectionEnabled": true })),
            "…TableClass modification must be the only operation in the request",
        ),
        (
            on(json!({ "DeletionProtectionEnabled": true, "WarmThroughput": warm })),
            "…DeletionProtection modification must be the only operation in the request",
        ),
        (
            on(json!({ "WarmThroughput": warm, "GlobalSecondaryIndexUpdates": create })),
            "…Create global secondary index cannot be specified when updating WarmThroughput",
        ),
        (
            on(json!({ "WarmThroughput": warm, "BillingMode": "PAY_PER_REQUEST" })),
            "…WarmThroughput must be the only operation in the request",
        ),
        (
            on(json!({
                "OnDemandThroughput": { "MaxReadRequestUnits": 5 },
                "StreamSpecification": { "StreamEnabled": false },
            })),
            "…OnDemandThroughput can only be combined with BillingMode in an UpdateTable request",
        ),
        (
            on(json!({ "ProvisionedThroughput": units(1, 1), "GlobalSecondaryIndexUpdates": create })),
            "…You cannot create or delete index while updating table IOPS",
        ),
        (
            on(json!({
                "StreamSpecification": { "StreamEnabled": false }, "GlobalSecondaryIndexUpdates": create,
            })),
            "…You cannot create or delete index while changing stream status",
        ),
        (
            on(json!({ "DeletionProtectionEnabled": true })),
            "Requested resource not found: Table: orders not found",
        ),
    ])
    .await;
}

#[tokio::test]
async fn settings_are_changed() {
    let world = World::new();
    world.table(simple(json!({}))).await;
    refused(&world, vec![
        (
            on(json!({ "SSESpecification": { "Enabled": false } })),
            "…Table is already encrypted by default",
        ),
        (
            on(json!({ "StreamSpecification": { "StreamEnabled": false } })),
            "Table has no stream to disable: TableName: orders",
        ),
        (
            on(json!({ "StreamSpecification": { "StreamEnabled": true } })),
            "…If stream is being enabled then UpdateViewType is required",
        ),
        (
            on(json!({ "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" } })),
            "…This region does not offer streams: StreamEnabled must be false",
        ),
        (
            on(json!({ "WarmThroughput": { "WriteUnitsPerSecond": 3_999 } })),
            "…Requested WriteUnitsPerSecond for WarmThroughput for table is lower than current WarmThroughput, \
             decreasing WarmThroughput is not supported",
        ),
    ])
    .await;
    let change = |more: Value| world.ok("UpdateTable", on(more));
    let answer = change(json!({ "DeletionProtectionEnabled": true })).await;
    assert_eq!(answer["TableDescription"]["TableStatus"], "ACTIVE");
    assert_eq!(
        answer["TableDescription"]["DeletionProtectionEnabled"],
        true
    );
    change(json!({ "WarmThroughput": { "ReadUnitsPerSecond": 13_000 } })).await;
    change(
        json!({ "OnDemandThroughput": { "MaxReadRequestUnits": 5, "MaxWriteRequestUnits": 6 } }),
    )
    .await;
    change(json!({ "OnDemandThroughput": { "MaxReadRequestUnits": -1 } })).await;
    change(json!({ "SSESpecification": { "Enabled": true } })).await;
    change(json!({ "TableClass": "STANDARD_INFREQUENT_ACCESS" })).await;
    world.settle().await;
    let table = world.describe("orders").await;
    assert_eq!(table["TableStatus"], "ACTIVE");
    assert_eq!(table["WarmThroughput"]["ReadUnitsPerSecond"], 13_000);
    assert_eq!(
        table["OnDemandThroughput"],
        json!({ "MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 6 })
    );
    assert_eq!(
        table["SSEDescription"]["KMSMasterKeyArn"],
        "arn:aws:kms:us-east-1:123456789012:alias/aws/dynamodb"
    );
    assert!(table["TableClassSummary"]["LastUpdateDateTime"].is_f64());
    change(json!({ "SSESpecification": { "Enabled": false } })).await;
    assert!(
        world
            .describe("orders")
            .await
            .get("SSEDescription")
            .is_none()
    );
}
