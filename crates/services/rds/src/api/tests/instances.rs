//! Creation, description, lifecycle.

use quorate_control::Endpoint;

use super::world::{CREATE, World};
use crate::model::{Desired, Order, Status};

#[tokio::test]
async fn creation_writes_an_intent_and_an_endpoint_together() {
    let world = World::new().await;
    let answer = world
        .ok(&format!(
            "{CREATE}Orders&MultiAZ=true&DBName=shop&Tags.Tag.1.Key=team&Tags.Tag.1.Value=a"
        ))
        .await;
    assert_eq!(answer.text("DBInstance/DBInstanceStatus"), Some("creating"));
    assert_eq!(answer.text("DBInstance/Endpoint"), None);
    assert_eq!(answer.text("DBInstance/EngineVersion"), Some("16.9"));
    assert_eq!(answer.text("TagList/Tag/Value"), Some("a"));
    assert!(!format!("{answer:?}").contains("secret99"));

    let instance = world.instance("orders").await;
    assert_eq!(instance.desired, Desired::Running);
    assert_eq!(instance.settings.parameter_group, "default.postgres16");
    assert!(instance.resource_id.starts_with("db-") && instance.resource_id.len() == 29);
    let endpoint = world
        .catalog
        .read::<Endpoint>("rds:orders")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(endpoint.record.port, 5432);
    assert!(endpoint.record.targets.is_empty());
}

#[tokio::test]
async fn a_second_instance_gets_another_port_and_a_name_is_given_once() {
    let world = World::new().await;
    world.available("one", "").await;
    world.available("two", "").await;
    assert_eq!(world.instance("two").await.endpoint_port, 6000);
    let (status, code, _) = world.refused(&format!("{CREATE}ONE")).await;
    assert_eq!((status, code.as_str()), (400, "DBInstanceAlreadyExists"));
}

#[tokio::test]
async fn a_major_version_means_its_newest_minor() {
    let world = World::new().await;
    world.available("one", "&EngineVersion=15").await;
    assert_eq!(world.instance("one").await.settings.engine_version, "15.18");
}

#[tokio::test]
async fn requests_that_break_a_rule_are_refused_with_awss_code_and_leave_nothing() {
    let world = World::new().await;
    for (change, code) in [
        ("1x", "InvalidParameterValue"),
        ("x--y", "InvalidParameterValue"),
        ("x&EngineVersion=9.6", "InvalidParameterCombination"),
        (
            "x&AvailabilityZone=us-east-1z",
            "InvalidVPCNetworkStateFault",
        ),
        (
            "x&AvailabilityZone=us-east-1a&MultiAZ=true",
            "InvalidParameterCombination",
        ),
        ("x&StorageType=fast", "StorageTypeNotSupported"),
        ("x&Port=80", "InvalidParameterValue"),
        ("x&DBParameterGroupName=none", "DBParameterGroupNotFound"),
        ("x&DBSubnetGroupName=none", "DBSubnetGroupNotFoundFault"),
        (
            "x&ManageMasterUserPassword=true",
            "InvalidParameterCombination",
        ),
        ("x&CACertificateIdentifier=other", "CertificateNotFound"),
        ("x&BackupRetentionPeriod=36", "InvalidParameterValue"),
        ("x&MultiAZ=perhaps", "InvalidParameterValue"),
        (
            "x&DBParameterGroupName=default.postgres15",
            "InvalidParameterCombination",
        ),
    ] {
        let (status, found, message) = world.refused(&format!("{CREATE}{change}")).await;
        assert_eq!(found, code, "{change}: {message}");
        assert!((400..500).contains(&status), "{change}");
    }
    for (from, to, code) in [
        ("db.t3.micro", "db.t3.huge", "InvalidParameterValue"),
        ("=postgres", "=oracle-ee", "InvalidParameterValue"),
        ("=app", "=rdsadmin", "InvalidParameterValue"),
        ("secret99", "short", "InvalidParameterValue"),
        ("Storage=20", "Storage=3", "InvalidParameterValue"),
        ("&MasterUsername=app", "", "InvalidParameterValue"),
        ("&Engine=postgres", "", "MissingParameter"),
    ] {
        let (_, found, message) = world
            .refused(&CREATE.replace(from, to).replace("fier=", "fier=x"))
            .await;
        assert_eq!(found, code, "{from} {to}: {message}");
    }
    let answer = world.ok("Action=DescribeDBInstances").await;
    assert!(answer.all("DBInstance").is_empty());
}

