"""Query and Scan on tables and indexes: pages, keys of pages, projections, and what AWS refuses."""

import pytest
from harness.aws import error_of
from harness.dynamodb import all_pages, dynamodb, eventually, index, keys, make_table, wait_active
from harness.poll import until

KB = 1024
INVALID = "One or more parameter values were invalid: "


@pytest.fixture(scope="module")
def api(region):
    """A table `main` of three partition keys with twenty sort keys each, and indexes of every projection."""
    api = dynamodb(region)
    make_table(
        api,
        "main",
        sort="n",
        attributes={"n": "N", "a": "S", "g": "S"},
        LocalSecondaryIndexes=[index("local-keys", "pk", "a", "KEYS_ONLY"), index("local-some", "pk", "a", "INCLUDE", ["x"])],
        GlobalSecondaryIndexes=[
            index("all", "g", "n"),
            index("keys", "g", projection="KEYS_ONLY"),
            index("some", "g", "a", "INCLUDE", ["x"]),
        ],
    )
    for pk in "abc":
        put_all(api, "main", [row(pk, n) for n in range(20)])
    for name, count in (("all", 30), ("keys", 30), ("some", 30)):
        eventually(lambda name=name: scanned(api, name), count, f"index {name} holds every row")
    return api


def row(pk, n):
    """Every second item has the attribute `g` and so a row in the global indexes."""
    item = {"pk": {"S": pk}, "n": {"N": str(n)}, "a": {"S": f"a{19 - n:02}"}, "x": {"N": "1"}, "y": {"N": "2"}}
    return {**item, "g": {"S": pk}} if n % 2 == 0 else item


def put_all(api, table, items):
    for first in range(0, len(items), 25):
        requests = [{"PutRequest": {"Item": item}} for item in items[first : first + 25]]
        assert api.batch_write_item(RequestItems={table: requests})["UnprocessedItems"] == {}


def scanned(api, name, table="main"):
    return sum(page["Count"] for page in all_pages(api.scan, TableName=table, IndexName=name))


def query(api, condition="pk = :p", values=None, **more):
    arguments = {"TableName": "main", "KeyConditionExpression": condition, **more}
    if "IndexName" not in more or more["IndexName"].startswith("l"):
        arguments.setdefault("ConsistentRead", True)
    found = {":p": {"S": "a"}, **(values or {})}
    return api.query(ExpressionAttributeValues=found, **arguments)


def numbers(answer):
    return [int(item["n"]["N"]) for item in answer["Items"]]


def refused(call, *args, **arguments):
    """The sentence of the ValidationException that a call must give."""
    code, status, message = error_of(lambda **found: call(*args, **found), **arguments)
    assert (code, status) == ("ValidationException", 400), (code, message)
    return message


# Key conditions.


@pytest.mark.parametrize(
    ("condition", "low", "high", "expected"),
    [
        ("n = :l", 3, None, [3]),
        ("n < :l", 3, None, [0, 1, 2]),
        ("n <= :l", 2, None, [0, 1, 2]),
        ("n > :l", 17, None, [18, 19]),
        (":l <= n", 18, None, [18, 19]),
        ("n BETWEEN :l AND :h", 9, 11, [9, 10, 11]),
        ("n BETWEEN :l AND :h", -5, 0.5, [0]),
    ],
)
def test_sort_keys_are_compared_by_value(api, condition, low, high, expected):
    values = {":l": {"N": str(low)}, **({":h": {"N": str(high)}} if high is not None else {})}
    assert numbers(query(api, f"pk = :p AND {condition}", values)) == expected
    backwards = query(api, f"({condition}) AND (pk = :p)", values, ScanIndexForward=False)
    assert numbers(backwards) == expected[::-1]


@pytest.mark.parametrize(
    ("condition", "values", "message"),
    [
        ("n = :p", {}, "Query condition missed key schema element: pk"),
        ("pk > :p", {}, "Query key condition not supported"),
        ("pk = :p AND x = :p", {}, "Query condition missed key schema element: n"),
        ("pk = :p AND n <> :p", {}, "Invalid operator used in KeyConditionExpression: <>"),
        ("pk = :p OR n = :p", {}, "Invalid operator used in KeyConditionExpression: OR"),
        ("pk = :p AND pk = :p", {}, "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one "
         "condition per key"),
        ("pk = :p AND n = :n", {":n": {"S": "1"}},
         INVALID + "Condition parameter type does not match schema type"),
        ("pk = :p AND n BETWEEN :h AND :l", {":h": {"N": "2"}, ":l": {"N": "1"}},
         "Invalid KeyConditionExpression: The BETWEEN operator requires upper bound to be greater than or equal to "
         "lower bound; lower bound operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {N:1}"),
        ("begins_with(n, :n) AND pk = :p", {":n": {"N": "1"}}, "Invalid KeyConditionExpression: Incorrect operand "
         "type for operator or function; operator or function: begins_with, operand type: N"),
    ],
)
def test_key_conditions_are_refused_in_awss_words(api, condition, values, message):
    assert refused(query, api, condition=condition, values=values) == message


