"""The two servers that are compared: how they are started, asked and emptied."""

import http.client
import json
import subprocess
import sys
import time
from pathlib import Path

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tables import TABLES, creation

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import ports  # noqa: E402
from harness.region import Region  # noqa: E402

START_S = 30
ANSWER_S = 60


class Server:
    """A DynamoDB at a port of this machine."""

    def __init__(self, port, key="AKIDEXAMPLE", secret="secret"):
        self.port, self.credentials = port, Credentials(key, secret)
        self.connection = None

    def ask(self, operation, body):
        """The status and the decoded body of an answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"DynamoDB_20120810.{operation}"}
        request = AWSRequest(method="POST", url=f"http://127.0.0.1:{self.port}/", data=data, headers=headers)
        SigV4Auth(self.credentials, "dynamodb", "us-east-1").add_auth(request)
        for attempt in (1, 2):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
                self.connection.request("POST", "/", body=data, headers=dict(request.headers))
                answer = self.connection.getresponse()
                text = answer.read()
                break
            except (ConnectionError, http.client.HTTPException):
                # A connection that was kept open may have been closed meanwhile.
                self.connection = None
                if attempt == 2:
                    raise
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, {"not JSON": text.decode(errors="replace")}

    def must(self, operation, body):
        status, answer = self.ask(operation, body)
        assert status == 200, f"{operation} {body}: {status} {answer}"
        return answer

    def make_tables(self):
        for name in TABLES:
            self.must("CreateTable", creation(name))
        for name in TABLES:
            deadline = time.monotonic() + START_S
            while self.must("DescribeTable", {"TableName": name})["Table"]["TableStatus"] != "ACTIVE":
                assert time.monotonic() < deadline, f"{name} is not active"
                time.sleep(0.02)

    def empty_tables(self):
        for name, table in TABLES.items():
            while items := self.must("Scan", {"TableName": name, "ConsistentRead": True})["Items"]:
                for item in items:
                    key = {attribute: item[attribute] for attribute, _ in table["keys"]}
                    self.must("DeleteItem", {"TableName": name, "Key": key})


class Quorate:
    """A region of its own."""

    def __enter__(self):
        self.region = Region()
        self.region.start()
        env = self.region.env()
        return Server(self.region.api_port, env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])

    def __exit__(self, *_):
        self.region.close()


class Peer:
    """The program of another implementation, or one that runs already (`host:port`)."""

    def __init__(self, program):
        self.program, self.process = str(program), None

    def __enter__(self):
        if self.program.removeprefix("127.0.0.1:").isdigit():
            return Server(int(self.program.removeprefix("127.0.0.1:")))
        port = ports.free_port()
        command = [self.program, "serve", "--host", "127.0.0.1", "--port", str(port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        server, deadline = Server(port), time.monotonic() + START_S
        while True:
            try:
                server.ask("ListTables", {})
                return server
            except OSError:
                assert time.monotonic() < deadline and self.process.poll() is None, f"{self.program} does not answer"
                time.sleep(0.05)

    def __exit__(self, *_):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
