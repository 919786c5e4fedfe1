"""Aurora: snapshots of clusters under load, restores of them, and what becomes of one when nodes die under it.

What was acknowledged before a snapshot, or a restore to the latest point, was asked for is in the restored cluster.
"""

import os
import signal

import pytest
from harness import processes
from harness.aurora import Clusters
from harness.aws import error_of
from harness.ledger import Ledger
from harness.poll import until

NAME = "books"
TAKEN_S = 120

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="this machine has no /dev/fuse")


@pytest.fixture(scope="module")
def clusters(region):
    return Clusters(region)


@pytest.fixture(scope="module")
def books(clusters):
    """A cluster of one instance that lives through most tests of this file."""
    clusters.create(NAME)
    return clusters.database(NAME)


@pytest.fixture
def ledger(clusters, books, whole):
    clusters.wait_instance(f"{NAME}-1")
    with Ledger(books) as ledger:
        yield ledger


def describe(clusters, snapshot):
    found = clusters.api.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=snapshot)
    return found["DBClusterSnapshots"][0]


def names(clusters, **only):
    """The snapshots that users asked for, unless another type is named."""
    found = clusters.api.describe_db_cluster_snapshots(**{"SnapshotType": "manual", **only})["DBClusterSnapshots"]
    return [snapshot["DBClusterSnapshotIdentifier"] for snapshot in found]


def wait_ended(clusters, snapshot, within=TAKEN_S):
    def ended():
        found = describe(clusters, snapshot)
        return found if found["Status"] in ("available", "failed") else None

    return until(ended, within, f"the snapshot {snapshot} ends")


def take(clusters, snapshot, cluster=NAME, **more):
    """Asks for a snapshot and waits until it is there."""
    arguments = {"DBClusterSnapshotIdentifier": snapshot, "DBClusterIdentifier": cluster, **more}
    asked = clusters.api.create_db_cluster_snapshot(**arguments)["DBClusterSnapshot"]
    assert asked["Status"] == "creating"
    found = wait_ended(clusters, snapshot)
    assert found["Status"] == "available", events(clusters, snapshot)
    assert found["PercentProgress"] == 100
    return found


def events(clusters, snapshot):
    found = clusters.api.describe_events(SourceIdentifier=snapshot, SourceType="db-cluster-snapshot", Duration=60)
    return [event["Message"] for event in found["Events"]]


def restore(clusters, snapshot, cluster, **more):
    arguments = {"DBClusterIdentifier": cluster, "SnapshotIdentifier": snapshot, "Engine": "aurora-postgresql", **more}
    made = clusters.api.restore_db_cluster_from_snapshot(**arguments)["DBCluster"]
    assert made["Status"] == "creating"
    return clusters.begin(cluster)


def acknowledged(ledger):
    return {row for _, row in list(ledger.times)}


def assert_has(database, ledger, rows):
    """A restored database has these rows, and none that nobody tried."""
    found = {row for (row,) in database.ask("select id from ledger")}
    assert not rows - found, f"{len(rows - found)} rows that were acknowledged before are missing"
    tried = {row for notes in ledger._notes for row in notes.tried}
    assert not found - tried
    read_all(database)


def read_all(database):
    """Every page of every table that can be read fits its checksum: reading it fails otherwise."""
    assert database.one("show data_checksums") == "on"
    rows = database.one(
        "select sum((xpath('/row/c/text()', query_to_xml(format('select count(*) as c from %I.%I', nspname, relname),"
        " false, true, '')))[1]::text::bigint) from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind = 'r' and has_table_privilege(c.oid, 'select')"
    )
    assert rows > 1_000


def objects(region):
    return list((region.data / "archive").rglob("rds/cluster-snapshot/**/*.meta"))


