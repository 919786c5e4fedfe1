"""Transactions: all or nothing, once for each token, seen whole, and ended when their coordinator is gone."""

import pytest
from harness.aws import error_of
from harness.bank import ACCOUNTS, BALANCE, ERRORS, Bank
from harness.items import dynamodb, make_table
from harness.multi_host import ZONES as HOSTS
from harness.multi_host import MultiHost
from harness.poll import until

ZONES = [f"us-east-1{letter}" for letter in "abc"]
TOTAL = BALANCE * len(ACCOUNTS)


@pytest.fixture(scope="module")
def api(region):
    return dynamodb(region)


@pytest.fixture(scope="module")
def table(api):
    make_table(api, "plain")
    return "plain"


def put(table, key, **more):
    return {"Put": {"TableName": table, "Item": {"id": {"S": key}}, **more}}


def found(api, table, key):
    return "Item" in api.get_item(TableName=table, Key={"id": {"S": key}}, ConsistentRead=True)


def test_one_failed_condition_undoes_all_and_each_action_has_its_reason(api, table):
    api.put_item(TableName=table, Item={"id": {"S": "there"}, "v": {"N": "1"}})
    absent = {"ConditionExpression": "attribute_not_exists(id)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    with pytest.raises(api.exceptions.TransactionCanceledException) as cancelled:
        api.transact_write_items(TransactItems=[put(table, "r1"), put(table, "there", **absent), put(table, "r2")])
    reasons = cancelled.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed", "None"]
    assert reasons[1]["Message"] == "The conditional request failed"
    assert reasons[1]["Item"] == {"id": {"S": "there"}, "v": {"N": "1"}}
    assert not found(api, table, "r1") and not found(api, table, "r2")


def test_an_update_that_cannot_be_is_a_reason(api, table):
    api.put_item(TableName=table, Item={"id": {"S": "text"}, "v": {"S": "x"}})
    add = {
        "TableName": table,
        "Key": {"id": {"S": "text"}},
        "UpdateExpression": "SET v = v + :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    with pytest.raises(api.exceptions.TransactionCanceledException) as cancelled:
        api.transact_write_items(TransactItems=[{"Update": add}, put(table, "r3")])
    reasons = cancelled.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["ValidationError", "None"]
    assert reasons[0]["Message"] == "An operand in the update expression has an incorrect data type"


def test_a_token_counts_once(api, table):
    def add(amount):
        update = {
            "TableName": table,
            "Key": {"id": {"S": "once"}},
            "UpdateExpression": "ADD n :n",
            "ExpressionAttributeValues": {":n": {"N": amount}},
        }
        api.transact_write_items(ClientRequestToken="the-token", TransactItems=[{"Update": update}])

    for _ in range(3):
        add("1")
    read = api.get_item(TableName=table, Key={"id": {"S": "once"}}, ConsistentRead=True)
    assert read["Item"]["n"] == {"N": "1"}
    with pytest.raises(api.exceptions.IdempotentParameterMismatchException):
        add("2")


def test_a_repeated_transaction_costs_its_items_reading(api, table):
    item = {"id": {"S": "costs"}, "d": {"S": "x" * 5000}}
    asked = {"TransactItems": [{"Put": {"TableName": table, "Item": item}}], "ClientRequestToken": "costs"}
    (first,) = api.transact_write_items(**asked, ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"]
    assert first == {"TableName": table, "CapacityUnits": 10.0, "WriteCapacityUnits": 10.0}
    (again,) = api.transact_write_items(**asked, ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"]
    assert again == {"TableName": table, "CapacityUnits": 4.0, "ReadCapacityUnits": 4.0}


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (lambda t: [put(t, "same"), put(t, "same")], "Transaction request cannot include multiple operations on one item"),
        (
            lambda t: [{**put(t, "a"), "Delete": {"TableName": t, "Key": {"id": {"S": "b"}}}}],
            "TransactItems can only contain one of Check, Put, Update or Delete",
        ),
        (lambda t: [put(t, f"k{n}") for n in range(101)], "Member must have length less than or equal to 100"),
    ],
    ids=["one item twice", "two in one action", "too many"],
)
def test_what_is_refused_as_a_whole(api, table, items, words):
    code, status, message = error_of(api.transact_write_items, TransactItems=items(table))
    assert (code, status) == ("ValidationException", 400) and words in message


def test_a_transaction_holds_4_mb(api, table):
    data = {"S": "x" * 400_000}
    items = [{"Put": {"TableName": table, "Item": {"id": {"S": f"big{n}"}, "d": data}}} for n in range(11)]
    code, status, message = error_of(api.transact_write_items, TransactItems=items)
    assert (code, status) == ("ValidationException", 400)
    assert message == "Collection of item sizes in the transaction exceeds the limit of 4 MB"
    api.transact_write_items(TransactItems=items[:10])
    for n in range(10):
        api.delete_item(TableName=table, Key={"id": {"S": f"big{n}"}})


def test_costs_twice(api, table):
    asked = {"TransactItems": [put(table, "c1"), put(table, "c2")], "ReturnConsumedCapacity": "TOTAL"}
    cost = api.transact_write_items(**asked)["ConsumedCapacity"]
    assert cost == [{"TableName": table, "CapacityUnits": 4.0, "WriteCapacityUnits": 4.0}]


def test_a_sum_is_kept_while_zones_are_lost(region, whole):
    """Every snapshot sees every transfer whole, while the zones of leaders are paused and killed."""
    bank = Bank(region, "bank")
    bank.open_accounts()
    with bank:
        wait_for_more(bank)
        for act, heal, zone in (("pause", "resume", ZONES[0]), ("kill", "start", ZONES[1]), ("kill", "start", ZONES[2])):
            region.zone(act, zone)
            wait_for_more(bank)
            region.zone(heal, zone)
            wait_for_more(bank)
    assert not bank.torn, bank.torn
    assert bank.total() == TOTAL


def test_a_coordinator_that_dies_leaves_nothing_half_done_and_nothing_locked():
    """The gateway is killed in the middle of transactions; through another one every account can be written."""
    hosts = MultiHost(gateways=("gw1", "gw2"))
    try:
        hosts.lay_out()
        for zone in HOSTS:
            hosts.start_node(zone, join=True)
        hosts.start_gateway("gw1", join=True)
        hosts.run("keys", "create")
        until(lambda: len(hosts.status()["nodes"]) == 3, 60, "three nodes registered")
        bank = Bank(hosts, "bank")
        bank.open_accounts()
        with bank:
            wait_for_more(bank)
            hosts.kill_process("gw1")
        hosts.start_gateway("gw2", join=True)
        hosts.api_port = hosts.api_ports["gw2"]
        api = dynamodb(hosts)
        for account in ACCOUNTS:
            write = lambda key=account: api.update_item(  # noqa: E731
                TableName="bank",
                Key={"id": {"S": key}},
                UpdateExpression="SET touched = :yes",
                ExpressionAttributeValues={":yes": {"BOOL": True}},
            )
            until(write, 30, f"{account} is not locked", quiet=ERRORS)
        assert not bank.torn, bank.torn
        assert bank.total(api) == TOTAL
    finally:
        hosts.close()


def wait_for_more(bank, transfers=10, snapshots=3):
    """Until the bank has done some more of each."""
    before = dict(bank.done)
    enough = lambda: (  # noqa: E731
        bank.done["transfers"] >= before["transfers"] + transfers
        and bank.done["snapshots"] >= before["snapshots"] + snapshots
    )
    until(enough, 60, f"transfers and snapshots go on, beyond {before}")
