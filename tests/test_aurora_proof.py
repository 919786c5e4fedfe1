"""Aurora: what a volume in six copies promises, tried again and again at random moments.

The first part has two nodes in each zone, and so one segment on each; the second has three, small protection groups,
and little patience with nodes that stay away.
"""

import os

import psycopg
import pytest
from harness import faults
from harness.aurora import Clusters, check_pages
from harness.aws import Rds
from harness.database import Database
from harness.ledger import Ledger
from harness.poll import holds, until
from harness.rounds import ROUND_S, Postgres, Rounds, kill_all_nodes, rounds, seed, start_all, wait_healthy
from harness.schema import MixedSchema, client_environment, dump, restore, run_program

NAME = "proof"
MEMBERS = (f"{NAME}-1", f"{NAME}-2")
BACK_S = 120
ROUNDS = rounds(short=2)
GROUP_BYTES = 64 << 20
REPLACE_AFTER_MS = 2_000
LOADED_ROWS = 12_000
ROW_BYTES = 6_000
GROUPS = 2

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="this machine has no /dev/fuse")


@pytest.fixture(scope="module")
def region(make_region):
    region = make_region(nodes_per_zone=2)
    region.start()
    return region


@pytest.fixture(scope="module")
def clusters(region):
    return Clusters(region)


@pytest.fixture(scope="module")
def proof(clusters):
    clusters.create(NAME, members=2)
    return clusters.database(NAME)


@pytest.fixture
def healthy(region, clusters, proof):
    """Every node, and both members, before and after each test."""
    wait_healthy(region, clusters, MEMBERS)
    yield
    for row in region.zones():
        if row["state"] == "paused":
            region.zone("resume", row["zone"])
        region.admit_node(row["node"])
    start_all(region)


def others(region, *without):
    return [row["node"] for row in region.zones() if row["node"] not in without]


# 1. Rounds.


@pytest.mark.timeout(120 + ROUND_S * ROUNDS)
def test_rounds_of_killing_all_nodes_and_starting_four_or_three(region, clusters, proof, healthy):
    number = seed()
    Rounds(region, Postgres(clusters, NAME, number), number).play(ROUNDS)
    wait_healthy(region, clusters, MEMBERS)


# 2. A zone and one more node.


def test_without_a_zone_and_one_more_node_reads_go_on_and_writes_with_the_next_node(region, clusters, proof, healthy):
    lost, more = expendable(region, clusters)
    proof.ask("create table kept (n int primary key); insert into kept select generate_series(1, 1000)")
    reads = clusters.database(NAME, reader=True)
    reads.wait("select count(*) from kept", 1000)
    with Ledger(proof) as ledger:
        ledger.wait_for_more(20)
        region.zone("kill", lost)
        ledger.wait_for_more(20)
        region.kill_node(more)
        stopped_at = until_silent(ledger)
        holds(lambda: ledger.acknowledged() == stopped_at, 4, "nothing is acknowledged with three segments", pause=0.2)
        assert reads.one("select count(*) from kept") == 1000
        assert reads.one("select sum(n) from kept") == 500_500
        assert reads.one("select pg_is_in_recovery()") is True
        region.start_node(more)
        ledger.wait_for_more(20, within=BACK_S)
        ledger.check()
    region.zone("start", lost)
    wait_healthy(region, clusters, MEMBERS)
    check_pages(proof)


def test_a_cluster_says_that_its_storage_takes_no_writes(region, clusters, proof, healthy):
    lost, more = expendable(region, clusters)
    detail = lambda: region.status()["clusters"][0]["detail"] or ""  # noqa: E731
    assert detail() == ""
    with Ledger(proof, table="stuck") as ledger:
        region.zone("kill", lost)
        region.kill_node(more)
        until(lambda: detail().startswith("storage: fewer than four segments"), 30, "the cluster says so")
        region.start_node(more)
        until(lambda: detail() == "", 30, "the cluster says that it is over")
        ledger.check()


def test_readers_go_on_when_the_writers_zone_and_one_more_node_are_away(region, clusters, proof, healthy):
    writer, reader = clusters.writer(NAME), clusters.readers(NAME)[0]
    lost, home = clusters.zone(writer), clusters.node(reader)
    more = next(node for node in others(region, home) if not node.startswith(lost) and node.endswith("-2"))
    proof.ask("create table seen (n int primary key); insert into seen select generate_series(1, 1000)")
    reads = clusters.database(NAME, reader=True)
    reads.wait("select count(*) from seen", 1000)
    epoch = cluster(region)["epoch"]
    with Ledger(proof, table="awaited") as ledger:
        ledger.wait_for_more(20)
        # In this order: the writer is missed only when too few segments are left.
        region.kill_node(more)
        region.zone("kill", lost)
        until(lambda: says_so(region), 30, "the cluster says so")
        holds(lambda: reads.one("select count(*) from seen") == 1000, 4, "the reader answers", pause=0.2)
        assert reads.one("select pg_is_in_recovery()") is True
        assert cluster(region)["epoch"] == epoch, "somebody was promoted who cannot write"
        region.start_node(more)
        ledger.wait_for_more(20, within=BACK_S)
        assert clusters.writer(NAME) == reader
        ledger.check()
    region.zone("start", lost)
    wait_healthy(region, clusters, MEMBERS)
    check_pages(proof)


