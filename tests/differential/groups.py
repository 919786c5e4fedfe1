"""Random batches, transactions and PartiQL."""

import expressions
from expressions import Placeholders, damaged
from items import item, key, spoiled
from tables import KEYS, TABLES, indexes
from values import broken, value


def _name(random):
    return random.choice(list(TABLES)) if random.random() < 0.98 else random.choice(["absent", "a", "x" * 256])


def _known(name):
    return name if name in TABLES else "hash_s"


def batch_write(random):
    requests = {}
    for _ in range(random.choice([1, 1, 2])):
        name = _name(random)
        entries = []
        for _ in range(random.choice([1, 1, 2, 3] + [0, 26] * (random.random() < 0.05))):
            if random.random() < 0.6:
                entries.append({"PutRequest": {"Item": item(random, _known(name))}})
            else:
                entries.append({"DeleteRequest": {"Key": key(random, _known(name))}})
            if random.random() < 0.02:
                entries[-1] = random.choice([{}, {**entries[-1], "PutRequest": {"Item": {}}, "DeleteRequest": {"Key": {}}}, None])
        requests[name] = entries
    body = {"RequestItems": requests}
    if random.random() < 0.4:
        body["ReturnConsumedCapacity"] = random.choice(["TOTAL", "INDEXES"])
    if random.random() < 0.2:
        body["ReturnItemCollectionMetrics"] = "SIZE"
    return "BatchWriteItem", spoiled(random, body)


def batch_get(random):
    requests = {}
    for _ in range(random.choice([1, 1, 2])):
        name, holders = _name(random), Placeholders(random)
        count = random.choice([1, 1, 2, 3] + [0, 101] * (random.random() < 0.05))
        entry = {"Keys": [key(random, _known(name)) for _ in range(count)], "ConsistentRead": True}
        if random.random() < 0.3:
            entry["ProjectionExpression"] = damaged(random, expressions.projection(random, holders))
        elif random.random() < 0.1:
            entry["AttributesToGet"] = random.choices(expressions.NAMES, k=2)
        holders.into(entry)
        requests[name] = spoiled(random, entry)
    body = {"RequestItems": requests}
    if random.random() < 0.4:
        body["ReturnConsumedCapacity"] = random.choice(["TOTAL", "INDEXES"])
    return "BatchGetItem", spoiled(random, body)


def _action(random):
    name, holders = _name(random), Placeholders(random)
    table = _known(name)
    kind = random.choice(["Put", "Update", "Delete", "ConditionCheck"])
    body = {"TableName": name}
    if kind == "Put":
        body["Item"] = item(random, table)
    else:
        body["Key"] = key(random, table)
    if kind == "Update":
        body["UpdateExpression"] = damaged(random, expressions.update(random, holders), 0.03)
    if kind == "ConditionCheck" or random.random() < 0.3:
        body["ConditionExpression"] = damaged(random, expressions.condition(random, holders), 0.03)
    holders.into(body)
    if random.random() < 0.3:
        body["ReturnValuesOnConditionCheckFailure"] = random.choice(["ALL_OLD", "NONE"])
    action = {kind: spoiled(random, body)}
    if random.random() < 0.01:
        action = random.choice([{}, {**action, "Delete": {"TableName": name, "Key": key(random, table)}}, None])
    return action


def transact_write(random):
    actions = [_action(random) for _ in range(random.choice([1, 1, 2, 3] + [0, 101] * (random.random() < 0.03)))]
    body = {"TransactItems": actions}
    if random.random() < 0.4:
        body["ReturnConsumedCapacity"] = random.choice(["TOTAL", "INDEXES"])
    if random.random() < 0.1:
        body["ReturnItemCollectionMetrics"] = "SIZE"
    if random.random() < 0.03:
        body["ClientRequestToken"] = random.choice(["", "x" * 37, 5])
    return "TransactWriteItems", spoiled(random, body)


