//! What `CreateTable` refuses, and in which words.

use serde_json::{Value, json};

use super::world::{World, attributes, index, keys, merge, simple};

const INVALID: &str = "One or more parameter values were invalid: ";

/// Each request is refused with the message; where it begins with `…`, with AWS's usual prefix.
async fn refused(cases: Vec<(Value, &str)>) {
    let world = World::new();
    for (body, expected) in cases {
        let expected = expected.replace('…', INVALID);
        assert_eq!(
            world.invalid("CreateTable", body.clone()).await,
            expected,
            "{body}"
        );
    }
}

#[tokio::test]
async fn names_of_tables() {
    let named = |name: &str| simple(json!({ "TableName": name }));
    let long = "a".repeat(256);
    let too_long = format!(
        "1 validation error detected: Value '{long}' at 'tableName' failed to satisfy constraint: Member must have \
         length less than or equal to 255"
    );
    refused(vec![
        (
            simple(json!({ "TableName": null })),
            "The parameter 'TableName' is required but was not present in the request",
        ),
        (
            named(""),
            "1 validation error detected: Value '' at 'tableName' failed to satisfy constraint: Member must have \
             length greater than or equal to 1",
        ),
        (
            named("ab"),
            "1 validation error detected: Value 'ab' at 'tableName' failed to satisfy constraint: Member must have \
             length greater than or equal to 3",
        ),
        (
            named("abc;"),
            "1 validation error detected: Value 'abc;' at 'tableName' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
        ),
        (named(&long), &too_long),
    ])
    .await;
}

#[tokio::test]
async fn members_that_do_not_satisfy_the_model_are_told_together() {
    refused(vec![
        (
            json!({ "TableName": "abc;" }),
            "3 validation errors detected: Value null at 'attributeDefinitions' failed to satisfy constraint: Member \
             must not be null; Value 'abc;' at 'tableName' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: [a-zA-Z0-9_.-]+; Value null at 'keySchema' failed to satisfy constraint: Member must \
             not be null",
        ),
        (
            json!({
                "TableName": "abc", "AttributeDefinitions": [], "KeySchema": [],
                "ProvisionedThroughput": { "ReadCapacityUnits": -1, "WriteCapacityUnits": -1 },
            }),
            "3 validation errors detected: Value '-1' at 'provisionedThroughput.writeCapacityUnits' failed to satisfy \
             constraint: Member must have value greater than or equal to 1; Value '-1' at \
             'provisionedThroughput.readCapacityUnits' failed to satisfy constraint: Member must have value greater \
             than or equal to 1; Value '[]' at 'keySchema' failed to satisfy constraint: Member must have length \
             greater than or equal to 1",
        ),
        (
            simple(json!({
                "KeySchema": [
                    { "KeyType": "HASH" },
                    { "AttributeName": "a" },
                    { "KeyType": "Woop", "AttributeName": "a" },
                ],
            })),
            "4 validation errors detected: Value '[KeySchemaElement(attributeName=null, keyType=HASH), \
             KeySchemaElement(attributeName=a, keyType=null), KeySchemaElement(attributeName=a, keyType=Woop)]' at \
             'keySchema' failed to satisfy constraint: Member must have length less than or equal to 2; Value null at \
             'keySchema.1.member.attributeName' failed to satisfy constraint: Member must not be null; Value null at \
             'keySchema.2.member.keyType' failed to satisfy constraint: Member must not be null; Value 'Woop' at \
             'keySchema.3.member.keyType' failed to satisfy constraint: Member must satisfy enum value set: [HASH, \
             RANGE]",
        ),
        (
            simple(json!({
                "AttributeDefinitions": [{ "AttributeName": "a", "AttributeType": "SS" }],
                "BillingMode": "FREE",
            })),
            "2 validation errors detected: Value 'SS' at 'attributeDefinitions.1.member.attributeType' failed to \
             satisfy constraint: Member must satisfy enum value set: [B, N, S]; Value 'FREE' at 'billingMode' failed \
             to satisfy constraint: Member must satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]",
        ),
        (
            simple(json!({ "GlobalSecondaryIndexes": [{
                "IndexName": "h;", "KeySchema": [],
                "Projection": { "ProjectionType": "abc", "NonKeyAttributes": [] },
                "ProvisionedThroughput": { "ReadCapacityUnits": 0 },
            }] })),
            "7 validation errors detected: Value 'h;' at 'globalSecondaryIndexes.1.member.indexName' failed to \
             satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value 'h;' at \
             'globalSecondaryIndexes.1.member.indexName' failed to satisfy constraint: Member must have length \
             greater than or equal to 3; Value '[]' at 'globalSecondaryIndexes.1.member.keySchema' failed to satisfy \
             constraint: Member must have length greater than or equal to 1; Value 'abc' at \
             'globalSecondaryIndexes.1.member.projection.projectionType' failed to satisfy constraint: Member must \
             satisfy enum value set: [ALL, INCLUDE, KEYS_ONLY]; Value '[]' at \
             'globalSecondaryIndexes.1.member.projection.nonKeyAttributes' failed to satisfy constraint: Member must \
             have length greater than or equal to 1; Value null at \
             'globalSecondaryIndexes.1.member.provisionedThroughput.writeCapacityUnits' failed to satisfy constraint: \
             Member must not be null; Value '0' at \
             'globalSecondaryIndexes.1.member.provisionedThroughput.readCapacityUnits' failed to satisfy constraint: \
             Member must have value greater than or equal to 1",
        ),
    ])
    .await;
}

