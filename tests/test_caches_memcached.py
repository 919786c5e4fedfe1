"""ElastiCache for Memcached: nodes over zones, auto discovery, clients that shard."""

import socket

import pytest
from pymemcache.client.hash import HashClient

from harness.caches import Caches, memcached
from harness.poll import until


@pytest.fixture(scope="module")
def caches(region):
    return Caches(region)


@pytest.fixture(scope="module")
def sessions(caches):
    return caches.create_memcached("sessions")


def ask(endpoint, command):
    """One command in raw Memcached; the answer up to END."""
    with socket.create_connection((endpoint["Address"], endpoint["Port"]), timeout=10) as plain:
        plain.sendall(command.encode() + b"\r\n")
        answer = b""
        while not answer.endswith((b"END\r\n", b"ERROR\r\n")):
            part = plain.recv(4096)
            assert part, answer
            answer += part
    return answer.decode()


def configuration(endpoint):
    """The version and the nodes that auto discovery tells."""
    lines = ask(endpoint, "config get cluster").splitlines()
    assert lines[0].startswith("CONFIG cluster 0 ")
    return int(lines[1]), [tuple(node.split("|")) for node in lines[2].split()]


def test_nodes_are_spread_and_the_configuration_endpoint_names_them(caches, sessions):
    nodes = sessions["CacheNodes"]
    zones = {node["CustomerAvailabilityZone"] for node in nodes}
    assert zones == {"us-east-1a", "us-east-1b", "us-east-1c"}
    version, told = configuration(sessions["ConfigurationEndpoint"])
    assert version >= 1
    assert [int(port) for _, _, port in told] == [node["Endpoint"]["Port"] for node in nodes]
    older = ask(sessions["ConfigurationEndpoint"], "get AmazonElastiCache:cluster")
    assert told[0][2] in older


def test_the_configuration_endpoint_speaks_plain_memcached(sessions):
    client = memcached(sessions["ConfigurationEndpoint"])
    assert client.set("plain", "1") and client.get("plain") == b"1"
    assert client.stats()[b"curr_items"] >= 1


def sharding(caches, identifier="sessions"):
    """A client that spreads keys over the nodes that auto discovery told."""
    _, nodes = configuration(caches.cluster(identifier)["ConfigurationEndpoint"])
    servers = [(address, int(port)) for _, address, port in nodes]
    return HashClient(servers, use_pooling=True, ignore_exc=True, timeout=5, connect_timeout=5, retry_attempts=0)


def test_a_client_shards_and_only_a_lost_nodes_keys_are_gone(region, caches, sessions, whole):
    client = sharding(caches)
    keys = [f"user:{n}" for n in range(300)]
    for key in keys:
        assert client.set(key, key)
    held = [memcached(node["Endpoint"]).stats()[b"curr_items"] for node in sessions["CacheNodes"]]
    assert all(count > 50 for count in held), held
    lost_zone = sessions["CacheNodes"][0]["CustomerAvailabilityZone"]
    others = [n["Endpoint"] for n in sessions["CacheNodes"] if n["CustomerAvailabilityZone"] != lost_zone]
    kept = [key for key in keys for endpoint in others if memcached(endpoint).get(key) is not None]
    region.zone("kill", lost_zone)
    found = [key for key in keys if client.get(key) is not None]
    assert sorted(found) == sorted(kept)
    region.zone("start", lost_zone)
    node = sessions["CacheNodes"][0]["Endpoint"]
    until(lambda: memcached(node).set("back", "1"), 60, "the node is back, empty", quiet=(OSError,))
    assert all(memcached(node).get(key) is None for key in keys)


def test_nodes_come_and_go_and_the_version_rises(caches, sessions):
    before, _ = configuration(sessions["ConfigurationEndpoint"])
    caches.api.modify_cache_cluster(CacheClusterId="sessions", NumCacheNodes=5, ApplyImmediately=True)
    grown = caches.wait_cluster("sessions")
    assert grown["NumCacheNodes"] == 5
    version, nodes = until(lambda: (configuration(grown["ConfigurationEndpoint"])), 10, "it answers")
    assert version > before and len(nodes) == 5
    gone = grown["CacheNodes"][0]["CacheNodeId"]
    caches.api.modify_cache_cluster(
        CacheClusterId="sessions", NumCacheNodes=4, CacheNodeIdsToRemove=[gone], ApplyImmediately=True
    )
    shrunk = caches.wait_cluster("sessions")
    assert gone not in [node["CacheNodeId"] for node in shrunk["CacheNodes"]]
    later, nodes = configuration(shrunk["ConfigurationEndpoint"])
    assert later > version and len(nodes) == 4


def test_a_reboot_empties_a_node_and_keeps_its_endpoint(caches, sessions):
    cluster = caches.cluster("sessions")
    node = cluster["CacheNodes"][0]
    assert memcached(node["Endpoint"]).set("k", "v")
    caches.api.reboot_cache_cluster(CacheClusterId="sessions", CacheNodeIdsToReboot=[node["CacheNodeId"]])
    after = caches.wait_cluster("sessions")
    assert after["CacheNodes"][0]["Endpoint"] == node["Endpoint"]
    until(lambda: memcached(node["Endpoint"]).get("k", "gone") == "gone", 30, "it is empty", quiet=(OSError,))


def test_a_deleted_cluster_is_gone(caches, sessions):
    caches.api.delete_cache_cluster(CacheClusterId="sessions")
    waiter = caches.api.get_waiter("cache_cluster_deleted")
    waiter.wait(CacheClusterId="sessions", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
