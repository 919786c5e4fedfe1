"""PartiQL: statements, batches and transactions, through boto3."""

import base64

import botocore.exceptions
import pytest
from harness.aws import client, error_of
from harness.poll import until

HASH = "partiql-hash"
ROWS = "partiql-rows"
ACTIVE_S = 30
INDEX_S = 30


@pytest.fixture(scope="module")
def api(region):
    """A client, with one table by hash key, and one with a range key and indexes."""
    api = client(region, service="dynamodb")
    text = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "gk", "lk")]
    api.create_table(
        TableName=HASH,
        AttributeDefinitions=text[:1],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    api.create_table(
        TableName=ROWS,
        AttributeDefinitions=text,
        KeySchema=[key("pk", "HASH"), key("sk", "RANGE")],
        GlobalSecondaryIndexes=[index("global", [key("gk", "HASH")], "INCLUDE", ["held"])],
        LocalSecondaryIndexes=[index("local", [key("pk", "HASH"), key("lk", "RANGE")], "KEYS_ONLY")],
        BillingMode="PAY_PER_REQUEST",
    )
    for name in (HASH, ROWS):
        until(lambda name=name: api.describe_table(TableName=name)["Table"]["TableStatus"] == "ACTIVE", ACTIVE_S, "ACTIVE")
    return api


def key(name, kind):
    return {"AttributeName": name, "KeyType": kind}


def index(name, keys, kind, names=None):
    projection = {"ProjectionType": kind}
    if names:
        projection["NonKeyAttributes"] = names
    return {"IndexName": name, "KeySchema": keys, "Projection": projection}


def run(api, statement, *parameters, **more):
    if parameters:
        more["Parameters"] = list(parameters)
    return api.execute_statement(Statement=statement, **more)


def items(api, statement, *parameters, **more):
    return [plain(item) for item in run(api, statement, *parameters, **more)["Items"]]


def plain(item):
    """Values without their types, for those of one member."""
    return {name: next(iter(value.values())) for name, value in item.items()}


def refused(api, statement, **more):
    code, status, message = error_of(api.execute_statement, Statement=statement, **more)
    assert status == 400
    return code, message


def invalid(api, statement, **more):
    code, message = refused(api, statement, **more)
    assert code == "ValidationException", message
    return message


def get(api, pk, table=HASH, **more):
    wanted = {"pk": {"S": pk}, **{name: {"S": value} for name, value in more.items()}}
    return plain(api.get_item(TableName=table, Key=wanted, ConsistentRead=True).get("Item", {}))


def put(api, table=HASH, **values):
    api.put_item(TableName=table, Item={n: v if isinstance(v, dict) else {"S": v} for n, v in values.items()})


def sks(found):
    return [item["sk"] for item in found]


# Statements that write.


def test_insert_makes_an_item_once(api):
    assert run(api, f"INSERT INTO \"{HASH}\" VALUE {{'pk': ?, 'n': 1, 's': <<'a', 'b'>>}}", {"S": "ins"})["Items"] == []
    assert get(api, "ins") == {"pk": "ins", "n": "1", "s": ["a", "b"]}
    again = f"INSERT INTO \"{HASH}\" VALUE {{'pk': 'ins', 'n': 2}}"
    assert refused(api, again) == ("DuplicateItemException", "Duplicate primary key exists in table")
    assert get(api, "ins")["n"] == "1"
    missing = invalid(api, f"INSERT INTO \"{HASH}\" VALUE {{'n': 2}}")
    assert missing == "One or more parameter values were invalid: Missing the key pk in the item"


def test_update_changes_what_is_there(api):
    put(api, pk="upd", n={"N": "5"}, name="alpha", l={"L": [{"S": "a"}, {"S": "b"}]})
    update = f'UPDATE "{HASH}" SET n = n + 1'
    run(api, f"{update} REMOVE l[0] WHERE pk = 'upd' AND name = 'alpha'")
    assert get(api, "upd")["n"] == "6"
    code, message = refused(api, f"{update} WHERE pk = 'upd' AND name = 'beta'")
    assert (code, message) == ("ConditionalCheckFailedException", "The conditional request failed")
    assert refused(api, f"{update} WHERE pk = 'absent'")[0] == "ConditionalCheckFailedException"
    assert get(api, "absent") == {}
    whole = "Where clause does not contain a mandatory equality on all key attributes"
    assert invalid(api, f"{update} WHERE name = 'alpha'") == whole
    assert invalid(api, f"{update} WHERE pk IN ['upd']") == whole
    assert "part of the key" in invalid(api, f"UPDATE \"{HASH}\" SET pk = 'x' WHERE pk = 'upd'")
    assert invalid(api, f"UPDATE \"{HASH}\" SET absent[0] = 'x' WHERE pk = 'upd'") == (
        "The document path provided in the update expression is invalid for update"
    )


@pytest.mark.parametrize(
    ("change", "returning", "expected"),
    [
        ("SET data = 'new'", "ALL OLD", {"data": "old", "keep": "same"}),
        ("SET data = 'new'", "ALL NEW", {"data": "new", "keep": "same"}),
        ("SET data = 'new'", "MODIFIED OLD", {"data": "old"}),
        ("SET data = 'new'", "MODIFIED NEW", {"data": "new"}),
        ("REMOVE data", "MODIFIED NEW", None),
        ("SET fresh = 1", "MODIFIED OLD", None),
        ("SET l[2] = 'y', l[0] = 'x'", "MODIFIED NEW", {"l": [{"S": "x"}, {"S": "y"}]}),
        ("SET l[2] = 'y', l[0] = 'x'", "MODIFIED OLD", {"l": [{"S": "a"}, {"S": "c"}]}),
        ("SET l[9] = 'd'", "MODIFIED NEW", None),
        ("REMOVE l[1]", "MODIFIED NEW", {"l": [{"S": "c"}]}),
    ],
)
def test_update_returns_what_it_is_asked_for(api, change, returning, expected):
    put(api, pk="ret", data="old", keep="same", l={"L": [{"S": letter} for letter in "abc"]})
    found = items(api, f"UPDATE \"{HASH}\" {change} WHERE pk = 'ret' RETURNING {returning} *")
    if "ALL" in returning:
        found = [{name: value for name, value in item.items() if name not in ("l", "pk")} for item in found]
    assert found == ([] if expected is None else [expected])


def test_delete_removes_what_fits(api):
    put(api, pk="del", name="alpha")
    delete = f'DELETE FROM "{HASH}" WHERE'
    assert refused(api, f"{delete} pk = 'del' AND NOT begins_with(name, 'al')")[0] == "ConditionalCheckFailedException"
    shown = None
    try:
        run(api, f"{delete} pk = 'del' AND name = 'beta'", ReturnValuesOnConditionCheckFailure="ALL_OLD")
    except botocore.exceptions.ClientError as error:
        shown = plain(error.response["Item"])
    assert shown == {"pk": "del", "name": "alpha"}
    for clause in ("MODIFIED OLD *", "ALL NEW *", "MODIFIED NEW *"):
        assert invalid(api, f"{delete} pk = 'del' RETURNING {clause}") == (
            f"Invalid returning clause: RETURNING {clause}. Only RETURNING ALL OLD * is allowed in DELETE statements."
        )
    assert items(api, f"{delete} pk = 'del' AND name = 'alpha' RETURNING ALL OLD *") == [{"pk": "del", "name": "alpha"}]
    # What is not there is not asked.
    assert items(api, f"{delete} pk = 'del' AND name = 'alpha' RETURNING ALL OLD *") == []
    assert invalid(api, f"{delete} pk = 'a' AND pk = 'b'") == (
        "Multiple conditions on same key pk. Only single item Update/Insert/Delete are supported"
    )


# Statements that read.


@pytest.fixture(scope="module")
def rows(api):
    """Two collections of four rows; the first three of each are in the indexes."""
    for pk in ("o", "p"):
        for n in range(1, 5):
            more = {"gk": f"g{n % 2}", "lk": f"l{9 - n}", "held": f"h{n}"} if n < 4 else {}
            put(api, table=ROWS, pk=pk, sk=str(n), n={"N": str(n)}, m={"M": {"k": {"L": [{"S": "c"}]}}}, other=f"x{n}", **more)
    by = f"SELECT sk FROM \"{ROWS}\".\"global\" WHERE gk IN ['g0', 'g1']"
    until(lambda: len(run(api, by)["Items"]) == 6, INDEX_S, "the index has all rows", pause=0.05)
    return f'FROM "{ROWS}" WHERE'


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("pk = 'o' AND sk = '2'", "2"),
        ("pk = 'o'", "1234"),
        ("pk = 'o' AND sk > '2'", "34"),
        ("pk = 'o' AND sk BETWEEN '2' AND '3'", "23"),
        ("pk = 'o' AND begins_with(sk, '3')", "3"),
        ("pk = 'o' AND sk <> '1' AND n < 4", "23"),
        ("pk = 'o' AND NOT sk = '1'", "234"),
        ("pk = 'o' AND sk IN ['3', '1', '7']", "31"),
        ("pk IN ['o', 'p'] AND sk = '4'", "44"),
        ("pk IN ['p', 'o'] AND sk > '3'", "44"),
        ("pk = 'o' AND sk = '1' AND held IS MISSING", ""),
        ("pk = 'o' AND sk = '4' AND held IS MISSING", "4"),
        ("pk = 'absent' AND sk = '1'", ""),
    ],
)
def test_keys_choose_rows(api, rows, where, expected):
    assert "".join(sks(items(api, f"SELECT * {rows} {where}"))) == expected