def transact_get(random):
    actions = []
    for _ in range(random.choice([1, 1, 2, 3] + [0, 101] * (random.random() < 0.05))):
        name, holders = _name(random), Placeholders(random)
        body = {"TableName": name, "Key": key(random, _known(name))}
        if random.random() < 0.4:
            body["ProjectionExpression"] = damaged(random, expressions.projection(random, holders))
        holders.into(body)
        actions.append({"Get": spoiled(random, body)})
    body = {"TransactItems": actions}
    if random.random() < 0.4:
        body["ReturnConsumedCapacity"] = random.choice(["TOTAL", "INDEXES"])
    return "TransactGetItems", spoiled(random, body)


class Parameters:
    """The parameters of one statement, in order."""

    def __init__(self, random):
        self.random, self.values = random, []

    def literal(self, kind=None, exact=None):
        found = exact or value(self.random, 2, kind)
        if self.random.random() < 0.4:
            self.values.append(found if exact or self.random.random() < 0.99 else broken(self.random))
            return "?"
        return _literal(found)

    def list(self):
        found = list(self.values)
        if self.random.random() < 0.03:
            found.append({"S": "extra"})
        elif found and self.random.random() < 0.03:
            found.pop()
        return found


def _quoted(text):
    return "'" + text.replace("'", "''") + "'"


def _literal(found):
    ((kind, inner),) = found.items()
    if kind == "S":
        return _quoted(inner)
    if kind == "N":
        return inner
    if kind == "B":
        return _quoted(inner)
    if kind == "BOOL":
        return "true" if inner else "false"
    if kind == "NULL":
        return "null"
    if kind == "L":
        return "[" + ", ".join(_literal(member) for member in inner) + "]"
    if kind == "M":
        return "{" + ", ".join(f"{_quoted(name)}: {_literal(member)}" for name, member in inner.items()) + "}"
    return "<<" + ", ".join(_literal({kind[0]: member}) for member in inner) + ">>"


def _where(random, name, parameters, index=None):
    keys = indexes(name).get(index, TABLES[name]["keys"])
    parts = []
    for attribute, kind in keys:
        if random.random() < 0.9:
            comparator = "=" if random.random() < 0.9 else random.choice(expressions.COMPARATORS)
            parts.append(f"{attribute} {comparator} {parameters.literal(exact={kind: random.choice(KEYS[kind])})}")
    while random.random() < 0.25:
        attribute = random.choice(expressions.NAMES + ["m.a", "l[0]", '"name"'])
        parts.append(
            random.choice(
                [
                    f"{attribute} {random.choice(expressions.COMPARATORS)} {parameters.literal()}",
                    f"attribute_exists({attribute})", f"{attribute} IS MISSING", f"{attribute} IS NOT NULL",
                    f"NOT {attribute} = 1", f"{attribute} IN [1, 2, 'a']", f"begins_with({attribute}, 'a')",
                    f"contains({attribute}, 'a')", f"size({attribute}) > 1", f"{attribute} BETWEEN 1 AND 3",
                    f"attribute_type({attribute}, 'N')", f"({attribute} = 1 OR {attribute} = 'a')",
                ]
            )
        )  # fmt: skip
    if len(parts) > 1 and random.random() < 0.05:
        parts.reverse()
    return f" WHERE {' AND '.join(parts)}" if parts else ""


