"""Tables from their creation to their end: statuses, updates, tags, expiry, lists, and what is refused."""

import pytest
from harness.aws import command_line, error_of
from harness.dynamodb import definitions, dynamodb, index, keys, make_table, wait_active, wait_gone
from harness.poll import until

UNITS = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}


@pytest.fixture(scope="module")
def api(region):
    return dynamodb(region)


@pytest.fixture(scope="module")
def loose(region):
    """A client that sends what the SDK itself would refuse."""
    return dynamodb(region, parameter_validation=False)


def creation(name="made", **more):
    return {
        "TableName": name,
        "KeySchema": keys("pk"),
        "AttributeDefinitions": definitions(pk="S"),
        "BillingMode": "PAY_PER_REQUEST",
        **more,
    }


def test_a_table_goes_through_awss_states(api):
    made = api.create_table(**creation("life", Tags=[{"Key": "team", "Value": "a"}]))["TableDescription"]
    assert made["TableStatus"] == "CREATING"
    assert made["TableArn"].endswith(":table/life")
    assert made["ItemCount"] == 0 and made["TableSizeBytes"] == 0
    assert made["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert made["ProvisionedThroughput"]["ReadCapacityUnits"] == 0
    code, _, message = error_of(api.create_table, **creation("life"))
    assert (code, message) == ("ResourceInUseException", "Table already exists: life")
    api.get_waiter("table_exists").wait(TableName="life", WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    active = wait_active(api, "life")
    assert {name: active[name] for name in ("TableId", "CreationDateTime", "TableArn")} == {
        name: made[name] for name in ("TableId", "CreationDateTime", "TableArn")
    }
    api.put_item(TableName=active["TableArn"], Item={"pk": {"S": "by arn"}})
    gone = api.delete_table(TableName="life")["TableDescription"]
    assert gone["TableStatus"] == "DELETING"
    # AWS leaves the keys out of this one answer.
    assert "KeySchema" not in gone and "AttributeDefinitions" not in gone
    api.get_waiter("table_not_exists").wait(TableName="life", WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    for call in (api.describe_table, api.delete_table):
        code, status, message = error_of(call, TableName="life")
        assert (code, status) == ("ResourceNotFoundException", 400)
        assert message == "Requested resource not found: Table: life not found"
    # A table of the same name is another one, and empty.
    assert make_table(api, "life")["TableId"] != made["TableId"]
    assert api.scan(TableName="life", ConsistentRead=True)["Count"] == 0
    api.delete_table(TableName="life")
    wait_gone(api, "life")


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"TableName": "a!"}, "2 validation errors detected: Value 'a!' at 'tableName' failed to satisfy constraint: "),
        ({"AttributeDefinitions": definitions(other="S")}, "Keys: [pk], AttributeDefinitions: [other]"),
        (
            {"AttributeDefinitions": definitions(pk="S", more="S")},
            "Number of attributes in KeySchema does not exactly match number of attributes defined in",
        ),
        ({"KeySchema": keys("pk", "pk")}, "Invalid KeySchema: "),
        ({"BillingMode": "PROVISIONED"}, "ReadCapacityUnits and WriteCapacityUnits must both be specified"),
        ({"ProvisionedThroughput": UNITS}, "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified"),
        ({"BillingMode": "FREE"}, "Member must satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]"),
        ({"LocalSecondaryIndexes": [index("lll", "pk", "pk")]}, "Table KeySchema does not have a range key"),
        ({"GlobalSecondaryIndexes": [index("ggg", "absent")]}, "absent"),
        ({"GlobalSecondaryIndexes": [index("ggg", "pk")] * 2}, "Duplicate"),
        ({"GlobalSecondaryIndexes": [index("ggg", "pk", projection="INCLUDE")]}, "NonKeyAttributes"),
        ({"Tags": [{"Key": "aws:mine", "Value": "1"}]}, "aws:"),
        ({"TableClass": "GOLD"}, "table-class"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_creation_that_cannot_be_is_refused(loose, changes, part):
    code, status, message = error_of(loose.create_table, **{**creation("never"), **changes})
    assert (code, status) == ("ValidationException", 400), message
    assert part in message
    assert "never" not in loose.list_tables()["TableNames"]


def test_lists_are_paged_and_hold_no_table_of_quorates_own(api, loose):
    names = [f"list-{n}" for n in range(5)]
    for name in names:
        api.create_table(**creation(name))
    listed = api.list_tables()["TableNames"]
    assert [name for name in listed if name.startswith("list-")] == names
    assert not [name for name in listed if ":" in name]
    first = api.list_tables(ExclusiveStartTableName="list-0", Limit=2)
    assert first["TableNames"] == ["list-1", "list-2"]
    assert first["LastEvaluatedTableName"] == "list-2"
    rest = api.list_tables(ExclusiveStartTableName="list-2", Limit=2)
    assert rest["TableNames"] == ["list-3", "list-4"]
    pages = api.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 2})
    assert [name for page in pages for name in page["TableNames"]] == listed
    for limit, part in ((0, "greater than or equal to 1"), (101, "less than or equal to 100")):
        code, _, message = error_of(loose.list_tables, Limit=limit)
        assert code == "ValidationException" and part in message
    for name in names:
        wait_active(api, name)
        api.delete_table(TableName=name)
    for name in names:
        wait_gone(api, name)