def test_a_reader_starts_over_three_segments_without_a_writer(region, clusters, proof, healthy):
    writer, reader = clusters.writer(NAME), clusters.readers(NAME)[0]
    lost, home = clusters.zone(writer), clusters.node(reader)
    more = next(node for node in others(region, home) if not node.startswith(lost) and node.endswith("-2"))
    proof.ask("create table quiet (n int primary key); insert into quiet select generate_series(1, 1000)")
    proof.ask("checkpoint")
    reads = clusters.database(NAME, reader=True)
    reads.wait("select count(*) from quiet", 1000)
    # Segments have heard that all of it is complete: nothing is written any more.
    until_still(region)
    region.kill_node(more)
    region.zone("kill", lost)
    until(lambda: says_so(region), 30, "the cluster says so")
    start = "select pg_postmaster_start_time()"
    before = reads.one(start)
    faults.kill_engines(region, clusters.zone(reader))
    another = lambda: reads.one(start, **reads.IMPATIENT) != before  # noqa: E731
    until(another, BACK_S, "the reader's engine is another one", quiet=reads.ERRORS)
    assert reads.one("select count(*) from quiet") == 1000
    assert reads.one("select pg_is_in_recovery()") is True
    region.start_node(more)
    proof.serves(BACK_S)
    proof.ask("insert into quiet values (1001)")
    region.zone("start", lost)
    wait_healthy(region, clusters, MEMBERS)
    check_pages(proof)


def until_still(region):
    """Until nothing is written, and segments have heard that everything is complete."""
    seen = []

    def still():
        log = region.json("volume", "show", NAME)["log"]
        seen.append((log["vdl"], log["last"]))
        return len(seen) >= 4 and len(set(seen[-4:])) == 1 and log["vdl"] == log["last"]

    until(still, 60, "the log stands still", pause=0.5)


def cluster(region):
    (found,) = region.status()["clusters"]
    return found


def says_so(region):
    return (cluster(region)["detail"] or "").startswith("storage: fewer than four segments")


def expendable(region, clusters):
    """A zone without a member, and in another one a node with neither a member nor a vote."""
    members = [clusters.writer(NAME), *clusters.readers(NAME)]
    homes = {clusters.node(member) for member in members}
    busy = {clusters.zone(member) for member in members}
    lost = next(row["zone"] for row in region.zones() if row["zone"] not in busy)
    more = next(node for node in others(region, *homes) if not node.startswith(lost) and node.endswith("-2"))
    return lost, more


def until_silent(ledger):
    """Until what was under way when the node died is over; the count then."""
    seen = [-1, -2]

    def same():
        seen.append(ledger.acknowledged())
        return seen[-1] == seen[-2] == seen[-3]

    until(same, 20, "writes stop", pause=0.5)
    return seen[-1]


# 6. Balances.


def test_balances_add_up_after_the_writer_was_paused_under_pgbench(region, clusters, proof, healthy):
    environment = client_environment(proof)
    run_program("pgbench", "-i", "-q", "-s", "2", environment=environment)
    zone = clusters.zone(clusters.writer(NAME))
    other = clusters.readers(NAME)[0]
    done = [transactions(environment, 3)]
    region.zone("pause", zone)
    # Connections to a writer that stands still end with an error; pgbench then ends, and begins again.
    until(lambda: transactions(environment, 2) > 0, BACK_S, "transactions go on while the zone is paused")
    clusters.wait_writer(NAME, other)
    region.zone("resume", zone)
    done.append(transactions(environment, 3))
    assert all(count > 0 for count in done), done
    sums = proof.ask(
        "select (select sum(abalance) from pgbench_accounts), (select sum(tbalance) from pgbench_tellers),"
        " (select sum(bbalance) from pgbench_branches), (select sum(delta) from pgbench_history)"
    )[0]
    assert len(set(sums)) == 1, sums
    assert proof.one("select count(*) from pgbench_history") >= sum(done)
    wait_healthy(region, clusters, MEMBERS)
    check_pages(proof)


def transactions(environment, seconds):
    """Those that pgbench counted, whether or not its connections lasted."""
    result = run_program(
        "pgbench", "-n", "-c", "4", "-j", "2", "-T", seconds, environment=environment, check=False, within=BACK_S
    )
    line = next((l for l in result.stdout.splitlines() if "transactions actually processed" in l), ": 0")
    return int(line.partition(":")[2].split("/")[0])