def test_a_query_wants_a_key_condition(api):
    assert refused(api.query, TableName="main") == (
        "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
    )
    assert refused(query, api, values={}, IndexName="none") == "The table does not have the specified index: none"


# Filters.


def test_the_limit_counts_before_the_filter(api):
    answer = query(api, Limit=5, FilterExpression="y = :none", values={":none": {"N": "7"}})
    assert (answer["Count"], answer["ScannedCount"], answer["Items"]) == (0, 5, [])
    assert answer["LastEvaluatedKey"] == {"pk": {"S": "a"}, "n": {"N": "4"}}
    pages = all_pages(
        api.scan,
        TableName="main",
        Limit=7,
        FilterExpression="n = :n",
        ExpressionAttributeValues={":n": {"N": "3"}},
        ConsistentRead=True,
    )
    assert sum(page["ScannedCount"] for page in pages) == 60
    assert sum(page["Count"] for page in pages) == 3
    assert all(page["ScannedCount"] <= 7 for page in pages)


def test_a_query_does_not_filter_by_its_key(api):
    assert refused(query, api, FilterExpression="n > :n", values={":n": {"N": "1"}}) == (
        "Filter Expression can only contain non-primary key attributes: Primary key attribute: n"
    )
    # A table's key is no key of the index.
    answer = query(api, IndexName="keys", condition="g = :p", FilterExpression="n > :n", values={":n": {"N": "9"}})
    assert (answer["Count"], answer["ScannedCount"]) == (5, 10)
    assert "Key attributes must be scalars" in refused(query, api, ProjectionExpression="pk.a")


def test_a_limit_at_the_very_end_still_has_a_last_key(api):
    answer = query(api, Limit=20)
    assert answer["LastEvaluatedKey"] == {"pk": {"S": "a"}, "n": {"N": "19"}}
    end = query(api, ExclusiveStartKey=answer["LastEvaluatedKey"])
    assert (end["Count"], "LastEvaluatedKey" in end) == (0, False)
    assert "LastEvaluatedKey" not in query(api, Limit=21)


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("limit", [1, 3, 20])
def test_pages_hold_every_item_once_in_order(api, limit, forward):
    pages = all_pages(
        api.query,
        TableName="main",
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": "b"}},
        ScanIndexForward=forward,
        Limit=limit,
        ConsistentRead=True,
    )
    found = [n for page in pages for n in numbers(page)]
    assert found == (list(range(20)) if forward else list(range(19, -1, -1)))


def test_a_page_ends_at_1_mb(api):
    make_table(api, "large", sort="n", attributes={"n": "N"})
    for n in range(25):
        item = {"pk": {"S": "a"}, "n": {"N": str(n)}, "d": {"S": "x" * (100 * KB)}}
        api.put_item(TableName="large", Item=item)
    arguments = {
        "TableName": "large",
        "KeyConditionExpression": "pk = :p",
        "ExpressionAttributeValues": {":p": {"S": "a"}},
        "ProjectionExpression": "n",
        "ReturnConsumedCapacity": "TOTAL",
        "ConsistentRead": True,
    }
    pages = all_pages(api.query, **arguments)
    # AWS reads on until a megabyte is full: the eleventh item passes it.
    assert [page["Count"] for page in pages] == [11, 11, 3]
    assert [n for page in pages for n in numbers(page)] == list(range(25))
    first = pages[0]["ConsumedCapacity"]["CapacityUnits"]
    assert first == 276
    arguments["FilterExpression"] = "attribute_exists(absent)"
    pages = all_pages(api.query, **arguments)
    assert [page["Count"] for page in pages] == [0, 0, 0]
    assert [page["ScannedCount"] for page in pages] == [11, 11, 3]
    del arguments["KeyConditionExpression"], arguments["ExpressionAttributeValues"]
    pages = all_pages(api.scan, **arguments)
    assert sum(page["ScannedCount"] for page in pages) == 25
    assert len(pages) == 3


