"""Snapshots of Redis caches: taken, copied, deleted, restored, and what becomes of one when something dies under it."""

import datetime
import os
import time

import pytest
import redis
from botocore.exceptions import ClientError

from harness import processes
from harness.caches import Caches, connect, primary_of
from harness.poll import until

TAKEN_S = 90
KEYS = 2_000
# Enough for a save to take a while.
BULK_KEYS = 300_000


@pytest.fixture(scope="module")
def caches(region):
    return Caches(region)


def fill(client, keys=KEYS):
    with client.pipeline(transaction=False) as pipe:
        for at in range(keys):
            pipe.set(f"k:{at}", f"v{at}")
        pipe.zadd("board", {"ann": 3, "bob": 5})
        pipe.hset("session", mapping={"user": "ann", "cart": "7"})
        pipe.set("brief", "x", ex=3_600)
        pipe.execute()


def assert_filled(client, keys=KEYS):
    assert client.mget([f"k:{at}" for at in range(keys)]) == [f"v{at}" for at in range(keys)]
    assert client.zrevrange("board", 0, -1) == ["bob", "ann"]
    assert client.hgetall("session") == {"user": "ann", "cart": "7"}
    assert 0 < client.ttl("brief") <= 3_600


def snapshot(caches, name):
    return caches.api.describe_snapshots(SnapshotName=name, ShowNodeGroupConfig=True)["Snapshots"][0]


def names(caches, **only):
    return [found["SnapshotName"] for found in caches.api.describe_snapshots(**only)["Snapshots"]]


def wait_ended(caches, name):
    def ended():
        found = snapshot(caches, name)
        return found if found["SnapshotStatus"] in ("available", "failed") else None

    return until(ended, TAKEN_S, f"the snapshot {name} ends")


def wait_taken(caches, name):
    found = wait_ended(caches, name)
    assert found["SnapshotStatus"] == "available", caches.api.describe_events(Duration=60)["Events"]
    return found


def delete_snapshot(caches, name):
    caches.api.delete_snapshot(SnapshotName=name)
    until(lambda: name not in names(caches), 60, f"the snapshot {name} is gone")


def restore(caches, group, name):
    caches.create_group(group, replicas=1, SnapshotName=name)
    return connect(primary_of(caches.group(group)))


def objects(region):
    return list((region.data / "archive").rglob("*.rdb.meta"))