# 5. A schema with everything.


def test_a_schema_with_everything_goes_from_an_instance_into_a_cluster_and_back(region, clusters, proof, healthy):
    rds = Rds(region)
    described = rds.create("plain", MultiAZ=False)
    source = Database(region, described)
    schema = MixedSchema(source)
    schema.make()
    proof.ask("create database mixed")
    there = clusters.database(NAME)
    there.parameters["dbname"] = "mixed"
    archive = region.folder / "mixed.dump"
    dump(source, archive, "--format=custom")
    restore(there, archive)
    texts = [dump(database, region.folder / f"mixed-{n}.sql") for n, database in enumerate((source, there))]
    assert len(texts[0]) > 100_000
    assert texts[0] == texts[1], "the dumps differ"
    MixedSchema(there).check_indexes()
    # And again by the other member: what a reader's view shows, and what another writer finds.
    reads = clusters.database(NAME, reader=True)
    reads.parameters["dbname"] = "mixed"
    expected = MixedSchema(there).digest()
    until(lambda: MixedSchema(reads).digest() == expected, 30, "the reader has the same", quiet=(psycopg.Error,))
    clusters.api.failover_db_cluster(DBClusterIdentifier=NAME, TargetDBInstanceIdentifier=clusters.readers(NAME)[0])
    until(lambda: "failing-over" != clusters.describe(NAME)["Status"], 60, "failed over")
    there.serves(60)
    assert MixedSchema(there).digest() == expected
    rds.delete("plain")


# 3 and 4: small groups, and nodes that stay away.


@pytest.fixture(scope="module")
def wide(make_region):
    region = make_region(nodes_per_zone=3, aurora_group_bytes=GROUP_BYTES, aurora_replace_after_ms=REPLACE_AFTER_MS)
    region.start()
    return region


@pytest.fixture(scope="module")
def grown(wide):
    """A cluster over several protection groups, and what its table adds up to."""
    clusters = Clusters(wide)
    clusters.create("grown")
    database = clusters.database("grown")
    database.ask("create table loaded (n int primary key, body text not null)")
    database.ask("alter table loaded alter body set storage external")
    for first in range(0, LOADED_ROWS, 2_000):
        database.ask(
            "insert into loaded select n, (select string_agg(md5(n::text || k), '') from generate_series(1, %s) k)"
            " from generate_series(%s::int, %s::int) n",
            ROW_BYTES // 32,
            first + 1,
            first + 2_000,
        )
    return clusters, database, checksum(database)


def checksum(database):
    return database.ask("select count(*), sum(hashtext(body)::bigint), sum(length(body)) from loaded")[0]


def groups(region):
    return region.json("volume", "show", "grown")["groups"]


def places(region):
    """Where segments are, of all sets of all groups."""
    return [segment["node"] for group in groups(region) for segment in group["segments"]]


def test_a_volume_grows_by_groups_and_all_are_there_after_a_restart(wide, grown):
    clusters, database, expected = grown
    assert expected[0] == LOADED_ROWS
    assert len(groups(wide)) > GROUPS
    kill_all_nodes(wide)
    start_all(wide)
    database.serves(BACK_S)
    assert checksum(database) == expected
    check_pages(database)


def test_segments_of_a_node_that_stays_away_are_made_on_another_one(wide, grown):
    """Afterwards the lost node is not needed, not even with a whole zone away."""
    clusters, database, expected = grown
    clusters.wait_instance("grown-1")
    home = clusters.zone("grown-1")
    zones = sorted({row["zone"] for row in wide.zones()} - {home})
    until(lambda: all(node["alive"] for node in wide.status()["nodes"]), BACK_S, "all nodes are there")
    # A node of the zone that does not vote, so that the catalog can spare the other zone.
    candidates = [row["node"] for row in wide.zones() if row["zone"] == zones[0] and not row["node"].endswith("-1")]
    lost = max(candidates, key=places(wide).count)
    moved = places(wide).count(lost)
    assert moved > 1, "the node holds segments of several groups"
    with Ledger(database) as ledger:
        ledger.wait_for_more(20)
        wide.kill_node(lost)
        ledger.wait_for_more(20)
        elsewhere = lambda: lost not in places(wide) and not any(group["replacement"] for group in groups(wide))  # noqa: E731
        until(elsewhere, BACK_S, f"all {moved} segments of the node are elsewhere", pause=0.3)
        # Four of six are left without the other zone, and in some groups one of them is new.
        wide.zone("kill", zones[1])
        ledger.wait_for_more(50, within=BACK_S)
        ledger.check()
    assert checksum(database) == expected
    wide.zone("start", zones[1])
    check_pages(database)