def test_what_no_key_chooses_is_scanned(api, rows):
    for where, count in [("n = 3", 2), ("pk > 'o'", 4), ("pk = 'o' OR n = 1", 5), ("sk = '1'", 2)]:
        assert len(items(api, f"SELECT * {rows} {where}")) == count, where
    assert len(items(api, f'SELECT * FROM "{ROWS}"')) == 8


def test_columns_are_cut_out(api, rows):
    assert items(api, f"SELECT sk, m.k[0], absent {rows} pk = 'o' AND sk = '1'") == [{"sk": "1", "k[0]": "c"}]


def test_pages_have_tokens(api, rows):
    for where, expected in [
        ("WHERE pk = 'o'", "1234"),
        ("WHERE pk IN ['o', 'p']", "12341234"),
        ("WHERE pk = 'o' AND sk IN ['4', '1', '2']", "412"),
        ("WHERE pk IN ['o', 'p'] ORDER BY pk DESC, sk ASC", "12341234"),
        ("", None),
    ]:
        statement = f'SELECT pk, sk FROM "{ROWS}" {where}'
        found, token = [], {}
        for _ in range(10):
            page = run(api, statement, Limit=3, **token)
            assert len(page["Items"]) <= 3
            found += [plain(item) for item in page["Items"]]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        if expected is None:
            assert len({(item["pk"], item["sk"]) for item in found}) == len(found) == 8
        else:
            assert "".join(sks(found)) == expected


