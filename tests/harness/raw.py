"""Requests below the SDK: signed by hand, or not at all, and broken on purpose."""

import http.client
from dataclasses import dataclass

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

FORM = "application/x-www-form-urlencoded; charset=utf-8"
VERSION = "2014-10-31"


@dataclass
class Answer:
    status: int
    headers: dict
    body: str


def send(region, method="POST", path="/", body=b"", headers=None):
    """One request as it is, over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", region.api_port, timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read().decode(errors="replace"))
    finally:
        connection.close()


def send_bytes(region, body=b"", headers=None, method="POST", path="/"):
    """One request as it is; the status, the headers by their names in lower case, and the bytes of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", region.api_port, timeout=20)
    try:
        try:
            connection.request(method, path, body=body, headers=headers or {})
        except ConnectionError:
            # It was answered before all of the body was read.
            pass
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def signed_headers(region, body, service="rds", name=None, content_type=FORM, secret=None, more=None):
    """The headers of a rightly signed POST of `body`; those in `more` are signed too."""
    env = region.env()
    request = AWSRequest(
        method="POST",
        url=f"http://127.0.0.1:{region.api_port}/",
        data=body,
        headers={"Content-Type": content_type, **(more or {})},
    )
    credentials = Credentials(env["AWS_ACCESS_KEY_ID"], secret or env["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(credentials, service, name or region.names[0]).add_auth(request)
    return dict(request.headers)


def post(region, body, **signing):
    """A rightly signed POST."""
    body = body.encode() if isinstance(body, str) else body
    return send(region, body=body, headers=signed_headers(region, body, **signing))
