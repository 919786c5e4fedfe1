"""Random requests about single items."""

import expressions
from expressions import Placeholders, damaged
from tables import KEYS, TABLES, index_attributes
from values import broken, maybe_broken, number, value

RETURNS = ["NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"]


def table_name(random):
    name = random.choice(list(TABLES) + ["wide"] * 4)
    if random.random() < 0.01:
        return name, random.choice(["absent", "ab", "a b", "", "x" * 256, 5, None, f"arn:aws:dynamodb:us-east-1:123456789012:table/{name}"])
    return name, name


def key(random, name, chance=0.04):
    """The key of an item of a table; now and then one that is none."""
    found = {key: {kind: random.choice(KEYS[kind])} for key, kind in TABLES[name]["keys"]}
    if random.random() < chance:
        victim = random.choice(list(found))
        how = random.random()
        if how < 0.25:
            del found[victim]
        elif how < 0.4:
            found["extra"] = {"S": "a"}
        elif how < 0.6:
            found[victim] = value(random)
        elif how < 0.75:
            found[victim] = broken(random)
        elif how < 0.85:
            found[victim] = random.choice([{"S": ""}, {"B": ""}, {"S": "x" * 2049}, {"S": "x" * 1025}, {"B": "YQ" * 1000}])
        elif how < 0.95:
            found[victim] = {"N": number(random)}
        else:
            found = random.choice([{}, [], "a", None])
    return found


def item(random, name):
    """An item of a table."""
    found = key(random, name)
    if not isinstance(found, dict):
        return found
    for attribute, kind in index_attributes(name).items():
        if random.random() < 0.5:
            found[attribute] = {kind: random.choice(KEYS[kind])}
            if random.random() < 0.03:
                found[attribute] = random.choice([value(random), {"S": ""}, {"NULL": True}, {"S": "x" * 2049}])
    for attribute in random.sample(["a", "b", "c", "x", "n", "s", "t", "name"], random.randint(0, 4)):
        found[attribute] = maybe_broken(random, 0.015)
    for attribute, kind in (("m", "M"), ("l", "L"), ("n", "N"), ("ss", "SS"), ("ns", "NS"), ("bs", "BS")):
        if random.random() < 0.5:
            found[attribute] = value(random, 1, kind)
    how = random.random()
    if how < 0.006:
        found["big"] = {"S": "x" * random.choice([409_000, 409_500, 409_590, 409_600, 409_700, 500_000])}
    elif how < 0.02:
        found["big"] = {"S": "x" * random.choice([900, 1000, 1024, 2000, 4000, 4096, 9000])}
    elif how < 0.025:
        found[""] = {"S": "a"}
    return found


def options(random, body, returns=RETURNS[:2]):
    """What may be asked of an answer."""
    if random.random() < 0.5:
        body["ReturnValues"] = random.choice(returns if random.random() < 0.95 else RETURNS + ["BAD", "", 5])
    if random.random() < 0.4:
        body["ReturnConsumedCapacity"] = random.choice(["TOTAL", "INDEXES", "INDEXES", "NONE"] + ["BAD"] * (random.random() < 0.1))
    if random.random() < 0.15:
        body["ReturnItemCollectionMetrics"] = random.choice(["SIZE", "SIZE", "NONE"] + ["BAD"] * (random.random() < 0.1))
    if random.random() < 0.3:
        body["ReturnValuesOnConditionCheckFailure"] = random.choice(["ALL_OLD", "NONE"] + ["BAD"] * (random.random() < 0.1))


def spoiled(random, body, chance=0.02):
    """The request, now and then with a member lost, of another type, or several wrong at once."""
    while random.random() < chance and body:
        victim = random.choice(list(body))
        if random.random() < 0.4:
            del body[victim]
        else:
            body[victim] = random.choice([None, 5, "", "a", [], {}, True, 1.5, ["a"], {"a": 1}, {"a": {"S": "a"}}])
        chance = 0.3
    return body