def test_a_token_is_for_its_statement(api, rows):
    statement = f"SELECT * {rows} pk = 'o'"
    token = run(api, statement, Limit=1)["NextToken"]
    bad = bytearray(base64.b64decode(token))
    bad[3] ^= 1
    for wrong in (base64.b64encode(bytes(bad)).decode(), token[:-8], "nonsense", "e30="):
        assert "NextToken" in invalid(api, statement, NextToken=wrong)
    assert "NextToken" in invalid(api, f"SELECT * {rows} pk = 'p'", NextToken=token)


def test_order_is_by_keys(api, rows):
    def ordered(where):
        return "".join(item["pk"] + item["sk"] for item in items(api, f"SELECT pk, sk {rows} {where}"))

    assert ordered("pk = 'o' ORDER BY sk DESC") == "o4o3o2o1"
    assert ordered("pk = 'o' ORDER BY sk") == "o1o2o3o4"
    assert ordered("pk = 'o' ORDER BY pk ASC") == "o4o3o2o1"
    assert ordered("pk IN ['o', 'p'] AND sk > '2' ORDER BY pk DESC, sk ASC") == "p3p4o3o4"
    assert ordered("pk = 'o' AND sk IN ['1', '3', '2'] ORDER BY sk DESC") == "o3o2o1"
    for clause, message in [
        ("pk = 'o' ORDER BY n", "Attribute n in ORDER BY clause must be part of the primary key"),
        (
            "pk > 'a' ORDER BY sk",
            "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.",
        ),
        (
            "pk IN ['o', 'p'] ORDER BY sk DESC",
            "Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE clause.",
        ),
    ]:
        assert invalid(api, f"SELECT * {rows} {clause}") == message
    no_where = "Must have WHERE clause in the statement when using ORDER BY clause."
    assert invalid(api, f'SELECT * FROM "{ROWS}" ORDER BY sk') == no_where


