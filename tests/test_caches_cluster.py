"""Groups with cluster mode, driven by a client that knows of slots: failover of a shard, shards that come and go."""

import time

import pytest

from harness.aws import error_of
from harness.caches import Caches, ClusterLedger, connect, follow_slots
from harness.poll import until


@pytest.fixture(scope="module")
def region(make_region):
    region = make_region(cache_replace_after_ms=20_000)
    region.start()
    return region


@pytest.fixture(scope="module")
def caches(region):
    return Caches(region)


@pytest.fixture(scope="module")
def carts(caches):
    return caches.create_group("carts", replicas=1, NumNodeGroups=3, ReplicasPerNodeGroup=1)


def slots_of(group):
    """How many slots each shard has."""
    counts = {}
    for shard in group["NodeGroups"]:
        ranges = [part.split("-") for part in shard["Slots"].split(",")] if shard.get("Slots") else []
        counts[shard["NodeGroupId"]] = sum(int(r[-1]) - int(r[0]) + 1 for r in ranges)
    return counts


def leaders(region, identifier):
    rows = region.json("status")["regions"][0]["resources"]
    return {r["id"]: r for r in rows if r["id"].startswith(f"{identifier}-") and r["role"] == "primary"}


def test_shards_share_the_slots_and_a_client_finds_each_key(carts):
    assert carts["ClusterEnabled"] and len(carts["MemberClusters"]) == 6
    counts = slots_of(carts)
    assert sum(counts.values()) == 16384 and min(counts.values()) > 5000
    client = follow_slots(carts)
    for n in range(300):
        client.set(f"k:{n}", n)
    assert [client.get(f"k:{n}") for n in range(300)] == [str(n) for n in range(300)]
    zones = [{m["PreferredAvailabilityZone"] for m in s["NodeGroupMembers"]} for s in carts["NodeGroups"]]
    assert all(len(shard) == 2 for shard in zones)
    endpoint = carts["ConfigurationEndpoint"]
    assert connect(endpoint).execute_command("CLUSTER", "INFO")


def test_a_lost_zone_costs_no_write_that_a_replica_had(region, caches, carts, whole):
    zone = next(iter(leaders(region, "carts").values()))["zone"]
    # A shard whose replica was in the zone answers WAIT with 0 until that is back: what counts is told by another ledger.
    with ClusterLedger(carts) as kept, ClusterLedger(carts, wait=False, prefix="plain") as plain:
        at = time.monotonic()
        region.zone("kill", zone)
        until(lambda: all(r["zone"] != zone for r in leaders(region, "carts").values()), 60, "all leaders are elsewhere")
        plain.wait_for_more(500)
        region.zone("start", zone)
        kept.wait_for_more(100)
        silence = plain.longest_silence(at)
    print(f"{silence:.2f} s without writes of a shard, errors {dict(plain.errors)}")
    assert kept.lost() == []
    caches.wait_group("carts")


def test_a_shard_fails_over_on_request(region, caches, carts):
    before = leaders(region, "carts")
    caches.api.test_failover(ReplicationGroupId="carts", NodeGroupId="0002")
    def turned():
        now = leaders(region, "carts")
        return now.keys() != before.keys() and {i for i in now if "-0002-" in i} != {i for i in before if "-0002-" in i}

    until(turned, 60, "shard 0002 has another leader")
    caches.wait_group("carts")


def test_members_whose_zone_stays_away_are_rebuilt_elsewhere(region, caches, carts):
    zone = next(iter(leaders(region, "carts").values()))["zone"]
    client = follow_slots(carts)
    region.zone("kill", zone)

    def rebuilt():
        rows = [r for r in region.json("status")["regions"][0]["resources"] if r["id"].startswith("carts-")]
        return len(rows) == 6 and all(r["zone"] != zone and r["engine"] in ("leading", "following") for r in rows)

    until(rebuilt, 120, "no member is in the lost zone")
    assert [client.get(f"k:{n}") for n in range(300)] == [str(n) for n in range(300)]
    region.zone("start", zone)
    caches.wait_group("carts")
    before = leaders(region, "carts").keys()
    caches.api.test_failover(ReplicationGroupId="carts", NodeGroupId="0003")
    until(lambda: leaders(region, "carts").keys() != before, 60, "shard 0003 has another leader")
    caches.wait_group("carts")


def test_shards_come_and_go_under_load(caches, carts):
    change = caches.api.modify_replication_group_shard_configuration
    with ClusterLedger(carts) as ledger:
        at = time.monotonic()
        change(ReplicationGroupId="carts", NodeGroupCount=4, ApplyImmediately=True)
        grown = caches.wait_group("carts", within=240)
        assert len(slots_of(grown)) == 4 and min(slots_of(grown).values()) > 4000
        change(ReplicationGroupId="carts", NodeGroupCount=3, NodeGroupsToRemove=["0001"], ApplyImmediately=True)
        shrunk = caches.wait_group("carts", within=240)
        assert "0001" not in slots_of(shrunk) and sum(slots_of(shrunk).values()) == 16384
        ledger.wait_for_more()
        silence = ledger.longest_silence(at)
    print(f"{len(ledger.acknowledged)} writes, longest pause {silence:.2f} s, errors {dict(ledger.errors)}")
    assert ledger.lost() == []
    client = follow_slots(shrunk)
    assert [client.get(f"k:{n}") for n in range(300)] == [str(n) for n in range(300)]


def test_what_cannot_be_is_refused(caches, carts):
    change = caches.api.modify_replication_group_shard_configuration
    code, _, _ = error_of(change, ReplicationGroupId="carts", NodeGroupCount=0, ApplyImmediately=True)
    assert code == "InvalidParameterValue"
    code, _, _ = error_of(change, ReplicationGroupId="none", NodeGroupCount=2, ApplyImmediately=True)
    assert code == "ReplicationGroupNotFoundFault"
    caches.delete_group("carts")