def test_a_snapshot_under_load_has_what_was_acknowledged_before(clusters, books, ledger):
    ledger.wait_for_more(100)
    before = acknowledged(ledger)
    taken = take(clusters, "first", Tags=[{"Key": "team", "Value": "a"}])
    assert (taken["DBClusterIdentifier"], taken["SnapshotType"]) == (NAME, "manual")
    ledger.wait_for_more(50)
    clusters.wait(NAME, lambda found: found["Status"] == "available", "available again")
    database = restore(clusters, "first", "copy")
    assert_has(database, ledger, before)
    database.ask("insert into ledger values (-1)")
    clusters.add("copy", "copy-2")
    reader = clusters.database("copy", reader=True)
    reader.wait("select count(*) from ledger where id = -1", 1)
    assert "Restored from snapshot first" in clusters.events("copy")
    ledger.check()
    assert books.one("select count(*) from ledger where id = -1") == 0
    clusters.delete("copy")
    told = events(clusters, "first")
    assert told[:2] == ["Creating manual cluster snapshot", "Manual cluster snapshot created"]


def test_snapshots_are_found_tagged_shared_and_refused_by_name(clusters, books):
    assert names(clusters) == ["first"]
    assert names(clusters, DBClusterIdentifier=NAME, SnapshotType="manual") == ["first"]
    assert all(name.startswith("rds:") for name in names(clusters, SnapshotType="automated"))
    arn = describe(clusters, "first")["DBClusterSnapshotArn"]
    assert clusters.api.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "team", "Value": "a"}]
    clusters.api.modify_db_cluster_snapshot_attribute(
        DBClusterSnapshotIdentifier="first", AttributeName="restore", ValuesToAdd=["111122223333"]
    )
    shared = clusters.api.describe_db_cluster_snapshot_attributes(DBClusterSnapshotIdentifier="first")
    (attribute,) = shared["DBClusterSnapshotAttributesResult"]["DBClusterSnapshotAttributes"]
    assert attribute == {"AttributeName": "restore", "AttributeValues": ["111122223333"]}
    code, status, _ = error_of(
        clusters.api.create_db_cluster_snapshot, DBClusterSnapshotIdentifier="first", DBClusterIdentifier=NAME
    )
    assert (code, status) == ("DBClusterSnapshotAlreadyExistsFault", 400)
    code, status, _ = error_of(clusters.api.delete_db_cluster_snapshot, DBClusterSnapshotIdentifier="none")
    assert (code, status) == ("DBClusterSnapshotNotFoundFault", 404)


def test_a_copy_outlives_its_source_and_both_leave_the_archive(region, clusters, books):
    clusters.api.copy_db_cluster_snapshot(
        SourceDBClusterSnapshotIdentifier="first", TargetDBClusterSnapshotIdentifier="second", CopyTags=True
    )
    assert wait_ended(clusters, "second")["Status"] == "available"
    clusters.api.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="first")
    until(lambda: names(clusters) == ["second"], 60, "the source is gone")
    rows = restore(clusters, "second", "again").one("select count(*) from ledger")
    assert rows > 0
    clusters.delete("again")
    assert objects(region)
    clusters.api.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="second")
    until(lambda: names(clusters) == [], 60, "the copy is gone")
    assert not objects(region)


def test_the_latest_point_is_a_copy_of_the_volume(clusters, books, ledger):
    ledger.wait_for_more(50)
    before = acknowledged(ledger)
    clusters.api.restore_db_cluster_to_point_in_time(
        DBClusterIdentifier="latest",
        SourceDBClusterIdentifier=NAME,
        UseLatestRestorableTime=True,
        RestoreType="copy-on-write",
    )
    database = clusters.begin("latest")
    assert_has(database, ledger, before)
    ledger.check()
    clusters.delete("latest")


