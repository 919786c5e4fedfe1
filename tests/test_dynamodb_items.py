"""Items written, read, updated and removed one by one and in batches: what AWS answers, to the byte and to the unit."""

import time
from decimal import Decimal

import pytest
from harness.aws import error_of
from harness.dynamodb import dynamodb, eventually, index, make_table
from harness.poll import until

KB = 1024
ITEM_BYTES_MAX = 400 * KB
INVALID = "One or more parameter values were invalid: "


@pytest.fixture(scope="module")
def api(region):
    api = dynamodb(region)
    make_table(api, "plain")
    make_table(
        api,
        "wide",
        sort="sk",
        attributes={"a": "S", "g": "S"},
        LocalSecondaryIndexes=[index("local", "pk", "a", "KEYS_ONLY")],
        GlobalSecondaryIndexes=[index("global", "g", projection="INCLUDE", include=["x"])],
    )
    return api


def refused(call, **arguments):
    """The sentence of the ValidationException that a call must give."""
    code, status, message = error_of(call, **arguments)
    assert (code, status) == ("ValidationException", 400), (code, message)
    return message


def put(api, pk, table="plain", **attributes):
    return api.put_item(TableName=table, Item={"pk": {"S": pk}, **attributes})


def get(api, pk, **more):
    return api.get_item(TableName="plain", Key={"pk": {"S": pk}}, ConsistentRead=True, **more).get("Item")


def update(api, pk, expression, values=None, names=None, **more):
    arguments = {"TableName": "plain", "Key": {"pk": {"S": pk}}, "UpdateExpression": expression, **more}
    if values:
        arguments["ExpressionAttributeValues"] = values
    if names:
        arguments["ExpressionAttributeNames"] = names
    return api.update_item(**arguments)


def units(answer):
    return answer["ConsumedCapacity"]["CapacityUnits"]


# Numbers.


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1.0", "1"),
        ("-0", "0"),
        ("0010.100", "10.1"),
        ("1e3", "1000"),
        ("+5", "5"),
        ("9.9999999999999999999999999999999999999E+125", "9" * 38 + "0" * 88),
        ("-9.9999999999999999999999999999999999999E+125", "-" + "9" * 38 + "0" * 88),
        ("1E-130", "0." + "0" * 129 + "1"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ("0.12345678901234567890123456789012345678", "0.12345678901234567890123456789012345678"),
    ],
)
def test_a_number_comes_back_exact_and_normalised(api, written, read):
    put(api, "number", n={"N": written})
    found = get(api, "number")["n"]["N"]
    assert found == read
    assert Decimal(found) == Decimal(written)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("1" * 39, "Attempting to store more than 38 significant digits in a Number"),
        ("9" * 1000, "Attempting to store more than 38 significant digits in a Number"),
        ("1E126", "Number overflow. Attempting to store a number with magnitude larger than supported range"),
        ("1E-131", "Number underflow. Attempting to store a number with magnitude smaller than supported range"),
        ("ten", "The parameter cannot be converted to a numeric value: ten"),
        ("", "The parameter cannot be converted to a numeric value"),
        ("NaN", "The parameter cannot be converted to a numeric value: NaN"),
    ],
)
def test_what_is_no_number_is_refused(api, number, message):
    assert refused(put, api=api, pk="number", n={"N": number}) == message
    assert refused(put, api=api, pk="number", l={"L": [{"NS": [number]}]}) == message


def test_arithmetic_is_exact_and_overflows(api):
    put(api, "sum", n={"N": "0.1"}, big={"N": "9E125"}, s={"S": "x"})
    answer = update(api, "sum", "SET n = n + :b", {":b": {"N": "0.2"}}, ReturnValues="UPDATED_NEW")
    assert answer["Attributes"] == {"n": {"N": "0.3"}}
    answer = update(api, "sum", "ADD n :b", {":b": {"N": "-0.3"}}, ReturnValues="ALL_NEW")
    assert answer["Attributes"]["n"] == {"N": "0"}
    overflow = "Number overflow. Attempting to store a number with magnitude larger than supported range"
    assert refused(update, api=api, pk="sum", expression="ADD big :b", values={":b": {"N": "9E125"}}) == overflow
    assert refused(update, api=api, pk="sum", expression="SET n = s + :b", values={":b": {"N": "1"}}) == (
        "An operand in the update expression has an incorrect data type"
    )
    assert refused(update, api=api, pk="sum", expression="SET n = absent + :b", values={":b": {"N": "1"}}) == (
        "The provided expression refers to an attribute that does not exist in the item"
    )


