"""ElastiCache of one region: what its tests do again and again, and a ledger of writes to a cache."""

import threading
import time
from collections import Counter

import redis
import redis.sentinel
from pymemcache.client.base import Client as MemcachedClient
from redis.cluster import RedisCluster

from .aws import client
from .poll import until

AVAILABLE_S = 90
DELETED_S = 60
NODE_TYPE = "cache.t3.micro"
TOKEN = "correct-horse-battery-9"
# A client that hangs on a dead server is a finding.
SOCKET_S = 20


class Caches:
    """The ElastiCache client of one region."""

    def __init__(self, region):
        self.region = region
        self.api = client(region, service="elasticache")

    def create_group(self, identifier, replicas=2, wait=True, **more):
        asked = {
            "ReplicationGroupId": identifier,
            "ReplicationGroupDescription": identifier,
            "Engine": "redis",
            "CacheNodeType": NODE_TYPE,
            "NumCacheClusters": replicas + 1,
            "AutomaticFailoverEnabled": replicas > 0,
            "MultiAZEnabled": replicas > 0,
            **more,
        }
        if "NumNodeGroups" in asked:
            del asked["NumCacheClusters"]
        self.api.create_replication_group(**{key: value for key, value in asked.items() if value is not None})
        return self.wait_group(identifier) if wait else None

    def group(self, identifier):
        return self.api.describe_replication_groups(ReplicationGroupId=identifier)["ReplicationGroups"][0]

    def wait_group(self, identifier, within=AVAILABLE_S):
        def available():
            group = self.group(identifier)
            return group if group["Status"] == "available" else None

        return until(available, within, f"{identifier} is available")

    def delete_group(self, identifier, wait=True, **more):
        self.api.delete_replication_group(ReplicationGroupId=identifier, **more)
        if wait:
            until(lambda: not self.exists(identifier), DELETED_S, f"{identifier} is gone")

    def exists(self, identifier):
        groups = self.api.describe_replication_groups()["ReplicationGroups"]
        return any(group["ReplicationGroupId"] == identifier for group in groups)

    def create_memcached(self, identifier, nodes=3, wait=True, **more):
        self.api.create_cache_cluster(
            CacheClusterId=identifier, Engine="memcached", CacheNodeType=NODE_TYPE, NumCacheNodes=nodes, **more
        )
        return self.wait_cluster(identifier) if wait else None

    def cluster(self, identifier):
        answer = self.api.describe_cache_clusters(CacheClusterId=identifier, ShowCacheNodeInfo=True)
        return answer["CacheClusters"][0]

    def wait_cluster(self, identifier, within=AVAILABLE_S):
        def available():
            cluster = self.cluster(identifier)
            return cluster if cluster["CacheClusterStatus"] == "available" else None

        return until(available, within, f"{identifier} is available")

    def events(self, identifier):
        answer = self.api.describe_events(SourceIdentifier=identifier, Duration=60)
        return [event["Message"] for event in answer["Events"]]

    def primary_zone(self, identifier):
        rows = self.region.json("status")["regions"][0]["resources"]
        return next(r["zone"] for r in rows if r["id"].startswith(f"{identifier}-") and r["role"] == "primary")


def connect(endpoint, **more):
    """A Redis client of an endpoint; it knows nothing of Sentinels."""
    settings = {"socket_timeout": SOCKET_S, "socket_connect_timeout": SOCKET_S, "decode_responses": True, **more}
    return redis.Redis(host=endpoint["Address"], port=endpoint["Port"], **settings)


def primary_of(group):
    return group["NodeGroups"][0]["PrimaryEndpoint"]


def reader_of(group):
    return group["NodeGroups"][0]["ReaderEndpoint"]


def follow_slots(group):
    """A client of a group with cluster mode, which finds the shard of each key."""
    endpoint = group["ConfigurationEndpoint"]
    return RedisCluster(host=endpoint["Address"], port=endpoint["Port"], decode_responses=True, socket_timeout=5)


def memcached(endpoint):
    return MemcachedClient((endpoint["Address"], endpoint["Port"]), timeout=SOCKET_S, connect_timeout=SOCKET_S)