def test_a_stopped_cluster_is_copied_with_all_that_it_had(clusters, books):
    rows = books.one("select count(*) from ledger")
    clusters.api.stop_db_cluster(DBClusterIdentifier=NAME)
    clusters.wait(NAME, lambda found: found["Status"] == "stopped", "stopped")
    clusters.api.restore_db_cluster_to_point_in_time(
        DBClusterIdentifier="rested", SourceDBClusterIdentifier=NAME, UseLatestRestorableTime=True
    )
    assert clusters.begin("rested").one("select count(*) from ledger") == rows
    clusters.delete("rested")
    clusters.api.start_db_cluster(DBClusterIdentifier=NAME)
    clusters.wait(NAME, lambda found: found["Status"] == "available", "available")
    books.wait("select count(*) from ledger", rows, within=90)


def test_a_snapshot_goes_on_when_every_node_is_killed_under_it(region, clusters, books, ledger):
    """It is taken anew, or fails; it never seems whole and is not."""
    books.ask("create table bulk as select n, repeat(md5(n::text), 20) as text from generate_series(1, 200000) n")
    before = acknowledged(ledger)
    clusters.api.create_db_cluster_snapshot(DBClusterSnapshotIdentifier="torn", DBClusterIdentifier=NAME)
    until(lambda: describe(clusters, "torn")["PercentProgress"] > 0, TAKEN_S, "something of it is there", pause=0.02)
    for row in region.zones():
        processes.send(row["pid"], signal.SIGKILL)
    for row in region.zones():
        region.zone("start", row["zone"])
    # Every node comes back first, then the writer, then the snapshot is begun anew.
    found = wait_ended(clusters, "torn", within=3 * TAKEN_S)
    assert found["Status"] == "available", events(clusters, "torn")
    clusters.wait_instance(f"{NAME}-1")
    database = restore(clusters, "torn", "whole")
    assert_has(database, ledger, before)
    assert database.one("select count(*) from bulk where text = repeat(md5(n::text), 20)") == 200_000
    clusters.delete("whole")


def test_a_restore_goes_on_when_every_node_is_killed_under_it(region, clusters, books, whole):
    clusters.api.restore_db_cluster_from_snapshot(
        DBClusterIdentifier="mended", SnapshotIdentifier="torn", Engine="aurora-postgresql"
    )
    clusters.wait("mended", lambda found: int(found.get("PercentProgress", 100)) > 0, "it is on its way")
    code, _, _ = error_of(clusters.api.delete_db_cluster_snapshot, DBClusterSnapshotIdentifier="torn")
    assert code == "InvalidDBClusterSnapshotStateFault"
    for row in region.zones():
        processes.send(row["pid"], signal.SIGKILL)
    for row in region.zones():
        region.zone("start", row["zone"])
    clusters.wait("mended", lambda found: found["Status"] == "available", "filled", within=3 * TAKEN_S)
    database = clusters.begin("mended")
    assert database.one("select count(*) from bulk where text = repeat(md5(n::text), 20)") == 200_000
    clusters.delete("mended")


def test_a_deleted_cluster_leaves_its_final_snapshot(clusters, books):
    rows = books.one("select count(*) from ledger")
    clusters.delete(NAME, FinalDBSnapshotIdentifier="last")
    assert describe(clusters, "last")["Status"] == "available"
    database = restore(clusters, "last", "heir")
    assert database.one("select count(*) from ledger") == rows


def test_without_an_archive_a_snapshot_fails_and_says_so(make_region):
    region = make_region(**{"archive.folder": "/proc/no-such-folder"})
    region.start()
    clusters = Clusters(region)
    clusters.create("plain", members=0)
    clusters.api.create_db_cluster_snapshot(DBClusterSnapshotIdentifier="none", DBClusterIdentifier="plain")
    assert wait_ended(clusters, "none")["Status"] == "failed"
    assert "has no archive that it can use" in events(clusters, "none")[-1]
    clusters.wait("plain", lambda found: found["Status"] == "available", "available again")
    clusters.api.delete_db_cluster(DBClusterIdentifier="plain", FinalDBSnapshotIdentifier="final")
    assert wait_ended(clusters, "final")["Status"] == "failed"
    clusters.wait("plain", lambda found: found["Status"] == "available", "kept")
    assert any("was not deleted" in event for event in clusters.events("plain"))