#[tokio::test]
async fn a_region_without_postgresql_names_the_package() {
    let world = World::with_versions(&[]).await;
    let (_, code, message) = world.refused(&format!("{CREATE}x")).await;
    assert_eq!(code, "InsufficientDBInstanceCapacity");
    assert!(message.contains("apt-get install postgresql"), "{message}");
}

#[tokio::test]
async fn unknown_actions_and_regions_are_the_callers_error() {
    let world = World::new().await;
    let (status, code, message) = world
        .refused("Action=CreateDBSnapshot&Version=2014-10-31")
        .await;
    assert_eq!((status, code.as_str()), (400, "InvalidAction"));
    assert_eq!(
        message,
        "Could not find operation CreateDBSnapshot for version 2014-10-31"
    );
    assert_eq!(world.refused("Version=2014-10-31").await.1, "MissingAction");
    assert_eq!(world.refused("Action=%zz").await.1, "MalformedQueryString");
    let (status, node) = world
        .call_in("eu-west-1", "Action=DescribeDBInstances")
        .await;
    assert_eq!((status, node.text("Error/Type")), (403, Some("Sender")));
}

#[tokio::test]
async fn an_available_instance_is_described_in_full() {
    let world = World::new().await;
    world
        .available(
            "one",
            "&MultiAZ=true&VpcSecurityGroupIds.VpcSecurityGroupId.1=sg-1",
        )
        .await;
    let answer = world
        .ok("Action=DescribeDBInstances&DBInstanceIdentifier=One")
        .await;
    for (path, text) in [
        ("DBInstances/DBInstance/DBInstanceIdentifier", "one"),
        ("DBInstance/DBInstanceStatus", "available"),
        ("DBInstance/Endpoint/Address", "127.0.0.1"),
        ("DBInstance/Endpoint/Port", "5432"),
        ("DBInstance/AvailabilityZone", "us-east-1a"),
        ("DBInstance/SecondaryAvailabilityZone", "us-east-1b"),
        (
            "DBParameterGroups/DBParameterGroup/ParameterApplyStatus",
            "in-sync",
        ),
        (
            "OptionGroupMembership/OptionGroupName",
            "default:postgres-16",
        ),
        ("DBSubnetGroup/SubnetGroupStatus", "Complete"),
        ("VpcSecurityGroupMembership/Status", "active"),
        (
            "DBInstance/DBInstanceArn",
            "arn:aws:rds:us-east-1:123456789012:db:one",
        ),
        ("CertificateDetails/CAIdentifier", "quorate-ca"),
    ] {
        assert_eq!(answer.text(path), Some(text), "{path}");
    }
    assert_eq!(answer.all("Subnets/Subnet").len(), 3);
}

#[tokio::test]
async fn filters_find_instances_as_terraform_asks_for_them() {
    let world = World::new().await;
    world.available("one", "").await;
    world.available("two", "").await;
    let resource_id = world.instance("two").await.resource_id;
    for (name, value, found) in [
        ("dbi-resource-id", resource_id.as_str(), &["two"][..]),
        (
            "db-instance-id",
            "arn:aws:rds:us-east-1:123456789012:db:one",
            &["one"],
        ),
        ("engine", "postgres", &["one", "two"]),
        ("db-cluster-id", "one", &[]),
    ] {
        let answer = world
            .ok(&format!(
                "Action=DescribeDBInstances&Filters.Filter.1.Name={name}&Filters.Filter.1.Values.Value.1={value}"
            ))
            .await;
        assert_eq!(
            answer.texts("DBInstance/DBInstanceIdentifier"),
            found,
            "{name}"
        );
    }
    let (_, code, message) = world
        .refused(
            "Action=DescribeDBInstances&Filters.Filter.1.Name=x&Filters.Filter.1.Values.Value.1=y",
        )
        .await;
    assert_eq!(code, "InvalidParameterValue");
    assert_eq!(message, "Unrecognized filter name: x");
    let (status, code, message) = world
        .refused("Action=DescribeDBInstances&DBInstanceIdentifier=no")
        .await;
    assert_eq!((status, code.as_str()), (404, "DBInstanceNotFound"));
    assert_eq!(message, "DBInstance no not found.");
}

