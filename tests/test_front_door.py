"""The AWS front door: signatures, identities, errors, pages, filters, the aws command line."""

import json
import socket
import time

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config
from harness import raw
from harness.aws import client, command_line, error_of


@pytest.fixture(scope="module")
def sdk(rds):
    return rds.api


def names_of(answer):
    return [found["DBInstanceIdentifier"] for found in answer["DBInstances"]]


def test_the_caller_is_told_who_it_is(region):
    """Tools call sts:GetCallerIdentity before anything else."""
    identity = client(region, "sts").get_caller_identity()
    assert identity["Account"] == "123456789012"
    assert identity["Arn"] == "arn:aws:iam::123456789012:root"


def test_the_environment_makes_an_sdk_work_without_any_setting(region, monkeypatch):
    """What `quorate env` exports is all that an SDK needs."""
    for name, value in region.env().items():
        monkeypatch.setenv(name, value)
    assert boto3.session.Session().client("rds").describe_db_instances()["DBInstances"] == []


def test_a_wrong_secret_is_refused_and_touches_nothing(region, sdk):
    forger = client(region, secret="x" * 40)
    code, status, _ = error_of(
        forger.create_db_instance,
        DBInstanceIdentifier="forged",
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        MasterUsername="app",
        MasterUserPassword="correct-horse-9",
    )
    assert (code, status) == ("SignatureDoesNotMatch", 403)
    assert "forged" not in names_of(sdk.describe_db_instances())


def test_an_unknown_key_is_refused(region):
    code, status, _ = error_of(client(region, key="AKIAIOSFODNN7EXAMPLE").describe_db_instances)
    assert (code, status) == ("InvalidClientTokenId", 403)


def test_a_request_without_a_signature_is_refused(region):
    answer = raw.send(region, body=b"Action=DescribeDBInstances", headers={"Content-Type": raw.FORM})
    assert answer.status == 403
    assert "MissingAuthenticationToken" in answer.body


def test_a_session_token_is_refused(region):
    env = region.env()
    temporary = boto3.client(
        "rds",
        endpoint_url=f"http://127.0.0.1:{region.api_port}",
        region_name="us-east-1",
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        aws_session_token="from-elsewhere",
        config=Config(retries={"max_attempts": 0}),
    )
    code, status, _ = error_of(temporary.describe_db_instances)
    assert (code, status) == ("InvalidClientTokenId", 403)


def test_a_body_that_was_changed_after_signing_is_refused(region):
    headers = raw.signed_headers(region, b"Action=DescribeDBInstances&Version=2014-10-31")
    answer = raw.send(region, body=b"Action=DescribeDBEngineVersions&Version=2014-10-31", headers=headers)
    assert answer.status in (400, 403)
    assert "<Error>" in answer.body


def test_keys_can_be_made_listed_and_deleted(region):
    """A further key works at once, and no longer after it was deleted."""
    made = region.json("keys", "create")
    key, secret = made["access_key_id"], made["secret_access_key"]
    further = client(region, key=key, secret=secret)
    further.describe_db_instances()
    listing = region.run("keys", "list").stdout
    assert key in listing and secret not in listing
    region.run("keys", "delete", key)
    assert key not in region.run("keys", "list").stdout
    assert error_of(further.describe_db_instances)[0] == "InvalidClientTokenId"


@pytest.mark.parametrize("action", ["CreateDBSnapshot", "DescribeDBProxies", "NoSuchThing"])
def test_actions_that_are_not_offered_are_the_callers_error(region, action):
    answer = raw.post(region, f"Action={action}&Version={raw.VERSION}")
    assert answer.status == 400
    assert "<Code>InvalidAction</Code>" in answer.body


@pytest.mark.parametrize(
    ("what", "body", "content_type"),
    [
        ("no action", b"Version=2014-10-31", raw.FORM),
        ("empty", b"", raw.FORM),
        ("broken escapes", b"Action=%zz&Version=2014-10-31", raw.FORM),
        ("no text", bytes(range(256)), raw.FORM),
        ("json", b'{"Action": "DescribeDBInstances"', "application/x-amz-json-1.1"),
        ("xml", b"<DescribeDBInstances", "text/xml"),
        ("huge", b"Action=DescribeDBInstances&Padding=" + b"x" * (3 << 20), raw.FORM),
        ("a very deep list", b"Action=DescribeDBInstances&" + b"&".join(b"A.1" + b".1" * 3000 + b"=x" for _ in range(9)), raw.FORM),
        ("many parameters", b"Action=DescribeDBInstances&" + b"&".join(b"P.%d=x" % n for n in range(60_000)), raw.FORM),
    ],
    ids=lambda value: value if isinstance(value, str) and "/" not in value else "",
)
def test_malformed_bodies_get_a_clean_error(region, sdk, what, body, content_type):
    """Whatever is sent: a 4xx in AWS's shape, and the next request is served."""
    answer = raw.post(region, body, content_type=content_type)
    assert 400 <= answer.status < 500, (what, answer)
    assert "<Code>" in answer.body or '"__type"' in answer.body, (what, answer)
    assert sdk.describe_db_instances()["DBInstances"] == []


def test_oversized_headers_get_a_clean_error(region):
    answer = raw.send(region, headers={"X-Long": "x" * 200_000})
    assert 400 <= answer.status < 500


def test_a_slow_client_does_not_hold_others_up(region, sdk):
    """Connections that say nothing, or half of something, are no reason not to answer others."""
    slow = []
    try:
        for _ in range(200):
            connection = socket.create_connection(("127.0.0.1", region.api_port), timeout=5)
            connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nAct")
            slow.append(connection)
        began = time.monotonic()
        sdk.describe_db_instances()
        assert time.monotonic() - began < 2
    finally:
        for connection in slow:
            connection.close()


