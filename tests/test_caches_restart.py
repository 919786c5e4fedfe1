"""A region that stops, in order or not, comes back with its caches."""

import pytest
from redis.exceptions import RedisClusterException, RedisError

from harness.caches import Caches, connect, follow_slots, memcached, primary_of
from harness.poll import until

KEYS = 200


@pytest.fixture(scope="module")
def caches(region):
    return Caches(region)


@pytest.fixture(scope="module")
def made(caches):
    caches.create_group("plain", wait=False)
    caches.create_group("slots", NumNodeGroups=3, ReplicasPerNodeGroup=1, replicas=1, wait=False)
    caches.create_memcached("pages", wait=False)
    plain, slots = caches.wait_group("plain"), caches.wait_group("slots")
    client = connect(primary_of(plain))
    for n in range(KEYS):
        client.set(f"k:{n}", n)
        follow_slots(slots).set(f"k:{n}", n) if n % 20 == 0 else None
    assert client.wait(2, 10_000) == 2
    return plain, slots, caches.wait_cluster("pages")


def all_serve(caches, made):
    plain, slots, pages = made
    caches.wait_group("plain")
    caches.wait_group("slots")
    caches.wait_cluster("pages")
    client = connect(primary_of(plain))
    until(lambda: client.info("replication")["connected_slaves"] == 2, 60, "both replicas follow")
    client.set("again", "1")
    assert follow_slots(slots).set("again", "1")
    assert memcached(pages["ConfigurationEndpoint"]).set("again", "1")


def test_a_region_that_stopped_in_order_has_everything(region, caches, made):
    region.stop()
    region.start()
    # The statuses are what the catalog last said: an answer of each cache counts.
    until(lambda: connect(primary_of(made[0]), socket_timeout=2).ping(), 60, "the group serves", quiet=(Exception,))
    until(lambda: follow_slots(made[1]).ping(), 60, "the cluster serves", quiet=(Exception,))
    all_serve(caches, made)
    client = connect(primary_of(made[0]))
    assert [client.get(f"k:{n}") for n in range(KEYS)] == [str(n) for n in range(KEYS)]
    cluster = follow_slots(made[1])
    assert [cluster.get(f"k:{n}") for n in range(0, KEYS, 20)] == [str(n) for n in range(0, KEYS, 20)]


def test_a_region_whose_nodes_are_all_killed_serves_again(region, caches, made):
    for zone in ("us-east-1a", "us-east-1b", "us-east-1c"):
        region.zone("kill", zone)
    for zone in ("us-east-1a", "us-east-1b", "us-east-1c"):
        region.zone("start", zone)
    # What nobody had on disk is gone, as in AWS; the groups are whole again.
    until(lambda: connect(primary_of(made[0]), socket_timeout=2).ping(), 90, "the group serves", quiet=(Exception,))
    until(lambda: follow_slots(made[1]).set("k", "v"), 90, "the cluster serves", quiet=(Exception,))
    all_serve(caches, made)


def test_a_zone_that_is_paused_costs_a_cluster_no_confirmed_write(region, caches, made, whole):
    rows = region.json("status")["regions"][0]["resources"]
    zone = next(r["zone"] for r in rows if r["id"].startswith("slots-0001") and r["role"] == "primary")
    client = follow_slots(made[1])
    for n in range(50):
        client.set(f"p:{n}", n)
        node = client.get_node_from_key(f"p:{n}")
        assert client.get_redis_connection(node).wait(1, 10_000) == 1
    region.zone("pause", zone)

    def led_elsewhere():
        rows = region.json("status")["regions"][0]["resources"]
        mine = [r for r in rows if r["id"].startswith("slots-") and r["role"] == "primary"]
        return len(mine) == 3 and all(r["zone"] != zone for r in mine)

    until(led_elsewhere, 60, "all shards are led from other zones")
    region.zone("resume", zone)
    caches.wait_group("slots")

    def everything():
        client = follow_slots(made[1])
        return [client.get(f"p:{n}") for n in range(50)] == [str(n) for n in range(50)]

    # The engines that were paused are ended and begin again: who asks one of them meanwhile is turned away.
    until(everything, 60, "every confirmed write is there", quiet=(RedisError, RedisClusterException))
