"""DynamoDB's replicas when a node stays away, comes back late, or comes back with nothing."""

import shutil
import signal

import pytest
from harness import processes
from harness.items import Writers, dynamodb, ids, make_table
from harness.poll import until

ZONES = [f"us-east-1{letter}" for letter in "abc"]
REPLACED_S = 60


@pytest.fixture
def region(make_region):
    """Two nodes in each zone; one that stays away is replaced soon."""
    region = make_region(nodes_per_zone=2, dynamodb_replace_after_ms=2_500, dynamodb_split_bytes=1 << 18)
    region.start()
    return region


def partitions(region, table):
    tables = {found["name"]: found for found in region.status()["tables"]}
    return tables[table]["partitions"] if table in tables else []


def homes(region, table):
    """The nodes of each partition's replicas."""
    return {p["partition"]: {r["node"] for r in p["replicas"]} for p in partitions(region, table)}


def on_node(region, table, node):
    return [partition for partition, nodes in homes(region, table).items() if node in nodes]


def zones_of(nodes):
    return {node.rpartition("-")[0] for node in nodes}


def busiest_node(region, table, but=()):
    """A node with replicas of the table that is no voter of the catalog."""
    counts = {}
    for nodes in homes(region, table).values():
        for node in nodes:
            counts[node] = counts.get(node, 0) + 1
    return max((node for node in counts if node not in but), key=lambda node: (node.endswith("-2"), counts[node]))


def is_whole(region, table):
    """Whether every replica answers and has all entries."""
    found = partitions(region, table)
    replicas = [replica for partition in found for replica in partition["replicas"]]
    quiet = all(p["state"] == "serving" and p["moving"] is None for p in found)
    return replicas and quiet and all(r["answers"] and r["lag_entries"] == 0 for r in replicas)


def log_of(region, node):
    return (region.node_folder(node) / "node.log").read_text(errors="replace")


def assert_each_zone_is_enough_with_another(region, table, writers):
    """Reads and writes with any one zone away: each replica has everything, and votes."""
    for zone in ZONES:
        region.zone("kill", zone)
        with Writers(region, table) as more:
            more.grow(10)
        seen = ids(dynamodb(region), table, ConsistentRead=True)
        assert writers.known() <= seen.keys(), f"items are lost without {zone}"
        region.zone("start", zone)
        until(lambda: is_whole(region, table), REPLACED_S, f"all replicas are back with {zone}", pause=0.3)


def test_replicas_of_a_node_that_stays_away_go_to_another_of_its_zone(region):
    """Under load, while partitions split; it returns later and removes what it does not hold any more."""
    api = dynamodb(region)
    make_table(api, "moves", "group")
    with Writers(region, "moves", size=1_000, threads=2, pause=0.01) as writers:
        until(lambda: len(homes(region, "moves")) >= 4, 60, "the table has several partitions", pause=0.2)
        node = busiest_node(region, "moves")
        held = on_node(region, "moves", node)
        region.kill_node(node)
        moved = lambda: (seen := homes(region, "moves")) and not any(node in nodes for nodes in seen.values())  # noqa: E731
        until(moved, REPLACED_S, f"no replica is on {node}", pause=0.3)
        writers.grow(100)
    for partition, nodes in homes(region, "moves").items():
        assert zones_of(nodes) == set(ZONES), f"{partition} is on {nodes}"
    writers.assert_kept(ids(api, "moves", ConsistentRead=True))
    region.start_node(node)
    removed = lambda: log_of(region, node).count("a replica is removed") >= len(held)  # noqa: E731
    until(removed, REPLACED_S, f"{node} removes its {len(held)} replicas")
    until(lambda: is_whole(region, "moves"), REPLACED_S, "all replicas have everything", pause=0.3)
    assert_each_zone_is_enough_with_another(region, "moves", writers)
    follows = lambda: ids(api, "moves", IndexName="by-group") == ids(api, "moves")  # noqa: E731
    until(follows, 30, "the index has every item once")


@pytest.mark.parametrize("number", [1, 2])
def test_a_node_that_comes_back_with_nothing_is_refilled(region, number):
    """Its replicas have forgotten what they voted for and acknowledged: they do not run before they are left out."""
    api = dynamodb(region)
    make_table(api, "wiped", "group")
    with Writers(region, "wiped", size=1_000, threads=2, pause=0.01) as writers:
        until(lambda: len(homes(region, "wiped")) >= 4, 60, "the table has several partitions", pause=0.2)
        nodes = set().union(*homes(region, "wiped").values())
        node = next(node for node in sorted(nodes) if node.endswith(f"-{number}"))
        region.kill_node(node)
        shutil.rmtree(region.node_folder(node) / "dynamodb")
        region.start_node(node)
        writers.grow(100)
    until(lambda: is_whole(region, "wiped"), REPLACED_S, "all replicas have everything", pause=0.3)
    writers.assert_kept(ids(api, "wiped", ConsistentRead=True))
    assert "begin with nothing" in log_of(region, node)
    assert_each_zone_is_enough_with_another(region, "wiped", writers)


def test_a_node_that_was_paused_for_long_gives_up_what_went_elsewhere(region):
    """Its replicas run on from memory when it goes on, and find that the group has other voters."""
    api = dynamodb(region)
    make_table(api, "paused", "group")
    with Writers(region, "paused", size=1_000, threads=2, pause=0.01) as writers:
        until(lambda: len(homes(region, "paused")) >= 2, 60, "the table has several partitions", pause=0.2)
        node = busiest_node(region, "paused")
        held = on_node(region, "paused", node)
        pid = region.node_pid(node)
        processes.send(pid, signal.SIGSTOP)
        try:
            moved = lambda: (seen := homes(region, "paused")) and not any(node in nodes for nodes in seen.values())  # noqa: E731
            until(moved, REPLACED_S, f"no replica is on {node}", pause=0.3)
        finally:
            processes.send(pid, signal.SIGCONT)
        removed = lambda: log_of(region, node).count("a replica is removed") >= len(held)  # noqa: E731
        until(removed, REPLACED_S, f"{node} removes its {len(held)} replicas")
        writers.grow(50)
    writers.assert_kept(ids(api, "paused", ConsistentRead=True))


def test_without_another_node_a_partition_stays_degraded_and_status_says_so(make_region):
    region = make_region(dynamodb_replace_after_ms=1_000)
    region.start()
    api = dynamodb(region)
    make_table(api, "short")
    node = f"{ZONES[2]}-1"
    region.kill_node(node)
    missing = lambda: [p["missing"] for p in partitions(region, "short")] == [[node]]  # noqa: E731
    until(missing, 30, "the replica is missing")
    assert f"degraded: {node} is missing" in region.run("status").stdout
    with Writers(region, "short") as writers:
        writers.grow(20)
    assert missing(), "it stays where it is"
    region.start_node(node)
    until(lambda: is_whole(region, "short"), 60, "it has caught up", pause=0.3)
    writers.assert_kept(ids(api, "short", ConsistentRead=True))
