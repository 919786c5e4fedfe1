"""Throughput: provisioned units with their burst, those of indexes, maxima on demand; figures, status and metrics."""

import re
import urllib.request

import pytest
from botocore.exceptions import ClientError

from harness.aws import client, error_of
from harness.poll import until

BURST_S = 300
EXCEEDED = "ProvisionedThroughputExceededException"
KILOBYTE = 1024


@pytest.fixture(scope="module")
def dynamodb(region):
    """A client that takes the first answer."""
    return client(region, "dynamodb", retries={"mode": "standard", "max_attempts": 1})


def make(dynamodb, name, read=None, write=None, index_write=None, **more):
    """A table with the key `id`, and with the index `by-kind` when that has units; waits until it is active."""
    attributes = [{"AttributeName": "id", "AttributeType": "S"}]
    units = {"BillingMode": "PAY_PER_REQUEST"}
    if write is not None:
        units = {"ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": write}}
    if index_write is not None:
        attributes.append({"AttributeName": "kind", "AttributeType": "S"})
        units["GlobalSecondaryIndexes"] = [
            {
                "IndexName": "by-kind",
                "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": index_write},
            }
        ]
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=attributes,
        **units,
        **more,
    )
    wait_active(dynamodb, name)
    return name


def wait_active(dynamodb, name):
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})

    def active():
        return dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] == "ACTIVE"

    until(active, 20, f"{name} is active", pause=0.02)


def item(key, kilobytes=1, **more):
    """An item that costs so many write units."""
    body = "x" * (kilobytes * KILOBYTE - KILOBYTE // 2)
    return {"id": {"S": key}, "body": {"S": body}, **{name: {"S": value} for name, value in more.items()}}


def refused_after(call, most):
    """How often `call` succeeds before it is throttled, `most` at most; and the refusal."""
    for count in range(most):
        try:
            call(count)
        except ClientError as error:
            return count, error.response["Error"]
    raise AssertionError(f"not throttled after {most} calls")


def test_a_table_of_one_unit_is_throttled_after_its_burst(dynamodb):
    name = make(dynamodb, "one", read=1, write=1)
    # 10 units a write: the burst is 30 of them, and what a second gives some more.
    count, error = refused_after(lambda n: dynamodb.put_item(TableName=name, Item=item(str(n), 10)), 60)
    assert count >= BURST_S // 10
    assert error["Code"] == EXCEEDED
    assert error["Message"] == (
        "The level of configured provisioned throughput for the table was exceeded. Consider increasing your "
        "provisioning level with the UpdateTable API."
    )
    # Reads have units of their own.
    assert dynamodb.get_item(TableName=name, Key={"id": {"S": "0"}}, ConsistentRead=True)["Item"]


def test_raised_throughput_takes_effect(dynamodb):
    name = make(dynamodb, "raised", read=1, write=1)
    refused_after(lambda n: dynamodb.put_item(TableName=name, Item=item(str(n), 100)), 20)
    assert error_of(dynamodb.put_item, TableName=name, Item=item("more"))[0] == EXCEEDED
    dynamodb.update_table(
        TableName=name, ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 900}
    )

    def written():
        try:
            return dynamodb.put_item(TableName=name, Item=item("more"))
        except dynamodb.exceptions.ProvisionedThroughputExceededException:
            return None

    until(written, 10, "a write under the raised limit", pause=0.05)
    for n in range(20):
        dynamodb.put_item(TableName=name, Item=item(str(n), 10))


def test_a_batch_leaves_out_what_is_throttled(dynamodb):
    name = make(dynamodb, "batch", read=1, write=1)

    def write(round):
        requests = [{"PutRequest": {"Item": item(f"{round}-{n}", 20)}} for n in range(10)]
        return dynamodb.batch_write_item(RequestItems={name: requests})

    first = write(0)
    assert first["UnprocessedItems"] == {}
    # 100 units are left: some of these fit.
    second = write(1)["UnprocessedItems"]
    assert 1 <= len(second[name]) < 10
    code, status, _ = error_of(lambda: write(2))
    assert (code, status) == (EXCEEDED, 400)

    keys = {name: {"Keys": [{"id": {"S": f"0-{n}"}} for n in range(10)], "ConsistentRead": True}}

    def read(_):
        answer = dynamodb.batch_get_item(RequestItems=keys)
        found = len(answer["Responses"][name])
        left = len(answer["UnprocessedKeys"].get(name, {}).get("Keys", []))
        assert found + left == 10 and found > 0

    # 50 units a batch.
    count, error = refused_after(read, 20)
    assert count >= 5 and error["Code"] == EXCEEDED


