"""Changes to running Redis groups: replicas, node types, users, parameters, replacement; what is refused."""

import re
import shutil
import subprocess
import tempfile

import pytest
import redis

from harness.aws import command_line, error_of
from harness.caches import NODE_TYPE, CacheLedger, Caches, connect, primary_of
from harness.poll import until

PASSWORDS = ["a-password-of-16-letters"]


NEWER = "7.9.9"


@pytest.fixture(scope="module")
def newer(tmp_path_factory):
    """A folder with a server that says it is of a newer version: the installed one, by another name."""
    folder = tmp_path_factory.mktemp("newer")
    program = folder / "redis-server"
    version = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    told = re.sub(r"v=[0-9.]+", f"v={NEWER}", version).strip()
    program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{told}" && exit\nexec {shutil.which("redis-server")} "$@"\n')
    for path in [program, folder, *folder.parents]:
        if str(path).startswith(tempfile.gettempdir() + "/"):
            path.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def region(make_region, newer):
    region = make_region(nodes_per_zone=2, cache_replace_after_ms=3_000, cache_bin_dirs=[str(newer)])
    region.start()
    return region


@pytest.fixture(scope="module")
def caches(region):
    return Caches(region)


@pytest.fixture(scope="module")
def carts(caches):
    return caches.create_group("carts", replicas=1, EngineVersion=installed())


def installed():
    told = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    return re.search(r"v=([0-9.]+)", told).group(1)


def members(caches, identifier="carts"):
    return caches.group(identifier)["NodeGroups"][0]["NodeGroupMembers"]


def test_replicas_are_added_and_removed_under_load(caches, carts):
    with CacheLedger(primary_of(carts)) as ledger:
        caches.api.increase_replica_count(ReplicationGroupId="carts", NewReplicaCount=3, ApplyImmediately=True)
        caches.wait_group("carts")
        assert len(members(caches)) == 4
        caches.api.decrease_replica_count(ReplicationGroupId="carts", NewReplicaCount=2, ApplyImmediately=True)
        caches.wait_group("carts")
        until(lambda: len(members(caches)) == 3, 60, "a replica has gone")
        ledger.wait_for_more()
    assert ledger.lost() == []
    assert not ledger.errors


def test_a_node_type_changes_memory_without_loss(caches, carts):
    client = connect(primary_of(carts))
    before = client.info("memory")["maxmemory"]
    allowed = caches.api.list_allowed_node_type_modifications(ReplicationGroupId="carts")
    larger = "cache.t3.medium"
    assert larger in allowed["ScaleUpModifications"]
    with CacheLedger(primary_of(carts)) as ledger:
        caches.api.modify_replication_group(ReplicationGroupId="carts", CacheNodeType=larger, ApplyImmediately=True)
        until(lambda: connect(primary_of(carts)).info("memory")["maxmemory"] > before, 60, "more memory")
        caches.wait_group("carts")
        ledger.wait_for_more()
    assert ledger.lost() == []
    assert caches.group("carts")["CacheNodeType"] == larger


def test_a_primary_that_is_rebooted_loses_nothing(caches, carts):
    cluster = next(m["CacheClusterId"] for m in members(caches) if m["CurrentRole"] == "primary")
    with CacheLedger(primary_of(carts)) as ledger:
        ledger.wait_for_more()
        caches.api.reboot_cache_cluster(CacheClusterId=cluster, CacheNodeIdsToReboot=["0001"])
        caches.wait_group("carts")
        ledger.wait_for_more()
    assert ledger.lost() == []