def statement(random, kinds=("SELECT", "SELECT", "INSERT", "UPDATE", "DELETE")):
    """A statement's text and parameters."""
    name, parameters = random.choice(list(TABLES)), Parameters(random)
    source = name if random.random() < 0.98 else random.choice(["absent", "a"])
    source = f'"{source}"' if random.random() < 0.8 else source
    kind = random.choice(kinds)
    if kind == "SELECT":
        index = random.choice(list(indexes(name))) if indexes(name) and random.random() < 0.3 else None
        columns = random.choice(["*", "*", "pk", "a, b", "m.a", "l[0], n", '"name"', "a.b.c", "COUNT(*)"] if random.random() < 0.9 else ["", "a,"])
        text = f"SELECT {columns} FROM {source}" + (f'."{index}"' if index else "") + _where(random, name, parameters, index)
        if random.random() < 0.1:
            text += f" ORDER BY {random.choice(['pk', 'sk', 'a', 'pk DESC, sk', 'sk DESC'])}"
    elif kind == "INSERT":
        found = key(random, name)
        found = found if isinstance(found, dict) else {}
        found.update(a=value(random, 1), n={"N": "5"})
        try:
            pairs = ", ".join(f"{_quoted(attribute)}: {parameters.literal(exact=inner)}" for attribute, inner in found.items())
        except (AttributeError, ValueError, TypeError, KeyError):
            # A broken value that no literal spells.
            pairs = "'pk': null"
            parameters.values.clear()
        text = f"INSERT INTO {source} VALUE {{{pairs}}}"
    elif kind == "UPDATE":
        changes = []
        for _ in range(random.choice([1, 1, 2])):
            target = random.choice(["a", "b", "n", "m.a", "l[0]", "l[9]", "ss", "gs", "s", "pk"] if random.random() < 0.3 else ["a", "b", "n"])
            how = random.random()
            if how < 0.4:
                changes.append(f"SET {target} = {parameters.literal()}")
            elif how < 0.55:
                changes.append(f"SET {target} = n {random.choice('+-')} {parameters.literal('N')}")
            elif how < 0.65:
                changes.append(f"SET {target} = {random.choice(['set_add', 'set_delete'])}(ss, {parameters.literal('SS')})")
            elif how < 0.75:
                changes.append(f"SET {target} = list_append(l, {parameters.literal('L')})")
            elif how < 0.8:
                changes.append(f"SET {target} = if_not_exists({target}, {parameters.literal()})")
            else:
                changes.append(f"REMOVE {target}")
        text = f"UPDATE {source} {' '.join(changes)}{_where(random, name, parameters)}"
        if random.random() < 0.3:
            text += f" RETURNING {random.choice(['ALL OLD *', 'MODIFIED OLD *', 'ALL NEW *', 'MODIFIED NEW *', 'ALL *', 'OLD *'])}"
    else:
        text = f"DELETE FROM {source}{_where(random, name, parameters)}"
        if random.random() < 0.3:
            text += f" RETURNING {random.choice(['ALL OLD *', 'ALL OLD *', 'MODIFIED OLD *', 'ALL NEW *'])}"
    body = {"Statement": damaged(random, text, 0.06)}
    if parameters.list() or random.random() < 0.02:
        body["Parameters"] = parameters.list()
    if random.random() < 0.1:
        body["ReturnValuesOnConditionCheckFailure"] = random.choice(["ALL_OLD", "NONE"])
    return body


def execute(random):
    body = statement(random)
    if body["Statement"].startswith("SELECT"):
        body["ConsistentRead"] = random.random() < 0.8
        if random.random() < 0.1:
            body["Limit"] = random.choice([1, 2, 0, -1])
    if random.random() < 0.2:
        body["ReturnConsumedCapacity"] = random.choice(["TOTAL", "INDEXES"])
    if random.random() < 0.01:
        body["NextToken"] = random.choice(["", "x", "YQ=="])
    return "ExecuteStatement", spoiled(random, body)


def batch_execute(random):
    kinds = ("SELECT",) if random.random() < 0.5 else ("INSERT", "UPDATE", "DELETE")
    if random.random() < 0.1:
        kinds = ("SELECT", "INSERT")
    count = random.choice([1, 2, 3] + [0, 26] * (random.random() < 0.04))
    body = {"Statements": [statement(random, kinds) for _ in range(count)]}
    for entry in body["Statements"]:
        if entry["Statement"].startswith("SELECT"):
            entry["ConsistentRead"] = True
    if random.random() < 0.3:
        body["ReturnConsumedCapacity"] = random.choice(["TOTAL", "INDEXES"])
    return "BatchExecuteStatement", spoiled(random, body)


def execute_transaction(random):
    kinds = ("SELECT",) if random.random() < 0.4 else ("INSERT", "UPDATE", "DELETE")
    count = random.choice([1, 2, 3] + [0, 101] * (random.random() < 0.04))
    body = {"TransactStatements": [statement(random, kinds) for _ in range(count)]}
    if random.random() < 0.3:
        body["ReturnConsumedCapacity"] = random.choice(["TOTAL", "INDEXES"])
    return "ExecuteTransaction", spoiled(random, body)


