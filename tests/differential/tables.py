"""The tables that both servers get: every type of key, local and global indexes, all projections."""

# Few keys, so that requests meet.
KEYS = {"S": ["a", "b", "é"], "N": ["1", "2", "-1.5"], "B": ["YQ==", "YWI=", "/w=="]}
TABLES = {
    "hash_s": {"keys": [("pk", "S")]},
    "hash_n": {"keys": [("pk", "N")]},
    "hash_b": {"keys": [("pk", "B")]},
    "wide": {
        "keys": [("pk", "S"), ("sk", "N")],
        "local": {"l_all": ("ls", "S", "ALL"), "l_keys": ("ln", "N", "KEYS_ONLY"), "l_some": ("lb", "B", ["x", "m"])},
        "global": {
            "g_all": ([("gs", "S"), ("gn", "N")], "ALL"),
            "g_keys": ([("gs", "S")], "KEYS_ONLY"),
            "g_some": ([("gn", "N"), ("gb", "B")], ["x", "s"]),
        },
    },
    "wide_b": {"keys": [("pk", "N"), ("sk", "B")], "global": {"g_back": ([("sk", "B"), ("pk", "N")], "ALL")}},
    "wide_s": {"keys": [("pk", "B"), ("sk", "S")], "local": {"l_num": ("n", "N", "ALL")}},
}


def _schema(keys):
    return [{"AttributeName": name, "KeyType": "RANGE" if place else "HASH"} for place, (name, _) in enumerate(keys)]


def _projection(wanted):
    if isinstance(wanted, str):
        return {"ProjectionType": wanted}
    return {"ProjectionType": "INCLUDE", "NonKeyAttributes": wanted}


def creation(name):
    """The CreateTable of one of `TABLES`."""
    table = TABLES[name]
    attributes = dict(table["keys"])
    body = {"TableName": name, "KeySchema": _schema(table["keys"]), "BillingMode": "PAY_PER_REQUEST"}
    for index, (sort, kind, projected) in table.get("local", {}).items():
        attributes[sort] = kind
        entry = {
            "IndexName": index,
            "KeySchema": _schema([table["keys"][0], (sort, kind)]),
            "Projection": _projection(projected),
        }
        body.setdefault("LocalSecondaryIndexes", []).append(entry)
    for index, (keys, projected) in table.get("global", {}).items():
        attributes.update(keys)
        entry = {"IndexName": index, "KeySchema": _schema(keys), "Projection": _projection(projected)}
        body.setdefault("GlobalSecondaryIndexes", []).append(entry)
    body["AttributeDefinitions"] = [{"AttributeName": key, "AttributeType": kind} for key, kind in attributes.items()]
    return body


def indexes(name):
    """The key attributes and their types of each index of a table."""
    table = TABLES[name]
    found = {index: [table["keys"][0], (sort, kind)] for index, (sort, kind, _) in table.get("local", {}).items()}
    found.update({index: keys for index, (keys, _) in table.get("global", {}).items()})
    return found


def index_attributes(name):
    """The attributes that are keys of an index of a table, and their types."""
    own = dict(TABLES[name]["keys"])
    return {key: kind for keys in indexes(name).values() for key, kind in keys if key not in own}
