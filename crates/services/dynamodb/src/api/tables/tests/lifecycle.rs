//! Tables from creation to deletion.

use serde_json::{Value, json};

use super::world::{World, attributes, index, keys, simple};

#[tokio::test]
async fn a_table_is_created_described_and_deleted() {
    let world = World::new();
    let body = simple(json!({}));
    let answer = world.ok("CreateTable", body.clone()).await;
    let table = &answer["TableDescription"];
    assert_eq!(table["TableStatus"], "CREATING");
    assert_eq!(
        table["TableArn"],
        "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
    );
    assert_eq!(table["TableId"].as_str().unwrap().len(), 36);
    assert_eq!(
        world.refused("CreateTable", body).await,
        (
            "ResourceInUseException".into(),
            "Table already exists: orders".into()
        )
    );
    let delete = json!({ "TableName": "orders" });
    assert_eq!(
        world.refused("DeleteTable", delete.clone()).await.1,
        "Attempt to change a resource which is still in use: Table is being created: orders"
    );
    world.settle().await;
    assert_eq!(world.describe("orders").await["TableStatus"], "ACTIVE");
    let answer = world.ok("DeleteTable", delete.clone()).await;
    assert_eq!(answer["TableDescription"]["TableStatus"], "DELETING");
    assert!(answer["TableDescription"].get("KeySchema").is_none());
    assert_eq!(world.describe("orders").await["TableStatus"], "DELETING");
    assert_eq!(
        world.refused("DeleteTable", delete.clone()).await.1,
        "Attempt to change a resource which is still in use: Table is being deleted: orders"
    );
    world.settle().await;
    let gone = (
        String::from("ResourceNotFoundException"),
        String::from("Requested resource not found: Table: orders not found"),
    );
    assert_eq!(world.refused("DescribeTable", delete.clone()).await, gone);
    assert_eq!(world.refused("DeleteTable", delete).await, gone);
}

#[tokio::test]
async fn a_table_is_described_as_it_was_asked_for() {
    let world = World::new();
    world
        .table(simple(json!({
            "AttributeDefinitions": attributes(&["z", "a", "b"]),
            "KeySchema": keys("a|b"),
            "BillingMode": null,
            "ProvisionedThroughput": { "ReadCapacityUnits": 5, "WriteCapacityUnits": 6 },
            "LocalSecondaryIndexes": [index("local", "a|z")],
            "GlobalSecondaryIndexes": [{
                "IndexName": "global",
                "KeySchema": keys("z b|a"),
                "Projection": { "ProjectionType": "INCLUDE", "NonKeyAttributes": ["y", "x"] },
                "ProvisionedThroughput": { "ReadCapacityUnits": 1, "WriteCapacityUnits": 2 },
            }],
            "TableClass": "STANDARD_INFREQUENT_ACCESS",
            "DeletionProtectionEnabled": true,
            "SSESpecification": { "Enabled": true, "SSEType": "KMS", "KMSMasterKeyId": "alias/mine" },
        })))
        .await;
    let mut table = world.describe("orders").await;
    assert!(table["CreationDateTime"].as_f64().unwrap() > 1e9);
    let fields = table.as_object_mut().unwrap();
    fields.remove("CreationDateTime");
    fields.remove("TableId");
    let arn = "arn:aws:dynamodb:us-east-1:123456789012:table/orders";
    assert_eq!(
        table,
        json!({
            "TableName": "orders",
            "TableArn": arn,
            "TableStatus": "ACTIVE",
            "TableSizeBytes": 0,
            "ItemCount": 0,
            "DeletionProtectionEnabled": true,
            "AttributeDefinitions": attributes(&["a", "b", "z"]),
            "KeySchema": keys("a|b"),
            "ProvisionedThroughput": provisioned(5, 6),
            "WarmThroughput": warm(5, 6),
            "TableClassSummary": { "TableClass": "STANDARD_INFREQUENT_ACCESS" },
            "SSEDescription": {
                "Status": "ENABLED",
                "SSEType": "KMS",
                "KMSMasterKeyArn": "arn:aws:kms:us-east-1:123456789012:alias/mine",
            },
            "LocalSecondaryIndexes": [{
                "IndexName": "local",
                "IndexArn": format!("{arn}/index/local"),
                "KeySchema": keys("a|z"),
                "Projection": { "ProjectionType": "ALL" },
                "IndexSizeBytes": 0,
                "ItemCount": 0,
            }],
            "GlobalSecondaryIndexes": [{
                "IndexName": "global",
                "IndexArn": format!("{arn}/index/global"),
                "IndexStatus": "ACTIVE",
                "KeySchema": keys("z b|a"),
                "Projection": { "ProjectionType": "INCLUDE", "NonKeyAttributes": ["x", "y"] },
                "ProvisionedThroughput": provisioned(1, 2),
                "WarmThroughput": warm(1, 2),
                "IndexSizeBytes": 0,
                "ItemCount": 0,
            }],
        })
    );
}

