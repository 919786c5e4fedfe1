"""Aurora: what a volume in six copies promises, tried again and again at random moments.

The first part has two nodes in each zone, and so one segment on each; the second has three, small protection groups,
and little patience with nodes that stay away.
"""

import os
import random
import signal
import time

import psycopg
import pytest
from harness import processes
from harness.aurora import Clusters, check_pages
from harness.aws import Rds
from harness.churn import Churn
from harness.database import Database
from harness.ledger import Ledger
from harness.poll import holds, until
from harness.schema import MixedSchema, client_environment, dump, restore, run_program

NAME = "proof"
WRITER, READER = f"{NAME}-1", f"{NAME}-2"
ROUNDS = int(os.environ.get("QUORATE_AURORA_ROUNDS", "2"))
# Of one round: a debug program on a busy machine takes its time to start four nodes and an engine.
ROUND_S = 150
STARTED = 4
VOTERS_NEEDED = 2
BACK_S = 120
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
    wait_healthy(region, clusters)
    yield
    for row in region.zones():
        if row["state"] == "paused":
            region.zone("resume", row["zone"])
        region.admit_node(row["node"])
    start_all(region)


def start_all(region):
    for zone in sorted({row["zone"] for row in region.zones()}):
        region.zone("start", zone)


def wait_healthy(region, clusters):
    def whole():
        return all(row["state"] == "running" for row in region.zones()) and all(
            node["alive"] for node in region.status()["nodes"]
        )

    until(whole, BACK_S, "all nodes run", pause=0.3)
    for instance in (WRITER, READER):
        clusters.wait_instance(instance, within=BACK_S)


def others(region, *without):
    return [row["node"] for row in region.zones() if row["node"] not in without]


# 1. Rounds.


@pytest.mark.timeout(120 + ROUND_S * ROUNDS)
def test_any_four_nodes_bring_everything_back_after_all_were_killed(region, clusters, proof, healthy):
    seed = int(os.environ.get("QUORATE_AURORA_SEED", random.randrange(1 << 32)))
    print(f"seed {seed}")
    draw = random.Random(seed)
    churn = Churn(proof, seed).make()
    ledgers = []
    for number in range(ROUNDS):
        ledger = Ledger(proof, writers=2, table=f"ledger_{number}")
        ledgers.append(ledger)
        began = time.monotonic()
        with churn, ledger:
            ledger.wait_for_more(20)
            time.sleep(draw.uniform(0.0, 2.0))
            kill_all_nodes(region)
            started = some_four(region, draw)
            barred = others(region, *started)
            for node in barred:
                region.bar_node(node)
            start_all(region)
            back = ledger.wait_for_more(20, within=ROUND_S)
            ledger.check()
            churn.check()
        for earlier in ledgers[:-1]:
            earlier.compare().assert_clean()
        check_pages(proof)
        assert proof.one("show data_checksums") == "on"
        assert proof.one("show full_page_writes") == "off"
        running = {row["node"] for row in region.zones() if row["state"] == "running"}
        assert running == set(started), "the volume was rebuilt from those four, and from nothing else"
        for node in barred:
            region.admit_node(node)
        # The next round may begin with nodes that have not caught up.
        print(f"round {number}: {sorted(started)} back after {back:.1f} s, {time.monotonic() - began:.1f} s in all")
    wait_healthy(region, clusters)


def kill_all_nodes(region):
    pids = [row["pid"] for row in region.zones() if row["pid"]]
    for pid in pids:
        processes.send(pid, signal.SIGKILL)
    for pid in pids:
        until(lambda: not processes.runs(pid), 20, f"process {pid} has ended", pause=0.01)


def some_four(region, draw):
    """Four nodes, among them enough of the first nodes of the zones: those keep the catalog."""
    while True:
        nodes = draw.sample(others(region), STARTED)
        if sum(node.endswith("-1") for node in nodes) >= VOTERS_NEEDED:
            return nodes


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
    wait_healthy(region, clusters)
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
    wait_healthy(region, clusters)
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
