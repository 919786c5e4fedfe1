"""Below the SDK: compression, checksums, and bodies that are broken on purpose."""

import gzip
import json
import zlib

import pytest
from harness import raw
from harness.dynamodb import JSON, dynamodb, make_table, post

MB = 1024 * 1024
SERIALIZATION = "com.amazon.coral.service#SerializationException"
VALIDATION = "com.amazon.coral.validate#ValidationException"


@pytest.fixture(scope="module")
def api(region):
    api = dynamodb(region)
    make_table(api, "wire")
    return api


def put(value, table="wire"):
    """The body of a PutItem, with `value` as it is in the place of an attribute's value."""
    text = f'{{"TableName":"{table}","Item":{{"pk":{{"S":"a"}},"v":'.encode()
    return text + (value if isinstance(value, bytes) else value.encode()) + b"}}"


def kind(answer):
    """The status, the type and the sentence of an error."""
    status, _, body = answer
    told = json.loads(body)
    return status, told["__type"], told.get("message", told.get("Message", ""))


def test_answers_carry_id_and_checksum(region, api):
    api.put_item(TableName="wire", Item={"pk": {"S": "large"}, "v": {"S": "x" * 50_000}})
    seen = set()
    for operation, body, status in (
        ("ListTables", {}, 200),
        ("GetItem", {"TableName": "absent", "Key": {"pk": {"S": "a"}}}, 400),
        ("GetItem", {"TableName": "wire", "Key": {"pk": {"S": "large"}}, "ConsistentRead": True}, 200),
    ):
        for encoding in ("identity", "gzip"):
            found, headers, answer = post(region, operation, body, {"Accept-Encoding": encoding})
            assert found == status
            assert int(headers["x-amz-crc32"]) == zlib.crc32(answer)
            assert headers["content-type"] == JSON
            seen.add(headers["x-amzn-requestid"])
            large = len(answer) > 50_000 or headers.get("content-encoding") == "gzip"
            assert (headers.get("content-encoding") == "gzip") == (large and encoding == "gzip")
    assert len(seen) == 6
    _, headers, answer = post(
        region,
        "GetItem",
        {"TableName": "wire", "Key": {"pk": {"S": "large"}}, "ConsistentRead": True},
        {"Accept-Encoding": "deflate, gzip;q=0.5"},
    )
    assert headers["content-encoding"] == "gzip"
    assert len(answer) < 5_000
    assert json.loads(gzip.decompress(answer))["Item"]["v"]["S"] == "x" * 50_000


def test_a_request_may_be_compressed(region, api):
    body = put('{"S":"packed"}')
    status, _, answer = post(region, "PutItem", gzip.compress(body), {"Content-Encoding": "gzip"})
    assert (status, answer) == (200, b"{}")
    found = api.get_item(TableName="wire", Key={"pk": {"S": "a"}}, ConsistentRead=True)["Item"]
    assert found["v"] == {"S": "packed"}
    assert kind(post(region, "PutItem", body, {"Content-Encoding": "gzip"}))[:2] == (400, SERIALIZATION)
    bomb = gzip.compress(b" " * (40 * MB))
    assert post(region, "PutItem", bomb, {"Content-Encoding": "gzip"})[0] == 413


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", ""),
        (b"{", ""),
        (b"[]", ""),
        (b'"text"', ""),
        (b"\xff\xfe", ""),
        (b'{"TableName":"wi\xffre"}', ""),
        (b'{"TableName":"\\ud800"}', ""),
        (b'{"TableName":5}', "NUMBER_VALUE cannot be converted to String"),
        (b'{"TableName":true}', "TRUE_VALUE cannot be converted to String"),
        (b'{"TableName":["a"]}', "Unrecognized collection type class java.lang.String"),
        (b'{"TableName":{}}', "Start of structure or map found where not expected"),
        (put("5"), "Unexpected value type in payload"),
        (put('{"S":5}'), "NUMBER_VALUE cannot be converted to String"),
        (put('{"N":5}'), "NUMBER_VALUE cannot be converted to String"),
        (put('{"BOOL":"perhaps"}'), "Unexpected token received from parser"),
        (put('{"L":{}}'), "Start of structure or map found where not expected"),
        (put('{"SS":"a"}'), "Unexpected field type"),
        (put('{"B":5}'), "only base-64-encoded strings are convertible to bytes"),
        (put(b'{"S":"\xff"}'), ""),
        (put("[" * 100_000), ""),
        (put('{"L":[' * 100_000), ""),
    ],
    ids=lambda value: repr(value)[:48],
)
def test_a_body_of_another_shape(region, api, body, message):
    status, name, told = kind(post(region, "PutItem", body))
    assert status == 400
    if name == SERIALIZATION:
        assert message in told
    else:
        # Values that nest too deep may be told so.
        assert name == VALIDATION and "Nesting" in told and body.count(b"[") > 1000


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("{}", "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
        ('{"S":"a","N":"1"}', "Supplied AttributeValue has more than one datatypes set"),
        ('{"N":"' + "9" * 1000 + '"}', "Attempting to store more than 38 significant digits in a Number"),
        ('{"N":"1e' + "9" * 1000 + '"}', ""),
        ('{"M":{"":{"S":"a"}}}', "Empty attribute name"),
        ('{"L":[{"M":{"a":{"M":{"":{"S":"a"}}}}}]}', "Empty attribute name"),
        ('{"SS":[]}', "may not be empty"),
        ('{"NULL":false}', "Null attribute value types must have the value of true"),
        ('{"L":[' * 40 + '{"S":"a"}' + "]}" * 40, "Nesting Levels have exceeded supported limits"),
    ],
    ids=lambda text: text[:20],
)
def test_a_value_that_is_none(region, api, value, part):
    status, name, message = kind(post(region, "PutItem", put(value)))
    assert (status, name) == (400, VALIDATION)
    assert part in message


