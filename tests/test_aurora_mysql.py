"""Aurora with MariaDB: what dies under load, every acknowledged row stays, and every table is whole.

All tests share one cluster with a writer and a reader.
"""

import os

import pymysql
import pytest
from harness import faults, processes
from harness.ledger import Ledger
from harness.mysql import MysqlClusters, check_tables
from harness.poll import until

NAME = "pages"

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="this machine has no /dev/fuse")


@pytest.fixture(scope="module")
def clusters(region):
    return MysqlClusters(region)


@pytest.fixture(scope="module")
def pages(clusters):
    """A cluster of two instances that lives through every test of this file."""
    clusters.create(NAME, members=2)
    return clusters.database(NAME)


@pytest.fixture
def ledger(clusters, pages, whole):
    """Writers at the cluster endpoint, once there is a reader to take over."""
    clusters.wait_running(NAME)
    with Ledger(pages) as ledger:
        yield ledger


def test_rows_go_in_at_the_writer_and_come_out_at_the_reader(clusters, pages):
    described = clusters.describe(NAME)
    assert described["Engine"] == "aurora-mysql"
    assert described["EngineVersion"].startswith("8.0.mysql_aurora.3.mariadb.10.")
    assert described["DBClusterParameterGroup"] == "default.aurora-mysql8.0"
    assert pages.one("select @@read_only") == 0
    pages.ask("create table seen (n int primary key)")
    pages.ask("insert into seen values (1)")
    reader = clusters.database(NAME, reader=True)
    reader.wait("select count(*) from seen", 1)
    assert reader.one("select @@read_only") == 1
    with pytest.raises(pymysql.Error):
        reader.ask("insert into seen values (2)")


def refuses(database):
    """Whether a login is refused."""
    try:
        database.ask("select 1")
    except pymysql.OperationalError as error:
        return error.args[0] == 1045
    return False


def test_parameters_and_password_change_while_it_runs(clusters, pages):
    group = {"DBClusterParameterGroupName": "tuned"}
    clusters.api.create_db_cluster_parameter_group(
        DBParameterGroupFamily="aurora-mysql8.0", Description="d", **group
    )
    change = {"ParameterName": "max_connections", "ParameterValue": "77", "ApplyMethod": "immediate"}
    clusters.api.modify_db_cluster_parameter_group(Parameters=[change], **group)
    clusters.api.modify_db_cluster(
        DBClusterIdentifier=NAME, MasterUserPassword="another-horse-9", ApplyImmediately=True, **group
    )
    until(lambda: refuses(pages), 30, "the old password is refused")
    allowed = "select @@max_connections"
    until(lambda: pages.one(allowed, password="another-horse-9") == 77, 30, "the parameter is in force")
    clusters.wait(NAME, lambda found: found["Status"] == "available", "available")
    clusters.api.modify_db_cluster(
        DBClusterIdentifier=NAME, MasterUserPassword=pages.parameters["password"], ApplyImmediately=True
    )
    pages.wait("select 1", 1)
    clusters.wait(NAME, lambda found: found["Status"] == "available", "available")


def test_a_static_parameter_waits_for_a_restart(clusters, pages):
    clusters.wait_running(NAME)
    bytes_wanted = 256 << 20
    change = {
        "ParameterName": "innodb_buffer_pool_size",
        "ParameterValue": str(bytes_wanted),
        "ApplyMethod": "pending-reboot",
    }
    clusters.api.modify_db_cluster_parameter_group(DBClusterParameterGroupName="tuned", Parameters=[change])

    def all_are(status):
        members = clusters.describe(NAME)["DBClusterMembers"]
        return all(member["DBClusterParameterGroupStatus"] == status for member in members)

    until(lambda: all_are("pending-reboot"), 30, "the parameter waits")
    assert pages.one("select @@innodb_buffer_pool_size") != bytes_wanted
    for instance in [clusters.writer(NAME), *clusters.readers(NAME)]:
        clusters.api.reboot_db_instance(DBInstanceIdentifier=instance)
        clusters.wait_instance(instance)
        clusters.of_instance(instance).wait("select @@innodb_buffer_pool_size", bytes_wanted)
    until(lambda: all_are("in-sync"), 30, "the parameter is in force")
    pages.ask("insert into seen values (50)")
    clusters.database(NAME, reader=True).wait("select count(*) from seen where n = 50", 1)
    pages.ask("delete from seen where n = 50")


