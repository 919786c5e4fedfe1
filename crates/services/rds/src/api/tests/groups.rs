//! Parameter groups, subnet groups, tags.

use super::world::World;
use crate::model::ParameterGroup;

const CREATE_GROUP: &str = "Action=CreateDBParameterGroup&DBParameterGroupName=Mine&DBParameterGroupFamily=postgres15&Description=d";
const MODIFY: &str = "Action=ModifyDBParameterGroup&DBParameterGroupName=mine";

fn parameter(name: &str, value: &str, method: &str) -> String {
    format!(
        "&Parameters.Parameter.1.ParameterName={name}&Parameters.Parameter.1.ParameterValue={value}\
         &Parameters.Parameter.1.ApplyMethod={method}"
    )
}

#[tokio::test]
async fn parameters_come_back_as_they_were_set() {
    let world = World::new().await;
    world.ok(CREATE_GROUP).await;
    world
        .ok(&format!(
            "{MODIFY}{}",
            parameter("Work_Mem", "8192", "immediate")
        ))
        .await;
    world
        .ok(&format!(
            "{MODIFY}{}",
            parameter(
                "max_connections",
                "{DBInstanceClassMemory/9531392}",
                "pending-reboot"
            )
        ))
        .await;
    let answer = world
        .ok("Action=DescribeDBParameters&DBParameterGroupName=mine&Source=user")
        .await;
    assert_eq!(
        answer.texts("Parameter/ParameterName"),
        ["max_connections", "work_mem"]
    );
    assert_eq!(
        answer.texts("Parameter/ParameterValue"),
        ["{DBInstanceClassMemory/9531392}", "8192"]
    );
    assert_eq!(
        answer.texts("Parameter/ApplyMethod"),
        ["pending-reboot", "immediate"]
    );
    assert_eq!(answer.texts("Parameter/ApplyType"), ["static", "dynamic"]);

    world
        .ok("Action=ResetDBParameterGroup&DBParameterGroupName=mine")
        .await;
    let group = world
        .catalog
        .read::<ParameterGroup>("mine")
        .await
        .unwrap()
        .unwrap();
    assert!(group.record.settings.is_empty());
}

#[tokio::test]
async fn a_default_group_shows_system_values_and_what_is_owned() {
    let world = World::new().await;
    let answer = world
        .ok("Action=DescribeDBParameters&DBParameterGroupName=default.postgres15")
        .await;
    let find = |name: &str| {
        let all = answer.all("Parameters/Parameter");
        let node = all
            .into_iter()
            .find(|node| node.children[0].text == name)
            .unwrap();
        let wrapped = super::world::Node {
            children: vec![node.clone()],
            ..Default::default()
        };
        move |path: &str| {
            wrapped
                .text(&format!("Parameter/{path}"))
                .map(str::to_owned)
        }
    };
    let buffers = find("shared_buffers");
    assert_eq!(buffers("Source").as_deref(), Some("system"));
    assert_eq!(
        buffers("ParameterValue").as_deref(),
        Some("{DBInstanceClassMemory/32768}")
    );
    assert_eq!(buffers("AllowedValues").as_deref(), Some("16-1073741823"));
    assert_eq!(find("fsync")("IsModifiable").as_deref(), Some("false"));
    assert_eq!(
        find("rds.force_ssl")("ParameterValue").as_deref(),
        Some("1")
    );
    assert_eq!(
        find("log_statement")("AllowedValues").as_deref(),
        Some("none,ddl,mod,all")
    );
    let (_, code, message) = world
        .refused(&format!(
            "Action=ModifyDBParameterGroup&DBParameterGroupName=default.postgres15{}",
            parameter("work_mem", "64", "immediate")
        ))
        .await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        (
            "InvalidParameterValue",
            "Cannot modify a default parameter group."
        )
    );
}

#[tokio::test]
async fn values_that_do_not_fit_are_refused_whole() {
    let world = World::new().await;
    world.ok(CREATE_GROUP).await;
    for (change, code, part) in [
        (
            parameter("work_mem", "1", "immediate"),
            "InvalidParameterValue",
            "allowed values are: 64-",
        ),
        (
            parameter("work_mem", "64", "soon"),
            "InvalidParameterValue",
            "ApplyMethod",
        ),
        (
            parameter("max_connections", "10", "immediate"),
            "InvalidParameterCombination",
            "static parameter",
        ),
        (
            parameter("fsync", "off", "immediate"),
            "InvalidParameterValue",
            "cannot be modified",
        ),
        (
            parameter("block_size", "1", "pending-reboot"),
            "InvalidParameterValue",
            "cannot be modified",
        ),
        (
            parameter("nothing", "1", "immediate"),
            "InvalidParameterValue",
            "Could not find parameter",
        ),
        (String::new(), "MissingParameter", "Parameters"),
    ] {
        let (_, found, message) = world.refused(&format!("{MODIFY}{change}")).await;
        assert_eq!(found, code, "{message}");
        assert!(message.contains(part), "{message}");
    }
    let many: String = (1..=21)
        .map(|n| format!("&Parameters.member.{n}.ParameterName=work_mem"))
        .collect();
    assert_eq!(
        world.refused(&format!("{MODIFY}{many}")).await.1,
        "InvalidParameterValue"
    );
    let group = world
        .catalog
        .read::<ParameterGroup>("mine")
        .await
        .unwrap()
        .unwrap();
    assert!(group.record.settings.is_empty());
}