def test_an_upgrade_goes_from_member_to_member_and_loses_nothing(caches):
    group = caches.create_group("upgraded", EngineVersion=installed())
    with CacheLedger(primary_of(group)) as ledger:
        caches.api.modify_replication_group(ReplicationGroupId="upgraded", EngineVersion=NEWER, ApplyImmediately=True)
        until(lambda: caches.cluster(group["MemberClusters"][0])["EngineVersion"] == NEWER, 60, "the version is newer")
        caches.wait_group("upgraded")
        ledger.wait_for_more()
        silence = max(later - earlier for earlier, later in zip(ledger.times, ledger.times[1:]))
    print(f"{len(ledger.acknowledged)} writes, longest pause {silence:.2f} s, errors {dict(ledger.errors)}")
    assert ledger.lost() == []
    endpoints = [m["ReadEndpoint"] for m in members(caches, "upgraded")]
    assert all(connect(e).info("server")["uptime_in_seconds"] < 60 for e in endpoints)
    assert not [m for m in caches.events("upgraded") if m.startswith("Failover")], "no election was needed"
    caches.delete_group("upgraded")


def test_a_parameter_reaches_running_engines(caches, carts):
    family = caches.api.describe_cache_parameter_groups()["CacheParameterGroups"]
    family = next(g["CacheParameterGroupFamily"] for g in family if g["CacheParameterGroupName"] == "default.redis7")
    caches.api.create_cache_parameter_group(
        CacheParameterGroupName="lru", CacheParameterGroupFamily=family, Description="evicts"
    )
    caches.api.modify_cache_parameter_group(
        CacheParameterGroupName="lru",
        ParameterNameValues=[{"ParameterName": "notify-keyspace-events", "ParameterValue": "Ex"}],
    )
    caches.api.modify_replication_group(
        ReplicationGroupId="carts", CacheParameterGroupName="lru", ApplyImmediately=True
    )
    client = connect(primary_of(carts))
    listener = client.pubsub()
    listener.psubscribe("__keyevent@*")
    def told():
        client.set("brief", "1", px=1)
        client.get("brief")
        message = listener.get_message(ignore_subscribe_messages=True, timeout=1)
        return message and "expired" in message["channel"]

    until(told, 30, "an expiry is told")
    caches.wait_group("carts")


def test_users_may_do_what_their_access_strings_say(caches):
    caches.api.create_user(
        UserId="app", UserName="app", Engine="redis", Passwords=PASSWORDS, AccessString="on ~app:* +@read +set"
    )
    caches.api.create_user(
        UserId="default-off", UserName="default", Engine="redis", Passwords=PASSWORDS, AccessString="off ~* -@all"
    )
    caches.api.create_user_group(UserGroupId="apps", Engine="redis", UserIds=["app", "default-off"])
    caches.create_group("shared", replicas=1, UserGroupIds=["apps"], TransitEncryptionEnabled=True)
    endpoint = primary_of(caches.group("shared"))
    tls = {"ssl": True, "ssl_ca_certs": str(caches.region.ca_file())}
    client = connect(endpoint, username="app", password=PASSWORDS[0], **tls)
    client.set("app:1", "v")
    assert client.get("app:1") == "v"
    for refused in [lambda: client.set("other", "v"), lambda: client.delete("app:1"), lambda: client.flushall()]:
        with pytest.raises(redis.exceptions.NoPermissionError):
            refused()
    with pytest.raises(redis.exceptions.AuthenticationError):
        connect(endpoint, password=PASSWORDS[0], **tls).get("app:1")
    caches.api.modify_user(UserId="app", AccessString="on ~app:* +@read")
    def read_only():
        try:
            client.set("app:1", "w")
        except redis.exceptions.NoPermissionError:
            return True
        return False

    until(read_only, 30, "the change of the user reaches the engines")
    caches.delete_group("shared")


def test_a_replica_whose_node_stays_away_is_rebuilt_elsewhere(region, caches, carts):
    client = connect(primary_of(carts))
    client.set("kept", "v")
    rows = region.json("status")["regions"][0]["resources"]
    replica = next(r for r in rows if r["id"].startswith("carts-") and r["role"] == "replica")
    region.zone("kill", replica["zone"])
    def rebuilt():
        rows = region.json("status")["regions"][0]["resources"]
        mine = [r for r in rows if r["id"].startswith("carts-")]
        return all(r["zone"] != replica["zone"] and r["engine"] in ("leading", "following") for r in mine)

    until(rebuilt, 90, "no member is in the lost zone")
    until(lambda: client.info("replication")["connected_slaves"] == 2, 60, "both replicas follow")
    assert client.get("kept") == "v"
    region.zone("start", replica["zone"])
    caches.wait_group("carts")