def test_failover_on_order_makes_the_reader_the_writer(clusters, pages, ledger):
    target = clusters.readers(NAME)[0]
    clusters.api.failover_db_cluster(DBClusterIdentifier=NAME, TargetDBInstanceIdentifier=target)
    clusters.wait_writer(NAME, target)
    ledger.wait_for_more(20)
    ledger.check()


def test_a_second_reader_goes_on_behind_a_new_writer(region, clusters, pages, ledger):
    own = f"{NAME}-3"
    target = clusters.readers(NAME)[0]
    clusters.add(NAME, own, PromotionTier=15)
    zone = clusters.zone(own)
    engines = faults.engines(region, zone)
    assert len(engines) == 1
    clusters.api.failover_db_cluster(DBClusterIdentifier=NAME, TargetDBInstanceIdentifier=target)
    clusters.wait_writer(NAME, target)
    ledger.wait_for_more(20)
    ledger.check()
    until(lambda: not ledger.compare(clusters.of_instance(own)).lost, 30, "the reader has every row")
    assert faults.engines(region, zone) == engines, "it was not made anew"
    clusters.api.delete_db_instance(DBInstanceIdentifier=own, SkipFinalSnapshot=True)
    until(lambda: own not in clusters.readers(NAME), 60, "the reader is gone")


def test_killing_the_writers_zone_loses_nothing(region, clusters, pages, ledger):
    writer = clusters.writer(NAME)
    other = clusters.readers(NAME)[0]
    zone = clusters.zone(writer)
    killed = faults.kill_zone(region, zone)
    assert ledger.first_after(killed + 0.3) < 30
    clusters.wait_writer(NAME, other)
    region.zone("start", zone)
    clusters.wait_instance(writer)
    ledger.check()
    check_tables(pages)


def test_a_writers_engine_that_dies_is_followed_by_the_reader(region, clusters, pages, ledger):
    writer = clusters.writer(NAME)
    other = clusters.readers(NAME)[0]
    killed = faults.kill_engines(region, clusters.zone(writer))
    assert ledger.first_after(killed + 0.3) < 30
    clusters.wait_writer(NAME, other)
    verdict = ledger.check()
    check_tables(pages)
    clusters.wait_running(NAME)
    reader = clusters.database(NAME, reader=True)
    reader.wait("select @@read_only", 1)
    until(lambda: not ledger.compare(reader).lost, 30, f"the reader has all {verdict.acknowledged} rows")


def test_a_writer_that_was_paused_cannot_write_any_more(region, clusters, pages, ledger):
    """Its zone stands still, another one writes, it wakes: the storage refuses it."""
    writer = clusters.writer(NAME)
    other = clusters.readers(NAME)[0]
    zone = clusters.zone(writer)
    region.zone("pause", zone)
    ledger.wait_for_more(20)
    clusters.wait_writer(NAME, other)
    region.zone("resume", zone)
    clusters.wait_running(NAME)
    assert clusters.readers(NAME) == [writer]
    ledger.check()
    check_tables(pages)


def test_all_nodes_killed_at_once_keep_every_row(region, clusters, pages, ledger):
    ledger.wait_for_more(20)
    for row in region.zones():
        processes.kill(row["pid"])
    for row in region.zones():
        region.zone("start", row["zone"])
    clusters.wait(NAME, lambda found: found["Status"] == "available", "available")
    pages.wait("select 1", 1, within=90)
    ledger.wait_for_more(5)
    ledger.check()
    check_tables(pages)


def test_a_snapshot_becomes_a_cluster_of_its_own(clusters, pages, ledger):
    ledger.wait_for_more(20)
    ledger.check()
    api = clusters.api
    api.create_db_cluster_snapshot(DBClusterSnapshotIdentifier="kept", DBClusterIdentifier=NAME)

    def taken():
        found = api.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="kept")["DBClusterSnapshots"][0]
        return found["Status"] == "available"

    until(taken, 60, "the snapshot is taken")
    pages.ask("insert into seen values (100)")
    api.restore_db_cluster_from_snapshot(
        DBClusterIdentifier="copy", SnapshotIdentifier="kept", Engine="aurora-mysql"
    )
    clusters.add("copy", "copy-1")
    copy = clusters.database("copy")
    copy.wait("select count(*) from seen", 1)
    ledger.compare(copy).assert_clean()
    check_tables(copy)