#[tokio::test]
async fn groups_in_use_and_default_groups_stay() {
    let world = World::new().await;
    world.ok(CREATE_GROUP).await;
    assert_eq!(
        world.refused(CREATE_GROUP).await.1,
        "DBParameterGroupAlreadyExists"
    );
    world
        .available("one", "&EngineVersion=15&DBParameterGroupName=mine")
        .await;
    for name in ["mine", "default.postgres15"] {
        let (_, code, message) = world
            .refused(&format!(
                "Action=DeleteDBParameterGroup&DBParameterGroupName={name}"
            ))
            .await;
        assert_eq!(code, "InvalidDBParameterGroupState", "{message}");
    }
    let answer = world.ok("Action=DescribeDBParameterGroups").await;
    assert_eq!(
        answer.texts("DBParameterGroup/DBParameterGroupName"),
        [
            "default.aurora-postgresql15",
            "default.aurora-postgresql16",
            "default.postgres15",
            "default.postgres16",
            "mine"
        ]
    );
    let (status, code, _) = world
        .refused("Action=DescribeDBParameterGroups&DBParameterGroupName=none")
        .await;
    assert_eq!((status, code.as_str()), (404, "DBParameterGroupNotFound"));
}

#[tokio::test]
async fn subnet_groups_cover_two_zones_and_stay_while_used() {
    let world = World::new().await;
    let create = "Action=CreateDBSubnetGroup&DBSubnetGroupName=Net&DBSubnetGroupDescription=d\
                  &SubnetIds.SubnetIdentifier.1=subnet-1";
    let (_, code, _) = world.refused(create).await;
    assert_eq!(code, "DBSubnetGroupDoesNotCoverEnoughAZs");
    let answer = world
        .ok(&format!(
            "{create}&SubnetIds.SubnetIdentifier.2=subnet-us-east-1c"
        ))
        .await;
    assert_eq!(
        answer.texts("Subnet/SubnetAvailabilityZone/Name"),
        ["us-east-1a", "us-east-1c"]
    );
    world.available("one", "&DBSubnetGroupName=net").await;
    let delete = "Action=DeleteDBSubnetGroup&DBSubnetGroupName=net";
    assert_eq!(
        world.refused(delete).await.1,
        "InvalidDBSubnetGroupStateFault"
    );
    let (_, code, _) = world
        .refused(&format!(
            "{}x&DBSubnetGroupName=net&AvailabilityZone=us-east-1b",
            super::world::CREATE
        ))
        .await;
    assert_eq!(code, "InvalidVPCNetworkStateFault");
    let answer = world.ok("Action=DescribeDBSubnetGroups").await;
    assert_eq!(
        answer.texts("DBSubnetGroup/DBSubnetGroupName"),
        ["default", "net"]
    );
}

#[tokio::test]
async fn tags_are_added_replaced_and_removed() {
    let world = World::new().await;
    world.available("one", "").await;
    let name = "&ResourceName=arn:aws:rds:us-east-1:123456789012:db:one";
    let tag = |n: u8, key: &str, value: &str| {
        format!("&Tags.Tag.{n}.Key={key}&Tags.Tag.{n}.Value={value}")
    };
    world
        .ok(&format!(
            "Action=AddTagsToResource{name}{}{}",
            tag(1, "a", "1"),
            tag(2, "b", "2")
        ))
        .await;
    world
        .ok(&format!(
            "Action=AddTagsToResource{name}{}",
            tag(1, "a", "3")
        ))
        .await;
    world
        .ok(&format!(
            "Action=RemoveTagsFromResource{name}&TagKeys.member.1=b"
        ))
        .await;
    let answer = world.ok(&format!("Action=ListTagsForResource{name}")).await;
    assert_eq!(answer.texts("TagList/Tag/Key"), ["a"]);
    assert_eq!(answer.texts("TagList/Tag/Value"), ["3"]);
    for (resource, code) in [
        ("one", "InvalidParameterValue"),
        (
            "arn:aws:rds:us-east-1:123456789012:db:two",
            "DBInstanceNotFound",
        ),
    ] {
        let found = world
            .refused(&format!(
                "Action=ListTagsForResource&ResourceName={resource}"
            ))
            .await;
        assert_eq!(found.1, code);
    }
    let reserved = format!("Action=AddTagsToResource{name}{}", tag(1, "aws:x", "1"));
    assert_eq!(world.refused(&reserved).await.1, "InvalidParameterValue");
}