def test_updates_and_their_states(api):
    make_table(api, "upd", BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
    same = error_of(api.update_table, TableName="upd", ProvisionedThroughput=UNITS)
    assert same[0] == "ValidationException" and "will not change" in same[2]
    updating = api.update_table(
        TableName="upd", ProvisionedThroughput={"ReadCapacityUnits": 7, "WriteCapacityUnits": 5}
    )["TableDescription"]
    assert updating["TableStatus"] == "UPDATING"
    table = wait_active(api, "upd")
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 7
    assert "LastIncreaseDateTime" in table["ProvisionedThroughput"]
    api.update_table(TableName="upd", BillingMode="PAY_PER_REQUEST")
    assert wait_active(api, "upd")["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    api.update_table(TableName="upd", TableClass="STANDARD_INFREQUENT_ACCESS")
    assert wait_active(api, "upd")["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    api.update_table(TableName="upd", DeletionProtectionEnabled=True)
    assert wait_active(api, "upd")["DeletionProtectionEnabled"] is True
    code, status, message = error_of(api.delete_table, TableName="upd")
    assert (code, status) == ("ValidationException", 400)
    assert "deletion protection" in message.lower()
    api.update_table(TableName="upd", DeletionProtectionEnabled=False)
    wait_active(api, "upd")
    code, _, _ = error_of(api.update_table, TableName="upd")
    assert code == "ValidationException"
    api.delete_table(TableName="upd")
    wait_gone(api, "upd")


def test_one_index_at_a_time(api):
    make_table(api, "ind")
    create = {
        "TableName": "ind",
        "AttributeDefinitions": definitions(pk="S", g="S", h="N"),
        "GlobalSecondaryIndexUpdates": [{"Create": index("first", "g", "h")}],
    }
    made = api.update_table(**create)["TableDescription"]
    assert made["TableStatus"] == "UPDATING"
    assert made["GlobalSecondaryIndexes"][0]["IndexStatus"] == "CREATING"
    table = wait_active(api, "ind")
    assert [found["IndexName"] for found in table["GlobalSecondaryIndexes"]] == ["first"]
    assert table["GlobalSecondaryIndexes"][0]["IndexArn"].endswith(":table/ind/index/first")
    code, _, message = error_of(api.update_table, **create)
    assert (code, message) == ("ValidationException", "Attempting to create an index which already exists")
    absent = [{"Delete": {"IndexName": "absent"}}]
    code, _, _ = error_of(api.update_table, TableName="ind", GlobalSecondaryIndexUpdates=absent)
    assert code == "ResourceNotFoundException"
    two = [{"Delete": {"IndexName": "first"}}, {"Create": index("second", "g")}]
    code, _, _ = error_of(
        api.update_table,
        TableName="ind",
        AttributeDefinitions=definitions(pk="S", g="S"),
        GlobalSecondaryIndexUpdates=two,
    )
    assert code in ("LimitExceededException", "ValidationException")
    gone = api.update_table(TableName="ind", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "first"}}])
    assert gone["TableDescription"]["GlobalSecondaryIndexes"][0]["IndexStatus"] == "DELETING"
    until(lambda: "GlobalSecondaryIndexes" not in wait_active(api, "ind"), 30, "the index is gone")
    assert wait_active(api, "ind")["AttributeDefinitions"] == definitions(pk="S")


def test_tags(api):
    arn = make_table(api, "tagged", Tags=[{"Key": "a", "Value": "1"}])["TableArn"]
    api.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}])

    def tags():
        return {tag["Key"]: tag["Value"] for tag in api.list_tags_of_resource(ResourceArn=arn)["Tags"]}

    assert tags() == {"a": "3", "b": "2"}
    api.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert tags() == {"b": "2"}
    code, _, _ = error_of(api.list_tags_of_resource, ResourceArn=arn.replace("tagged", "absent"))
    assert code in ("ResourceNotFoundException", "AccessDeniedException")


def test_expiry_is_switched_once(api):
    make_table(api, "expires")
    specification = {"Enabled": True, "AttributeName": "until"}
    assert api.describe_time_to_live(TableName="expires")["TimeToLiveDescription"] == {"TimeToLiveStatus": "DISABLED"}
    answer = api.update_time_to_live(TableName="expires", TimeToLiveSpecification=specification)
    assert answer["TimeToLiveSpecification"] == specification
    code, _, message = error_of(api.update_time_to_live, TableName="expires", TimeToLiveSpecification=specification)
    assert (code, message) == ("ValidationException", "TimeToLive is already enabled")


def test_limits_and_endpoints(region, api):
    limits = api.describe_limits()
    assert limits["TableMaxReadCapacityUnits"] == 40_000
    endpoint = api.describe_endpoints()["Endpoints"][0]
    assert endpoint["Address"] == f"127.0.0.1:{region.api_port}"


def test_the_size_of_a_table_is_told(api):
    make_table(api, "sized")
    for n in range(10):
        api.put_item(TableName="sized", Item={"pk": {"S": f"k{n}"}})
    assert api.scan(TableName="sized", Select="COUNT", ConsistentRead=True)["Count"] == 10


def test_the_command_line_makes_a_table_and_an_item(region):
    def aws(*args):
        result = command_line(region, "dynamodb", *args, "--output", "text")
        assert result.returncode == 0, result.stderr
        return result.stdout

    aws(
        "create-table", "--table-name", "shell", "--billing-mode", "PAY_PER_REQUEST",
        "--attribute-definitions", "AttributeName=pk,AttributeType=S",
        "--key-schema", "AttributeName=pk,KeyType=HASH",
    )
    aws("wait", "table-exists", "--table-name", "shell")
    aws("put-item", "--table-name", "shell", "--item", '{"pk": {"S": "a"}, "n": {"N": "1.50"}}')
    found = aws(
        "get-item", "--table-name", "shell", "--key", '{"pk": {"S": "a"}}', "--consistent-read",
        "--query", "Item.n.N",
    )
    assert found.strip() == "1.5"
    aws("delete-table", "--table-name", "shell")
