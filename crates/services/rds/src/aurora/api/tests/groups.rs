//! Cluster parameter groups, and tags of everything that a cluster has.

use super::world::{CREATE, MEMBER};
use crate::api::tests::world::World;
use crate::aurora::model::ClusterParameterGroup;

const GROUP: &str = "&DBClusterParameterGroupName=mine";
const CREATE_GROUP: &str = "Action=CreateDBClusterParameterGroup&Description=d\
     &DBParameterGroupFamily=aurora-postgresql15&DBClusterParameterGroupName=";

#[tokio::test]
async fn a_group_is_made_set_described_reset_and_deleted() {
    let world = World::new().await;
    let answer = world.ok(&format!("{CREATE_GROUP}Mine")).await;
    assert_eq!(
        answer.text("DBClusterParameterGroup/DBClusterParameterGroupArn"),
        Some("arn:aws:rds:us-east-1:123456789012:cluster-pg:mine")
    );
    let set = "&Parameters.Parameter.1.ParameterName=work_mem&Parameters.Parameter.1.ParameterValue=128\
               &Parameters.Parameter.1.ApplyMethod=immediate";
    world
        .ok(&format!("Action=ModifyDBClusterParameterGroup{GROUP}{set}"))
        .await;
    let describe = format!("Action=DescribeDBClusterParameters{GROUP}&Source=user");
    let answer = world.ok(&describe).await;
    assert_eq!(answer.texts("Parameter/ParameterName"), ["work_mem"]);
    assert_eq!(answer.texts("Parameter/ParameterValue"), ["128"]);
    world
        .ok(&format!(
            "Action=ResetDBClusterParameterGroup{GROUP}&ResetAllParameters=true"
        ))
        .await;
    assert!(world.ok(&describe).await.all("Parameter").is_empty());
    let answer = world.ok("Action=DescribeDBClusterParameterGroups").await;
    assert_eq!(
        answer.texts("DBClusterParameterGroup/DBClusterParameterGroupName"),
        [
            "default.aurora-postgresql15",
            "default.aurora-postgresql16",
            "mine"
        ]
    );
    world
        .ok(&format!("Action=DeleteDBClusterParameterGroup{GROUP}"))
        .await;
    let (status, code, _) = world
        .refused(&format!("Action=DescribeDBClusterParameterGroups{GROUP}"))
        .await;
    assert_eq!((status, code.as_str()), (404, "DBParameterGroupNotFound"));
}

#[tokio::test]
async fn groups_in_use_and_default_groups_stay() {
    let world = World::new().await;
    world.ok(&format!("{CREATE_GROUP}mine")).await;
    world
        .ok(&format!("{CREATE}one&EngineVersion=15{GROUP}"))
        .await;
    let default = "&DBClusterParameterGroupName=default.aurora-postgresql15";
    for name in [GROUP, default] {
        let (_, code, message) = world
            .refused(&format!("Action=DeleteDBClusterParameterGroup{name}"))
            .await;
        assert_eq!(code, "InvalidDBParameterGroupState", "{message}");
    }
    let (_, code, _) = world.refused(&format!("{CREATE}two{GROUP}")).await;
    assert_eq!(
        code, "InvalidParameterCombination",
        "16.9 has another family"
    );
    let family = "Action=CreateDBClusterParameterGroup&Description=d\
                  &DBClusterParameterGroupName=x&DBParameterGroupFamily=postgres15";
    let (_, code, _) = world.refused(family).await;
    assert_eq!(code, "InvalidParameterValue");
}

#[tokio::test]
async fn groups_of_members_are_db_parameter_groups_of_auroras_family() {
    let world = World::new().await;
    world
        .ok(
            "Action=CreateDBParameterGroup&Description=d&DBParameterGroupFamily=aurora-postgresql15\
             &DBParameterGroupName=own",
        )
        .await;
    world.cluster_with("one", &[]).await;
    world
        .ok(&format!(
            "{MEMBER}one&DBInstanceIdentifier=a&DBParameterGroupName=own"
        ))
        .await;
    let (_, code, _) = world
        .refused("Action=DeleteDBParameterGroup&DBParameterGroupName=own")
        .await;
    assert_eq!(code, "InvalidDBParameterGroupState");
}

#[tokio::test]
async fn whatever_a_cluster_has_takes_tags() {
    let world = World::new().await;
    world.ok(&format!("{CREATE_GROUP}mine")).await;
    world.cluster_with("one", &["a"]).await;
    world
        .ok("Action=CreateDBClusterEndpoint&DBClusterIdentifier=one&DBClusterEndpointIdentifier=e&EndpointType=ANY")
        .await;
    for resource in [
        "cluster:one",
        "db:a",
        "cluster-endpoint:e",
        "cluster-pg:mine",
    ] {
        let arn = format!("&ResourceName=arn:aws:rds:us-east-1:123456789012:{resource}");
        world
            .ok(&format!(
                "Action=AddTagsToResource{arn}&Tags.Tag.1.Key=k&Tags.Tag.1.Value=v"
            ))
            .await;
        let list = format!("Action=ListTagsForResource{arn}");
        assert_eq!(world.ok(&list).await.texts("Tag/Key"), ["k"], "{resource}");
        world
            .ok(&format!(
                "Action=RemoveTagsFromResource{arn}&TagKeys.member.1=k"
            ))
            .await;
        assert!(world.ok(&list).await.all("Tag").is_empty(), "{resource}");
    }
    for (resource, code) in [
        ("cluster:none", "DBClusterNotFoundFault"),
        ("db:none", "DBInstanceNotFound"),
        ("cluster-pg:none", "DBParameterGroupNotFound"),
    ] {
        let arn = format!("arn:aws:rds:us-east-1:123456789012:{resource}");
        let (_, refused, _) = world
            .refused(&format!("Action=ListTagsForResource&ResourceName={arn}"))
            .await;
        assert_eq!(refused, code);
    }
    let groups = world.catalog.list::<ClusterParameterGroup>().await.unwrap();
    assert!(groups[0].record.tags.is_empty());
}
