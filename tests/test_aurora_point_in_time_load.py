"""Aurora: restores to moments of a time in which clients wrote, the writer's node died, or the archive took nothing."""

import datetime
import os
import time

import pytest
from harness.aurora import Clusters, check_pages
from harness.ledger import Ledger
from harness.poll import until

NAME = "busy"
WITHIN_S = 120
# A moment's state is of the half second before it; tests run on slow machines.
BEFORE_S = 1.0

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="this machine has no /dev/fuse")


@pytest.fixture(scope="module")
def region(make_region):
    region = make_region(aurora_backup_every_ms=1000)
    region.start()
    return region


@pytest.fixture(scope="module")
def clusters(region):
    return Clusters(region)


def stamp():
    """Now, by the clock of the ledger and by that of the wall."""
    return time.monotonic(), datetime.datetime.now(datetime.timezone.utc)


def restore(clusters, cluster, moment):
    def restorable():
        return clusters.describe(NAME).get("LatestRestorableTime", moment) > moment

    until(restorable, WITHIN_S, f"{moment} can be restored")
    clusters.api.restore_db_cluster_to_point_in_time(
        DBClusterIdentifier=cluster, SourceDBClusterIdentifier=NAME, RestoreToTime=moment
    )
    clusters.wait(cluster, lambda found: found["Status"] == "available", "available")
    clusters.add(cluster, f"{cluster}-1")
    return clusters.database(cluster)


def assert_as_of(database, ledger, monotonic):
    """The database has what was acknowledged a while before, and nothing that was acknowledged long after."""
    found = {row for (row,) in database.ask("select id from ledger")}
    must = {row for at, row in ledger.times if at < monotonic - BEFORE_S}
    late = {row for at, row in ledger.times if at > monotonic + BEFORE_S}
    assert must and late, "the moment lies within the load"
    assert not must - found, f"{len(must - found)} rows that were acknowledged before are missing"
    assert not found & late, f"{len(found & late)} rows are from after the moment"
    database.ask("select count(*) from pg_class")
    check_pages(database)


def test_moments_before_and_after_a_failover_under_load(region, clusters):
    clusters.create(NAME, members=2)
    clusters.wait_running(NAME)
    books = clusters.database(NAME)
    until(lambda: clusters.describe(NAME).get("LatestRestorableTime"), WITHIN_S, "there is a base")
    with Ledger(books) as ledger:
        ledger.wait_for_more(1500)
        before, at_before = stamp()
        ledger.wait_for_more(1500)
        writer = clusters.writer(NAME)
        region.kill_node(clusters.node(writer))
        (other,) = clusters.readers(NAME)
        clusters.wait_writer(NAME, other)
        ledger.wait_for_more(1500)
        after, at_after = stamp()
        ledger.wait_for_more(1500)
        first = restore(clusters, "before", at_before)
        assert_as_of(first, ledger, before)
        second = restore(clusters, "after", at_after)
        assert_as_of(second, ledger, after)


def test_an_archive_that_takes_nothing_is_waited_for_and_nothing_is_missing_afterwards(region, clusters):
    books = clusters.database(NAME)
    resource = clusters.describe(NAME)["DbClusterResourceId"]
    (log,) = (region.data / "archive").rglob(f"cluster-backup/{resource}/log")
    away = log.with_name("log-away")
    # Whoever stores a file below it finds no folder.
    log.rename(away)
    log.write_text("")
    try:
        stands = clusters.describe(NAME)["LatestRestorableTime"]
        books.ask("create table written (id int, at timestamptz default clock_timestamp())")
        # Until the archiver has given up and another node tries in its place.
        gave_up = "the log cannot be archived here"
        until(lambda: gave_up in region.log_tail(lines=10_000), WITHIN_S, "the archiver gives up", pause=1)
        books.ask("insert into written values (1)")
        assert clusters.describe(NAME)["LatestRestorableTime"] - stands < datetime.timedelta(seconds=3)
    finally:
        log.unlink()
        away.rename(log)
    _, moment = stamp()
    moment += datetime.timedelta(seconds=BEFORE_S)
    books.wait(f"select clock_timestamp() > '{moment.isoformat()}'", True)
    books.ask("insert into written values (2)")
    assert restore(clusters, "through", moment).ask("select id from written") == [(1,)]
