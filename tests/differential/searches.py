"""Random queries and scans: filters, projections, Select modes, limits and start keys."""

import expressions
from expressions import Placeholders, damaged
from items import comparison, key, spoiled, table_name
from tables import KEYS, TABLES, index_attributes, indexes
from values import value

SELECTS = ["ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "COUNT"]


def start_key(random, name, index):
    found = key(random, name)
    if isinstance(found, dict) and index in indexes(name):
        found.update({k: {kind: random.choice(KEYS[kind])} for k, kind in indexes(name)[index]})
    if random.random() < 0.1 and isinstance(found, dict):
        found.pop(random.choice(list(found)), None) if found and random.random() < 0.5 else found.update(a=value(random))
    return found


def common(random, body, holders, name):
    """What a query and a scan share; returns the key attributes of what is read."""
    index = None
    if indexes(name) and random.random() < 0.55:
        index = random.choice(list(indexes(name)))
        body["IndexName"] = index if random.random() < 0.97 else random.choice(["absent", "a", "", "a b", 5])
    local = index in TABLES[name].get("local", {})
    if random.random() < (0.05 if index and not local else 0.8):
        body["ConsistentRead"] = random.random() < 0.9
    if random.random() < 0.3:
        body["FilterExpression"] = damaged(random, expressions.condition(random, holders))
    if random.random() < 0.25:
        body["ProjectionExpression"] = damaged(random, expressions.projection(random, holders))
    elif random.random() < 0.08:
        body["AttributesToGet"] = random.choices(expressions.NAMES, k=random.randint(0, 3))
    if random.random() < 0.3:
        body["Select"] = random.choice(SELECTS + ["BAD"] * (random.random() < 0.05))
    if random.random() < 0.3:
        body["Limit"] = random.choice([1, 1, 2, 3, 100] + [0, -1, 2**31, 1.5, "1"] * (random.random() < 0.2))
    if random.random() < 0.06:
        body["ExclusiveStartKey"] = start_key(random, name, index)
    if random.random() < 0.3:
        body["ReturnConsumedCapacity"] = random.choice(["TOTAL", "INDEXES", "INDEXES"])
    return indexes(name).get(index, TABLES[name]["keys"])


def query(random):
    name, sent = table_name(random)
    body, holders = {"TableName": sent}, Placeholders(random)
    keys = common(random, body, holders, name)
    if random.random() < 0.85:
        body["KeyConditionExpression"] = damaged(random, expressions.key_condition(random, holders, keys, KEYS), 0.05)
    else:
        conditions = {keys[0][0]: {"ComparisonOperator": "EQ", "AttributeValueList": [{keys[0][1]: random.choice(KEYS[keys[0][1]])}]}}
        if random.random() < 0.5 and len(keys) > 1:
            conditions[keys[1][0]] = comparison(random, keys[1][1])
        if random.random() < 0.05:
            conditions[random.choice(expressions.NAMES)] = comparison(random)
        body["KeyConditions"] = conditions
        if random.random() < 0.3:
            body["QueryFilter"] = {random.choice(expressions.NAMES): comparison(random) for _ in range(random.randint(1, 2))}
            if random.random() < 0.5:
                body["ConditionalOperator"] = random.choice(["AND", "OR"])
    if random.random() < 0.4:
        body["ScanIndexForward"] = random.random() < 0.5
    holders.into(body)
    return "Query", spoiled(random, body)


def scan(random):
    name, sent = table_name(random)
    body, holders = {"TableName": sent}, Placeholders(random)
    common(random, body, holders, name)
    if random.random() < 0.1 and "FilterExpression" not in body:
        names = expressions.NAMES + list(index_attributes(name))
        body["ScanFilter"] = {random.choice(names): comparison(random) for _ in range(random.randint(1, 2))}
        if random.random() < 0.5:
            body["ConditionalOperator"] = random.choice(["AND", "OR"])
    if random.random() < 0.08:
        total = random.choice([1, 1, 2, 0, 1_000_001])
        body.update({"TotalSegments": total, "Segment": random.choice([0, 0, 1, 2, -1])})
        if random.random() < 0.2:
            del body[random.choice(["Segment", "TotalSegments"])]
    holders.into(body)
    return "Scan", spoiled(random, body)