def test_an_attribute_has_a_name(region, api):
    nameless = b'{"TableName":"wire","Item":{"pk":{"S":"a"},"":{"S":"a"}}}'
    assert kind(post(region, "PutItem", nameless)) == (400, VALIDATION, "Empty attribute name")
    key = b'{"TableName":"wire","Key":{"":{"S":"a"}}}'
    assert kind(post(region, "GetItem", key)) == (400, VALIDATION, "Empty attribute name")


def test_limits_are_read_as_integers(region, api):
    for limit in ("1.9", "4294967296", "1e2"):
        assert post(region, "Scan", f'{{"TableName":"wire","Limit":{limit}}}')[0] == 200, limit
    assert kind(post(region, "Scan", '{"TableName":"wire","Limit":0.9}'))[1] == VALIDATION


def test_base64_is_checked(region, api):
    for text in ("?", "YQ", "Y=Q=", "Y Q=="):
        assert kind(post(region, "PutItem", put(f'{{"B":"{text}"}}')))[0] == 400, text
    assert post(region, "PutItem", put('{"B":"YQ=="}'))[0] == 200


def test_names_that_come_twice_are_answered(region, api):
    twice = b'{"TableName":"wire","TableName":"wire","Item":{"pk":{"S":"a"},"pk":{"S":"b"}}}'
    assert post(region, "PutItem", twice)[0] in (200, 400)
    assert post(region, "ListTables", b'{"Limit":1,"Limit":2}')[0] == 200
    # What an operation does not know is not looked at, and null is as if it were not there.
    assert post(region, "ListTables", b'{"Limit":null,"Unknown":[1,{"a":[]}]}')[0] == 200
    assert post(region, "PutItem", put('{"S":"a"}')[:-1] + b',"Other":{"x":1},"ReturnValues":null}')[0] == 200


