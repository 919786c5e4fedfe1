//! Tags, resource policies and what is told about the region.

use serde_json::{Value, json};

use super::world::{World, merge, simple};

const ARN: &str = "arn:aws:dynamodb:us-east-1:123456789012:table/orders";

fn on(more: Value) -> Value {
    let mut body = json!({ "ResourceArn": ARN });
    merge(&mut body, more);
    body
}

fn tags(from: u32, to: u32) -> Value {
    let one = |n| json!({ "Key": format!("k{n:02}"), "Value": format!("v{n}") });
    (from..to).map(one).collect()
}

#[tokio::test]
async fn tags_are_set_listed_in_pages_and_removed() {
    let world = World::new();
    world.table(simple(json!({ "Tags": tags(0, 12) }))).await;
    let first = world.ok("ListTagsOfResource", on(json!({}))).await;
    assert_eq!(first["Tags"], tags(0, 10));
    let next = json!({ "NextToken": first["NextToken"] });
    assert_eq!(
        world.ok("ListTagsOfResource", on(next)).await,
        json!({ "Tags": tags(10, 12) })
    );
    let change = json!({ "Tags": [{ "Key": "k00", "Value": "new" }] });
    assert_eq!(world.ok("TagResource", on(change)).await, json!({}));
    let remove = json!({ "TagKeys": ["k01", "k02", "unknown"] });
    world.ok("UntagResource", on(remove)).await;
    let answer = world.ok("ListTagsOfResource", on(json!({}))).await;
    assert_eq!(answer["Tags"][0], json!({ "Key": "k00", "Value": "new" }));
    assert_eq!(answer["Tags"][1]["Key"], "k03");
    assert!(answer.get("NextToken").is_none());
}

#[tokio::test]
async fn tags_that_cannot_be_set_are_refused() {
    let world = World::new();
    world.table(simple(json!({ "Tags": tags(0, 30) }))).await;
    for (operation, body, message) in [
        (
            "TagResource",
            on(json!({ "Tags": [] })),
            "Atleast one Tag needs to be provided as Input.",
        ),
        (
            "UntagResource",
            on(json!({ "TagKeys": [] })),
            "Atleast one Tag Key needs to be provided as Input.",
        ),
        (
            "TagResource",
            on(json!({ "Tags": tags(30, 51) })),
            "Number of Tags exceed the current limit for the provided ResourceArn",
        ),
        (
            "UntagResource",
            on(json!({ "TagKeys": [""] })),
            "The Tag Key provided is invalid, Key: ",
        ),
        ("TagResource", json!({}), "Invalid TableArn"),
        (
            "ListTagsOfResource",
            json!({ "ResourceArn": "orders" }),
            "One or more parameter values were invalid: ARNs must start with 'arn:': orders",
        ),
        (
            "ListTagsOfResource",
            json!({ "ResourceArn": "arn:aws:s3:us-east-1:123456789012:table/orders" }),
            "One or more parameter values were invalid: Provided Arn is not a DynamoDB resource arn: \
             arn:aws:s3:us-east-1:123456789012:table/orders",
        ),
        (
            "ListTagsOfResource",
            json!({ "ResourceArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders" }),
            "Invalid TableArn: Invalid ResourceArn provided as input \
             arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
        ),
        (
            "TagResource",
            json!({ "ResourceArn": format!("{ARN}/index/x"), "Tags": tags(0, 1) }),
            "One or more parameter values were invalid: Invalid resource arn provided, only table or stream is \
             accepted. Provided resource arn: arn:aws:dynamodb:us-east-1:123456789012:table/orders/index/x",
        ),
    ] {
        assert_eq!(world.invalid(operation, body).await, message);
    }
    let unknown = json!({ "ResourceArn": format!("{ARN}2") });
    assert_eq!(
        world.refused("ListTagsOfResource", unknown).await,
        (
            "ResourceNotFoundException".into(),
            format!("Requested resource not found: ResourceArn: {ARN}2 not found")
        )
    );
}

#[tokio::test]
async fn a_policy_is_kept_with_its_revision() {
    let world = World::new();
    world.table(simple(json!({}))).await;
    let missing = (
        String::from("PolicyNotFoundException"),
        format!("Resource-based policy not found for the provided ResourceArn: {ARN}"),
    );
    let get = || world.refused("GetResourcePolicy", on(json!({})));
    assert_eq!(get().await, missing);
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let put = json!({ "Policy": policy, "ExpectedRevisionId": "NO_POLICY" });
    let answer = world.ok("PutResourcePolicy", on(put.clone())).await;
    let revision = answer["RevisionId"].as_str().unwrap().to_owned();
    assert_eq!(
        world.refused("PutResourcePolicy", on(put)).await.0,
        "PolicyNotFoundException"
    );
    assert_eq!(
        world.ok("GetResourcePolicy", on(json!({}))).await,
        json!({ "Policy": policy, "RevisionId": revision })
    );
    let delete = json!({ "ExpectedRevisionId": revision });
    world.ok("DeleteResourcePolicy", on(delete)).await;
    assert_eq!(get().await, missing);
    assert_eq!(
        world.ok("DeleteResourcePolicy", on(json!({}))).await,
        json!({})
    );
}

#[tokio::test]
async fn the_region_tells_its_limits_and_that_it_has_no_backups() {
    let world = World::new();
    world.table(simple(json!({}))).await;
    assert_eq!(
        world.ok("DescribeLimits", json!({})).await,
        json!({
            "AccountMaxReadCapacityUnits": 80_000,
            "AccountMaxWriteCapacityUnits": 80_000,
            "TableMaxReadCapacityUnits": 40_000,
            "TableMaxWriteCapacityUnits": 40_000,
        })
    );
    assert_eq!(
        world.ok("DescribeEndpoints", json!({})).await["Endpoints"][0]["Address"],
        "localhost"
    );
    let off = json!({ "ContinuousBackupsDescription": {
        "ContinuousBackupsStatus": "DISABLED",
        "PointInTimeRecoveryDescription": { "PointInTimeRecoveryStatus": "DISABLED" },
    } });
    let table = json!({ "TableName": "orders" });
    assert_eq!(world.ok("DescribeContinuousBackups", table).await, off);
    let switch = |enabled: bool| {
        json!({
            "TableName": "orders",
            "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": enabled },
        })
    };
    assert_eq!(
        world.ok("UpdateContinuousBackups", switch(false)).await,
        off
    );
    let (code, _) = world.refused("UpdateContinuousBackups", switch(true)).await;
    assert_eq!(code, "UnknownOperationException");
    assert_eq!(
        world
            .refused("DescribeContinuousBackups", json!({ "TableName": "other" }))
            .await,
        (
            "TableNotFoundException".into(),
            "Table not found: other".into()
        )
    );
}
