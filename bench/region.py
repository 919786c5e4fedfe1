"""A region to measure: one `quorate up` of its own."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import boto3

PASSWORD = "bench-secret-1"
TICKS = os.sysconf("SC_CLK_TCK")
START_S = 60
DRILL_S = 300


class BenchRegion:
    """Started on entry, stopped on exit. `settings` go into its configuration."""

    def __init__(self, binary, data, **settings):
        self.binary, self.data, self.settings = binary, data, settings
        self.api_port = free_port()
        self.process = None

    def __enter__(self):
        self.data.mkdir(mode=0o755)
        began = time.monotonic()
        self.log = open(self.data.parent / "up.log", "w+")
        config = self.data.parent / "config.toml"
        config.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in self.settings.items()))
        arguments = [self.binary, "up", "--data", self.data, "--config", config]
        arguments += ["--api", f"127.0.0.1:{self.api_port}"]
        self.process = subprocess.Popen(arguments, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True)
        self.rds = None
        while self.rds is None:
            if time.monotonic() - began > START_S:
                raise SystemExit("the region does not start")
            self.rds = self.try_client()
        self.first_answer_s = time.monotonic() - began
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(START_S)

    @property
    def endpoint(self):
        return f"127.0.0.1:{self.api_port}"

    def credentials(self):
        key = json.loads((self.data / "credentials").read_text())
        return key["access_key_id"], key["secret_access_key"]

    def try_client(self):
        """A client whose first call was answered, or none yet."""
        credentials = self.data / "credentials"
        if not credentials.exists():
            return None
        access_key_id, secret_access_key = self.credentials()
        client = boto3.client(
            "rds",
            endpoint_url=f"http://{self.endpoint}",
            region_name="us-east-1",
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret_access_key,
            config=boto3.session.Config(retries={"max_attempts": 0}),
        )
        try:
            client.describe_db_instances()
        except Exception:
            return None
        return client

    def command(self, *arguments):
        result = subprocess.run([self.binary, *arguments, "--data", self.data], capture_output=True, text=True)
        if result.returncode != 0:
            raise SystemExit(f"quorate {' '.join(arguments)} failed:\n{result.stdout}{result.stderr}")
        return result.stdout

    def create_instance(self, name):
        """Makes a Multi-AZ instance; returns the seconds until it is available."""
        began = time.monotonic()
        while True:
            try:
                self.rds.create_db_instance(
                    DBInstanceIdentifier=name,
                    Engine="postgres",
                    DBInstanceClass="db.m5.large",
                    AllocatedStorage=20,
                    MultiAZ=True,
                    MasterUsername="bench",
                    MasterUserPassword=PASSWORD,
                    DBName="bench",
                )
                break
            except self.rds.exceptions.ClientError as error:
                # The nodes have not reported their engines yet.
                if error.response["Error"]["Code"] != "ServiceUnavailable" or time.monotonic() - began > START_S:
                    raise
        waiter = self.rds.get_waiter("db_instance_available")
        waiter.wait(DBInstanceIdentifier=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1000})
        return time.monotonic() - began

    def delete_instance(self, name):
        self.rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
        waiter = self.rds.get_waiter("db_instance_deleted")
        waiter.wait(DBInstanceIdentifier=name, WaiterConfig={"Delay": 0.2, "MaxAttempts": 500})

    def pgbench_target(self, name):
        """pgbench's environment for an instance's endpoint, certificate verified."""
        instance = self.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        authority = self.data.parent / "ca.pem"
        authority.write_text(self.command("ca"))
        return {
            "PGHOST": instance["Endpoint"]["Address"],
            "PGPORT": str(instance["Endpoint"]["Port"]),
            "PGUSER": "bench",
            "PGPASSWORD": PASSWORD,
            "PGDATABASE": "bench",
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(authority),
        }

    def status(self):
        return json.loads(self.command("status", "--json"))["regions"][0]

    def primary_conf(self):
        """The primary's postgresql.conf: the servers made by hand get the same parameters."""
        primary = next(r for r in self.status()["resources"] if r["role"] == "primary")
        node = self.data / "regions" / "us-east-1" / "nodes" / primary["node"]
        return next(node.glob("members/*/data/postgresql.conf"))

    def engine_account(self):
        return self.primary_conf().owner()

    def nodes(self):
        return json.loads(self.command("zone", "list", "--json"))

    def own_processes(self):
        """Process ids of the gateway and the nodes, by name."""
        return {"gateway": self.process.pid, **{row["node"]: row["pid"] for row in self.nodes()}}

    def cpu_seconds(self):
        return {name: cpu_seconds(pid) for name, pid in self.own_processes().items()}

    def rss_mib(self, pid):
        line = next(l for l in Path(f"/proc/{pid}/status").read_text().splitlines() if l.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def drill(self, fault, clients):
        """One drill; its verdict. A fault lasts longer than a lease: a paused node then loses its primary."""
        arguments = [self.binary, "drill", "multi-az", "--fault", fault, "--clients", str(clients), "--seconds", "3", "--json"]
        result = subprocess.run(
            [*arguments, "--data", self.data], capture_output=True, text=True, timeout=DRILL_S
        )
        if result.returncode == 2:
            raise SystemExit(f"the drill {fault} could not be run:\n{result.stdout}{result.stderr}")
        return json.loads(result.stdout)


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
