"""Tables, and clients that write items until they are told to stop."""

import threading
import time
from collections import Counter

import botocore.exceptions

from .aws import client
from .poll import until

ACTIVE_S = 30


def dynamodb(region, **config):
    """A client that tries nothing again by itself: what the service answers is what the test sees."""
    config = {"retries": {"total_max_attempts": 1}, "read_timeout": 20, "max_pool_connections": 32, **config}
    return client(region, "dynamodb", **config)


def make_table(api, name, *indexes):
    """A table with the key `id`, and a global index on each attribute of `indexes`; once it is active."""
    attributes = ["id", *indexes]
    more = {}
    if indexes:
        more["GlobalSecondaryIndexes"] = [
            {
                "IndexName": f"by-{attribute}",
                "KeySchema": [{"AttributeName": attribute, "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for attribute in indexes
        ]
    api.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": attribute, "AttributeType": "S"} for attribute in attributes],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )
    active = lambda: api.describe_table(TableName=name)["Table"]["TableStatus"] == "ACTIVE"  # noqa: E731
    until(active, ACTIVE_S, f"{name} is active")


def ids(api, table, **more):
    """The keys of all items, each as often as the scan shows it."""
    seen = Counter()
    for page in api.get_paginator("scan").paginate(TableName=table, **more):
        seen.update(item["id"]["S"] for item in page["Items"])
    return seen


class Writers:
    """Threads that put items under keys of their own, from `with` to its end."""

    def __init__(self, region, table, threads=4, size=10, pause=0.002):
        self.api = dynamodb(region)
        self.table = table
        self.size = size
        self.pause = pause
        self.acknowledged = set()
        self.tried = set()
        self.errors = []
        self.last = 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(n,), daemon=True) for n in range(threads)]
        self._name = f"{time.monotonic_ns():x}"

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)

    def _write(self, writer):
        number = 0
        while not self._stop.is_set():
            key = f"{self._name}-{writer}-{number}"
            number += 1
            item = {"id": {"S": key}, "group": {"S": f"g{number % 7}"}, "text": {"S": "x" * self.size}}
            with self._lock:
                self.tried.add(key)
            try:
                self.api.put_item(TableName=self.table, Item=item)
            except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
                with self._lock:
                    self.errors.append(error)
                time.sleep(0.05)
                continue
            with self._lock:
                self.acknowledged.add(key)
                self.last = time.monotonic()
            time.sleep(self.pause)

    def known(self):
        """What is acknowledged at this moment."""
        with self._lock:
            return set(self.acknowledged)

    def grow(self, by, within=60):
        """Waits until that many more items are acknowledged."""
        goal = len(self.known()) + by
        until(lambda: len(self.known()) >= goal, within, f"{by} more items are acknowledged; errors: {self.errors[-3:]}")

    def assert_kept(self, seen):
        """All that was acknowledged is in `seen` once, and nothing that was never tried."""
        lost = self.known() - seen.keys()
        assert not lost, f"{len(lost)} acknowledged items are lost: {sorted(lost)[:5]}"
        assert max(seen.values(), default=1) == 1, "an item is there twice"
        assert seen.keys() <= self.tried
