"""Random requests about tables that are refused, and bodies that are broken below the level of members."""

import json

from items import spoiled
from tables import creation


def tables(random):
    """A CreateTable with something wrong, or another operation on what is not there."""
    how = random.random()
    if how < 0.35:
        return random.choice(["DescribeTable", "DeleteTable", "DescribeTimeToLive"]), spoiled(
            random, {"TableName": random.choice(["absent", "ab", "", "a b", "x" * 256])}, 0.3
        )
    if how < 0.5:
        body = {"Limit": random.choice([1, 100, 0, 101, -1]), "ExclusiveStartTableName": random.choice(["hash_n", "a", "", "a b", "zz"])}
        return "ListTables", spoiled(random, body, 0.4)
    body = creation(random.choice(["hash_s", "wide", "wide_b", "wide_s"]))
    body["TableName"] = random.choice(["ab", "a b", "wide", "n" * 256])
    for _ in range(random.choice([1, 1, 2])):
        _break(random, body)
    if body.get("TableName") not in ("ab", "a b", "wide", "n" * 256):
        body["TableName"] = "wide"
    # A creation that nobody refuses would leave a table.
    if body["TableName"] == "fine":
        body["TableName"] = "wide"
    return "CreateTable", body


def _break(random, body):
    listed = [body.get("GlobalSecondaryIndexes"), body.get("LocalSecondaryIndexes")]
    indexes = [index for found in listed if isinstance(found, list) for index in found if index]
    part = random.choice([body, *indexes])
    how = random.random()
    if how < 0.4:
        part[random.choice(list(part))] = random.choice([None, [], {}, "a", "", 5, [{}], True])
    elif how < 0.55:
        body["BillingMode"] = random.choice(["PROVISIONED", "BAD", "", None])
    elif how < 0.65:
        body["ProvisionedThroughput"] = random.choice(
            [{}, {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}, {"ReadCapacityUnits": 1}, {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}]
        )
    elif how < 0.8 and isinstance(part.get("KeySchema"), list):
        part["KeySchema"] = random.choice(
            [[], part["KeySchema"] * 2, part["KeySchema"][::-1], [{"AttributeName": "zz", "KeyType": "HASH"}],
             [{"AttributeName": "pk", "KeyType": "BAD"}], [{"AttributeName": "pk"}], [{"AttributeName": "", "KeyType": "HASH"}]]
        )  # fmt: skip
    elif how < 0.9:
        part["Projection"] = random.choice(
            [{}, {"ProjectionType": "BAD"}, {"ProjectionType": "INCLUDE"}, {"ProjectionType": "ALL", "NonKeyAttributes": ["a"]},
             {"ProjectionType": "INCLUDE", "NonKeyAttributes": []}, {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["a", "a"]}]
        )  # fmt: skip
    else:
        body["AttributeDefinitions"] = random.choice(
            [[], [{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "zz", "AttributeType": "S"}],
             [{"AttributeName": "pk", "AttributeType": "BAD"}], [{"AttributeName": "pk"}]]
        )  # fmt: skip


def written(random, body):
    """The bytes of a body, now and then cut, doubled in a member, or not JSON."""
    text = json.dumps(body, ensure_ascii=random.random() < 0.5)
    chance = random.random()
    if chance < 0.003:
        text = text[: random.randrange(len(text))]
    elif chance < 0.006 and len(text) > 2:
        text = text[:-1] + "," + text[1:]
    elif chance < 0.009:
        text = random.choice(["", "[]", "5", '"a"', "null", "{", "[" * 200, "{}x", "\ufeff{}", "{'a':1}", '{"TableName":}'])
    return text.encode("utf-8", "surrogatepass")
