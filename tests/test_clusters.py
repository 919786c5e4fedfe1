"""DB clusters over the wire: what the API and the controller do of them, without members."""

import os

import pytest

from harness.aws import PASSWORD, error_of
from harness.poll import until

CLUSTER = {"Engine": "aurora-postgresql", "MasterUsername": "app", "MasterUserPassword": PASSWORD}

pytestmark = pytest.mark.skipif(
    not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="volumes are mounted with /dev/fuse"
)


def wait(rds, waiter, identifier):
    rds.api.get_waiter(waiter).wait(
        DBClusterIdentifier=identifier, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


def test_a_cluster_becomes_available_and_goes(rds):
    made = rds.api.create_db_cluster(
        DBClusterIdentifier="orders", Tags=[{"Key": "team", "Value": "a"}], **CLUSTER
    )["DBCluster"]
    assert made["Status"] == "creating"
    wait(rds, "db_cluster_available", "orders")
    arn = made["DBClusterArn"]
    # What Terraform asks at each read.
    filters = [{"Name": "db-cluster-id", "Values": [arn]}]
    assert rds.api.describe_global_clusters(Filters=filters)["GlobalClusters"] == []
    assert rds.api.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "team", "Value": "a"}]
    kinds = [e["EndpointType"] for e in rds.api.describe_db_cluster_endpoints()["DBClusterEndpoints"]]
    assert sorted(kinds) == ["READER", "WRITER"]
    assert error_of(rds.api.delete_db_cluster, DBClusterIdentifier="orders")[0] == "InvalidParameterCombination"
    rds.api.delete_db_cluster(DBClusterIdentifier="orders", SkipFinalSnapshot=True)
    wait(rds, "db_cluster_deleted", "orders")
    events = rds.api.describe_events(SourceType="db-cluster", SourceIdentifier="orders")["Events"]
    assert [e["Message"] for e in events] == ["DB cluster created", "DB cluster deleted"]


def test_a_renamed_cluster_keeps_its_port(rds):
    rds.api.create_db_cluster(DBClusterIdentifier="before", **CLUSTER)
    wait(rds, "db_cluster_available", "before")
    port = rds.api.describe_db_clusters(DBClusterIdentifier="before")["DBClusters"][0]["Port"]
    rds.api.modify_db_cluster(
        DBClusterIdentifier="before", NewDBClusterIdentifier="after", ApplyImmediately=True
    )
    shown = {"DBClusterIdentifier": "after", "Port": port, "Status": "available"}

    def renamed():
        clusters = rds.api.describe_db_clusters()["DBClusters"]
        return [{name: cluster[name] for name in shown} for cluster in clusters] == [shown]

    until(renamed, 60, "the cluster has its new name")
    rds.api.delete_db_cluster(DBClusterIdentifier="after", SkipFinalSnapshot=True)
    wait(rds, "db_cluster_deleted", "after")
