//! Expiry of items, as far as it is switched.

use serde_json::{Value, json};

use super::world::{World, simple};

fn switch(attribute: &str, enabled: bool) -> Value {
    json!({
        "TableName": "orders",
        "TimeToLiveSpecification": { "AttributeName": attribute, "Enabled": enabled },
    })
}

async fn status(world: &World) -> Value {
    let answer = world
        .ok("DescribeTimeToLive", json!({ "TableName": "orders" }))
        .await;
    answer["TimeToLiveDescription"].clone()
}

#[tokio::test]
async fn expiry_is_switched_on_and_off() {
    let world = World::new();
    world.ok("CreateTable", simple(json!({}))).await;
    assert_eq!(
        world
            .invalid("DescribeTimeToLive", json!({ "TableName": "orders" }))
            .await,
        "Cannot describe time to live while table is in CREATING state: Current table state is CREATING"
    );
    assert_eq!(
        world.refused("UpdateTimeToLive", switch("t", true)).await.1,
        "Attempt to change a resource which is still in use: Table orders is being created"
    );
    world.settle().await;
    let off = json!({ "TimeToLiveStatus": "DISABLED" });
    assert_eq!(status(&world).await, off);
    let invalid =
        |attribute, enabled| world.invalid("UpdateTimeToLive", switch(attribute, enabled));
    assert_eq!(invalid("t", false).await, "TimeToLive is already disabled");
    assert_eq!(
        world.ok("UpdateTimeToLive", switch("t", true)).await,
        json!({ "TimeToLiveSpecification": { "AttributeName": "t", "Enabled": true } })
    );
    assert_eq!(
        status(&world).await,
        json!({ "TimeToLiveStatus": "ENABLING", "AttributeName": "t" })
    );
    assert_eq!(
        invalid("t", false).await,
        "Time to live has been modified multiple times within a fixed interval"
    );
    world.settle().await;
    assert_eq!(
        status(&world).await,
        json!({ "TimeToLiveStatus": "ENABLED", "AttributeName": "t" })
    );
    assert_eq!(invalid("t", true).await, "TimeToLive is already enabled");
    assert_eq!(
        invalid("u", true).await,
        "TimeToLive is active on a different AttributeName: current AttributeName is t"
    );
    world.ok("UpdateTimeToLive", switch("t", false)).await;
    assert_eq!(status(&world).await["TimeToLiveStatus"], "DISABLING");
    world.settle().await;
    assert_eq!(status(&world).await, off);
    world.ok("UpdateTimeToLive", switch("u", true)).await;
}

#[tokio::test]
async fn specifications_that_are_not_whole_are_refused() {
    let world = World::new();
    let of = |specification: Value| json!({ "TableName": "abc", "TimeToLiveSpecification": specification });
    for (body, message) in [
        (
            json!({}),
            "The parameter 'TableName' is required but was not present in the request",
        ),
        (
            json!({ "TableName": "abc" }),
            "1 validation error detected: Value null at 'timeToLiveSpecification' failed to satisfy constraint: Member \
             must not be null",
        ),
        (
            of(json!({})),
            "2 validation errors detected: Value null at 'timeToLiveSpecification.enabled' failed to satisfy \
             constraint: Member must not be null; Value null at 'timeToLiveSpecification.attributeName' failed to \
             satisfy constraint: Member must not be null",
        ),
        (
            of(json!({ "AttributeName": "", "Enabled": true })),
            "TimeToLiveSpecification.AttributeName must be non empty",
        ),
    ] {
        assert_eq!(world.invalid("UpdateTimeToLive", body).await, message);
    }
    let body = of(json!({ "AttributeName": "t", "Enabled": true }));
    assert_eq!(
        world.refused("UpdateTimeToLive", body).await.1,
        "Requested resource not found: Table: abc not found"
    );
}