#[tokio::test]
async fn a_table_on_demand_shows_what_it_can_take() {
    let world = World::new();
    world
        .table(simple(
            json!({ "OnDemandThroughput": { "MaxReadRequestUnits": 10 } }),
        ))
        .await;
    let table = world.describe("orders").await;
    assert_eq!(
        table["BillingModeSummary"]["BillingMode"],
        "PAY_PER_REQUEST"
    );
    assert!(table["BillingModeSummary"]["LastUpdateToPayPerRequestDateTime"].is_f64());
    assert_eq!(table["ProvisionedThroughput"], provisioned(0, 0));
    assert_eq!(table["WarmThroughput"], warm(12000, 4000));
    assert_eq!(
        table["OnDemandThroughput"],
        json!({ "MaxReadRequestUnits": 10, "MaxWriteRequestUnits": -1 })
    );
    assert!(table.get("TableClassSummary").is_none());
}

#[tokio::test]
async fn a_protected_table_is_not_deleted() {
    let world = World::new();
    world
        .table(simple(json!({ "DeletionProtectionEnabled": true })))
        .await;
    assert_eq!(
        world
            .invalid("DeleteTable", json!({ "TableName": "orders" }))
            .await,
        "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."
    );
}

#[tokio::test]
async fn tables_are_listed_in_pages_in_order() {
    let world = World::new();
    for name in ["ccc", "aaa", "Bbb", "bbb"] {
        world
            .ok("CreateTable", simple(json!({ "TableName": name })))
            .await;
    }
    assert_eq!(
        world.ok("ListTables", json!({})).await,
        json!({ "TableNames": ["Bbb", "aaa", "bbb", "ccc"] })
    );
    assert_eq!(
        world.ok("ListTables", json!({ "Limit": 2 })).await,
        json!({ "TableNames": ["Bbb", "aaa"], "LastEvaluatedTableName": "aaa" })
    );
    let next = json!({ "Limit": 2, "ExclusiveStartTableName": "aaa" });
    assert_eq!(
        world.ok("ListTables", next).await,
        json!({ "TableNames": ["bbb", "ccc"] })
    );
    let unknown = json!({ "ExclusiveStartTableName": "bbc" });
    assert_eq!(
        world.ok("ListTables", unknown).await,
        json!({ "TableNames": ["ccc"] })
    );
    assert_eq!(
        world
            .invalid(
                "ListTables",
                json!({ "Limit": 0, "ExclusiveStartTableName": "a;" })
            )
            .await,
        "3 validation errors detected: Value 'a;' at 'exclusiveStartTableName' failed to satisfy constraint: Member \
         must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value 'a;' at 'exclusiveStartTableName' failed to \
         satisfy constraint: Member must have length greater than or equal to 3; Value '0' at 'limit' failed to \
         satisfy constraint: Member must have value greater than or equal to 1"
    );
    assert_eq!(
        world.invalid("ListTables", json!({ "Limit": 200 })).await,
        "1 validation error detected: Value '200' at 'limit' failed to satisfy constraint: Member must have value \
         less than or equal to 100"
    );
}

#[tokio::test]
async fn a_table_can_be_named_by_its_arn() {
    let world = World::new();
    world.table(simple(json!({}))).await;
    let described = |arn: &str| json!({ "TableName": arn });
    let arn = "arn:aws:dynamodb:us-east-1:123456789012:table/orders";
    let answer = world.ok("DescribeTable", described(arn)).await;
    assert_eq!(answer["Table"]["TableName"], "orders");
    for (arn, message) in [
        (
            "arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
            "1 validation error detected: Invalid AWS region in",
        ),
        (
            "arn:aws:dynamodb:us-east-1:123456789012:stream/orders",
            "1 validation error detected: Invalid resource type in",
        ),
        (
            "arn:aws:dynamodb:us-east-1:123456789012:table/orders/index/x",
            "1 validation error detected: Invalid resource type in",
        ),
    ] {
        let got = world.invalid("DescribeTable", described(arn)).await;
        assert_eq!(got, format!("{message} '{arn}'"));
    }
}

fn provisioned(read: u64, write: u64) -> Value {
    json!({ "ReadCapacityUnits": read, "WriteCapacityUnits": write, "NumberOfDecreasesToday": 0 })
}

fn warm(read: u64, write: u64) -> Value {
    json!({ "ReadUnitsPerSecond": read, "WriteUnitsPerSecond": write, "Status": "ACTIVE" })
}