def test_indexes_are_read_by_their_own_keys(api, rows):
    by_global = f'FROM "{ROWS}"."global" WHERE'
    assert len(items(api, f"SELECT * {by_global} gk = 'g0'")) == 2
    assert all(set(item) == {"pk", "sk", "gk", "held"} for item in items(api, f"SELECT * {by_global} gk = 'g1'"))
    assert sks(items(api, f"SELECT * {by_global} gk = 'g1' AND held = 'h3' AND pk = 'o'")) == ["3"]
    assert items(api, f"SELECT sk {by_global} other = 'x1'") == []
    by_local = f'FROM "{ROWS}"."local" WHERE'
    assert sks(items(api, f"SELECT * {by_local} pk = 'o'")) == ["3", "2", "1"]
    assert sks(items(api, f"SELECT * {by_local} pk = 'o' AND lk = 'l8'")) == ["1"]
    assert items(api, f"SELECT other {by_local} pk = 'o' AND lk = 'l7'") == [{"other": "x2"}]
    project = "One or more parameter values were invalid:"
    for statement, message in [
        (f"SELECT other {by_global} gk = 'g0'", f"{project} Global secondary index global does not project [other]"),
        (
            f"SELECT pk {by_global} gk = 'g0' AND other = 'x'",
            f"{project} Secondary index global does not project one or more filter attributes: [other]",
        ),
        (f'SELECT * FROM "{ROWS}"."none" WHERE pk = \'o\'', "The table does not have the specified index"),
        (f'SELECT * FROM "{ROWS}"."local"."x"', "A path may contain at most 2 components in the FROM clause"),
        (f"SELECT * {rows} pk = 1", "Key attribute's data type should match its data type in table's schema: Key pk"),
    ]:
        assert invalid(api, statement) == message
    strong = "Strongly consistent read is not supported on Global Secondary Indexes"
    assert invalid(api, f"SELECT * {by_global} gk = 'g0'", ConsistentRead=True) == strong


def test_capacity_is_that_of_the_calls(api, rows):
    def units(statement, **more):
        return run(api, statement, ReturnConsumedCapacity="TOTAL", **more)["ConsumedCapacity"]["CapacityUnits"]

    one = f"SELECT * {rows} pk = 'o' AND sk = '1'"
    assert (units(one), units(one, ConsistentRead=True)) == (0.5, 1)
    assert units(f"SELECT * {rows} pk = 'o' AND sk IN ['1', '2', '3']") == 1.5
    assert units(f"SELECT * {rows} pk = 'o'") == 0.5
    assert units(f"INSERT INTO \"{HASH}\" VALUE {{'pk': 'cap'}}") == 1


def test_wrong_statements_are_refused(api):
    bad = "Statement wasn't well formed, can't be processed: "
    for statement, message in [
        (f'SLECT * FROM "{HASH}"', bad + "Expected data manipulation"),
        (f"SELECT * FROM \"{HASH}\" WHERE pk = 'x' foo", bad + "Unexpected token after expression"),
        (
            f"EXISTS(SELECT * FROM \"{HASH}\" WHERE pk = 'x' AND a = 1)",
            "EXISTS can only be used in ExecuteTransaction write requests.",
        ),
        (f'SELECT * FROM "{HASH}" WHERE pk = ?', "Number of parameters in request and statement don't match."),
    ]:
        assert invalid(api, statement) == message
    assert refused(api, 'SELECT * FROM "absent-table"') == ("ResourceNotFoundException", "Requested resource not found")
    long = f"SELECT * FROM \"{HASH}\" WHERE pk = '{'x' * 8200}'"
    assert invalid(api, long).endswith("Member must have length less than or equal to 8192")


# Batches.


def batch(api, *statements, **more):
    members = [{"Statement": s} if isinstance(s, str) else s for s in statements]
    return api.batch_execute_statement(Statements=members, **more)


def test_a_batch_reads_by_keys(api, rows):
    one = f"SELECT * FROM \"{ROWS}\" WHERE sk = '1' AND pk = "
    answer = batch(
        api,
        f"{one}'o'",
        {"Statement": f"{one}?", "Parameters": [{"S": "p"}], "ConsistentRead": True},
        f"{one}'absent'",
        f"{one}'o' AND n = 1",
        'SELECT * FROM "absent-table" WHERE pk = \'x\'',
        "SLECT",
        {"Statement": f"{one}?", "Parameters": [{"SS": []}]},
        ReturnConsumedCapacity="TOTAL",
    )
    responses = answer["Responses"]
    assert [r.get("Item", {}).get("pk") for r in responses[:3]] == [{"S": "o"}, {"S": "p"}, None]
    assert all(r["TableName"] == ROWS for r in responses[:3])
    assert sum(c["CapacityUnits"] for c in answer["ConsumedCapacity"]) == 2
    codes = [r["Error"]["Code"] for r in responses[3:]]
    assert codes == ["ValidationError", "ResourceNotFound", "ValidationError", "ValidationError"]
    assert responses[3]["Error"]["Message"] == (
        "Select statements within BatchExecuteStatement must specify the primary key in the where clause."
    )
    assert "TableName" not in responses[3]


