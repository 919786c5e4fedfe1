"""Aurora clones: a cluster that shares another one's pages has all that was acknowledged there, takes no room but for what
changes afterwards, and does not need the other one."""

import os
import signal
import time

import pytest
from harness import processes
from harness.aurora import Clusters, check_pages
from harness.ledger import Ledger
from harness.poll import until

NAME = "source"
BACK_S = 120
# Of each of six copies.
BULK_BYTES = 24 << 20

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="this machine has no /dev/fuse")


@pytest.fixture(scope="module")
def region(make_region):
    """Without an archive: log that waits for it does not become pages yet, and is copied instead of shared."""
    region = make_region(aurora_backup_every_ms=0)
    region.start()
    return region


@pytest.fixture(scope="module")
def clusters(region):
    return Clusters(region)


@pytest.fixture(scope="module")
def source(clusters):
    """A cluster with a reader, so that a part of its volume is in pages, and a part in the log alone."""
    clusters.create(NAME, members=2)
    database = clusters.database(NAME)
    database.ask(
        "create table bulk as select n, (select string_agg(md5(n::text || k), '') from generate_series(1, 60) k) as text"
        f" from generate_series(1, {BULK_BYTES // 1920}) n"
    )
    database.ask("checkpoint")
    return database


def clone(clusters, name, source=NAME):
    clusters.api.restore_db_cluster_to_point_in_time(
        DBClusterIdentifier=name,
        SourceDBClusterIdentifier=source,
        UseLatestRestorableTime=True,
        RestoreType="copy-on-write",
    )


def rows(database):
    return database.ask("select count(*), sum(hashtext(text)::bigint) from bulk")[0]


def test_a_clone_has_all_that_was_acknowledged_and_goes_its_own_way(clusters, source):
    with Ledger(source) as ledger:
        ledger.wait_for_more(50)
        before = ledger.acknowledged()
        clone(clusters, "own")
        database = clusters.begin("own")
        ledger.check()
    there = database.one("select count(*) from ledger")
    assert there >= before
    assert rows(database) == rows(source)
    database.ask("delete from bulk where n % 2 = 0")
    database.ask("update bulk set text = 'of the clone' where n % 3 = 0")
    source.ask("update bulk set text = 'of the source' where n = 1")
    assert database.one("select count(*) from bulk where text = 'of the source'") == 0
    assert source.one("select count(*) from bulk where text = 'of the clone'") == 0
    assert source.one("select count(*) from bulk") == BULK_BYTES // 1920
    check_pages(database)
    check_pages(source)
    clusters.delete("own")


def test_a_clone_takes_no_room_but_for_what_changes(region, clusters, source):
    # What is in the log alone is copied: pages are what is shared.
    until(lambda: stored_bytes(region, NAME) > 6 * BULK_BYTES, 30, "the source tells what it takes")
    taken = time.monotonic()
    clone(clusters, "small")
    until(lambda: clusters.describe("small")["Status"] == "available", BACK_S, "the clone is there", pause=0.05)
    print(f"cloned after {time.monotonic() - taken:.2f} s")
    database = clusters.begin("small")
    assert rows(database) == rows(source)
    assert stored_bytes(region, "small") < BULK_BYTES
    clusters.delete("small")


def stored_bytes(region, cluster):
    """What the volume's six copies take, the log that waits to become pages among it."""
    groups = region.json("volume", "show", cluster)["groups"]
    return sum(segment["bytes"] for group in groups for segment in group["segments"])


def test_a_clone_outlives_its_source_and_every_node(region, clusters, source):
    clone(clusters, "first")
    clusters.begin("first")
    clone(clusters, "second", source="first")
    database = clusters.begin("second")
    expected = rows(source)
    clusters.delete("first")
    assert rows(database) == expected
    for row in region.zones():
        processes.send(row["pid"], signal.SIGKILL)
    for row in region.zones():
        until(lambda: not processes.runs(row["pid"]), 20, "it has ended")
        region.zone("start", row["zone"])
    database.serves(BACK_S)
    assert rows(database) == expected
    check_pages(database)
    source.serves(BACK_S)
    with Ledger(database, table="after") as ledger:
        ledger.wait_for_more(20)
        ledger.check()
    clusters.delete("second")


def test_a_clone_is_made_with_a_zone_away_which_then_has_its_copies_too(region, clusters, source):
    clusters.wait_running(NAME, BACK_S)
    homes = {clusters.zone(member) for member in (clusters.writer(NAME), *clusters.readers(NAME))}
    away = next(row["zone"] for row in region.zones() if row["zone"] not in homes)
    expected = rows(source)
    region.zone("kill", away)
    gone = lambda: not any(node["alive"] for node in region.status()["nodes"] if node["node"].startswith(away))  # noqa: E731
    until(gone, BACK_S, "the zone is known to be away, and gets no member")
    clone(clusters, "four")
    database = clusters.begin("four")
    assert rows(database) == expected
    region.zone("start", away)
    until(lambda: sound(region, "four") == 6, BACK_S, "the zone's copies are filled")
    # Now the others are not needed.
    region.zone("kill", next(zone for zone in sorted(homes) if zone != clusters.zone("four-1")))
    assert rows(database) == expected
    with Ledger(database, table="written") as ledger:
        ledger.wait_for_more(20)
        ledger.check()
    for zone in sorted(homes):
        region.zone("start", zone)
    clusters.wait_running(NAME, BACK_S)


def sound(region, cluster):
    groups = region.json("volume", "show", cluster)["groups"]
    return min(sum(segment["health"] == "sound" for segment in group["segments"]) for group in groups)


def test_a_stopped_cluster_is_cloned(clusters, source):
    expected = rows(source)
    clusters.api.stop_db_cluster(DBClusterIdentifier=NAME)
    clusters.wait(NAME, lambda found: found["Status"] == "stopped", "stopped")
    clone(clusters, "rested")
    assert rows(clusters.begin("rested")) == expected
    clusters.api.start_db_cluster(DBClusterIdentifier=NAME)
    clusters.wait(NAME, lambda found: found["Status"] == "available", "available")
    source.serves(BACK_S)
    assert rows(source) == expected