#[tokio::test]
async fn pages_of_instances_follow_their_markers() {
    let world = World::new().await;
    for n in 0..23 {
        world.ok(&format!("{CREATE}i{n:02}")).await;
    }
    let first = world.ok("Action=DescribeDBInstances&MaxRecords=20").await;
    assert_eq!(first.all("DBInstances/DBInstance").len(), 20);
    let marker = first.text("Marker").unwrap();
    let second = world
        .ok(&format!(
            "Action=DescribeDBInstances&MaxRecords=20&Marker={marker}"
        ))
        .await;
    assert_eq!(
        second.texts("DBInstance/DBInstanceIdentifier"),
        ["i20", "i21", "i22"]
    );
    assert_eq!(second.text("Marker"), None);
    assert_eq!(
        world
            .refused("Action=DescribeDBInstances&MaxRecords=5")
            .await
            .1,
        "InvalidParameterValue"
    );
}

#[tokio::test]
async fn orders_show_in_the_status_at_once() {
    let world = World::new().await;
    world.available("one", "&MultiAZ=true").await;
    world
        .ok("Action=RebootDBInstance&DBInstanceIdentifier=one&ForceFailover=true")
        .await;
    let instance = world.instance("one").await;
    assert_eq!(instance.status, Status::Rebooting);
    assert_eq!(instance.order, Some(Order::RebootWithFailover));
    let (_, code, _) = world
        .refused("Action=RebootDBInstance&DBInstanceIdentifier=one")
        .await;
    assert_eq!(code, "InvalidDBInstanceState");

    world.settle("one").await;
    world
        .ok("Action=StopDBInstance&DBInstanceIdentifier=one")
        .await;
    assert_eq!(world.instance("one").await.desired, Desired::Stopped);
    assert_eq!(
        world
            .refused("Action=StartDBInstance&DBInstanceIdentifier=one")
            .await
            .1,
        "InvalidDBInstanceState"
    );
    world
        .change("one", |instance| instance.status = Status::Stopped)
        .await;
    let answer = world
        .ok("Action=StartDBInstance&DBInstanceIdentifier=one")
        .await;
    assert_eq!(answer.text("DBInstanceStatus"), Some("starting"));
}

#[tokio::test]
async fn a_forced_failover_needs_a_standby() {
    let world = World::new().await;
    world.available("one", "").await;
    let (_, code, _) = world
        .refused("Action=RebootDBInstance&DBInstanceIdentifier=one&ForceFailover=true")
        .await;
    assert_eq!(code, "InvalidParameterCombination");
    assert_eq!(world.instance("one").await.order, None);
}

#[tokio::test]
async fn deletion_is_refused_until_it_is_clear_what_is_meant() {
    let world = World::new().await;
    world.available("one", "&DeletionProtection=true").await;
    for (more, part) in [
        ("", "FinalDBSnapshotIdentifier is required"),
        (
            "&FinalDBSnapshotIdentifier=last",
            "Snapshots are not offered yet",
        ),
        (
            "&SkipFinalSnapshot=true",
            "Cannot delete protected DB Instance",
        ),
    ] {
        let (_, code, message) = world
            .refused(&format!(
                "Action=DeleteDBInstance&DBInstanceIdentifier=one{more}"
            ))
            .await;
        assert_eq!(code, "InvalidParameterCombination");
        assert!(message.contains(part), "{message}");
    }
    world
        .ok("Action=ModifyDBInstance&DBInstanceIdentifier=one&DeletionProtection=false")
        .await;
    let delete = "Action=DeleteDBInstance&DBInstanceIdentifier=one&SkipFinalSnapshot=true";
    world.ok(delete).await;
    let answer = world.ok("Action=DescribeDBInstances").await;
    assert_eq!(answer.text("DBInstanceStatus"), Some("deleting"));
    assert_eq!(world.refused(delete).await.1, "InvalidDBInstanceState");
}
