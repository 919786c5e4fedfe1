"""A DynamoDB client of a region, and what its tests do again and again."""

import json
import time

from . import raw
from .aws import client
from .poll import until

ACTIVE_S = 30
SEEN_S = 20
JSON = "application/x-amz-json-1.0"


def dynamodb(region, **config):
    """A client that asks again soon: an election is over sooner than the SDK's own pauses."""
    return client(region, "dynamodb", max_pool_connections=50, **config)


def keys(partition, sort=None):
    """A KeySchema."""
    schema = [{"AttributeName": partition, "KeyType": "HASH"}]
    return schema + ([{"AttributeName": sort, "KeyType": "RANGE"}] if sort else [])


def index(name, partition, sort=None, projection="ALL", include=None):
    """A secondary index as CreateTable takes it."""
    projected = {"ProjectionType": projection}
    if include:
        projected["NonKeyAttributes"] = include
    return {"IndexName": name, "KeySchema": keys(partition, sort), "Projection": projected}


def definitions(**kinds):
    """AttributeDefinitions from names and their types."""
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in kinds.items()]


def make_table(api, name, partition="pk", sort=None, attributes=None, **more):
    """Creates an on-demand table and waits until it is ACTIVE. Keys are strings unless `attributes` says otherwise."""
    kinds = {partition: "S", **({sort: "S"} if sort else {}), **(attributes or {})}
    settings = {"BillingMode": "PAY_PER_REQUEST", **more}
    api.create_table(
        TableName=name, KeySchema=keys(partition, sort), AttributeDefinitions=definitions(**kinds), **settings
    )
    return wait_active(api, name)


def wait_active(api, name, within=ACTIVE_S):
    """The description, once the table and all its indexes are ACTIVE."""

    def active():
        table = api.describe_table(TableName=name)["Table"]
        states = [table["TableStatus"]]
        states += [found["IndexStatus"] for found in table.get("GlobalSecondaryIndexes", [])]
        return table if set(states) == {"ACTIVE"} else None

    return until(active, within, f"{name} is active", pause=0.05)


def wait_gone(api, name, within=ACTIVE_S):
    """Until DescribeTable does not find the table."""

    def gone():
        try:
            api.describe_table(TableName=name)
        except api.exceptions.ResourceNotFoundException:
            return True
        return False

    until(gone, within, f"{name} is gone", pause=0.05)


def eventually(read, expected, what, within=SEEN_S):
    """Until an eventually consistent `read` gives what is expected."""
    deadline = time.monotonic() + within
    while (seen := read()) != expected:
        assert time.monotonic() < deadline, f"{what}: expected {expected!r}, last seen {seen!r}"
        time.sleep(0.05)


def all_pages(call, **arguments):
    """The answers of a query or scan, page after page."""
    pages = []
    while True:
        pages.append(call(**arguments))
        last = pages[-1].get("LastEvaluatedKey")
        if last is None:
            return pages
        arguments["ExclusiveStartKey"] = last


def post(region, operation, body, headers=None, **signing):
    """A rightly signed request with any body; the status, the headers in lower case and the bytes of the answer."""
    data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    target = {"X-Amz-Target": f"DynamoDB_20120810.{operation}"}
    signed = raw.signed_headers(region, data, service="dynamodb", content_type=JSON, more=target, **signing)
    return raw.send_bytes(region, data, {**signed, **(headers or {})})