# Keys of pages.


def test_pages_of_indexes_carry_both_keys(api):
    wanted = {"all": {"g", "n", "pk"}, "keys": {"g", "n", "pk"}, "some": {"g", "a", "n", "pk"}}
    for name, key in wanted.items():
        answer = query(api, "g = :p", IndexName=name, Limit=3)
        assert set(answer["LastEvaluatedKey"]) == key
        rest = query(api, "g = :p", IndexName=name, ExclusiveStartKey=answer["LastEvaluatedKey"])
        assert sorted(numbers(answer) + numbers(rest)) == list(range(0, 20, 2))
        pages = all_pages(api.scan, TableName="main", IndexName=name, Limit=4)
        assert sum(page["Count"] for page in pages) == 30
    answer = query(api, IndexName="local-keys", Limit=3)
    assert answer["LastEvaluatedKey"] == {"pk": {"S": "a"}, "n": {"N": "17"}, "a": {"S": "a02"}}
    rest = query(api, IndexName="local-keys", ExclusiveStartKey=answer["LastEvaluatedKey"])
    assert numbers(answer) + numbers(rest) == list(range(19, -1, -1))


def test_a_start_key_fits_schema_query_and_segment(api):
    schema = "The provided starting key is invalid: The provided key element does not match the schema"
    for start in ({"pk": {"S": "a"}}, {"pk": {"S": "a"}, "n": {"S": "1"}}, {"pk": {"S": "a"}, "z": {"N": "1"}}):
        assert refused(query, api, ExclusiveStartKey=start) == schema
    assert refused(query, api, "g = :p", IndexName="all", ExclusiveStartKey={"g": {"S": "a"}, "n": {"N": "1"}}) == (
        "The provided starting key is invalid"
    )
    outside = "The provided starting key is outside query boundaries based on provided conditions"
    start = {"pk": {"S": "b"}, "n": {"N": "1"}}
    assert refused(query, api, ExclusiveStartKey=start) == outside
    start = {"pk": {"S": "a"}, "n": {"N": "1"}}
    assert refused(query, api, "pk = :p AND n > :n", {":n": {"N": "5"}}, ExclusiveStartKey=start) == outside
    # The key of a page need not be there any more.
    assert numbers(query(api, ExclusiveStartKey={"pk": {"S": "a"}, "n": {"N": "17.5"}})) == [18, 19]
    found = [
        error_of(api.scan, TableName="main", Segment=n, TotalSegments=2, ExclusiveStartKey=start)
        if refuses(api, n, start)
        else None
        for n in range(2)
    ]
    assert sum(one is not None for one in found) == 1
    (error,) = [one for one in found if one]
    assert error[2] == "The provided Exclusive start key does not map to the provided Segment and TotalSegments values."


def refuses(api, segment, start):
    try:
        api.scan(TableName="main", Segment=segment, TotalSegments=2, ExclusiveStartKey=start)
    except api.exceptions.ClientError:
        return True
    return False


def test_segments_share_the_table(region, api):
    for total in (1, 3, 16):
        seen = []
        for segment in range(total):
            pages = all_pages(
                api.scan, TableName="main", Segment=segment, TotalSegments=total, Limit=4, ConsistentRead=True
            )
            seen += [(item["pk"]["S"], int(item["n"]["N"])) for page in pages for item in page["Items"]]
        assert sorted(seen) == [(pk, n) for pk in "abc" for n in range(20)]
    assert refused(api.scan, TableName="main", Segment=2, TotalSegments=2) == (
        "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 2 is not less "
        "than TotalSegments: 2"
    )
    assert "TotalSegments parameter is required" in refused(api.scan, TableName="main", Segment=0)
    assert "Segment parameter is required" in refused(api.scan, TableName="main", TotalSegments=2)
    loose = dynamodb(region, parameter_validation=False)
    assert "Member must have value less than or equal to 1000000" in refused(
        loose.scan, TableName="main", Segment=0, TotalSegments=1000001
    )


# Select.


