"""Aurora: zones, engines and mounts die under load, and every acknowledged row stays.

All tests share one cluster with a writer and a reader. Each ends with the row ledger.
"""

import os
import signal

import pytest
from harness import faults, processes
from harness.aurora import Clusters, check_pages
from harness.ledger import Ledger
from harness.poll import until

NAME = "books"

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="this machine has no /dev/fuse")


@pytest.fixture(scope="module")
def clusters(region):
    return Clusters(region)


@pytest.fixture(scope="module")
def books(clusters):
    """A cluster of two instances that lives through every test of this file."""
    clusters.create(NAME, members=2)
    return clusters.database(NAME)


@pytest.fixture
def ledger(clusters, books, whole):
    """Writers at the cluster endpoint, once there is a reader to take over."""
    clusters.wait_running(NAME)
    reader = clusters.of_instance(clusters.readers(NAME)[0])
    reader.wait("select status from pg_stat_wal_receiver", "streaming", within=60)
    with Ledger(books) as ledger:
        yield ledger


def test_the_endpoints_lead_to_the_writer_and_to_the_reader(clusters, books):
    assert books.one("select pg_is_in_recovery()") is False
    reader = clusters.database(NAME, reader=True)
    reader.wait("select pg_is_in_recovery()", True)
    books.ask("create table seen (n int primary key)")
    books.ask("insert into seen values (1)")
    reader.wait("select count(*) from seen", 1)
    zones = {clusters.zone(instance) for instance in (f"{NAME}-1", f"{NAME}-2")}
    assert len(zones) == 2


def test_torn_pages_cannot_be_seen_so_pages_are_not_logged_whole(books):
    assert books.one("show full_page_writes") == "off"
    assert books.one("show data_checksums") == "on"


def test_killing_the_writers_zone_loses_nothing(region, clusters, books, ledger):
    writer = clusters.writer(NAME)
    other = clusters.readers(NAME)[0]
    zone = clusters.zone(writer)
    killed = faults.kill_zone(region, zone)
    assert ledger.first_after(killed + 0.3) < 30
    clusters.wait_writer(NAME, other)
    region.zone("start", zone)
    clusters.wait_instance(writer)
    assert clusters.readers(NAME) == [writer]
    ledger.check()
    check_pages(books)
    told = " | ".join(clusters.events(NAME))
    assert f"failover to DB instance: {other}" in told


def test_a_writers_engine_that_dies_is_followed_by_the_reader(region, clusters, books, ledger):
    writer = clusters.writer(NAME)
    other = clusters.readers(NAME)[0]
    killed = faults.kill_engines(region, clusters.zone(writer))
    assert ledger.first_after(killed + 0.3) < 30
    clusters.wait_writer(NAME, other)
    clusters.wait_instance(writer)
    ledger.check()
    check_pages(books)


def test_a_writer_that_was_paused_cannot_write_any_more(region, clusters, books, ledger):
    """Its zone stands still, another one writes, it wakes: the storage refuses it."""
    writer = clusters.writer(NAME)
    other = clusters.readers(NAME)[0]
    zone = clusters.zone(writer)
    region.zone("pause", zone)
    ledger.wait_for_more(20)
    clusters.wait_writer(NAME, other)
    region.zone("resume", zone)
    clusters.wait_instance(writer)
    assert clusters.readers(NAME) == [writer]
    ledger.check()
    check_pages(books)


def test_failover_on_order_goes_where_it_is_told(clusters, books, ledger):
    target = clusters.readers(NAME)[0]
    answer = clusters.api.failover_db_cluster(DBClusterIdentifier=NAME, TargetDBInstanceIdentifier=target)
    assert answer["DBCluster"]["DBClusterIdentifier"] == NAME
    clusters.wait_writer(NAME, target)
    ledger.wait_for_more(20)
    ledger.check()


def test_a_paused_zone_without_the_writer_stops_nothing(region, clusters, books, ledger):
    busy = {clusters.zone(clusters.writer(NAME)), clusters.zone(clusters.readers(NAME)[0])}
    idle = next(row["zone"] for row in region.zones() if row["zone"] not in busy)
    region.zone("pause", idle)
    ledger.wait_for_more(50)
    region.zone("resume", idle)
    ledger.check()


def test_all_nodes_killed_at_once_keep_every_row(region, clusters, books, ledger):
    ledger.wait_for_more(20)
    for row in region.zones():
        processes.send(row["pid"], signal.SIGKILL)
    until(lambda: all(row["state"] == "down" for row in region.zones()), 30, "every zone is down")
    for row in region.zones():
        region.zone("start", row["zone"])
    ledger.wait_for_more(20)
    ledger.check()
    check_pages(books)


def test_a_region_that_stops_under_writes_ends_in_order_and_comes_back(region, clusters, books, ledger):
    """The writer's last checkpoint goes to segments of nodes that stop as well."""
    ledger.wait_for_more(20)
    region.stop()
    region.start()
    ledger.wait_for_more(20)
    ledger.check()
    assert "does not stop in time" not in region.log_tail(lines=1_000)


def test_readers_come_and_go(clusters, books):
    clusters.add(NAME, f"{NAME}-3", PromotionTier=15)
    own = clusters.of_instance(f"{NAME}-3")
    own.wait("select pg_is_in_recovery()", True)
    rows = books.one("select count(*) from seen")
    own.wait("select count(*) from seen", rows)
    clusters.api.delete_db_instance(DBInstanceIdentifier=f"{NAME}-3", SkipFinalSnapshot=True)
    until(lambda: f"{NAME}-3" not in clusters.readers(NAME), 60, "the reader is gone")


def test_a_stopped_cluster_starts_with_what_it_had(clusters, books):
    rows = books.one("select count(*) from seen")
    clusters.api.stop_db_cluster(DBClusterIdentifier=NAME)
    clusters.wait(NAME, lambda found: found["Status"] == "stopped", "stopped")
    clusters.api.start_db_cluster(DBClusterIdentifier=NAME)
    clusters.wait(NAME, lambda found: found["Status"] == "available", "available")
    books.wait("select count(*) from seen", rows, within=90)


def test_a_deleted_cluster_leaves_nothing(region, clusters, books):
    for instance in [*clusters.readers(NAME), clusters.writer(NAME)]:
        clusters.api.delete_db_instance(DBInstanceIdentifier=instance, SkipFinalSnapshot=True)
    clusters.api.delete_db_cluster(DBClusterIdentifier=NAME, SkipFinalSnapshot=True)

    def gone():
        try:
            clusters.describe(NAME)
        except clusters.api.exceptions.DBClusterNotFoundFault:
            return True
        return False

    until(gone, 90, "the cluster is gone")
    left = region.data.glob("regions/*/nodes/*/clusters/*")
    until(lambda: not list(left), 60, "no member's files are left")