def test_a_batch_writes_what_it_can(api):
    put(api, pk="batch-0", data="old")
    put(api, pk="batch-1", data="old")
    responses = batch(
        api,
        f"UPDATE \"{HASH}\" SET data = 'new' WHERE pk = 'batch-1' RETURNING MODIFIED NEW *",
        f"UPDATE \"{HASH}\" SET data = 'new' WHERE pk = 'batch-absent'",
        f"INSERT INTO \"{HASH}\" VALUE {{'pk': 'batch-0'}}",
        f"INSERT INTO \"{HASH}\" VALUE {{'pk': 'batch-2'}}",
        f"DELETE FROM \"{HASH}\" WHERE pk = 'batch-1' RETURNING MODIFIED OLD *",
    )["Responses"]
    assert responses[0] == {"TableName": HASH, "Item": {"data": {"S": "new"}}}
    assert [r.get("Error", {}).get("Code") for r in responses[1:]] == [
        "ConditionalCheckFailed",
        "DuplicateItem",
        None,
        "ValidationError",
    ]
    assert [r.get("TableName") for r in responses[1:]] == [HASH, HASH, HASH, None]
    assert get(api, "batch-1") == {"pk": "batch-1", "data": "new"}
    assert get(api, "batch-2") == {"pk": "batch-2"}


def test_a_batch_names_an_item_once_and_tells_the_costs_of_each_table(api):
    put(api, pk="cost-1", data="x" * 3000)
    twice = [{"Statement": f"DELETE FROM \"{HASH}\" WHERE pk = 'cost-1'"}] * 2
    _, _, message = error_of(api.batch_execute_statement, Statements=twice)
    assert message == "Provided list of item keys contains duplicates"
    refused = {"Statement": f"INSERT INTO \"{HASH}\" VALUE {{'pk': 'cost-1'}}"}
    fine = {"Statement": f"INSERT INTO \"{HASH}\" VALUE {{'pk': 'cost-2'}}"}
    answer = api.batch_execute_statement(Statements=[refused], ReturnConsumedCapacity="INDEXES")
    assert "ConsumedCapacity" not in answer
    answer = api.batch_execute_statement(Statements=[refused, fine], ReturnConsumedCapacity="INDEXES")
    # What was refused is in the total alone: 3 KB are there.
    assert answer["ConsumedCapacity"] == [{"TableName": HASH, "CapacityUnits": 4.0, "Table": {"CapacityUnits": 1.0}}]
    absent = api.batch_execute_statement(Statements=[{"Statement": "DELETE FROM \"absent\" WHERE pk = 'a'"}])
    assert absent["Responses"][0]["TableName"] == "absent"


def test_a_key_of_a_wrong_type_is_named(api):
    for text in (
        f"UPDATE \"{HASH}\" SET a = 1 WHERE pk = 1",
        f"DELETE FROM \"{HASH}\" WHERE pk = 1",
        f"INSERT INTO \"{HASH}\" VALUE {{'pk': 1}}",
        f"SELECT * FROM \"{HASH}\" WHERE pk = 1",
    ):
        told = "Key attribute's data type should match its data type in table's schema: Key pk"
        assert error_of(api.execute_statement, Statement=text)[2] == told, text
        answer = api.batch_execute_statement(Statements=[{"Statement": text}])
        assert answer["Responses"] == [{"Error": {"Code": "ValidationError", "Message": told}}], text


def test_a_batch_has_limits(api, region):
    unchecked = client(region, service="dynamodb", parameter_validation=False)
    select = f"SELECT * FROM \"{HASH}\" WHERE pk = 'x'"
    insert = f"INSERT INTO \"{HASH}\" VALUE {{'pk': 'mixed'}}"
    for statements in ([], [select] * 26, [select, insert]):
        members = [{"Statement": s} for s in statements]
        code, status, _ = error_of(unchecked.batch_execute_statement, Statements=members)
        assert (code, status) == ("ValidationException", 400)
    assert get(api, "mixed") == {}


