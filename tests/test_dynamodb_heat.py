"""DynamoDB partitions that are asked for too much: they split where the load is, and other nodes lead the halves."""

import threading
import time
import urllib.request

import pytest
from harness.items import Writers, dynamodb, ids, make_table
from harness.poll import until

COUNTERS = 40


@pytest.fixture(scope="module")
def region(make_region):
    region = make_region(dynamodb_split_heat_reads=30, dynamodb_split_heat_writes=10)
    region.start()
    return region


def logged(region, words):
    logs = region.data.glob("regions/*/nodes/*/node.log")
    return sum(log.read_text(errors="replace").count(words) for log in logs)


def partitions(region, table):
    return next(found for found in region.status()["tables"] if found["name"] == table)["partitions"]


def metrics(region):
    with urllib.request.urlopen(f"http://127.0.0.1:{region.api_port}/metrics", timeout=10) as answer:
        return answer.read().decode()


class Askers:
    """Threads that ask for something again and again, and how it went."""

    def __init__(self, ask, threads=4):
        self.asked = 0
        self.errors = []
        self.worst_s = 0.0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(ask, n), daemon=True) for n in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)

    def _run(self, ask, asker):
        number = 0
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                ask(asker, number)
            except Exception as error:  # noqa: BLE001  All of them are told.
                with self._lock:
                    self.errors.append(error)
            number += 1
            with self._lock:
                self.asked += 1
                self.worst_s = max(self.worst_s, time.monotonic() - began)


def test_a_hot_partition_splits_without_a_failed_request_and_others_lead(region):
    """Puts, counters and strong reads go on; afterwards every count is exact and every item there once."""
    api = dynamodb(region)
    make_table(api, "hot")

    def count(asker, number):
        key = {"id": {"S": f"counter-{(asker * 7 + number) % COUNTERS}"}}
        values = {":one": {"N": "1"}}
        api.update_item(TableName="hot", Key=key, UpdateExpression="ADD n :one", ExpressionAttributeValues=values)
        api.get_item(TableName="hot", Key=key, ConsistentRead=True)

    before = logged(region, "reason=Heat")
    with Askers(count) as askers, Writers(region, "hot") as writers:
        until(lambda: logged(region, "reason=Heat") >= before + 3, 90, "the table splits by its load", pause=0.2)
        seen = partitions(region, "hot")
        shown = 'quorate_dynamodb_partition_write_units{region="us-east-1",table="hot"'
        until(lambda: shown in metrics(region), 10, "the load is in the metrics")
    print(f"{askers.asked} counts, worst {askers.worst_s:.3f} s, {len(seen)} partitions")
    assert not askers.errors and not writers.errors, (askers.errors + writers.errors)[:3]
    assert sum(partition["writes_per_s"] for partition in seen) > 0
    assert sum(partition["reads_per_s"] for partition in seen) > 0
    assert len({partition["leader"] for partition in seen}) >= 2, "one node leads all"
    items = [item for page in api.get_paginator("scan").paginate(TableName="hot", ConsistentRead=True) for item in page["Items"]]
    counted = sum(int(item["n"]["N"]) for item in items if "n" in item)
    assert counted == askers.asked, "a count is lost or repeated"
    found = ids(api, "hot", ConsistentRead=True)
    assert max(found.values()) == 1
    assert writers.known() <= found.keys()


def test_a_partition_that_is_hot_at_one_position_does_not_split(region):
    api = dynamodb(region)
    make_table(api, "lone")
    before = logged(region, "hot at one position")

    def put(asker, number):
        api.put_item(TableName="lone", Item={"id": {"S": "lone"}, "n": {"N": str(number)}})

    with Askers(put) as askers:
        until(lambda: logged(region, "hot at one position") > before, 60, "the load is found to be at one position", pause=0.2)
    assert not askers.errors, askers.errors[:3]
    assert len(partitions(region, "lone")) == 1
    cools = lambda: partitions(region, "lone")[0]["writes_per_s"] == 0  # noqa: E731
    until(cools, 30, "a load that ended is forgotten", pause=0.5)