#[tokio::test]
async fn ten_violations_are_told_at_most() {
    let world = World::new();
    let body = simple(json!({ "LocalSecondaryIndexes": [{}, {}, {}, {}, {}, {}] }));
    let message = world.invalid("CreateTable", body).await;
    assert!(message.starts_with("10 validation errors detected: "));
    assert!(message.ends_with(
        "Value null at 'localSecondaryIndexes.4.member.indexName' failed to satisfy constraint: Member must not be null"
    ));
}

#[tokio::test]
async fn billing_and_throughput() {
    let provisioned = |read: i64, write: i64| {
        simple(json!({
            "BillingMode": null,
            "ProvisionedThroughput": { "ReadCapacityUnits": read, "WriteCapacityUnits": write },
        }))
    };
    let mut both = provisioned(1, 1);
    both["BillingMode"] = json!("PAY_PER_REQUEST");
    let with = |mut body: Value, more: Value| {
        merge(&mut body, more);
        body
    };
    refused(vec![
        (
            simple(json!({ "BillingMode": null })),
            "…ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
        ),
        (
            both,
            "…Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
        ),
        (
            provisioned(1_000_000_000_001, 1_000_000_000_001),
            "Given value 1000000000001 for ReadCapacityUnits is out of bounds",
        ),
        (
            provisioned(1_000_000_000_000, 1_000_000_000_001),
            "Given value 1000000000001 for WriteCapacityUnits is out of bounds",
        ),
        (
            with(provisioned(1, 1), json!({ "OnDemandThroughput": { "MaxReadRequestUnits": 5 } })),
            "…MaxReadRequestUnits for OnDemandThroughput cannot be specified when the table BillingMode is PROVISIONED",
        ),
        (
            simple(json!({ "OnDemandThroughput": { "MaxWriteRequestUnits": 0 } })),
            "…Requested MaxWriteRequestUnits for OnDemandThroughput for table is outside of valid range",
        ),
        (
            simple(json!({ "WarmThroughput": { "ReadUnitsPerSecond": 11_999 } })),
            "…Requested ReadUnitsPerSecond for WarmThroughput for table is lower than initial throughput for OnDemand",
        ),
        (
            with(provisioned(10, 10), json!({ "WarmThroughput": { "WriteUnitsPerSecond": 9 } })),
            "…Requested WriteUnitsPerSecond for WarmThroughput for table is lower than WriteCapacityUnits of \
             ProvisionedThroughput",
        ),
        (
            with(provisioned(1, 1), json!({ "GlobalSecondaryIndexes": [index("global", "a")] })),
            "…ProvisionedThroughput is not specified for index: global",
        ),
        (
            simple(json!({ "GlobalSecondaryIndexes": [{
                "IndexName": "global", "KeySchema": keys("a"), "Projection": { "ProjectionType": "ALL" },
                "ProvisionedThroughput": { "ReadCapacityUnits": 1, "WriteCapacityUnits": 1 },
            }] })),
            "…ProvisionedThroughput should not be specified for index: global when BillingMode is PAY_PER_REQUEST",
        ),
    ])
    .await;
}