def test_depth_costs_neither_stack_nor_memory(region, api):
    """Whatever nests is refused, the region goes on, and the gateway's memory stays where it was."""
    key, deep = '"Key":{"pk":{"S":"a"}}', 100_000
    table = '"TableName":"wire"'
    value = '{"L":[' * deep + '{"S":"a"}' + "]}" * deep
    bodies = [
        ("DeleteItem", f'{{{table},{key},"ConditionExpression":"{"(" * deep}a = b{")" * deep}"}}'),
        ("DeleteItem", f'{{{table},{key},"ConditionExpression":"{"NOT " * 1000}a = b"}}'),
        ("UpdateItem", f'{{{table},{key},"UpdateExpression":"SET a = {"if_not_exists(a," * 250}b{")" * 250}"}}'),
        ("GetItem", f'{{{table},{key},"ProjectionExpression":"a{".b" * 2000}"}}'),
        ("GetItem", f'{{{table},{key},"ProjectionExpression":"a{"[0]" * 1300}"}}'),
        ("Query", f'{{{table},"KeyConditionExpression":"{"(" * deep}a = b"}}'),
        ("DeleteItem", f'{{{table},{key},"Expected":{{"a":{{"Value":{value}}}}}}}'),
        ("UpdateItem", f'{{{table},{key},"AttributeUpdates":{{"a":{{"Action":"PUT","Value":{value}}}}}}}'),
        ("Scan", f'{{{table},"ScanFilter":{{"a":{{"ComparisonOperator":"EQ","AttributeValueList":[{value}]}}}}}}'),
        ("ExecuteStatement", f'{{"Statement":"INSERT INTO wire VALUE {"[" * 4000}{"]" * 4000}"}}'),
        ("ExecuteStatement", f'{{"Statement":"SELECT * FROM wire WHERE {"(" * 4000}a = 1{")" * 4000}"}}'),
        ("ExecuteStatement", f'{{"Statement":"SELECT * FROM wire WHERE {"NOT " * 1900}a = 1"}}'),
        ("ExecuteStatement", f'{{"Statement":"SELECT * FROM wire WHERE a = ?","Parameters":[{value}]}}'),
        ("BatchExecuteStatement", f'{{"Statements":[{{"Statement":"DELETE FROM wire","Parameters":[{value}]}}]}}'),
        ("CreateTable", '{"TableName":' + "[" * deep),
        ("Unknown", '{"a":' * deep),
    ]
    before = None
    for turn in range(4):
        for operation, body in bodies:
            assert post(region, operation, body)[0] in (200, 400), (operation, body[:80])
        memory = memory_mib(region.process.pid)
        before = before or memory
        assert memory < before + 64, f"turn {turn}: {before} to {memory} MiB"
    assert api.get_item(TableName="wire", Key={"pk": {"S": "absent"}})["ResponseMetadata"]["HTTPStatusCode"] == 200


def memory_mib(pid):
    """What the process has in memory."""
    with open(f"/proc/{pid}/status") as status:
        (line,) = [line for line in status if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def test_operations_that_are_none(region, api):
    for operation in ("DoSomething", "", "CreateBackup", "DescribeStream", "ListExports", "getitem"):
        answer = post(region, operation, {})
        assert (answer[0], json.loads(answer[2])) == (
            400,
            {"__type": "com.amazon.coral.service#UnknownOperationException"},
        ), operation


def test_a_body_has_at_most_16_mb(region, api):
    try:
        assert post(region, "PutItem", put('{"S":"' + "x" * (17 * MB) + '"}'))[0] == 413
    except ConnectionError:
        # The connection was closed under the rest of the body.
        pass
    status, name, message = kind(post(region, "PutItem", put('{"S":"' + "x" * (15 * MB) + '"}')))
    assert (status, name, message) == (400, VALIDATION, "Item size has exceeded the maximum allowed size")


def test_signatures_are_checked(region, api):
    body = b"{}"
    target = {"X-Amz-Target": "DynamoDB_20120810.ListTables"}
    signed = raw.signed_headers(region, body, service="dynamodb", content_type=JSON, more=target)
    assert raw.send_bytes(region, body, signed)[0] == 200

    def refused(headers, sent=body):
        status, answer_headers, answer = raw.send_bytes(region, sent, headers)
        assert int(answer_headers["x-amz-crc32"]) == zlib.crc32(answer)
        return status, json.loads(answer)["__type"].split("#")[1]

    assert refused(signed, b'{"Limit":1}') == (400, "InvalidSignatureException")
    added = {**signed, "X-Amz-Extra": "1"}
    assert refused(added) == (400, "InvalidSignatureException")
    other = raw.signed_headers(region, body, service="dynamodb", content_type=JSON, more=target, secret="x" * 40)
    assert refused(other) == (400, "InvalidSignatureException")
    broken = {**signed, "Authorization": signed["Authorization"].split("Signature=")[0]}
    assert refused(broken) == (400, "IncompleteSignatureException")
    # Without any signature nobody knows which service was meant; the target tells.
    assert raw.send_bytes(region, body, {"Content-Type": JSON, **target})[0] in (400, 403)
    unknown = signed["Authorization"].replace("Credential=", "Credential=X")
    assert refused({**signed, "Authorization": unknown}) == (400, "UnrecognizedClientException")


def test_browsers_may_ask_first(region, api):
    status, headers, body = raw.send_bytes(
        region,
        method="OPTIONS",
        headers={
            "Origin": "http://example.com",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,x-amz-target",
        },
    )
    assert (status, body) == (200, b"")
    assert headers["access-control-allow-origin"] == "*"
    assert "authorization" in headers["access-control-allow-headers"].lower()
    assert "POST" in headers["access-control-allow-methods"]
