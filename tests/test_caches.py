"""ElastiCache for Redis without cluster mode: groups, endpoints, failover, as a user meets them."""

import time

import pytest
import redis

from harness.caches import TOKEN, CacheLedger, Caches, connect, primary_of, reader_of
from harness.poll import until


@pytest.fixture(scope="module")
def region(make_region):
    region = make_region(cache_replace_after_ms=4_000)
    region.start()
    return region


@pytest.fixture(scope="module")
def caches(region):
    return Caches(region)


@pytest.fixture(scope="module")
def orders(caches):
    return caches.create_group("orders")


def test_a_group_is_spread_over_zones_and_replicas_refuse_writes(caches, orders):
    members = orders["NodeGroups"][0]["NodeGroupMembers"]
    assert {m["PreferredAvailabilityZone"] for m in members} == {"us-east-1a", "us-east-1b", "us-east-1c"}
    assert [m["CurrentRole"] for m in members].count("primary") == 1
    client = connect(primary_of(orders))
    client.set("k", "v")
    assert client.wait(2, 5_000) == 2
    reader = connect(reader_of(orders))
    assert reader.get("k") == "v"
    with pytest.raises(redis.exceptions.ReadOnlyError):
        reader.set("k", "w")
    for member in members:
        assert connect(member["ReadEndpoint"]).get("k") == "v"
    for cluster in orders["MemberClusters"]:
        described = caches.cluster(cluster)
        assert described["EngineVersion"] and described["ReplicationGroupId"] == "orders"
    assert "Replication group created" in " ".join(caches.events("orders"))


def test_clients_cannot_reach_what_the_service_rests_on(orders):
    client = connect(primary_of(orders))
    for command in [("CONFIG", "GET", "*"), ("REPLICAOF", "NO", "ONE"), ("SHUTDOWN",), ("ACL", "SETUSER", "x", "on")]:
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(*command)


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_a_zone_that_goes_loses_no_write_that_a_replica_had(region, caches, orders, whole, fault):
    zone = caches.primary_zone("orders")
    with CacheLedger(primary_of(orders)) as ledger:
        ledger.wait_for_more()
        at = time.monotonic()
        region.zone(fault, zone)
        until(lambda: caches.primary_zone("orders") != zone, 60, "another zone leads")
        ledger.wait_for_more()
        region.zone("start" if fault == "kill" else "resume", zone)
        ledger.wait_for_more()
        silence = ledger.longest_silence(at)
    print(f"{fault}: {silence:.2f} s without writes, errors {dict(ledger.errors)}")
    assert ledger.lost() == []
    assert "Failover from master node" in " ".join(caches.events("orders"))
    group = caches.wait_group("orders")
    until(lambda: replicas_follow(group), 60, "the old primary is a replica again")


def replicas_follow(group):
    return connect(primary_of(group)).info("replication")["connected_slaves"] == 2


def test_a_token_is_asked_for_and_tls_is_the_regions(region, caches):
    caches.create_group("secret", replicas=1, AuthToken=TOKEN, TransitEncryptionEnabled=True)
    group = caches.group("secret")
    tls = {"ssl": True, "ssl_ca_certs": str(region.ca_file()), "ssl_check_hostname": True}
    client = connect(primary_of(group), password=TOKEN, **tls)
    client.set("k", "v")
    assert client.wait(1, 5_000) == 1
    with pytest.raises(redis.exceptions.AuthenticationError):
        connect(primary_of(group), **tls).get("k")
    with pytest.raises(redis.exceptions.AuthenticationError):
        connect(primary_of(group), password="wrong-horse-battery-9", **tls).get("k")
    with pytest.raises(redis.exceptions.ConnectionError):
        connect(primary_of(group), password=TOKEN).get("k")
    zone = caches.primary_zone("secret")
    with CacheLedger(primary_of(group), wait=False, password=TOKEN, **tls) as ledger:
        caches.api.test_failover(ReplicationGroupId="secret", NodeGroupId="0001")
        until(lambda: caches.primary_zone("secret") != zone, 60, "another zone leads")
        ledger.wait_for_more()
    assert connect(primary_of(group), password=TOKEN, **tls).get("k") == "v"
    caches.wait_group("secret")
    caches.delete_group("secret")