def test_select_and_projections_of_indexes(api):
    whole = {"pk", "n", "a", "x", "y", "g"}
    assert set(query(api, "g = :p", IndexName="all")["Items"][0]) == whole
    assert set(query(api, "g = :p", IndexName="keys")["Items"][0]) == {"pk", "n", "g"}
    assert set(query(api, "g = :p", IndexName="some")["Items"][0]) == {"pk", "n", "g", "a", "x"}
    assert set(query(api, IndexName="local-keys")["Items"][0]) == {"pk", "n", "a"}
    assert set(query(api, IndexName="local-some")["Items"][0]) == {"pk", "n", "a", "x"}
    count = query(api, Select="COUNT")
    assert (count["Count"], "Items" in count) == (20, False)
    assert refused(query, api, "g = :p", IndexName="keys", Select="ALL_ATTRIBUTES") == (
        INVALID + "Select type ALL_ATTRIBUTES is not supported for global secondary index keys because its projection "
        "type is not ALL"
    )
    assert "does not project" in refused(query, api, "g = :p", IndexName="keys", ProjectionExpression="x")
    assert refused(query, api, Select="ALL_PROJECTED_ATTRIBUTES") == (
        INVALID + "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"
    )
    assert refused(query, api, Select="COUNT", ProjectionExpression="x") == (
        "Cannot specify the ProjectionExpression when choosing to get only the Count"
    )
    assert "SPECIFIC_ATTRIBUTES" in refused(query, api, Select="SPECIFIC_ATTRIBUTES")
    assert refused(query, api, "g = :p", IndexName="all", ConsistentRead=True) == (
        "Consistent reads are not supported on global secondary indexes"
    )


def test_a_local_index_fetches_what_it_does_not_hold(api):
    more = {"IndexName": "local-keys", "ReturnConsumedCapacity": "INDEXES"}
    answer = query(api, **more)
    assert answer["ConsumedCapacity"]["LocalSecondaryIndexes"] == {"local-keys": {"CapacityUnits": 1.0}}
    assert answer["ConsumedCapacity"]["Table"] == {"CapacityUnits": 0.0}
    for extra in ({"Select": "ALL_ATTRIBUTES"}, {"ProjectionExpression": "pk, y"}):
        answer = query(api, **more, **extra)
        assert all(item["y"] == {"N": "2"} for item in answer["Items"])
        # One unit for the index's page, and one for each item that is fetched.
        assert answer["ConsumedCapacity"]["CapacityUnits"] == 21
        assert answer["ConsumedCapacity"]["Table"] == {"CapacityUnits": 20.0}
    sparse = query(api, "pk = :p AND begins_with(a, :a)", {":a": {"S": "a0"}}, IndexName="local-some")
    assert numbers(sparse) == list(range(19, 9, -1))


def test_capacity_of_a_page_is_rounded_once(api):
    answer = query(api, ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"] == {"TableName": "main", "CapacityUnits": 1.0}
    answer = api.scan(TableName="main", ReturnConsumedCapacity="INDEXES", ConsistentRead=True)
    assert answer["ConsumedCapacity"] == {"TableName": "main", "CapacityUnits": 1.0, "Table": {"CapacityUnits": 1.0}}
    answer = query(api, "g = :p", IndexName="all", ReturnConsumedCapacity="INDEXES")
    assert answer["ConsumedCapacity"] == {
        "TableName": "main",
        "CapacityUnits": 0.5,
        "Table": {"CapacityUnits": 0.0},
        "GlobalSecondaryIndexes": {"all": {"CapacityUnits": 0.5}},
    }
    empty = query(api, values={":p": {"S": "nothing"}}, ReturnConsumedCapacity="TOTAL", ConsistentRead=False)
    assert empty["ConsumedCapacity"]["CapacityUnits"] == 0.5


# Older parameters.


def test_the_older_parameters_query_and_scan(api):
    conditions = {
        "pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]},
        "n": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"N": "3"}, {"N": "6"}]},
    }
    answer = api.query(
        TableName="main",
        KeyConditions=conditions,
        QueryFilter={"g": {"ComparisonOperator": "NOT_NULL"}},
        AttributesToGet=["n"],
        ConsistentRead=True,
    )
    assert answer["Items"] == [{"n": {"N": "4"}}, {"n": {"N": "6"}}]
    answer = api.scan(
        TableName="main",
        ScanFilter={
            "a": {"ComparisonOperator": "IN", "AttributeValueList": [{"S": "a00"}, {"S": "a01"}]},
            "g": {"ComparisonOperator": "NULL"},
        },
        ConditionalOperator="AND",
        ConsistentRead=True,
    )
    assert answer["Count"] == 3
    assert refused(
        api.query,
        TableName="main",
        KeyConditions=conditions,
        QueryFilter={"n": {"ComparisonOperator": "NOT_NULL"}},
    ) == "QueryFilter can only contain non-primary key attributes: Primary key attribute: n"
    assert "Can not use both expression and non-expression parameters" in refused(
        api.query, TableName="main", KeyConditions=conditions, FilterExpression="attribute_exists(g)", AttributesToGet=["n"]
    )