# Transactions.


def transact(api, *statements, **more):
    members = [{"Statement": s} if isinstance(s, str) else s for s in statements]
    return api.execute_transaction(TransactStatements=members, **more)


def cancelled(api, *statements):
    """The reasons for which a transaction must be cancelled."""
    try:
        transact(api, *statements)
    except api.exceptions.TransactionCanceledException as error:
        return error.response["CancellationReasons"]
    raise AssertionError("was not cancelled")


def test_a_transaction_writes_all_or_nothing(api):
    put(api, pk="tx-1", n={"N": "1"})
    insert = f"INSERT INTO \"{HASH}\" VALUE {{'pk': 'tx-2'}}"
    update = f"UPDATE \"{HASH}\" SET n = n + 1 WHERE pk = 'tx-1'"
    exists = f"EXISTS(SELECT * FROM \"{HASH}\" WHERE pk = 'tx-3' AND n IS MISSING)"
    assert transact(api, insert, update, exists)["Responses"] == []
    assert (get(api, "tx-1")["n"], get(api, "tx-2")) == ("2", {"pk": "tx-2"})
    put(api, pk="tx-3", n={"N": "1"})
    codes = [reason["Code"] for reason in cancelled(api, update, insert, exists)]
    assert codes == ["None", "DuplicateItem", "ConditionalCheckFailed"]
    assert get(api, "tx-1")["n"] == "2"
    reasons = cancelled(api, update, f"UPDATE \"{ROWS}\" SET a = 1 WHERE pk = 'x'", 'DELETE FROM "absent-table" WHERE pk = \'x\'')
    assert [reason["Code"] for reason in reasons] == ["None", "ValidationError", "ResourceNotFound"]
    assert reasons[1]["Message"] == "The provided key element does not match the schema"
    assert get(api, "tx-1")["n"] == "2"


def test_a_token_makes_a_transaction_happen_once(api):
    put(api, pk="token", n={"N": "0"})
    update = f"UPDATE \"{HASH}\" SET n = n + 1 WHERE pk = 'token'"
    for _ in range(3):
        transact(api, update, ClientRequestToken="one-token")
    assert get(api, "token")["n"] == "1"
    other = f"UPDATE \"{HASH}\" SET n = n + 2 WHERE pk = 'token'"
    arguments = {"TransactStatements": [{"Statement": other}], "ClientRequestToken": "one-token"}
    assert error_of(api.execute_transaction, **arguments)[0] == "IdempotentParameterMismatchException"


def test_a_transaction_reads_by_keys(api, rows):
    one = f"SELECT sk, n FROM \"{ROWS}\" WHERE pk = 'o' AND sk = "
    answer = transact(api, f"{one}'1'", f"{one}'2'", f"{one}'absent'", ReturnConsumedCapacity="TOTAL")
    assert [plain(r.get("Item", {})) for r in answer["Responses"]] == [{"sk": "1", "n": "1"}, {"sk": "2", "n": "2"}, {}]
    assert answer["ConsumedCapacity"][0]["ReadCapacityUnits"] == 6
    assert [reason["Code"] for reason in cancelled(api, f"{one}'1'", f"{one}1")] == ["None", "ValidationError"]


def test_wrong_transactions_are_refused(api, rows):
    select = f"SELECT * {rows} pk = 'o' AND sk = '1'"
    update = f"UPDATE \"{HASH}\" SET n = 1 WHERE pk = 'tx-1'"
    first = "Validation failed in TransactStatements[0]: "
    for statements, message in [
        ([select, update], "ExecuteTransaction API does not support both read and write operations in the same request."),
        ([update + " RETURNING ALL NEW *"], first + "RETURNING clause is not supported in ExecuteTransaction."),
        (
            [select + " AND n = 1"],
            first + "Select statements within ExecuteTransaction must specify the primary key in the where clause.",
        ),
        ([select.replace('" ', '"."local" ', 1)], first + "Reads on indices are not supported within transactions."),
        ([f"EXISTS({select})"], first + "EXISTS() must contain a single item read with additional condition"),
        ([select, select], "Transaction request cannot include multiple operations on one item"),
        ([update, update], "Transaction request cannot include multiple operations on one item"),
    ]:
        members = [{"Statement": s} for s in statements]
        code, status, text = error_of(api.execute_transaction, TransactStatements=members)
        assert (code, status, text) == ("ValidationException", 400, message)
