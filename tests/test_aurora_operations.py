"""What is shown of Aurora's clusters: volumes, segments, members, logs, metrics; and the crash that SQL orders."""

import os
import urllib.request

import psycopg
import pytest
from harness import faults, processes
from harness.aurora import Clusters
from harness.aws import MASTER
from harness.ledger import Ledger
from harness.poll import until

NAME = "shelf"
INSTANCES = (f"{NAME}-1", f"{NAME}-2")

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="this machine has no /dev/fuse")


@pytest.fixture(scope="module")
def clusters(region):
    return Clusters(region)


@pytest.fixture(scope="module")
def shelf(clusters):
    """A cluster of two instances that lives through every test of this file."""
    clusters.create(NAME, members=2)
    return clusters.database(NAME)


def show(region):
    """The volume, and the six segments of its only group."""
    volume = region.json("volume", "show", NAME)
    (group,) = volume["groups"]
    return volume, group["segments"]


def health(segments):
    """How the segments of each zone are."""
    zones = {}
    for segment in segments:
        zones.setdefault(segment["zone"], []).append(segment["health"])
    return zones


def metrics(region):
    """The figures of the metrics page that tell of clusters and members, by name and labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{region.api_port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    figures = (line.rpartition(" ") for line in lines if line.startswith(("quorate_aurora", "quorate_member")))
    return {name: int(value) for name, _, value in figures}


def labels(**more):
    """The labels of a figure of the volume."""
    every = {"region": "us-east-1", "cluster": NAME, **more}
    return ",".join(f'{key}="{value}"' for key, value in every.items())


def test_six_segments_in_three_zones_soon_have_what_was_written(region, shelf):
    before, _ = show(region)
    shelf.ask("create table written (n int)")
    shelf.ask("insert into written select generate_series(1, 10000)")
    after = before["log"]["vdl"]

    def complete():
        volume, segments = show(region)
        vdl = volume["log"]["vdl"]
        moved = vdl > after and volume["log"]["payload_bytes"] > before["log"]["payload_bytes"]
        level = all(segment["scl"] >= vdl and segment["behind"] == 0 for segment in segments)
        return (volume, segments) if moved and level else None

    volume, segments = until(complete, 30, "every segment has the log up to VDL")
    assert health(segments) == {row["zone"]: ["sound", "sound"] for row in region.zones()}
    assert len({segment["copy"] for segment in segments}) == 6
    log = volume["log"]
    assert volume["epoch"] == log["epoch"]
    assert log["vdl"] <= log["vcl"] <= log["last"]
    # A write is done with four copies; the others are sent to as well, when they answer.
    assert log["sent_bytes"] >= 4 * log["payload_bytes"]
    assert volume["groups"][0]["membership"] == 1
    assert volume["groups"][0]["replacement"] is None


def test_the_rate_is_that_of_the_log(region, shelf):
    with Ledger(shelf) as ledger:

        def flows():
            rate = show(region)[0]["log"]["rate"]
            return rate if rate and rate["records_per_s"] > 0 else None

        rate = until(flows, 30, "records flow")
        ledger.check()
    assert rate["payload_bytes_per_s"] > 0
    assert rate["sent_bytes_per_s"] > rate["payload_bytes_per_s"]


def test_the_list_and_the_tables_name_the_cluster(region, shelf):
    (listed,) = region.json("volume", "list")["volumes"]
    assert (listed["region"], listed["cluster"]) == ("us-east-1", NAME)
    assert NAME in region.run("volume", "list").stdout
    told = region.run("volume", "show", NAME).stdout
    assert "protection group 0" in told
    assert "records and" in told
    assert told.count("us-east-1") >= 12
    refused = region.run("volume", "show", "nothing", check=False)
    assert refused.returncode != 0
    assert "volume list" in refused.stderr


def test_status_shows_the_cluster_and_who_writes(region, clusters, shelf):
    status = clusters.wait_running(NAME)
    (cluster,) = status["clusters"]
    writer = clusters.writer(NAME)
    assert (cluster["id"], cluster["writer"], cluster["serving"]) == (NAME, writer, True)
    assert cluster["readers"] == clusters.readers(NAME)
    rows = {row["id"]: row for row in status["resources"]}
    assert rows[writer]["role"] == "writer"
    assert rows[writer]["engine"] == "writing"
    (reader,) = (rows[name] for name in cluster["readers"])
    assert (reader["role"], reader["engine"], reader["kind"]) == ("reader", "reading", "db-cluster-member")
    assert reader["zone"] != rows[writer]["zone"]
    assert reader["lag_ms"] is not None
    told = region.run("status").stdout
    assert "READER ENDPOINT" in told
    assert all(name in told for name in INSTANCES)


def test_logs_of_engines_and_mounts_are_found(region, clusters, shelf):
    shelf.ask("do $$ begin raise log 'a line to be found'; end $$")
    writer = clusters.writer(NAME)
    assert "a line to be found" in region.run("logs", writer, "-n", 500).stdout
    assert "a line to be found" in region.run("logs", NAME, "-n", 500).stdout
    (reader,) = clusters.readers(NAME)
    told = region.run("logs", reader, "-n", 500).stdout
    assert "a line to be found" not in told
    # A mount that has no trouble says nothing.
    (quiet,) = faults.node_folder(region, clusters.zone(reader)).glob("clusters/*/log/mount.log")
    with quiet.open("a") as log:
        log.write("a mount's line\n")
    node = f"{clusters.zone(reader)}-1"
    assert f"{node} mount  a mount's line" in region.run("logs", reader).stdout.splitlines()


def test_zones_list_engines_and_mounts_and_pausing_reaches_both(region, clusters, shelf, whole):
    zone = clusters.zone(clusters.readers(NAME)[0])

    def row():
        return next(row for row in region.zones() if row["zone"] == zone)

    assert len(row()["engines"]) == 1
    assert len(row()["mounts"]) == 1
    stopped = [row()["engines"][0]["pid"], *row()["mounts"]]
    region.zone("pause", zone)
    assert [processes.state(pid) for pid in stopped] == ["T", "T"]
    region.zone("resume", zone)
    until(lambda: "T" not in [processes.state(pid) for pid in stopped], 10, "both go on")


def test_a_killed_zone_is_away_and_the_metrics_say_so(region, clusters, shelf, whole):
    clusters.wait_instance(clusters.readers(NAME)[0])
    busy = {clusters.zone(instance) for instance in INSTANCES}
    idle = next(row["zone"] for row in region.zones() if row["zone"] not in busy)
    faults.kill_zone(region, idle)
    expected = {zone: ["sound", "sound"] for zone in busy} | {idle: ["away", "away"]}
    until(lambda: health(show(region)[1]) == expected, 30, "two segments are away, four are sound")
    _, segments = show(region)
    assert all(segment["scl"] is None for segment in segments if segment["zone"] == idle)
    shelf.ask("insert into written values (0)")

    def counted():
        page = metrics(region)
        counts = [page.get(f"quorate_aurora_segments{{{labels(health=word)}}}") for word in ("sound", "away")]
        return page if counts == [4, 2] else None

    page = until(counted, 30, "the metrics count them")
    vdl = page[f"quorate_aurora_volume_vdl{{{labels()}}}"]
    assert 0 < vdl <= page[f"quorate_aurora_volume_vcl{{{labels()}}}"]
    assert page[f"quorate_aurora_volume_log_bytes_total{{{labels()}}}"] > 0
    assert page[f"quorate_aurora_volume_writer_epoch{{{labels()}}}"] == show(region)[0]["log"]["epoch"]
    lags = [name for name in page if name.startswith("quorate_aurora_segment_lag_records{")]
    assert len(lags) == 4
    assert not any(idle in name for name in lags)
    assert any(name.startswith("quorate_member_lag_milliseconds{") and 'role="reader"' in name for name in page)
    region.zone("start", idle)
    every = {zone: ["sound", "sound"] for zone in expected}
    until(lambda: health(show(region)[1]) == every, 60, "all six are sound again")
    until(lambda: all(s["behind"] == 0 for s in show(region)[1]), 60, "the zone's segments have caught up")


def test_the_version_is_told_in_every_database(shelf, clusters):
    version = clusters.describe(NAME)["EngineVersion"]
    assert shelf.one("select aurora_version()") == version
    shelf.ask("create database other")
    assert shelf.ask("select aurora_version()", dbname="other") == [(version,)]
    shelf.ask("create database plain template template0")
    assert shelf.ask("select aurora_version()", dbname="plain") == [(version,)]


def test_only_superusers_of_rds_inject_crashes(shelf):
    shelf.ask("create role clerk login password 'clerk-secret-1'")
    clerk = {"user": "clerk", "password": "clerk-secret-1"}
    assert shelf.ask("select aurora_version()", **clerk)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        shelf.ask("select aurora_inject_crash('instance')", **clerk)
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        shelf.ask("select aurora_inject_crash('$(touch /tmp/no)')")
    assert shelf.one("select pg_has_role(%s, 'rds_superuser', 'member')", MASTER) is True
    assert shelf.one("select count(*) from written") == 10001


@pytest.mark.parametrize("fault", ["instance", "dispatcher", "node"])
def test_an_injected_crash_is_followed_by_the_reader_and_loses_nothing(region, clusters, shelf, fault):
    clusters.wait_running(NAME)
    writer = clusters.writer(NAME)
    (other,) = clusters.readers(NAME)
    (engine,) = faults.engines(region, clusters.zone(writer))
    (mount,) = mounts(region, clusters.zone(writer))
    with Ledger(shelf) as ledger:
        with pytest.raises(psycopg.OperationalError):
            shelf.ask("select aurora_inject_crash(%s)", fault)
        until(lambda: not processes.runs(engine), 20, "the engine is dead")
        until(lambda: not processes.runs(mount), 20, "so is the mount")
        clusters.wait_writer(NAME, other)
        ledger.wait_for_more(20)
        ledger.check()
    clusters.wait_instance(writer)
    assert clusters.readers(NAME) == [writer]
    volume, _ = show(region)
    assert volume["writer"] == other


def mounts(region, zone):
    """Pids of the processes that serve volumes' files to a zone's engines."""
    (node,) = (row["pid"] for row in region.zones() if row["zone"] == zone)
    served = lambda pid: processes.parent(pid) == node and "volume-mount" in processes.command(pid)  # noqa: E731
    return [pid for pid in processes.pids() if served(pid)]


def test_a_reader_can_be_crashed_too(region, clusters, shelf):
    clusters.wait_running(NAME)
    (reader,) = clusters.readers(NAME)
    (engine,) = faults.engines(region, clusters.zone(reader))
    with pytest.raises(psycopg.OperationalError):
        clusters.of_instance(reader).ask("select aurora_inject_crash('instance')")
    until(lambda: not processes.runs(engine), 10, "the engine is dead")
    clusters.of_instance(reader).wait("select pg_is_in_recovery()", True, within=90)
    assert faults.engines(region, clusters.zone(reader)) != [engine]
    assert clusters.readers(NAME) == [reader]


@pytest.fixture(scope="module")
def wide(make_region):
    """A region whose zones have three nodes each: one more than a protection group needs."""
    region = make_region(nodes_per_zone=3, aurora_replace_after_ms=3_000)
    region.start()
    return region


@pytest.fixture(scope="module")
def roomy(wide):
    """A cluster with a writer alone."""
    clusters = Clusters(wide)
    clusters.create(NAME, members=1)
    return clusters.database(NAME)


def spare(region, segments):
    """Nodes with a segment that neither write nor vote."""
    status = region.status()
    busy = {node["node"] for node in status["nodes"] if node["voter"]}
    busy |= {row["node"] for row in status["resources"]}
    return [segment["node"] for segment in segments if segment["node"] not in busy]


def test_a_segment_whose_node_stays_away_is_replaced_and_shown_so(wide, roomy):
    _, segments = show(wide)
    assert len({segment["node"] for segment in segments}) == 6
    lost = spare(wide, segments)[0]
    zone = lost.rpartition("-")[0]
    wide.kill_node(lost)

    def replaced():
        volume, segments = show(wide)
        (group,) = volume["groups"]
        if group["membership"] != 3 or group["replacement"]:
            return None
        return segments if all(segment["health"] == "sound" for segment in segments) else None

    segments = until(replaced, 90, "another node of the zone has the segment")
    assert len(segments) == 6
    assert lost not in [segment["node"] for segment in segments]
    assert [segment["zone"] for segment in segments].count(zone) == 2
    wide.start_node(lost)


def test_a_volume_that_takes_no_writes_says_why(wide, roomy):
    _, segments = show(wide)
    (writer,) = wide.status()["resources"]
    zone = next(segment["zone"] for segment in segments if segment["zone"] != writer["zone"])
    third = next(node for node in spare(wide, segments) if node.rpartition("-")[0] != zone)

    def detail():
        return show(wide)[0]["detail"] or ""

    with Ledger(roomy) as ledger:
        wide.zone("kill", zone)
        wide.kill_node(third)
        until(lambda: detail().startswith("storage: "), 60, "the volume says that writes stop")
        assert "storage: " in wide.run("volume", "show", NAME).stdout
        assert f"{NAME}: storage: " in wide.run("status").stdout
        wide.start_node(third)
        ledger.wait_for_more(20)
        until(lambda: not detail(), 60, "the volume takes writes again")
        wide.zone("start", zone)
        ledger.check()
