//! Engine versions, orderable options, events.

use quorate_base::UnixMillis;
use quorate_control::Txn;

use super::world::World;
use crate::model::{Event, EventCategory, EventSource};

#[tokio::test]
async fn versions_are_those_that_hosts_have() {
    let world = World::new().await;
    let answer = world
        .ok("Action=DescribeDBEngineVersions&Engine=postgres")
        .await;
    assert_eq!(
        answer.texts("DBEngineVersions/DBEngineVersion/EngineVersion"),
        ["15.17", "15.18", "16.9"]
    );
    assert_eq!(answer.texts("UpgradeTarget/EngineVersion"), ["15.18"]);
    let answer = world
        .ok("Action=DescribeDBEngineVersions&EngineVersion=15&DefaultOnly=true")
        .await;
    assert_eq!(
        answer.texts("DBEngineVersions/DBEngineVersion/EngineVersion"),
        ["15.18", "15.18"]
    );
    assert_eq!(
        answer.texts("DBEngineVersions/DBEngineVersion/Engine"),
        ["aurora-postgresql", "postgres"]
    );
    assert_eq!(
        answer.texts("DBEngineVersion/DBParameterGroupFamily"),
        ["aurora-postgresql15", "postgres15"]
    );
    let answer = world
        .ok("Action=DescribeDBEngineVersions&Engine=mysql")
        .await;
    assert!(answer.all("DBEngineVersion").is_empty());
}

#[tokio::test]
async fn options_combine_versions_classes_and_storage() {
    let world = World::new().await;
    let answer = world
        .ok("Action=DescribeOrderableDBInstanceOptions&Engine=postgres&EngineVersion=16.9&DBInstanceClass=db.t3.micro")
        .await;
    assert_eq!(answer.all("OrderableDBInstanceOption").len(), 5);
    assert_eq!(
        answer
            .all("OrderableDBInstanceOption/AvailabilityZones/AvailabilityZone")
            .len(),
        15
    );
    let answer = world
        .ok(
            "Action=DescribeOrderableDBInstanceOptions&Engine=aurora-postgresql&EngineVersion=16.9\
             &DBInstanceClass=db.r6g.large",
        )
        .await;
    assert_eq!(
        answer.texts("OrderableDBInstanceOption/StorageType"),
        ["aurora"]
    );
    assert_eq!(answer.texts("SupportsClusters"), ["true"]);
    let answer = world
        .ok("Action=DescribeOrderableDBInstanceOptions&Engine=postgres")
        .await;
    assert_eq!(answer.all("OrderableDBInstanceOption").len(), 100);
    assert!(answer.text("Marker").is_some());
}

#[tokio::test]
async fn events_are_found_by_source_category_and_time() {
    let world = World::new().await;
    let now = UnixMillis::now().0;
    for (n, (at, id, category)) in [
        (now - 7_200_000, "one", EventCategory::Creation),
        (now - 60_000, "one", EventCategory::Failover),
        (now - 30_000, "two", EventCategory::ReadReplica),
    ]
    .into_iter()
    .enumerate()
    {
        let event = Event {
            at: UnixMillis(at),
            source: EventSource::DbInstance,
            source_id: id.into(),
            source_arn: format!("arn:aws:rds:us-east-1:123456789012:db:{id}"),
            message: format!("event {n}"),
            categories: vec![category],
        };
        let txn = Txn::new().insert(&format!("{at:013}-{n}"), &event);
        world.catalog.commit(txn).await.unwrap();
    }
    for (query, found) in [
        ("", &["event 1", "event 2"][..]),
        ("&Duration=180", &["event 0", "event 1", "event 2"]),
        ("&SourceType=db-instance&SourceIdentifier=One", &["event 1"]),
        (
            "&EventCategories.EventCategory.1=read%20replica",
            &["event 2"],
        ),
        ("&SourceType=db-snapshot", &[]),
        (
            "&StartTime=2020-01-01T00:00:00Z&EndTime=2020-01-02T00:00:00Z",
            &[],
        ),
    ] {
        let answer = world.ok(&format!("Action=DescribeEvents{query}")).await;
        assert_eq!(answer.texts("Event/Message"), found, "{query}");
    }
    for query in [
        "&Duration=0",
        "&StartTime=yesterday",
        "&SourceType=planet",
        "&SourceIdentifier=one",
    ] {
        world
            .refused(&format!("Action=DescribeEvents{query}"))
            .await;
    }
}
