//! Bodies of any form: an answer, never a panic.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::world::{World, simple};

const OPERATIONS: &[&str] = &[
    "CreateTable",
    "DescribeTable",
    "ListTables",
    "UpdateTable",
    "DeleteTable",
    "TagResource",
    "UntagResource",
    "ListTagsOfResource",
    "UpdateTimeToLive",
    "DescribeTimeToLive",
    "PutResourcePolicy",
    "GetResourcePolicy",
    "DeleteResourcePolicy",
    "DescribeLimits",
    "DescribeEndpoints",
    "DescribeContinuousBackups",
    "UpdateContinuousBackups",
];

/// Names that requests have, so that what is generated is looked at.
const NAMES: &[&str] = &[
    "TableName",
    "AttributeDefinitions",
    "AttributeName",
    "AttributeType",
    "KeySchema",
    "KeyType",
    "BillingMode",
    "ProvisionedThroughput",
    "ReadCapacityUnits",
    "WriteCapacityUnits",
    "OnDemandThroughput",
    "MaxReadRequestUnits",
    "WarmThroughput",
    "ReadUnitsPerSecond",
    "LocalSecondaryIndexes",
    "GlobalSecondaryIndexes",
    "GlobalSecondaryIndexUpdates",
    "Create",
    "Update",
    "Delete",
    "IndexName",
    "Projection",
    "ProjectionType",
    "NonKeyAttributes",
    "Tags",
    "Key",
    "Value",
    "TagKeys",
    "ResourceArn",
    "SSESpecification",
    "Enabled",
    "StreamSpecification",
    "TimeToLiveSpecification",
    "TableClass",
    "Policy",
    "Limit",
    "ExclusiveStartTableName",
    "NextToken",
];

const TEXTS: &[&str] = &[
    "",
    "a",
    "orders",
    "é;",
    "HASH",
    "RANGE",
    "S",
    "ALL",
    "INCLUDE",
    "PROVISIONED",
    "PAY_PER_REQUEST",
    "arn:aws:dynamodb:us-east-1:123456789012:table/orders",
    "arn:",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3i64..30).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(TEXTS).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        let member = (prop::sample::select(NAMES), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            prop::collection::vec(member, 0..6)
                .prop_map(|m| m.into_iter().map(|(n, v)| (n.to_owned(), v)).collect()),
        ]
    })
}

/// Sends the body to every operation.
fn answered(body: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let world = World::new();
        world.ok("CreateTable", simple(json!({}))).await;
        for operation in OPERATIONS {
            let (status, answer) = world.raw(operation, body.to_vec()).await;
            assert!([200, 400].contains(&status), "{operation}: {answer}");
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_json_is_answered(body in any_json()) {
        answered(body.to_string().as_bytes());
    }

    #[test]
    fn changed_requests_are_answered(
        name in prop::sample::select(NAMES),
        value in any_json(),
    ) {
        let mut body = simple(json!({}));
        body[name] = value;
        answered(body.to_string().as_bytes());
    }

    #[test]
    fn any_bytes_are_answered(body in prop::collection::vec(any::<u8>(), 0..64)) {
        answered(&body);
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_has_an_error_without_a_message() {
    let world = World::new();
    let (status, answer) = world.raw("ListTables", "hi").await;
    assert_eq!(status, 400);
    assert_eq!(
        answer,
        json!({ "__type": "com.amazon.coral.service#SerializationException" })
    );
    let (_, answer) = world.raw("DescribeTable", r#"{"TableName":23}"#).await;
    assert_eq!(
        answer,
        json!({
            "__type": "com.amazon.coral.service#SerializationException",
            "Message": "NUMBER_VALUE cannot be converted to String",
        })
    );
}

#[tokio::test]
async fn operations_that_are_not_offered_are_unknown() {
    let world = World::new();
    for operation in [
        "CreateBackup",
        "DescribeBackup",
        "ListBackups",
        "RestoreTableFromBackup",
        "CreateGlobalTable",
        "ListGlobalTables",
        "ExportTableToPointInTime",
        "ImportTable",
        "DescribeKinesisStreamingDestination",
        "DescribeContributorInsights",
        "Nonsense",
    ] {
        let (status, answer) = world.raw(operation, "{}").await;
        assert_eq!(status, 400);
        assert_eq!(
            answer,
            json!({ "__type": "com.amazon.coral.service#UnknownOperationException" })
        );
    }
}