#[tokio::test]
async fn keys_and_definitions() {
    let of = |names: &[&str], schema: Value| {
        simple(json!({ "AttributeDefinitions": attributes(names), "KeySchema": schema }))
    };
    let range_first = json!([
        { "AttributeName": "a", "KeyType": "RANGE" }, { "AttributeName": "b", "KeyType": "HASH" },
    ]);
    refused(vec![
        (of(&[], keys("a")), "Invalid KeySchema: Some index key attribute have no definition"),
        (of(&["b"], keys("a|b")), "Invalid KeySchema: Some index key attribute have no definition"),
        (
            of(&["b"], keys("a")),
            "…Some index key attributes are not defined in AttributeDefinitions. Keys: [a], AttributeDefinitions: [b]",
        ),
        (of(&["a", "a"], keys("a")), "Attribute Name is duplicated: a"),
        (
            of(&["a", "b"], keys("a a")),
            "Both the Hash Key and the Range Key element in the KeySchema have the same name",
        ),
        (
            of(&["a", "b"], keys("a b")),
            "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type",
        ),
        (
            of(&["a", "b"], range_first),
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
        ),
        (
            of(&["a", "b"], keys("a")),
            "…Number of attributes in KeySchema does not exactly match number of attributes defined in \
             AttributeDefinitions",
        ),
    ])
    .await;
}

#[tokio::test]
async fn local_indexes() {
    let of = |key: &str, indexes: Value| {
        let names: &[&str] = if key == "a" { &["a"] } else { &["a", "b"] };
        simple(json!({
            "AttributeDefinitions": attributes(names),
            "KeySchema": keys(key),
            "LocalSecondaryIndexes": indexes,
        }))
    };
    let many: Vec<Value> = (0..6).map(|n| index(&format!("index{n}"), "a|b")).collect();
    refused(vec![
        (of("a|b", json!([])), "…List of LocalSecondaryIndexes is empty"),
        (
            of("a", json!([index("local", "a|b")])),
            "…Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex",
        ),
        (
            of("a|b", json!([index("local", "c|d")])),
            "…Some index key attributes are not defined in AttributeDefinitions. Keys: [c, d], AttributeDefinitions: \
             [a, b]",
        ),
        (
            of("a|b", json!([index("local", "|a")])),
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
        ),
        (
            of("a|b", json!([index("local", "a|a")])),
            "Both the Hash Key and the Range Key element in the KeySchema have the same name",
        ),
        (
            of("a|b", json!([index("local", "b")])),
            "…Index KeySchema does not have a range key for index: local",
        ),
        (
            of("a|b", json!([index("local", "b|a")])),
            "…Index KeySchema does not have the same leading hash key as table KeySchema for index: local. index hash \
             key: b, table hash key: a",
        ),
        (
            of("a|b", json!([index("local", "a|b"), index("local", "a|b")])),
            "…Duplicate index name: local",
        ),
        (of("a|b", json!(many)), "…Number of LocalSecondaryIndexes exceeds per-table limit of 5"),
    ])
    .await;
}

#[tokio::test]
async fn global_indexes() {
    let of = |names: &[&str], indexes: Value| {
        simple(
            json!({ "AttributeDefinitions": attributes(names), "GlobalSecondaryIndexes": indexes }),
        )
    };
    let many: Vec<Value> = (0..21).map(|n| index(&format!("index{n}"), "a")).collect();
    let mixed = json!([
        { "AttributeName": "a", "KeyType": "HASH" },
        { "AttributeName": "b", "KeyType": "RANGE" },
        { "AttributeName": "c", "KeyType": "HASH" },
    ]);
    let mut out_of_order = index("global", "a");
    out_of_order["KeySchema"] = mixed;
    let five = ["a", "b", "c", "d", "e"];
    refused(vec![
        (of(&["a"], json!([])), "…List of GlobalSecondaryIndexes is empty"),
        (
            of(&["a"], json!([index("global", "c")])),
            "…Some index key attributes are not defined in AttributeDefinitions. Keys: [c], AttributeDefinitions: [a]",
        ),
        (
            of(&["a", "b", "c"], json!([index("global", "b")])),
            "…Some AttributeDefinitions are not used. AttributeDefinitions: [a, b, c], keys used: [a, b]",
        ),
        (
            of(&["a"], json!([index("global", "a|a")])),
            "Both the Hash Key and the Range Key element in the KeySchema have the same name",
        ),
        (
            of(&["a", "b"], json!([index("global", "a b|a")])),
            "The KeySchema contains multiple key attributes with the same name",
        ),
        (
            of(&["a", "b", "c"], json!([out_of_order])),
            "…All HASH key attributes must precede RANGE key attributes in the KeySchema",
        ),
        (
            of(&five, json!([index("global", "a b c d e")])),
            "…The KeySchema exceeds the maximum allowed number of HASH key attributes",
        ),
        (
            of(&["a", "b", "c", "d", "e", "f"], json!([index("global", "f|a b c d e")])),
            "…The KeySchema exceeds the maximum allowed number of RANGE key attributes",
        ),
        (
            of(&["a"], json!([index("global", "a"), index("global", "a")])),
            "…Duplicate index name: global",
        ),
        (of(&["a"], json!(many)), "…GlobalSecondaryIndex count exceeds the per-table limit of 20"),
    ])
    .await;
}