class SentinelLogin:
    """A client's way to a group's primary by Redis's Sentinel protocol, with what `quorate sentinels` prints."""

    def __init__(self, region, group):
        self.group = group
        told = region.json("sentinels")["regions"][0]
        addresses = [s["address"].rsplit(":", 1) for s in told["sentinels"]]
        login = {"username": told["user"], "password": told["password"], "socket_timeout": 0.5}
        self._sentinel = redis.sentinel.Sentinel([(ip, int(port)) for ip, port in addresses], sentinel_kwargs=login)

    def infos(self):
        """What each Sentinel tells of itself."""
        return [sentinel.info("sentinel") for sentinel in self._sentinel.sentinels]

    def connect(self, **more):
        # A server that is gone without a word is given up, and the Sentinels are asked anew.
        settings = {"socket_timeout": 1, "decode_responses": True, **more}
        return self._sentinel.master_for(self.group, **settings)


class CacheLedger:
    """Writers that set keys which nobody else uses, and note which ones were acknowledged.

    With `wait`, a write counts as acknowledged only when WAIT says that a replica has it.
    """

    def __init__(self, endpoint, writers=2, wait=True, sentinels=None, prefix="ledger", **login):
        """`sentinels` is a SentinelLogin to ask for the primary instead of the endpoint."""
        self.endpoint = endpoint
        self.sentinels = sentinels
        self.prefix = prefix
        self.login = login
        self.wait = wait
        self.acknowledged = []
        self.times = []
        # The longest that one write took until it was acknowledged, with all that the client did for it.
        self.slowest_s = 0.0
        self.errors = Counter()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(n,), daemon=True) for n in range(writers)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        self.wait_for_more(5)
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a writer hangs"

    def _write(self, number):
        client, at = None, 0
        while not self._stop.is_set():
            at += 1
            began = time.monotonic()
            key = f"{self.prefix}:{number}:{at}"
            try:
                client = client or self._connect()
                client.set(key, at)
                if self.wait and not self._has_replica(client, key):
                    self.errors["no replica"] += 1
                    continue
            except redis.RedisError as error:
                self.errors[type(error).__name__] += 1
                client = None
                self._stop.wait(0.02)
                continue
            self.acknowledged.append((key, at))
            self.times.append(time.monotonic())
            self.slowest_s = max(self.slowest_s, self.times[-1] - began)
            self._stop.wait(0.002)

    def _has_replica(self, client, key):
        """Whether a replica has what was written."""
        return client.wait(1, 5_000) >= 1

    def _connect(self):
        if self.sentinels:
            return self.sentinels.connect(**self.login)
        return connect(self.endpoint, **self.login)

    def wait_for_more(self, count=20, within=60):
        before = len(self.times)
        what = f"{count} more writes are acknowledged"
        until(lambda: len(self.times) >= before + count, within, what, pause=0.02)

    def longest_silence(self, since):
        """The longest time without an acknowledged write after a moment, in seconds."""
        times = [since, *(at for at in list(self.times) if at > since)]
        return max((later - earlier for earlier, later in zip(times, times[1:])), default=None)

    def lost(self):
        """The acknowledged writes that are not there."""
        client = self._connect()
        missing = []
        for first in range(0, len(self.acknowledged), 500):
            part = self.acknowledged[first : first + 500]
            values = client.mget([key for key, _ in part])
            missing += [key for (key, at), value in zip(part, values) if value != str(at)]
        return missing


class ClusterLedger(CacheLedger):
    """The same over a group with cluster mode, by a client that follows its slots."""

    def __init__(self, group, **more):
        super().__init__(group["ConfigurationEndpoint"], writers=3, **more)
        self.group = group

    def _connect(self):
        return follow_slots(self.group)

    def _has_replica(self, client, key):
        node = client.get_node_from_key(key)
        return client.get_redis_connection(node).wait(1, 5_000) >= 1

    def lost(self):
        """The acknowledged writes that are not there."""
        client = self._connect()
        return [key for key, at in self.acknowledged if client.get(key) != str(at)]
