"""DynamoDB when things break: zones killed and paused, all nodes at once, partitions that split under load."""

import json
import os
import random
import time

import botocore.exceptions
import pytest
from harness import processes
from harness.aws import error_of
from harness.items import Writers, dynamodb, ids, make_table
from harness.poll import until

# `make soak` asks for more.
ROUNDS = int(os.environ.get("QUORATE_SOAK_ROUNDS", "3"))
ZONES = [f"us-east-1{letter}" for letter in "abc"]
ERRORS = (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError)


@pytest.fixture(scope="module")
def api(region):
    return dynamodb(region)


def drill(region, *options):
    """The exit status and the verdict of a drill on the region."""
    result = region.run("drill", "dynamodb", "--json", *options, check=False, within=120)
    assert result.stdout, result.stderr
    return result.returncode, json.loads(result.stdout)


def answers(api, table, **more):
    api.get_item(TableName=table, Key={"id": {"S": "any"}}, **more)
    return True


@pytest.mark.parametrize("fault", ["kill-zone", "pause-zone"])
def test_the_leaders_zone_is_lost_under_load(region, whole, fault):
    """Writes come back after an election, eventual reads never fail, and all answers fit into one order."""
    status, verdict = drill(region, "--fault", fault, "--seconds", "3", "--seed", "11")
    told = {key: verdict[key] for key in verdict if key not in ("order", "ledger")}
    assert status == 0 and verdict["kept"], told
    assert verdict["linearizable"] and verdict["lost"] == verdict["repeated"] == verdict["eventual_errors"] == 0
    assert verdict["fault_to_first_ack_ms"] is not None


def test_reads_that_are_not_strong_are_found(region, whole):
    """Proof that the drill can fail: eventual reads in place of strong ones break the order."""
    status, verdict = drill(region, "--fault", "none", "--seconds", "2", "--seed", "12", "--broken-reads")
    assert status == 1 and not verdict["linearizable"]
    assert verdict["order"]["violations"]


def test_one_zone_of_three_reads_and_does_not_write(region, whole, api):
    make_table(api, "alone")
    with Writers(region, "alone") as writers:
        writers.grow(50)
    for zone in ZONES[1:]:
        region.zone("kill", zone)
    key = {"id": {"S": "any"}}
    refused = [
        error_of(api.put_item, TableName="alone", Item=key),
        error_of(api.get_item, TableName="alone", Key=key, ConsistentRead=True),
    ]
    assert {(code, status) for code, status, _ in refused} == {("InternalServerError", 500)}
    for _ in range(20):
        answers(api, "alone")
    until(lambda: writers.known() <= ids(api, "alone").keys(), 20, "the zone that is left has every item")
    for zone in ZONES[1:]:
        region.zone("start", zone)
    until(lambda: api.put_item(TableName="alone", Item=key), 30, "writes are back", quiet=ERRORS)
    writers.tried.add("any")
    writers.assert_kept(ids(api, "alone", ConsistentRead=True))


def test_a_node_that_was_away_catches_up(region, whole, api):
    """Alone with eventual reads, it has what was written while it was killed."""
    make_table(api, "away")
    region.zone("kill", ZONES[0])
    with Writers(region, "away") as writers:
        writers.grow(200)
    region.zone("start", ZONES[0])
    # Two of three are up with all of it before the others go: else this would wait for a node that cannot know.
    with Writers(region, "away") as more:
        more.grow(20)
    until(lambda: all(row["state"] == "running" for row in region.zones()), 20, "all zones run")
    caught_up(region, api, "away", writers)
    for zone in ZONES[1:]:
        region.zone("kill", zone)
    until(lambda: writers.known() <= ids(api, "away").keys(), 20, "it has every item", quiet=ERRORS)


def caught_up(region, api, table, writers):
    """Each replica says that it has all entries, and what eventual reads show is everything."""

    def level():
        found = next(found for found in region.status()["tables"] if found["name"] == table)
        replicas = [replica for partition in found["partitions"] for replica in partition["replicas"]]
        return replicas and all(replica["answers"] and replica["lag_entries"] == 0 for replica in replicas)

    until(level, 30, "all replicas have all entries")
    assert writers.known() <= ids(api, table).keys()