def refused(call, code, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code


@pytest.fixture(scope="module")
def shop(caches):
    caches.create_group("shop", replicas=1)
    fill(connect(primary_of(caches.group("shop"))))
    return "shop"


def test_a_snapshot_and_the_last_one_of_a_group_are_restored_whole(region, caches, shop):
    client = connect(primary_of(caches.group(shop)))
    assert client.wait(1, 5_000) == 1
    caches.api.create_snapshot(SnapshotName="first", ReplicationGroupId=shop)
    refused(caches.api.create_snapshot, "InvalidReplicationGroupState", SnapshotName="second", ReplicationGroupId=shop)
    taken = wait_taken(caches, "first")
    assert taken["SnapshotSource"] == "manual" and taken["ReplicationGroupId"] == shop
    (node,) = taken["NodeSnapshots"]
    assert node["NodeGroupId"] == "0001" and node["CacheSize"].endswith("MB")
    assert "0001-002" in [line for line in region.log_tail(400).splitlines() if "attempt at a snapshot" in line][0]
    caches.wait_group(shop)
    assert any("Snapshot succeeded" in event and "first" in event for event in caches.events(shop))

    client.set("later", "yes")
    caches.delete_group(shop, FinalSnapshotIdentifier="last")
    wait_taken(caches, "last")
    restored = restore(caches, "again", "first")
    assert_filled(restored)
    assert restored.get("later") is None
    group = caches.group("again")
    assert connect(group["NodeGroups"][0]["ReaderEndpoint"]).get("k:7") == "v7"
    restored.set("k", "written")
    caches.delete_group("again")
    restored = restore(caches, "last-of-shop", "last")
    assert_filled(restored)
    assert restored.get("later") == "yes"
    caches.delete_group("last-of-shop")


def test_a_copy_outlives_its_source_and_both_leave_the_archive(region, caches):
    caches.create_group("books", replicas=0)
    fill(connect(primary_of(caches.group("books"))))
    caches.api.create_snapshot(SnapshotName="books-1", ReplicationGroupId="books")
    wait_taken(caches, "books-1")
    before = len(objects(region))
    caches.api.copy_snapshot(SourceSnapshotName="books-1", TargetSnapshotName="books-2")
    wait_taken(caches, "books-2")
    assert len(objects(region)) == before + 1
    assert names(caches, ReplicationGroupId="books") == ["books-1", "books-2"]
    assert names(caches, ReplicationGroupId="nobody") == []
    assert names(caches, ReplicationGroupId="books", SnapshotSource="system") == []
    delete_snapshot(caches, "books-1")
    caches.delete_group("books")
    assert_filled(restore(caches, "books", "books-2"))
    caches.delete_group("books")
    delete_snapshot(caches, "books-2")
    assert len(objects(region)) == before - 1


def test_a_lone_node_is_restored_from_its_snapshot(caches):
    node = {"Engine": "redis", "CacheNodeType": "cache.t3.micro", "NumCacheNodes": 1}
    caches.api.create_cache_cluster(CacheClusterId="lone", **node)
    fill(connect(caches.wait_cluster("lone")["CacheNodes"][0]["Endpoint"]))
    caches.api.create_snapshot(SnapshotName="lone-1", CacheClusterId="lone")
    wait_taken(caches, "lone-1")
    assert names(caches, CacheClusterId="lone") == ["lone-1"]
    caches.wait_cluster("lone")
    caches.api.create_cache_cluster(CacheClusterId="lone-too", SnapshotName="lone-1", **node)
    assert_filled(connect(caches.wait_cluster("lone-too")["CacheNodes"][0]["Endpoint"]))
    for cluster in ("lone", "lone-too"):
        caches.api.delete_cache_cluster(CacheClusterId=cluster)
    delete_snapshot(caches, "lone-1")


def cluster_of(caches, group):
    endpoint = caches.group(group)["ConfigurationEndpoint"]
    return redis.RedisCluster(host=endpoint["Address"], port=endpoint["Port"], decode_responses=True)


def test_every_shard_of_a_group_with_cluster_mode_is_taken_and_restored(caches):
    shards = {"NumNodeGroups": 3, "ReplicasPerNodeGroup": 1}
    try:
        caches.create_group("wide", replicas=1, **shards)
    except ClientError as error:
        if "not offered here yet" in str(error):
            pytest.skip(f"the API has no cluster mode: {error}")
        raise
    client = cluster_of(caches, "wide")
    for at in range(KEYS):
        client.set(f"k:{at}", f"v{at}")
    caches.api.create_snapshot(SnapshotName="wide-1", ReplicationGroupId="wide")
    taken = wait_taken(caches, "wide-1")
    groups = [node["NodeGroupConfiguration"] for node in taken["NodeSnapshots"]]
    assert [group["NodeGroupId"] for group in groups] == ["0001", "0002", "0003"]
    assert all(group["Slots"] for group in groups)
    caches.wait_group("wide")
    caches.delete_group("wide")
    caches.create_group("wide-again", replicas=1, SnapshotName="wide-1", **shards)
    client = cluster_of(caches, "wide-again")
    assert [client.get(f"k:{at}") for at in range(KEYS)] == [f"v{at}" for at in range(KEYS)]
    client.set("k:0", "written")
    caches.delete_group("wide-again")
    caches.create_group("narrow", replicas=1, SnapshotName="wide-1", wait=False, **{**shards, "NumNodeGroups": 2})
    until(lambda: caches.group("narrow")["Status"] == "create-failed", TAKEN_S, "the group has failed")
    assert any("keys are not spread anew" in event for event in caches.events("narrow"))
    caches.delete_group("narrow")
    delete_snapshot(caches, "wide-1")


def test_a_snapshot_that_is_not_there_is_refused(caches):
    refused(caches.api.describe_snapshots, "SnapshotNotFoundFault", SnapshotName="nothing")
    refused(caches.api.delete_snapshot, "SnapshotNotFoundFault", SnapshotName="nothing")
    copy = {"SourceSnapshotName": "nothing", "TargetSnapshotName": "something"}
    refused(caches.api.copy_snapshot, "SnapshotNotFoundFault", **copy)
    with pytest.raises(ClientError) as caught:
        caches.create_group("empty", replicas=0, SnapshotName="nothing", wait=False)
    assert caught.value.response["Error"]["Code"] == "SnapshotNotFoundFault"


def test_a_damaged_snapshot_fails_the_group_and_says_why(region, caches):
    caches.create_group("worn", replicas=0)
    fill(connect(primary_of(caches.group("worn"))))
    caches.delete_group("worn", FinalSnapshotIdentifier="worn-1")
    wait_taken(caches, "worn-1")
    (data,) = [path for path in (region.data / "archive").rglob("worn-1/*/*.data/*") if path.is_file()]
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 0xFF
    data.write_bytes(content)
    caches.create_group("worn-again", replicas=1, SnapshotName="worn-1", wait=False)
    until(lambda: caches.group("worn-again")["Status"] == "create-failed", TAKEN_S, "the group has failed")
    assert any("worn-1" in event and "damaged" in event for event in caches.events("worn-again"))
    caches.delete_group("worn-again")
    delete_snapshot(caches, "worn-1")


def test_the_days_snapshot_is_taken_in_its_window_and_goes_with_the_group(caches):
    now = datetime.datetime.now(datetime.timezone.utc)
    ends = [now + datetime.timedelta(minutes=minutes) for minutes in (-5, 60)]
    other = now + datetime.timedelta(days=2, hours=12)
    caches.create_group(
        "daily",
        replicas=1,
        SnapshotRetentionLimit=1,
        SnapshotWindow="-".join(f"{end:%H:%M}" for end in ends),
        PreferredMaintenanceWindow=f"{other:%a:%H:%M}-{other + datetime.timedelta(hours=1):%a:%H:%M}".lower(),
    )
    (name,) = until(lambda: names(caches, ReplicationGroupId="daily"), TAKEN_S, "a snapshot is begun")
    assert name.startswith(f"automatic.daily-{now:%Y-%m-%d}") or now.hour == 23
    assert wait_taken(caches, name)["SnapshotSource"] == "automated"
    caches.wait_group("daily")
    assert names(caches, SnapshotSource="system") == [name]
    caches.delete_group("daily")
    until(lambda: not names(caches, SnapshotSource="system"), 60, "it is gone with its group")


@pytest.fixture(scope="module")
def bulk(caches):
    caches.create_group("bulk", replicas=1)
    client = connect(primary_of(caches.group("bulk")))
    for first in range(0, BULK_KEYS, 20_000):
        client.mset({f"bulk:{at}": "x" * 64 for at in range(first, first + 20_000)})
    assert client.wait(1, 30_000) == 1
    return "bulk"


def servers(region):
    """The server of the only replica, by pid: the folder in which it works. Replicas are who snapshots are taken of."""
    found = {}
    for pid in processes.pids():
        try:
            cwd = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            continue
        if cwd.startswith(str(region.data)) and "/caches/" in cwd and cwd.endswith("-0001-002/data"):
            found[pid] = cwd
    return found


@pytest.fixture
def whole_bulk(region, caches, bulk):
    """The bulk group with its replica in step."""
    client = connect(primary_of(caches.wait_group(bulk)))
    until(lambda: servers(region) and client.wait(1, 1_000) == 1, 60, "the replica is in step")
    return bulk


def assert_ended_well(caches, name):
    """The snapshot is taken whole, or has failed and says why."""
    found = wait_ended(caches, name)
    assert connect(primary_of(caches.wait_group("bulk"))).dbsize() == BULK_KEYS
    if found["SnapshotStatus"] == "failed":
        events = caches.events("bulk")
        assert any("Snapshot failed" in event and name in event for event in events), events
        return "failed"
    caches.create_group(f"of-{name}", replicas=0, SnapshotName=name)
    assert connect(primary_of(caches.group(f"of-{name}"))).dbsize() == BULK_KEYS
    caches.delete_group(f"of-{name}")
    return "available"


@pytest.mark.parametrize("after_s", [0.0, 0.2, 0.4, 0.8])
def test_a_server_that_is_killed_under_a_snapshot_leaves_none_stuck(region, caches, whole_bulk, after_s):
    name = f"killed-{int(after_s * 10)}"
    caches.api.create_snapshot(SnapshotName=name, ReplicationGroupId=whole_bulk)
    time.sleep(after_s)
    victims = servers(region)
    assert victims
    for pid in victims:
        processes.send(pid, 9)
    print(name, assert_ended_well(caches, name))


@pytest.mark.parametrize("after_s", [0.1, 0.6])
def test_a_node_that_is_killed_under_a_snapshot_leaves_none_stuck(region, caches, whole, whole_bulk, after_s):
    name = f"lost-{int(after_s * 10)}"
    (cwd,) = set(servers(region).values())
    zone = cwd.split("/nodes/")[1].split("/")[0].rpartition("-")[0]
    caches.api.create_snapshot(SnapshotName=name, ReplicationGroupId=whole_bulk)
    time.sleep(after_s)
    region.zone("kill", zone)
    assert wait_ended(caches, name)["SnapshotStatus"] == "available"
    region.zone("start", zone)
    print(name, assert_ended_well(caches, name))


def test_a_server_that_cannot_write_fails_its_snapshot_and_serves_on(region, caches):
    caches.create_group("full", replicas=0)
    client = connect(primary_of(caches.group("full")))
    client.set("k", "v")
    data = next(path for path in region.data.glob("regions/*/nodes/*/caches/*/data") if has_port(path, client))
    data.chmod(0o500)
    try:
        caches.api.create_snapshot(SnapshotName="full-1", ReplicationGroupId="full")
        assert wait_ended(caches, "full-1")["SnapshotStatus"] == "failed"
        assert any("could not write" in event for event in caches.events("full"))
    finally:
        data.chmod(0o700)
    caches.wait_group("full")
    assert client.get("k") == "v"
    caches.api.create_snapshot(SnapshotName="full-2", ReplicationGroupId="full")
    wait_taken(caches, "full-2")
    caches.wait_group("full")
    caches.delete_group("full")
    delete_snapshot(caches, "full-1")


def has_port(data, client):
    """Whether the server whose data lies there is the one that the client reaches."""
    port = client.info("server")["tcp_port"]
    lines = (data.parent / "server.conf").read_text().splitlines()
    return any(line.split()[:1] == ["port"] and line.split()[1].strip('"') == str(port) for line in lines)


def test_without_an_archive_a_snapshot_fails_and_a_last_one_keeps_the_group(make_region):
    region = make_region(**{"archive.folder": "/proc/no-such-folder"})
    region.start()
    caches = Caches(region)
    caches.create_group("plain", replicas=0)
    client = connect(primary_of(caches.group("plain")))
    client.set("k", "v")
    caches.api.create_snapshot(SnapshotName="s", ReplicationGroupId="plain")
    assert wait_ended(caches, "s")["SnapshotStatus"] == "failed"
    assert any("no archive is configured on node" in event for event in caches.events("plain"))
    caches.wait_group("plain")
    caches.delete_group("plain", wait=False, FinalSnapshotIdentifier="last")
    assert wait_ended(caches, "last")["SnapshotStatus"] == "failed"
    caches.wait_group("plain")
    assert connect(primary_of(caches.group("plain"))).get("k") == "v"
    delete_snapshot(caches, "s")
    caches.delete_group("plain")