def test_a_region_that_is_not_served_is_named(region):
    code, status, message = error_of(client(region, name="eu-west-3").describe_db_instances)
    assert status == 403 and code == "SignatureDoesNotMatch"
    assert "us-east-1" in message


def test_a_clock_that_is_wrong_is_told_so(region):
    """A signature's age is bounded, as in AWS."""
    body = b"Action=DescribeDBInstances&Version=2014-10-31"
    headers = raw.signed_headers(region, body)
    old = headers["X-Amz-Date"]
    headers["X-Amz-Date"] = "2019" + old[4:]
    headers["Authorization"] = headers["Authorization"].replace(old[:8], "2019" + old[4:8])
    answer = raw.send(region, body=body, headers=headers)
    assert answer.status == 403


def test_engine_versions_are_those_of_the_host(sdk):
    versions = sdk.describe_db_engine_versions(Engine="postgres")["DBEngineVersions"]
    assert versions and all(version["Engine"] == "postgres" for version in versions)
    default = sdk.describe_db_engine_versions(Engine="postgres", DefaultOnly=True)["DBEngineVersions"]
    assert len(default) == 1
    options = sdk.describe_orderable_db_instance_options(Engine="postgres")["OrderableDBInstanceOptions"]
    assert {option["EngineVersion"] for option in options} <= {version["EngineVersion"] for version in versions}


def test_lists_come_in_pages(sdk):
    """The SDK's paginator follows the markers: nothing twice, nothing missing."""
    names = [f"page-{number:02}" for number in range(23)]
    for name in names:
        sdk.create_db_parameter_group(DBParameterGroupName=name, DBParameterGroupFamily="postgres15", Description="x")
    pages = sdk.get_paginator("describe_db_parameter_groups").paginate(PaginationConfig={"PageSize": 20})
    seen = [[group["DBParameterGroupName"] for group in page["DBParameterGroups"]] for page in pages]
    assert len(seen) == 2 and len(seen[0]) == 20
    flat = [name for page in seen for name in page]
    assert len(flat) == len(set(flat)) and set(names) <= set(flat)
    for name in names:
        sdk.delete_db_parameter_group(DBParameterGroupName=name)
    assert error_of(sdk.describe_db_instances, MaxRecords=5)[0] == "InvalidParameterValue"
    assert error_of(sdk.describe_db_instances, Marker="nonsense!")[0] == "InvalidParameterValue"


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_environment_makes_the_plain_command_line_work(region, shell):
    """`eval "$(quorate env)"; aws …`, in the region whose endpoint the command line knows by another name."""
    asked = command_line(region, "rds", "describe-db-instances", shell=shell)
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout) == {"DBInstances": []}
    asked = command_line(region, "sts", "get-caller-identity", shell=shell)
    assert asked.returncode == 0, asked.stderr


def test_the_command_line_creates_waits_describes_and_deletes(region, rds):
    """The aws command line with nothing but `quorate env`; its waiter looks every 30 s, so the SDK's goes first."""
    made = command_line(
        region,
        *("rds", "create-db-instance", "--db-instance-identifier", "by-cli", "--engine", "postgres"),
        *("--db-instance-class", "db.t3.micro", "--allocated-storage", "20"),
        *("--master-username", "app", "--master-user-password", "correct-horse-9"),
    )
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["DBInstance"]["DBInstanceStatus"] == "creating"
    rds.wait_available("by-cli")
    waited = command_line(region, "rds", "wait", "db-instance-available", "--db-instance-identifier", "by-cli")
    assert waited.returncode == 0, waited.stderr
    described = command_line(
        region,
        *("rds", "describe-db-instances", "--db-instance-identifier", "by-cli"),
        *("--query", "DBInstances[0].Endpoint.Port", "--output", "text"),
    )
    assert described.stdout.strip() == str(rds.describe("by-cli")["Endpoint"]["Port"])
    missing = command_line(region, "rds", "describe-db-instances", "--db-instance-identifier", "absent")
    assert missing.returncode != 0 and "DBInstanceNotFound" in missing.stderr


def test_filters_find_instances(rds):
    """Terraform finds what it made by its resource id."""
    found = rds.describe("by-cli")
    for name, value in [
        ("dbi-resource-id", found["DbiResourceId"]),
        ("db-instance-id", "by-cli"),
        ("db-instance-id", found["DBInstanceArn"]),
        ("engine", "postgres"),
    ]:
        answer = rds.api.describe_db_instances(Filters=[{"Name": name, "Values": [value]}])
        assert names_of(answer) == ["by-cli"], name
    answer = rds.api.describe_db_instances(Filters=[{"Name": "db-instance-id", "Values": ["other"]}])
    assert answer["DBInstances"] == []
    code, _, message = error_of(rds.api.describe_db_instances, Filters=[{"Name": "colour", "Values": ["red"]}])
    assert code == "InvalidParameterValue" and "colour" in message


def test_the_waiter_for_deletion_ends(rds):
    """The state after a delete is `deleting` at the next describe, then not found."""
    rds.ask_delete("by-cli")
    try:
        assert rds.status("by-cli") == "deleting"
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "DBInstanceNotFound"
    rds.wait_deleted("by-cli")
    code, status, _ = error_of(rds.api.describe_db_instances, DBInstanceIdentifier="by-cli")
    assert (code, status) == ("DBInstanceNotFound", 404)
