//! Custom endpoints.

use quorate_control::Endpoint;

use crate::api::tests::world::World;
use crate::aurora::fixture::address;

const CREATE: &str =
    "Action=CreateDBClusterEndpoint&DBClusterIdentifier=one&DBClusterEndpointIdentifier=";

async fn targets(world: &World, name: &str) -> Option<Vec<std::net::SocketAddr>> {
    let id = format!("rds-cluster-custom:{name}");
    let endpoint = world.catalog.read::<Endpoint>(&id).await.unwrap()?;
    Some(endpoint.record.targets)
}

#[tokio::test]
async fn an_endpoint_leads_to_its_members_changes_and_goes() {
    let world = World::new().await;
    world.cluster_with("one", &["a", "b", "c"]).await;
    let answer = world
        .ok(&format!(
            "{CREATE}Mine&EndpointType=ANY&StaticMembers.member.1=a&StaticMembers.member.2=B"
        ))
        .await;
    assert_eq!(answer.text("DBClusterEndpointIdentifier"), Some("mine"));
    assert_eq!(answer.text("CustomEndpointType"), Some("ANY"));
    assert_eq!(answer.texts("StaticMembers/member"), ["a", "b"]);
    assert_eq!(
        targets(&world, "mine").await,
        Some(vec![address(1), address(2)])
    );
    let cluster = world
        .ok("Action=DescribeDBClusters&DBClusterIdentifier=one")
        .await;
    assert_eq!(cluster.all("CustomEndpoints/member").len(), 1);

    world
        .ok(
            "Action=ModifyDBClusterEndpoint&DBClusterEndpointIdentifier=mine&EndpointType=READER\
             &ExcludedMembers.member.1=b",
        )
        .await;
    assert_eq!(targets(&world, "mine").await, Some(vec![address(3)]));

    let answer = world
        .ok("Action=DeleteDBClusterEndpoint&DBClusterEndpointIdentifier=mine")
        .await;
    assert_eq!(answer.text("Status"), Some("deleting"));
    assert_eq!(targets(&world, "mine").await, None);
}

#[tokio::test]
async fn every_endpoint_of_a_cluster_is_described() {
    let world = World::new().await;
    world.cluster_with("one", &["a"]).await;
    world.ok(&format!("{CREATE}mine&EndpointType=READER")).await;
    let shown = async |query: &str| {
        let action = "Action=DescribeDBClusterEndpoints";
        let answer = world.ok(&format!("{action}{query}")).await;
        let found = answer.texts("DBClusterEndpoints/DBClusterEndpointList/EndpointType");
        found.join(" ")
    };
    assert_eq!(
        shown("&DBClusterIdentifier=one").await,
        "READER WRITER CUSTOM"
    );
    assert_eq!(shown("&DBClusterEndpointIdentifier=MINE").await, "CUSTOM");
    assert_eq!(shown("&DBClusterEndpointIdentifier=none").await, "");
    let filter = "&Filters.Filter.1.Name=db-cluster-endpoint-type&Filters.Filter.1.Values.Value.1";
    assert_eq!(shown(&format!("{filter}=writer")).await, "WRITER");
}

#[tokio::test]
async fn endpoints_that_break_a_rule_are_refused() {
    let world = World::new().await;
    world.cluster_with("one", &["a"]).await;
    world.ok(&format!("{CREATE}mine&EndpointType=ANY")).await;
    for (change, code) in [
        (
            "mine&EndpointType=ANY",
            "DBClusterEndpointAlreadyExistsFault",
        ),
        ("x&EndpointType=WRITER", "InvalidParameterValue"),
        (
            "x&EndpointType=ANY&StaticMembers.member.1=none",
            "DBInstanceNotFound",
        ),
        (
            "x&EndpointType=ANY&StaticMembers.member.1=a&ExcludedMembers.member.1=a",
            "InvalidParameterCombination",
        ),
    ] {
        let (_, refused, message) = world.refused(&format!("{CREATE}{change}")).await;
        assert_eq!(refused, code, "{change}: {message}");
    }
    for n in 2..=5 {
        world.ok(&format!("{CREATE}e{n}&EndpointType=ANY")).await;
    }
    let (status, code, _) = world.refused(&format!("{CREATE}e6&EndpointType=ANY")).await;
    assert_eq!(
        (status, code.as_str()),
        (403, "DBClusterEndpointQuotaExceededFault")
    );
    let (_, code, _) = world
        .refused("Action=DeleteDBClusterEndpoint&DBClusterEndpointIdentifier=none")
        .await;
    assert_eq!(code, "DBClusterEndpointNotFoundFault");
}