def condition_into(random, body, holders, chance=0.5):
    """A condition, by expression or, alone or mixed in, by legacy parameters."""
    if random.random() < chance:
        body["ConditionExpression"] = damaged(random, expressions.condition(random, holders))
    elif random.random() < 0.2:
        body["Expected"] = {random.choice(expressions.NAMES): expected(random) for _ in range(random.randint(1, 3))}
        if random.random() < 0.3:
            body["ConditionalOperator"] = random.choice(["AND", "OR"] + ["BAD"] * (random.random() < 0.1))
    elif random.random() < 0.02:
        body["ConditionalOperator"] = "OR"
    if random.random() < 0.01:
        body["Expected"] = {"a": {"Exists": False}}


OPERATORS = [
    "EQ", "NE", "LE", "LT", "GE", "GT", "NOT_NULL", "NULL", "CONTAINS", "NOT_CONTAINS", "BEGINS_WITH", "IN", "BETWEEN",
]  # fmt: skip
ARITY = {"NOT_NULL": 0, "NULL": 0, "IN": 2, "BETWEEN": 2}


def comparison(random, known=None):
    """A legacy condition: an operator and its values."""
    operator = random.choice(OPERATORS) if random.random() < 0.98 else random.choice(["BAD", "", "eq"])
    count = ARITY.get(operator, 1) if random.random() < 0.95 else random.randint(0, 3)
    found = {"ComparisonOperator": operator}
    values = [{known: random.choice(KEYS[known])} if known and random.random() < 0.9 else maybe_broken(random) for _ in range(count)]
    if values or random.random() < 0.2:
        found["AttributeValueList"] = values
    return spoiled(random, found, 0.01)


def expected(random):
    if random.random() < 0.6:
        found = comparison(random)
        if random.random() < 0.03:
            found["Exists"] = random.random() < 0.5
        return found
    return random.choice(
        [{"Exists": False}, {"Value": maybe_broken(random)}, {"Exists": True, "Value": value(random)}, {"Exists": True}, {},
         {"Exists": False, "Value": value(random)}, {"Value": value(random), "ComparisonOperator": "EQ"}]
    )  # fmt: skip


def put(random):
    name, sent = table_name(random)
    body, holders = {"TableName": sent, "Item": item(random, name)}, Placeholders(random)
    condition_into(random, body, holders, 0.35)
    holders.into(body)
    options(random, body)
    return "PutItem", spoiled(random, body)


def delete(random):
    name, sent = table_name(random)
    body, holders = {"TableName": sent, "Key": key(random, name)}, Placeholders(random)
    condition_into(random, body, holders)
    holders.into(body)
    options(random, body)
    return "DeleteItem", spoiled(random, body)


def attribute_updates(random):
    found = {}
    for _ in range(random.randint(1, 3)):
        change = {"Action": random.choice(["PUT", "ADD", "DELETE"] + ["BAD"] * (random.random() < 0.05))}
        if random.random() < 0.9:
            change["Value"] = maybe_broken(random, kind=random.choice([None, "N", "SS", "NS", "L"]))
        if random.random() < 0.1:
            del change["Action"]
        found[random.choice(expressions.NAMES)] = change
    return found


def update(random):
    name, sent = table_name(random)
    body, holders = {"TableName": sent, "Key": key(random, name)}, Placeholders(random)
    how = random.random()
    if how < 0.85:
        body["UpdateExpression"] = damaged(random, expressions.update(random, holders))
    if how > 0.84:
        body["AttributeUpdates"] = attribute_updates(random)
    condition_into(random, body, holders, 0.3)
    holders.into(body)
    options(random, body, RETURNS)
    return "UpdateItem", spoiled(random, body)


def get(random):
    name, sent = table_name(random)
    body, holders = {"TableName": sent, "Key": key(random, name), "ConsistentRead": random.random() < 0.9}, Placeholders(random)
    if random.random() < 0.5:
        body["ProjectionExpression"] = damaged(random, expressions.projection(random, holders))
    elif random.random() < 0.2:
        body["AttributesToGet"] = random.choices(expressions.NAMES, k=random.randint(0, 4))
    if random.random() < 0.01:
        body["AttributesToGet"] = ["a"]
    holders.into(body)
    if random.random() < 0.3:
        body["ReturnConsumedCapacity"] = random.choice(["TOTAL", "INDEXES"])
    return "GetItem", spoiled(random, body)