def test_sets_compare_numbers_by_value(api):
    duplicates = refused(put, api=api, pk="set", s={"NS": ["1", "1.0"]})
    assert duplicates == "Input collection contains duplicates"
    assert refused(put, api=api, pk="set", s={"SS": ["a", "a"]}) == (
        INVALID + "Input collection [a, a] contains duplicates."
    )
    empty = INVALID + "An number set  may not be empty"
    assert refused(put, api=api, pk="set", s={"NS": []}) == empty
    put(api, "set", s={"NS": ["1", "2"]})
    update(api, "set", "DELETE s :gone", {":gone": {"NS": ["1.00", "7"]}})
    assert get(api, "set")["s"] == {"NS": ["2"]}
    update(api, "set", "DELETE s :gone", {":gone": {"NS": ["2.0"]}})
    assert "s" not in get(api, "set")
    put(api, "set", s={"NS": ["1", "2"]})
    condition = {":s": {"NS": ["2.0", "1.0"]}}
    update(api, "set", "SET ok = :s", condition, ConditionExpression="s = :s")


# Sizes.


def test_an_item_holds_400_kb_with_its_names(api):
    room = ITEM_BYTES_MAX - len("pk") - len("k") - len("data")
    put(api, "k", data={"S": "x" * room})
    message = refused(put, api=api, pk="k", data={"S": "x" * (room + 1)})
    assert message == "Item size has exceeded the maximum allowed size"
    # A two byte letter counts twice; a list three and one for each of its elements; a number a byte for two digits.
    put(api, "k", data={"S": "é" * (room // 2)})
    put(api, "k", data={"L": [{"S": "x" * (room - 4)}]})
    assert "size" in refused(put, api=api, pk="k", data={"L": [{"S": "x" * (room - 3)}]})
    put(api, "k", data={"S": "x" * (room - 3)}, n={"N": "1"})
    assert "size" in refused(put, api=api, pk="k", data={"S": "x" * (room - 2)}, n={"N": "1"})


def test_an_update_has_its_own_words_about_the_size(api):
    put(api, "u", data={"S": "x" * (ITEM_BYTES_MAX - 100)})
    message = refused(update, api=api, pk="u", expression="SET more = :m", values={":m": {"S": "x" * 200}})
    assert message == "Item size to update has exceeded the maximum allowed size"
    assert "more" not in get(api, "u")
    api.delete_item(TableName="plain", Key={"pk": {"S": "u"}})


def test_an_update_counts_what_it_writes(api):
    """A clause counts 19, an update 3; the key does not count. So a put may hold what an update may not."""
    name, room = "U", ITEM_BYTES_MAX - len("pk") - len("U") - len("d")
    expression = "SET d = :d"
    allowed = ITEM_BYTES_MAX - 3 - 19 - len("d")
    put(api, name, d={"S": "x" * room})
    refused_size = {":d": {"S": "x" * (allowed + 1)}}
    # It is refused before its condition is looked at.
    message = refused(
        update, api=api, pk=name, expression=expression, values=refused_size, ConditionExpression="attribute_exists(gone)"
    )
    assert message == "Item size to update has exceeded the maximum allowed size"
    update(api, name, expression, {":d": {"S": "x" * allowed}})
    # A transaction and a statement hold to the item's size alone.
    whole = {"S": "x" * room}
    one = {"TableName": "plain", "Key": {"pk": {"S": name}}, "UpdateExpression": expression}
    api.transact_write_items(TransactItems=[{"Update": {**one, "ExpressionAttributeValues": {":d": whole}}}])
    api.execute_statement(Statement="UPDATE plain SET d = ? WHERE pk = ?", Parameters=[whole, {"S": name}])
    api.delete_item(TableName="plain", Key={"pk": {"S": name}})


def test_numbers_count_by_digits_on_both_sides_of_the_point(api):
    room = ITEM_BYTES_MAX - len("pk") - len("k") - len("d") - len("n")
    for number, size in (("1.5", 3), ("15", 2), ("3.14159", 5), ("123456", 4), ("-1", 3), ("1e-130", 2), ("1010", 3)):
        put(api, "k", d={"S": "x" * (room - size)}, n={"N": number})
        assert "size" in refused(put, api=api, pk="k", d={"S": "x" * (room - size + 1)}, n={"N": number}), number


def test_nesting_ends_at_32_levels(api):
    def nested(levels):
        value = {"S": "x"}
        for _ in range(levels - 1):
            value = {"L": [value]}
        return value

    put(api, "nested", v=nested(32))
    assert refused(put, api=api, pk="nested", v=nested(33)) == (
        "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported "
        "limit"
    )


def test_keys_have_sizes_and_contents(api):
    long_key = "Size of hashkey has exceeded the maximum size limit of2048 bytes"
    assert refused(put, api=api, pk="x" * 2049) == INVALID + long_key
    put(api, "x" * 2048)
    empty = (
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty "
        "string value. Key: pk"
    )
    assert refused(put, api=api, pk="") == empty
    wide = {"pk": {"S": "a"}, "sk": {"S": "x" * 1025}}
    assert "Aggregated size of all range keys has exceeded the size limit of 1024 bytes" in refused(
        api.put_item, TableName="wide", Item=wide
    )
    assert refused(api.put_item, TableName="wide", Item={"pk": {"S": "a"}}) == (
        INVALID + "Missing the key sk in the item"
    )
    assert refused(api.put_item, TableName="plain", Item={"pk": {"N": "1"}}) == (
        INVALID + "Type mismatch for key pk expected: S actual: N"
    )
    for key in ({"pk": {"S": "a"}}, {"pk": {"S": "a"}, "sk": {"N": "1"}}, {"pk": {"S": "a"}, "x": {"S": "a"}}):
        message = refused(api.get_item, TableName="wide", Key=key)
        assert message == "The provided key element does not match the schema"


# Which refusal comes first.


def test_all_members_that_break_the_model_are_told_together(region):
    api = dynamodb(region, parameter_validation=False)
    message = refused(api.get_item, TableName="a!", Key={"pk": {"S": "a"}}, ReturnConsumedCapacity="LOTS")
    assert message.startswith("3 validation errors detected: ")
    for part in (
        "Value 'a!' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: "
        "[a-zA-Z0-9_.-]+",
        "Value 'a!' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3",
        "Value 'LOTS' at 'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum value set: "
        "[INDEXES, TOTAL, NONE]",
    ):
        assert part in message
    message = refused(api.put_item, TableName="abc", Item={}, ReturnValues="SOME")
    assert message == (
        "1 validation error detected: Value 'SOME' at 'returnValues' failed to satisfy constraint: Member must "
        "satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]"
    )
    # What the values mean is looked at before the table, and the table before its keys.
    assert "ReturnValues can only be" in refused(
        api.put_item, TableName="absent", Item={"pk": {"S": "a"}}, ReturnValues="ALL_NEW"
    )
    code, status, message = error_of(api.put_item, TableName="absent", Item={"x": {"S": "a"}})
    assert (code, status, message) == ("ResourceNotFoundException", 400, "Requested resource not found")


# Expressions.


@pytest.mark.parametrize(
    ("expression", "values", "names", "message"),
    [
        ("", None, None, "Invalid UpdateExpression: The expression can not be empty;"),
        ("SET a = :a", None, None, "Invalid UpdateExpression: An expression attribute value used in expression is "
         "not defined; attribute value: :a"),
        ("SET #a = :a", {":a": {"S": "x"}}, None, "Invalid UpdateExpression: An expression attribute name used in "
         "the document path is not defined; attribute name: #a"),
        ("SET a = :a", {":a": {"S": "x"}, ":b": {"S": "x"}}, None,
         "Value provided in ExpressionAttributeValues unused in expressions: keys: {:b}"),
        ("SET a = :a", {":a": {"S": "x"}}, {"#n": "n"},
         "Value provided in ExpressionAttributeNames unused in expressions: keys: {#n}"),
        ("SET a = :a, a.b = :a", {":a": {"S": "x"}}, None, "Invalid UpdateExpression: Two document paths overlap with "
         "each other; must remove or rewrite one of these paths; path one: [a], path two: [a, b]"),
        ("SET a.b = :a, a[1] = :a", {":a": {"S": "x"}}, None, "Invalid UpdateExpression: Two document paths conflict "
         "with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a, [1]]"),
        ("SET size = :a", {":a": {"S": "x"}}, None,
         "Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: size"),
        ("SET a = :a SET b = :a", {":a": {"S": "x"}}, None, 'Invalid UpdateExpression: The "SET" section can only be '
         "used once in an update expression;"),
        ("SET pk = :a", {":a": {"S": "x"}}, None,
         INVALID + "Cannot update attribute pk. This attribute is part of the key"),
        ("SET a.b = :a", {":a": {"S": "x"}}, None,
         "The document path provided in the update expression is invalid for update"),
        ("REMOVE a, a", None, None, "Invalid UpdateExpression: Two document paths overlap with each other; must "
         "remove or rewrite one of these paths; path one: [a], path two: [a]"),
    ],
)
def test_update_expressions_are_refused_in_awss_words(api, expression, values, names, message):
    assert refused(update, api=api, pk="words", expression=expression, values=values, names=names) == message
    assert get(api, "words") is None


def test_expressions_have_limits(api):
    long = "SET a = :a" + " " * 4096
    message = refused(update, api=api, pk="l", expression=long, values={":a": {"S": "x"}})
    assert message == (
        "Invalid UpdateExpression: Expression size has exceeded the maximum allowed size;"
    )
    many = " AND ".join(["a = :a"] * 152)
    message = refused(
        update, api=api, pk="l", expression="SET b = :a", values={":a": {"S": "x"}}, ConditionExpression=many
    )
    assert message.startswith("Invalid ConditionExpression: ")
    deep = "(" * 1500 + "a = :a" + ")" * 1500
    message = refused(
        update, api=api, pk="l", expression="SET b = :a", values={":a": {"S": "x"}}, ConditionExpression=deep
    )
    assert message.startswith("Invalid ConditionExpression: ")
    nots = "NOT " * 1000 + "a = :a"
    message = refused(
        update, api=api, pk="l", expression="SET b = :a", values={":a": {"S": "x"}}, ConditionExpression=nots
    )
    assert message.startswith("Invalid ConditionExpression: ")


def test_constants_of_a_wrong_type_are_found_without_an_item(api):
    def condition(text, **values):
        return refused(
            api.delete_item,
            TableName="plain",
            Key={"pk": {"S": "absent"}},
            ConditionExpression=text,
            ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
        )

    assert "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N" in (
        condition("begins_with(a, :n)", n={"N": "1"})
    )
    assert "The BETWEEN operator requires upper bound to be greater than or equal to lower bound" in (
        condition("a BETWEEN :h AND :l", h={"N": "2"}, l={"N": "1"})
    )
    assert "same data type" in condition("a BETWEEN :h AND :l", h={"N": "1"}, l={"S": "2"})
    assert "Invalid attribute type name found" in condition("attribute_type(a, :t)", t={"S": "X"})


def test_an_update_is_evaluated_against_the_old_image(api):
    put(api, "swap", a={"N": "1"}, b={"N": "2"}, l={"L": [{"S": "x"}]})
    answer = update(
        api,
        "swap",
        "SET a = b, b = a, l[7] = :v, l[5] = :w, c = if_not_exists(c, if_not_exists(d, :v)), "
        "m = list_append(if_not_exists(m, :e), l) REMOVE l[0]",
        {":v": {"S": "v"}, ":w": {"S": "w"}, ":e": {"L": []}},
        ReturnValues="ALL_NEW",
    )
    assert answer["Attributes"] == {
        "pk": {"S": "swap"},
        "a": {"N": "2"},
        "b": {"N": "1"},
        "c": {"S": "v"},
        "l": {"L": [{"S": "w"}, {"S": "v"}]},
        "m": {"L": [{"S": "x"}]},
    }


def test_return_values_show_what_was_named(api):
    put(api, "rv", m={"M": {"a": {"N": "1"}, "b": {"N": "2"}}}, l={"L": [{"N": "1"}, {"N": "2"}]}, z={"S": "z"})
    answer = update(
        api, "rv", "SET m.a = :n, l[1] = :n", {":n": {"N": "9"}}, ReturnValues="UPDATED_OLD"
    )
    assert answer["Attributes"] == {"m": {"M": {"a": {"N": "1"}}}, "l": {"L": [{"N": "2"}]}}
    answer = update(api, "rv", "SET m.b = :n REMOVE z", {":n": {"N": "8"}}, ReturnValues="UPDATED_NEW")
    assert answer["Attributes"] == {"m": {"M": {"b": {"N": "8"}}}}
    answer = update(api, "rv", "REMOVE l", ReturnValues="ALL_OLD")
    assert set(answer["Attributes"]) == {"pk", "m", "l"}
    answer = update(api, "rv", "SET q = :n", {":n": {"N": "8"}})
    assert "Attributes" not in answer
    old = api.put_item(TableName="plain", Item={"pk": {"S": "rv"}}, ReturnValues="ALL_OLD")
    assert old["Attributes"]["q"] == {"N": "8"}
    old = api.delete_item(TableName="plain", Key={"pk": {"S": "rv"}}, ReturnValues="ALL_OLD")
    assert old["Attributes"] == {"pk": {"S": "rv"}}
    old = api.delete_item(TableName="plain", Key={"pk": {"S": "rv"}}, ReturnValues="ALL_OLD")
    assert "Attributes" not in old


def test_updates_that_do_nothing(api):
    api.update_item(TableName="plain", Key={"pk": {"S": "made"}})
    assert get(api, "made") == {"pk": {"S": "made"}}
    update(api, "noop", "REMOVE a", ReturnValues="ALL_NEW")
    assert get(api, "noop") is None
    update(api, "noop2", "DELETE s :s", {":s": {"SS": ["a"]}})
    assert get(api, "noop2") is None


def test_a_failed_condition_can_show_the_item(api):
    put(api, "cond", a={"N": "1"})
    arguments = {
        "TableName": "plain",
        "Item": {"pk": {"S": "cond"}},
        "ConditionExpression": "attribute_not_exists(pk)",
    }
    code, status, message = error_of(api.put_item, **arguments)
    assert (code, status, message) == ("ConditionalCheckFailedException", 400, "The conditional request failed")
    with pytest.raises(api.exceptions.ConditionalCheckFailedException) as caught:
        api.put_item(**arguments, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert caught.value.response["Item"] == {"pk": {"S": "cond"}, "a": {"N": "1"}}


# The older parameters.


def test_the_older_parameters_still_work(api):
    put(api, "old", n={"N": "1"}, s={"SS": ["a"]}, gone={"S": "x"})
    answer = api.update_item(
        TableName="plain",
        Key={"pk": {"S": "old"}},
        AttributeUpdates={
            "n": {"Action": "ADD", "Value": {"N": "4"}},
            "s": {"Action": "ADD", "Value": {"SS": ["b"]}},
            "gone": {"Action": "DELETE"},
            "p": {"Value": {"BOOL": True}},
        },
        Expected={
            "n": {"ComparisonOperator": "LT", "AttributeValueList": [{"N": "5"}]},
            "absent": {"Exists": False},
        },
        ReturnValues="ALL_NEW",
    )
    found = answer["Attributes"]
    assert sorted(found.pop("s")["SS"]) == ["a", "b"]
    assert found == {"pk": {"S": "old"}, "n": {"N": "5"}, "p": {"BOOL": True}}
    assert get(api, "old", AttributesToGet=["n", "absent"]) == {"n": {"N": "5"}}
    code, _, _ = error_of(
        api.delete_item,
        TableName="plain",
        Key={"pk": {"S": "old"}},
        Expected={"n": {"Value": {"N": "6"}}, "p": {"Value": {"BOOL": False}}},
        ConditionalOperator="OR",
    )
    assert code == "ConditionalCheckFailedException"


def test_older_and_expression_parameters_do_not_mix(api):
    key = {"pk": {"S": "mix"}}
    assert refused(
        api.update_item,
        TableName="plain",
        Key=key,
        UpdateExpression="REMOVE a",
        Expected={"a": {"Exists": False}},
    ) == (
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: "
        "{Expected} Expression parameters: {UpdateExpression}"
    )
    assert refused(api.get_item, TableName="plain", Key=key, ExpressionAttributeNames={"#a": "a"}) == (
        "ExpressionAttributeNames can only be specified when using expressions"
    )
    assert refused(
        api.put_item, TableName="plain", Item=key, ExpressionAttributeValues={":a": {"S": "a"}}
    ).startswith("ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null")


def test_a_projection_returns_paths(api):
    put(api, "proj", m={"M": {"a": {"N": "1"}, "b": {"N": "2"}}}, l={"L": [{"N": "1"}, {"N": "2"}, {"N": "3"}]})
    found = get(api, "proj", ProjectionExpression="m.#a, l[2], l[0], nothing", ExpressionAttributeNames={"#a": "a"})
    assert found == {"m": {"M": {"a": {"N": "1"}}}, "l": {"L": [{"N": "1"}, {"N": "3"}]}}
    assert "Two document paths overlap" in refused(get, api=api, pk="proj", ProjectionExpression="m, m.a")


# Capacity.


def test_capacity_is_rounded_up_and_counts_the_larger_image(api):
    def put_kb(size, **more):
        item = {"pk": {"S": "cap"}, "d": {"S": "x" * (size - 6)}}
        return api.put_item(TableName="plain", Item=item, ReturnConsumedCapacity="TOTAL", **more)

    assert put_kb(KB)["ConsumedCapacity"] == {"TableName": "plain", "CapacityUnits": 1.0}
    assert units(put_kb(KB + 1)) == 2
    assert units(put_kb(10 * KB)) == 10
    assert units(put_kb(KB)) == 10
    key = {"pk": {"S": "cap"}}
    assert units(put_kb(8 * KB + 1)) == 9
    read = {"TableName": "plain", "Key": key, "ReturnConsumedCapacity": "TOTAL"}
    assert units(api.get_item(**read, ConsistentRead=True)) == 3
    eventually(lambda: units(api.get_item(**read)), 1.5, "half of it for an eventual read")
    assert units(api.get_item(**read, ConsistentRead=True, ProjectionExpression="pk")) == 3
    absent = {**read, "Key": {"pk": {"S": "absent"}}}
    assert (units(api.get_item(**absent)), units(api.get_item(**absent, ConsistentRead=True))) == (0.5, 1)
    answer = update(api, "cap", "SET n = :n", {":n": {"N": "1"}}, ReturnConsumedCapacity="INDEXES")
    assert answer["ConsumedCapacity"] == {"TableName": "plain", "CapacityUnits": 9.0, "Table": {"CapacityUnits": 9.0}}
    deleted = {"TableName": "plain", "Key": key, "ReturnConsumedCapacity": "TOTAL"}
    assert units(api.delete_item(**deleted)) == 9
    assert units(api.delete_item(**deleted)) == 1


def test_capacity_of_indexes_is_that_of_their_rows(api):
    def write(**attributes):
        item = {"pk": {"S": "ix"}, "sk": {"S": "1"}, **attributes}
        answer = api.put_item(TableName="wide", Item=item, ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]
        inner = [answer.get(name, {}) for name in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes")]
        rows = {name: cost["CapacityUnits"] for part in inner for name, cost in part.items()}
        assert answer["CapacityUnits"] == answer["Table"]["CapacityUnits"] + sum(rows.values())
        return answer["Table"]["CapacityUnits"], rows

    big = {"S": "x" * 3000}
    assert write() == (1, {})
    # The local index holds keys only, the global one `x` too.
    assert write(a={"S": "1"}, g={"S": "1"}, x=big, y=big) == (6, {"local": 1, "global": 3})
    # Nothing that an index holds is changed.
    assert write(a={"S": "1"}, g={"S": "1"}, x=big) == (6, {})
    # A row that moves is deleted and put.
    assert write(a={"S": "2"}, g={"S": "2"}, x=big) == (3, {"local": 2, "global": 6})
    assert write() == (3, {"local": 1, "global": 3})


def test_a_transaction_pays_twice_for_the_table_and_once_for_indexes(api):
    item = {"pk": {"S": "tx"}, "sk": {"S": "1"}, "a": {"S": "1"}, "g": {"S": "1"}, "x": {"S": "x" * 1500}}
    action = {"Put": {"TableName": "wide", "Item": item}}
    answer = api.transact_write_items(TransactItems=[action], ReturnConsumedCapacity="INDEXES")
    (cost,) = answer["ConsumedCapacity"]

    def both(units):
        return {"CapacityUnits": units, "WriteCapacityUnits": units}

    assert cost == {
        "TableName": "wide",
        **both(7.0),
        "Table": both(4.0),
        "LocalSecondaryIndexes": {"local": both(1.0)},
        "GlobalSecondaryIndexes": {"global": both(2.0)},
    }


def test_metrics_of_an_item_collection(api):
    item = {"pk": {"S": "coll"}, "sk": {"S": "1"}}
    answer = api.put_item(TableName="wide", Item=item, ReturnItemCollectionMetrics="SIZE")
    assert answer["ItemCollectionMetrics"] == {
        "ItemCollectionKey": {"pk": {"S": "coll"}},
        "SizeEstimateRangeGB": [0.0, 1.0],
    }
    answer = api.put_item(TableName="plain", Item={"pk": {"S": "c"}}, ReturnItemCollectionMetrics="SIZE")
    assert "ItemCollectionMetrics" not in answer


def test_index_keys_of_a_wrong_type_are_refused(api):
    base = {"pk": {"S": "bad"}, "sk": {"S": "1"}}
    message = refused(api.put_item, TableName="wide", Item={**base, "g": {"N": "1"}})
    assert message == INVALID + "Type mismatch for Index Key g Expected: S Actual: N IndexName: global"
    assert "IndexKey: g" in refused(api.put_item, TableName="wide", Item={**base, "g": {"S": ""}})
    assert "exceeded" in refused(api.put_item, TableName="wide", Item={**base, "g": {"S": "x" * 2049}})
    update = {"TableName": "wide", "Key": base, "UpdateExpression": "SET a = :v"}
    message = refused(api.update_item, **update, ExpressionAttributeValues={":v": {"BOOL": True}})
    assert "Type mismatch for Index Key a Expected: S Actual: BOOL IndexName: local" in message


# Batches.


def test_batches_write_and_read(api):
    writes = [{"PutRequest": {"Item": {"pk": {"S": f"b{n}"}, "n": {"N": str(n)}}}} for n in range(24)]
    wide = [{"PutRequest": {"Item": {"pk": {"S": "b"}, "sk": {"S": "1"}, "a": {"S": "1"}}}}]
    answer = api.batch_write_item(
        RequestItems={"plain": writes, "wide": wide},
        ReturnConsumedCapacity="INDEXES",
        ReturnItemCollectionMetrics="SIZE",
    )
    assert answer["UnprocessedItems"] == {}
    cost = {part["TableName"]: part["CapacityUnits"] for part in answer["ConsumedCapacity"]}
    assert cost == {"plain": 24, "wide": 2}
    assert answer["ItemCollectionMetrics"]["wide"][0]["ItemCollectionKey"] == {"pk": {"S": "b"}}
    keys = [{"pk": {"S": f"b{n}"}} for n in range(30)]
    answer = api.batch_get_item(
        RequestItems={
            "plain": {"Keys": keys, "ConsistentRead": True, "ProjectionExpression": "n"},
            "wide": {"Keys": [{"pk": {"S": "b"}, "sk": {"S": "1"}}], "ConsistentRead": True},
        },
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer["UnprocessedKeys"] == {}
    assert sorted(int(item["n"]["N"]) for item in answer["Responses"]["plain"]) == list(range(24))
    assert len(answer["Responses"]["wide"]) == 1
    cost = {part["TableName"]: part["CapacityUnits"] for part in answer["ConsumedCapacity"]}
    assert cost == {"plain": 30, "wide": 1}
    api.batch_write_item(RequestItems={"plain": [{"DeleteRequest": {"Key": {"pk": {"S": "b0"}}}}]})
    assert get(api, "b0") is None


def test_batches_have_limits(region, api):
    key = {"pk": {"S": "a"}}
    one = {"PutRequest": {"Item": key}}
    duplicates = "Provided list of item keys contains duplicates"
    assert refused(api.batch_write_item, RequestItems={"plain": [one, {"DeleteRequest": {"Key": key}}]}) == duplicates
    assert refused(api.batch_get_item, RequestItems={"plain": {"Keys": [key, key]}}) == duplicates
    many = [{"PutRequest": {"Item": {"pk": {"S": str(n)}}}} for n in range(26)]
    assert "Member must have length less than or equal to 25" in refused(
        api.batch_write_item, RequestItems={"plain": many}
    )
    assert "Too many items requested for the BatchWriteItem call" in refused(
        api.batch_write_item, RequestItems={"plain": many[:20], "wide": many[:6]}
    )
    keys = [{"pk": {"S": str(n)}} for n in range(101)]
    assert "Member must have length less than or equal to 100" in refused(
        api.batch_get_item, RequestItems={"plain": {"Keys": keys}}
    )
    code, _, _ = error_of(api.batch_get_item, RequestItems={"absent": {"Keys": [key]}})
    assert code == "ResourceNotFoundException"
    loose = dynamodb(region, parameter_validation=False)
    assert "1 validation error detected: Value '{}' at 'requestItems'" in refused(
        loose.batch_write_item, RequestItems={}
    )


def test_a_batch_with_an_item_too_large_writes_nothing(api):
    fine = {"PutRequest": {"Item": {"pk": {"S": "beside-large"}}}}
    large = {"PutRequest": {"Item": {"pk": {"S": "large"}, "d": {"S": "x" * ITEM_BYTES_MAX}}}}
    for requests in ([fine, large], [large, fine]):
        message = refused(api.batch_write_item, RequestItems={"plain": requests})
        assert message == "Item size has exceeded the maximum allowed size"
        assert get(api, "beside-large") is None
    # A put's size is known before the transaction begins: this is no reason of a cancellation.
    action = {"Put": {"TableName": "plain", **large["PutRequest"]}}
    assert refused(api.transact_write_items, TransactItems=[action]) == message


def test_an_answer_that_is_too_large_leaves_keys_unprocessed(api):
    names = [f"large{n:02}" for n in range(45)]
    for name in names:
        put(api, name, data={"S": "x" * (390 * KB)})
    asked = {"Keys": [{"pk": {"S": name}} for name in names], "ProjectionExpression": "#d", "ConsistentRead": True}
    asked["ExpressionAttributeNames"] = {"#d": "pk"}
    answer = api.batch_get_item(RequestItems={"plain": asked})
    found = [item["pk"]["S"] for item in answer["Responses"]["plain"]]
    left = answer["UnprocessedKeys"]["plain"]
    assert 40 <= len(found) < 45
    assert sorted(found + [key["pk"]["S"] for key in left["Keys"]]) == names
    assert {name: left[name] for name in asked if name != "Keys"} == {
        name: asked[name] for name in asked if name != "Keys"
    }
    again = api.batch_get_item(RequestItems=answer["UnprocessedKeys"])
    assert again["UnprocessedKeys"] == {}
    for name in names:
        api.delete_item(TableName="plain", Key={"pk": {"S": name}})


# Expiry.


def test_an_item_past_its_time_goes_away(api):
    api.update_time_to_live(
        TableName="plain", TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
    )
    described = api.describe_time_to_live(TableName="plain")["TimeToLiveDescription"]
    assert described["AttributeName"] == "until"
    assert described["TimeToLiveStatus"] in ("ENABLING", "ENABLED")
    put(api, "kept", until={"N": "9999999999"})
    put(api, "text", until={"S": "1"})
    put(api, "ancient", until={"N": "1"})
    put(api, "expired", until={"N": str(int(time.time()) - 100)})
    until(lambda: get(api, "expired") is None, 40, "the expired item is gone", pause=0.2)
    # What lies more than five years back is taken for a mistake.
    assert all(get(api, name) for name in ("kept", "text", "ancient"))


def test_eventual_reads_come_to_the_same(api):
    put(api, "seen", v={"S": "1"})
    read = lambda: api.get_item(TableName="plain", Key={"pk": {"S": "seen"}}).get("Item", {}).get("v")  # noqa: E731
    eventually(read, {"S": "1"}, "an eventual read sees the write")