# Global indexes on live tables.


def test_an_index_added_to_a_live_table_is_filled_and_removed(api):
    make_table(api, "live", attributes={})
    put_all(api, "live", [{"pk": {"S": f"k{n:03}"}, "h": {"S": f"h{n % 3}"}} for n in range(90)])
    # Items that do not fit are passed over, and stay.
    put_all(api, "live", [{"pk": {"S": "number"}, "h": {"N": "1"}}, {"pk": {"S": "none"}}])
    put_all(api, "live", [{"pk": {"S": "long"}, "h": {"S": "x" * 3000}}])
    api.update_table(
        TableName="live",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "h", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexUpdates=[{"Create": index("by-h", "h", "pk")}],
    )
    made = wait_active(api, "live")["GlobalSecondaryIndexes"][0]
    assert made["IndexName"] == "by-h"
    eventually(lambda: scanned(api, "by-h", "live"), 90, "the index is filled")
    api.update_item(
        TableName="live",
        Key={"pk": {"S": "k000"}},
        UpdateExpression="SET h = :h",
        ExpressionAttributeValues={":h": {"S": "moved"}},
    )
    api.delete_item(TableName="live", Key={"pk": {"S": "k001"}})

    def of(value):
        answer = api.query(
            TableName="live",
            IndexName="by-h",
            KeyConditionExpression="h = :h",
            ExpressionAttributeValues={":h": {"S": value}},
        )
        return answer["Count"]

    eventually(lambda: [of("moved"), of("h0"), of("h1")], [1, 29, 29], "rows follow their items")
    api.update_table(TableName="live", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-h"}}])
    until(lambda: "GlobalSecondaryIndexes" not in wait_active(api, "live"), 30, "the index is gone")
    assert "does not have the specified index" in refused(api.scan, TableName="live", IndexName="by-h")
    assert api.scan(TableName="live", Select="COUNT", ConsistentRead=True)["Count"] == 92


def test_an_index_may_have_several_attributes_in_its_key(api):
    schema = keys("h1") + keys("h2") + [{"AttributeName": name, "KeyType": "RANGE"} for name in ("r1", "r2")]
    make_table(
        api,
        "multi",
        attributes={"h1": "S", "h2": "N", "r1": "S", "r2": "N"},
        GlobalSecondaryIndexes=[
            {"IndexName": "multi", "KeySchema": schema, "Projection": {"ProjectionType": "KEYS_ONLY"}}
        ],
    )
    items = [
        {
            "pk": {"S": f"{r1}{r2}"},
            "h1": {"S": "h"},
            "h2": {"N": "1"},
            "r1": {"S": r1},
            "r2": {"N": str(r2)},
        }
        for r1 in "xy"
        for r2 in range(3)
    ]
    put_all(api, "multi", [*items, {"pk": {"S": "sparse"}, "h1": {"S": "h"}}])
    eventually(lambda: scanned(api, "multi", "multi"), 6, "rows of whole keys only")
    values = {":h": {"S": "h"}, ":n": {"N": "1"}, ":r": {"S": "x"}, ":l": {"N": "1"}}

    def ask(condition, names, **more):
        return api.query(
            TableName="multi",
            IndexName="multi",
            KeyConditionExpression=condition,
            ExpressionAttributeValues={name: values[name] for name in names},
            **more,
        )

    assert [item["pk"]["S"] for item in ask("h1 = :h AND h2 = :n", [":h", ":n"])["Items"]] == [
        "x0", "x1", "x2", "y0", "y1", "y2",
    ]
    found = ask("h1 = :h AND h2 = :n AND r1 = :r AND r2 >= :l", [":h", ":n", ":r", ":l"])["Items"]
    assert [item["pk"]["S"] for item in found] == ["x1", "x2"]
    page = ask("h1 = :h AND h2 = :n", [":h", ":n"], Limit=4)
    assert set(page["LastEvaluatedKey"]) == {"pk", "h1", "h2", "r1", "r2"}
    rest = ask("h1 = :h AND h2 = :n", [":h", ":n"], ExclusiveStartKey=page["LastEvaluatedKey"])
    assert rest["Count"] == 2
    assert "missed key schema element: h2" in refused(ask, "h1 = :h", [":h"])
    message = refused(ask, "h1 = :h AND h2 = :n AND r2 >= :l", [":h", ":n", ":l"])
    assert "r1" in message