def test_an_index_without_units_throttles_the_tables_writes(dynamodb):
    name = make(dynamodb, "indexed", read=10, write=1_000, index_write=1)
    put = lambda n: dynamodb.put_item(TableName=name, Item=item(str(n), 50, kind="k"))
    count, error = refused_after(put, 40)
    assert count >= BURST_S // 50
    assert error["Code"] == EXCEEDED
    assert "global secondary indexes of the table was exceeded" in error["Message"]
    # What the index does not hold is written as before.
    dynamodb.put_item(TableName=name, Item=item("plain"))


def test_a_transaction_names_the_throttled_action(dynamodb):
    poor = make(dynamodb, "poor", read=1, write=1)
    rich = make(dynamodb, "rich", read=1, write=1_000)
    refused_after(lambda n: dynamodb.put_item(TableName=poor, Item=item(str(n), 100)), 20)
    puts = [{"Put": {"TableName": table, "Item": item("t")}} for table in (rich, poor)]
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as refused:
        dynamodb.transact_write_items(TransactItems=puts)
    reasons = refused.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ProvisionedThroughputExceeded"]
    assert "Item" not in dynamodb.get_item(TableName=rich, Key={"id": {"S": "t"}}, ConsistentRead=True)


def test_on_demand_is_throttled_by_its_maxima_only(dynamodb):
    free = make(dynamodb, "free")
    for n in range(20):
        dynamodb.put_item(TableName=free, Item=item(str(n), 100))
    most = make(dynamodb, "most", OnDemandThroughput={"MaxReadRequestUnits": 100, "MaxWriteRequestUnits": 5})
    count, error = refused_after(lambda n: dynamodb.put_item(TableName=most, Item=item(str(n), 20)), 20)
    assert count >= 1
    assert error["Code"] == "ThrottlingException"
    assert error["Message"] == "Throughput exceeds the maximum OnDemandThroughput configured on table or index"


def test_descriptions_count_items_and_bytes(dynamodb):
    name = make(dynamodb, "counted", read=100, write=100, index_write=100)
    for n in range(5):
        dynamodb.put_item(TableName=name, Item={"id": {"S": f"{n}"}, "kind": {"S": "k"}})
    dynamodb.put_item(TableName=name, Item={"id": {"S": "5"}})

    def counted():
        table = dynamodb.describe_table(TableName=name)["Table"]
        index = table["GlobalSecondaryIndexes"][0]
        figures = (table["ItemCount"], table["TableSizeBytes"], index["ItemCount"])
        return figures if figures == (6, 5 * 8 + 3, 5) and index["IndexSizeBytes"] > 0 else None

    until(counted, 20, "the table's figures", pause=0.1)


def test_status_shows_tables_and_how_far_replicas_are(region, dynamodb):
    name = make(dynamodb, "shown")
    dynamodb.put_item(TableName=name, Item=item("1"))

    def caught_up():
        tables = region.status()["tables"]
        table = next(table for table in tables if table["name"] == name)
        [partition] = table["partitions"]
        lags = [replica["lag_entries"] for replica in partition["replicas"]]
        return table if partition["leader"] and lags == [0, 0, 0] else None

    table = until(caught_up, 20, "every replica has what the leader has", pause=0.1)
    assert (table["status"], table["billing"], table["items"]) == ("ACTIVE", "PAY_PER_REQUEST", 1)
    assert table["partitions"][0]["first"] == "0" * 16
    assert name in region.run("status").stdout


def test_metrics_count_requests_and_distances(region, dynamodb):
    name = make(dynamodb, "measured")
    dynamodb.put_item(TableName=name, Item=item("1"))

    def page():
        with urllib.request.urlopen(f"http://127.0.0.1:{region.api_port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        return text if re.search(rf'dynamodb_partition_lag_entries{{.*table="{name}".*}} \d+', text) else None

    text = until(page, 20, "the partitions on the metrics page", pause=0.2)
    assert re.search(r'quorate_dynamodb_requests_total{operation="PutItem",status="2xx"} [1-9]', text)
    assert re.search(r'quorate_dynamodb_request_duration_seconds_bucket{operation="PutItem",le="\+Inf"} [1-9]', text)
    assert re.search(rf'quorate_dynamodb_outbox_entries{{region="us-east-1",table="{name}"}} \d', text)