def test_without_automatic_failover_nobody_is_promoted(region, caches):
    group = caches.create_group("steady", replicas=1, AutomaticFailoverEnabled=False, MultiAZEnabled=False)
    zone = caches.primary_zone("steady")
    region.zone("kill", zone)
    until(lambda: connect(primary_of(caches.group("carts"))).ping(), 60, "the other group serves", quiet=(redis.RedisError,))
    assert caches.primary_zone("steady") == zone
    region.zone("start", zone)
    until(lambda: connect(primary_of(group)).set("k", "v"), 60, "the primary is back", quiet=(redis.RedisError,))
    assert caches.primary_zone("steady") == zone
    caches.delete_group("steady")


def test_a_lone_node_keeps_its_data_over_a_reboot(caches):
    caches.api.create_cache_cluster(CacheClusterId="lone", Engine="redis", CacheNodeType=NODE_TYPE, NumCacheNodes=1)
    endpoint = caches.wait_cluster("lone")["CacheNodes"][0]["Endpoint"]
    connect(endpoint).set("k", "v")
    caches.api.reboot_cache_cluster(CacheClusterId="lone", CacheNodeIdsToReboot=["0001"])
    caches.wait_cluster("lone")
    assert connect(endpoint).get("k") == "v"


def test_bad_input_is_refused_with_awss_code(caches, carts):
    create = caches.api.create_replication_group
    base = {"ReplicationGroupId": "bad", "ReplicationGroupDescription": "d", "Engine": "redis"}
    cases = [
        ({"CacheNodeType": "cache.none.large", "NumCacheClusters": 2}, "InvalidParameterValue"),
        ({"ReplicationGroupId": "-bad-", "CacheNodeType": NODE_TYPE}, "InvalidParameterValue"),
        ({"CacheNodeType": NODE_TYPE, "AuthToken": "short", "TransitEncryptionEnabled": True}, "InvalidParameterValue"),
        ({"CacheNodeType": NODE_TYPE, "NumCacheClusters": 7}, "InvalidParameterValue"),
        ({"CacheNodeType": NODE_TYPE, "NumNodeGroups": 0}, "InvalidParameterValue"),
        ({"CacheNodeType": NODE_TYPE, "SnapshotName": "none"}, "SnapshotNotFoundFault"),
        ({"ReplicationGroupId": "carts", "CacheNodeType": NODE_TYPE}, "ReplicationGroupAlreadyExists"),
        ({"CacheNodeType": NODE_TYPE, "Engine": "valkey"}, "InsufficientCacheClusterCapacity"),
    ]
    for changes, code in cases:
        found, status, sentence = error_of(create, **{**base, **changes})
        assert (found, status < 500) == (code, True), (changes, found, sentence)
        assert len(sentence) > 20
    found, _, sentence = error_of(
        caches.api.create_user, UserId="x", UserName="x", Engine="redis", Passwords=PASSWORDS, AccessString="on +nosuch"
    )
    assert found == "InvalidParameterValue" and "nosuch" in sentence
    assert error_of(caches.api.delete_snapshot, SnapshotName="none")[0] == "SnapshotNotFoundFault"


def test_the_command_line_drives_a_group(region, carts):
    told = command_line(
        region, "elasticache", "describe-replication-groups", "--replication-group-id", "carts",
        "--query", "ReplicationGroups[0].[Status,AutomaticFailover]", "--output", "text",
    )
    assert told.stdout.split() == ["available", "enabled"], told.stderr