#[tokio::test]
async fn projections() {
    let of = |projection: Value| {
        let mut one = index("global", "a");
        one["Projection"] = projection;
        simple(json!({ "GlobalSecondaryIndexes": [one] }))
    };
    let names = |count: usize| -> Vec<String> { (0..count).map(|n| format!("n{n}")).collect() };
    let include = |name: &str| {
        json!({
            "IndexName": name, "KeySchema": keys("a"),
            "Projection": { "ProjectionType": "INCLUDE", "NonKeyAttributes": names(20) },
        })
    };
    let six: Vec<Value> = (0..6).map(|n| include(&format!("index{n}"))).collect();
    refused(vec![
        (of(json!({})), "…Unknown ProjectionType: null"),
        (
            of(json!({ "ProjectionType": "ALL", "NonKeyAttributes": ["b"] })),
            "…ProjectionType is ALL, but NonKeyAttributes is specified",
        ),
        (
            of(json!({ "ProjectionType": "KEYS_ONLY", "NonKeyAttributes": ["b"] })),
            "…ProjectionType is KEYS_ONLY, but NonKeyAttributes is specified",
        ),
        (
            of(json!({ "ProjectionType": "INCLUDE" })),
            "…ProjectionType is INCLUDE, but NonKeyAttributes is not specified",
        ),
        (
            of(json!({ "ProjectionType": "INCLUDE", "NonKeyAttributes": ["x", "y", "x"] })),
            "…Duplicate element in NonKeyAttributes: x",
        ),
        (
            simple(json!({ "GlobalSecondaryIndexes": six })),
            "…Number of NonKeyAttributes of all indexes exceeds the per-table limit of 100",
        ),
    ])
    .await;
}

#[tokio::test]
async fn class_encryption_streams_and_tags() {
    let tag = |key: &str| json!({ "Key": key, "Value": "v" });
    let many: Vec<Value> = (0..51).map(|n| tag(&format!("k{n}"))).collect();
    refused(vec![
        (
            simple(json!({ "TableClass": "CHEAP" })),
            "Invalid table-class parameter provided. Please try again with a valid table-class value: [STANDARD, \
             STANDARD_INFREQUENT_ACCESS].",
        ),
        (
            simple(json!({ "SSESpecification": { "SSEType": "KMS" } })),
            "…SSEType can not be specified if Enabled is false",
        ),
        (
            simple(json!({ "SSESpecification": { "Enabled": true, "SSEType": "AES256" } })),
            "…SSEType AES256 is not supported",
        ),
        (
            simple(json!({ "SSESpecification": { "Enabled": true, "KMSMasterKeyId": "x" } })),
            "…SSEType KMS is required if KMSMasterKeyId is specified",
        ),
        (
            simple(json!({ "StreamSpecification": { "StreamEnabled": true } })),
            "…Table is being created with a stream enabled, UpdateViewType is required",
        ),
        (
            simple(json!({ "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "KEYS_ONLY" } })),
            "…This region does not offer streams: StreamEnabled must be false",
        ),
        (
            simple(json!({ "Tags": [tag("k"), tag("k")] })),
            "Duplicate Tag Keys provided as input: Duplicate Tag Key found k",
        ),
        (
            simple(json!({ "Tags": [tag("aws:k")] })),
            "Tag Key cannot be prefixed with aws:, Key: aws:k",
        ),
        (simple(json!({ "Tags": [tag("")] })), "The Tag Key provided is invalid, Key: "),
        (
            simple(json!({ "Tags": [{ "Key": "k" }] })),
            "The Tag Value provided is invalid, Value: null",
        ),
        (
            simple(json!({ "Tags": many })),
            "Number of Tags exceed the current limit for the provided ResourceArn",
        ),
        (
            simple(json!({ "ResourcePolicy": "{" })),
            "…Invalid policy document: This policy contains invalid Json",
        ),
    ])
    .await;
}
