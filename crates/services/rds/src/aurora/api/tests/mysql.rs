//! Clusters of `aurora-mysql`, which hosts run with MariaDB.

use quorate_control::{Endpoint, EndpointProtocol, Stored, Txn};

use crate::api::tests::world::World;
use crate::aurora::model::ClusterStatus;
use crate::catalogue::mariadb_parameters;
use crate::model::{EngineVersion, Host};

const VERSION: &str = "8.0.mysql_aurora.3.mariadb.10.11.19";
const CREATE: &str = "Action=CreateDBCluster&Engine=aurora-mysql&MasterUsername=admin&MasterUserPassword=secret99\
     &DBClusterIdentifier=";
const MEMBER: &str =
    "Action=CreateDBInstance&DBInstanceClass=db.r6g.large&DBClusterIdentifier=c&Engine=";

/// A region whose hosts have MariaDB beside PostgreSQL.
async fn world() -> World {
    let world = World::new().await;
    for stored in world.catalog.list::<Host>().await.unwrap() {
        let mut host = stored.record.clone();
        host.engines.push(EngineVersion {
            engine: "mariadb".into(),
            version: "10.11.19".into(),
        });
        world
            .catalog
            .commit(Txn::new().replace(&stored, &host))
            .await
            .unwrap();
    }
    let parameters = Txn::new().insert("mariadb-10.11.19", &mariadb_parameters());
    world.catalog.commit(parameters).await.unwrap();
    world
}

#[tokio::test]
async fn a_cluster_is_made_of_what_aws_calls_its_versions() {
    let world = world().await;
    for (id, asked) in [
        ("a", String::new()),
        ("b", "&EngineVersion=8.0".to_owned()),
        ("c", "&EngineVersion=8.0.mysql_aurora.3.08.0".to_owned()),
        ("d", format!("&EngineVersion={VERSION}")),
    ] {
        let answer = world.ok(&format!("{CREATE}{id}{asked}")).await;
        assert_eq!(
            answer.text("DBCluster/EngineVersion"),
            Some(VERSION),
            "{asked}"
        );
        let group = answer.text("DBCluster/DBClusterParameterGroup");
        assert_eq!(group, Some("default.aurora-mysql8.0"));
    }
    let cluster = world.cluster("a").await.record;
    assert_eq!(cluster.settings.port_asked, 3306);
    assert!(cluster.settings.master_verifier.expose().starts_with('*'));
    let endpoint: Option<Stored<Endpoint>> = world.catalog.read("rds-cluster:a").await.unwrap();
    assert_eq!(endpoint.unwrap().record.protocol, EndpointProtocol::Opaque);
    world
        .change_cluster("a", |cluster| cluster.status = ClusterStatus::Available)
        .await;
    let modify = "Action=ModifyDBCluster&DBClusterIdentifier=a&MasterUserPassword=another99";
    world.ok(modify).await;
    let pending = world
        .cluster("a")
        .await
        .record
        .pending
        .master_verifier
        .unwrap();
    assert!(pending.expose().starts_with('*'));
    for wrong in ["5.7.mysql_aurora.2.11.1", "15.18"] {
        let asked = format!("{CREATE}x&EngineVersion={wrong}");
        assert_eq!(world.refused(&asked).await.1, "InvalidParameterCombination");
    }
}

#[tokio::test]
async fn a_member_is_of_its_clusters_engine() {
    let world = world().await;
    world.ok(&format!("{CREATE}c")).await;
    let answer = world
        .ok(&format!("{MEMBER}aurora-mysql&DBInstanceIdentifier=c-1"))
        .await;
    assert_eq!(answer.text("DBInstance/EngineVersion"), Some(VERSION));
    assert_eq!(
        answer.text("DBInstance/LicenseModel"),
        Some("general-public-license")
    );
    assert_eq!(
        answer.text("OptionGroupMembership/OptionGroupName"),
        Some("default:aurora-mysql-8-0")
    );
    let other = format!("{MEMBER}aurora-postgresql&DBInstanceIdentifier=c-2");
    assert_eq!(world.refused(&other).await.1, "InvalidParameterCombination");
}

#[tokio::test]
async fn a_region_without_mariadb_names_the_package() {
    let world = World::new().await;
    let (_, code, message) = world.refused(&format!("{CREATE}c")).await;
    assert_eq!(code, "InsufficientDBInstanceCapacity");
    assert!(
        message.contains("apt-get install mariadb-server"),
        "{message}"
    );
}

#[tokio::test]
async fn versions_and_options_are_offered_where_hosts_have_them() {
    let world = world().await;
    let answer = world
        .ok("Action=DescribeDBEngineVersions&Engine=aurora-mysql")
        .await;
    assert_eq!(answer.texts("DBEngineVersion/EngineVersion"), [VERSION]);
    assert_eq!(answer.texts("DBEngineVersion/MajorEngineVersion"), ["8.0"]);
    let answer = world
        .ok("Action=DescribeOrderableDBInstanceOptions&Engine=aurora-mysql&DBInstanceClass=db.r6g.large")
        .await;
    assert_eq!(
        answer.texts("OrderableDBInstanceOption/EngineVersion"),
        [VERSION]
    );
    assert_eq!(
        answer.texts("OrderableDBInstanceOption/StorageType"),
        ["aurora"]
    );
}

#[tokio::test]
async fn a_group_takes_what_mariadb_takes() {
    let world = world().await;
    world
        .ok("Action=CreateDBClusterParameterGroup&Description=d&DBParameterGroupFamily=aurora-mysql8.0\
             &DBClusterParameterGroupName=g")
        .await;
    let set = |name: &str, value: &str, method: &str| {
        let one = "&Parameters.Parameter.1.";
        format!(
            "Action=ModifyDBClusterParameterGroup&DBClusterParameterGroupName=g{one}ParameterName={name}\
             {one}ParameterValue={value}{one}ApplyMethod={method}"
        )
    };
    for (name, value, method, fits) in [
        ("sql_mode", "ANSI,STRICT_ALL_TABLES", "immediate", true),
        ("sql_mode", "SLOPPY", "immediate", false),
        ("time_zone", "UTC", "immediate", true),
        ("innodb_buffer_pool_size", "67108864", "immediate", false),
        (
            "innodb_buffer_pool_size",
            "{DBInstanceClassMemory*3/4}",
            "pending-reboot",
            true,
        ),
        ("sync_binlog", "0", "immediate", false),
        ("work_mem", "64", "immediate", false),
    ] {
        let (status, _) = world.call_in("us-east-1", &set(name, value, method)).await;
        assert_eq!(status == 200, fits, "{name} = {value}");
    }
}