def test_all_nodes_killed_at_random_moments_lose_nothing(region, whole, api):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    make_table(api, "crash")
    rounds = []
    for _ in range(ROUNDS):
        with Writers(region, "crash") as writers:
            writers.grow(30)
            time.sleep(draw.uniform(0.05, 0.8))
            processes.kill_all(region.folder)
            region.kill()
        region.start()
        until(lambda: answers(api, "crash", ConsistentRead=True), 40, "the table is back", quiet=ERRORS)
        rounds.append(writers)
        seen = ids(api, "crash", ConsistentRead=True)
        for written in rounds:
            lost = written.known() - seen.keys()
            assert not lost, f"{len(lost)} acknowledged items are lost: {sorted(lost)[:5]}"
    tried = set().union(*(written.tried for written in rounds))
    assert seen.keys() <= tried


def test_a_stopped_region_keeps_its_items(region, whole, api):
    make_table(api, "kept")
    with Writers(region, "kept") as writers:
        writers.grow(50)
    region.stop()
    region.start()
    until(lambda: answers(api, "kept", ConsistentRead=True), 40, "the table is back", quiet=ERRORS)
    writers.assert_kept(ids(api, "kept", ConsistentRead=True))


def test_a_table_deleted_while_a_node_was_away_leaves_nothing_there(region, whole, api):
    make_table(api, "gone")
    region.zone("kill", ZONES[2])
    api.delete_table(TableName="gone")
    absent = lambda: "gone" not in api.list_tables()["TableNames"]  # noqa: E731
    until(absent, 30, "the table is deleted")
    log = region.data / "regions" / "us-east-1" / "nodes" / f"{ZONES[2]}-1" / "node.log"
    before = log.stat().st_size
    region.zone("start", ZONES[2])
    until(lambda: "a replica is removed" in log.read_text()[before:], 30, "the node removes its replica")


# Splits.


@pytest.fixture(scope="module")
def splitting(make_region):
    region = make_region(dynamodb_split_bytes=1 << 16)
    region.start()
    return region


def splits(region):
    logs = region.data.glob("regions/*/nodes/*/node.log")
    return sum(log.read_text(errors="replace").count("a partition is split") for log in logs)


def test_splits_under_load_lose_and_repeat_nothing(splitting):
    """No request fails, each scan shows what was acknowledged before it, once, and the index follows."""
    api = dynamodb(splitting)
    make_table(api, "grows", "group")
    with Writers(splitting, "grows", size=2_000) as writers:
        deadline = time.monotonic() + 40
        while splits(splitting) < 6:
            assert time.monotonic() < deadline, "the table does not split"
            before = writers.known()
            seen = ids(api, "grows", ConsistentRead=True)
            assert before <= seen.keys(), "a scan misses items that were acknowledged before it"
            assert max(seen.values(), default=1) == 1, "a scan shows an item twice"
    assert not writers.errors, writers.errors[:3]
    writers.assert_kept(ids(api, "grows", ConsistentRead=True))
    follows = lambda: ids(api, "grows", IndexName="by-group") == ids(api, "grows")  # noqa: E731
    until(follows, 30, "the index has every item once")


def test_a_zone_that_is_killed_while_partitions_split_comes_back_whole(splitting):
    api = dynamodb(splitting)
    make_table(api, "torn")
    before = splits(splitting)
    with Writers(splitting, "torn", size=4_000) as writers:
        writers.grow(20)
        splitting.zone("kill", ZONES[1])
        until(lambda: splits(splitting) >= before + 3, 60, "partitions split without the zone")
        splitting.zone("start", ZONES[1])
        writers.grow(30)
    writers.assert_kept(ids(api, "torn", ConsistentRead=True))
    caught_up(splitting, api, "torn", writers)
