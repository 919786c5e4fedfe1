"""AWS clients and waiting for AWS's states."""

import subprocess
import sys
from pathlib import Path

import boto3
import botocore.exceptions
from botocore.config import Config

from .poll import until

AVAILABLE_S = 90
DELETED_S = 60
PASSWORD = "correct-horse-9"
MASTER = "app"

_CONFIG = Config(connect_timeout=3, read_timeout=30, retries={"mode": "standard", "max_attempts": 4})


def client(region, service="rds", name=None, key=None, secret=None, **config):
    """A client with the region's own credentials, or with those given."""
    env = region.env()
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{region.api_port}",
        region_name=name or region.names[0],
        aws_access_key_id=key or env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=secret or env["AWS_SECRET_ACCESS_KEY"],
        config=_CONFIG.merge(Config(**config)),
    )


def error_of(call, **arguments):
    """The code, the HTTP status and the sentence of the error that a call must give."""
    try:
        answer = call(**arguments)
    except botocore.exceptions.ClientError as error:
        answer = error.response
        return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]
    raise AssertionError(f"was not refused: {answer}")


def command_line(region, *args, shell="sh", within=120):
    """Runs the plain `aws` command in a shell that evaluated what `quorate env` prints, and nothing else."""
    script = 'eval "$("$0" env --data "$1")"; shift; aws "$@"'
    env = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(region.folder), "AWS_PAGER": ""}
    command = [shell, "-c", script, region.binary, region.data, *args]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=within)


class Rds:
    """The RDS client of one region, with what tests do again and again."""

    def __init__(self, region, name=None):
        self.region = region
        self.name = name or region.names[0]
        self.api = client(region, name=self.name)

    def ask_create(self, identifier, **more):
        """Asks for an instance and does not wait."""
        arguments = {
            "DBInstanceIdentifier": identifier,
            "Engine": "postgres",
            "DBInstanceClass": "db.t3.micro",
            "AllocatedStorage": 20,
            "MasterUsername": MASTER,
            "MasterUserPassword": PASSWORD,
            "DBName": "shop",
            "BackupRetentionPeriod": 1,
            **more,
        }
        return self.api.create_db_instance(**arguments)["DBInstance"]

    def create(self, identifier, **more):
        """Makes an instance and waits until it is available."""
        self.ask_create(identifier, **more)
        return self.wait_available(identifier)

    def ask_replica(self, identifier, source, **more):
        return self.api.create_db_instance_read_replica(
            DBInstanceIdentifier=identifier, SourceDBInstanceIdentifier=source, **more
        )["DBInstance"]

    def replica(self, identifier, source, **more):
        self.ask_replica(identifier, source, **more)
        return self.wait_available(identifier)

    def describe(self, identifier):
        return self.api.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]

    def status(self, identifier):
        return self.describe(identifier)["DBInstanceStatus"]

    def identifiers(self):
        return [found["DBInstanceIdentifier"] for found in self.api.describe_db_instances()["DBInstances"]]

    def wait_available(self, identifier, within=AVAILABLE_S):
        """The SDK's own waiter; then the description."""
        waiter = self.api.get_waiter("db_instance_available")
        waiter.wait(DBInstanceIdentifier=identifier, WaiterConfig={"Delay": 1, "MaxAttempts": within})
        return self.describe(identifier)

    def wait(self, identifier, condition, what, within=AVAILABLE_S):
        """The description, once `condition` holds for it."""

        def found():
            described = self.describe(identifier)
            return described if condition(described) else None

        # A renamed instance is not found under its name until the change is in force.
        absent = self.api.exceptions.DBInstanceNotFoundFault
        return until(found, within, f"{identifier}: {what}", pause=0.2, quiet=(absent,))

    def wait_settled(self, identifier, within=AVAILABLE_S):
        """Available, and no change is waiting or under way."""

        def settled(found):
            return found["DBInstanceStatus"] == "available" and not found["PendingModifiedValues"]

        return self.wait(identifier, settled, "available with nothing pending", within)

    def modify(self, identifier, **changes):
        """Changes an instance at once, and waits until the change is in force."""
        self.api.modify_db_instance(DBInstanceIdentifier=identifier, ApplyImmediately=True, **changes)
        return self.wait_settled(changes.get("NewDBInstanceIdentifier", identifier))

    def ask_delete(self, identifier):
        return self.api.delete_db_instance(DBInstanceIdentifier=identifier, SkipFinalSnapshot=True)["DBInstance"]

    def delete(self, identifier):
        """Deletes an instance and waits with the SDK's own waiter until it is gone."""
        self.ask_delete(identifier)
        self.wait_deleted(identifier)

    def wait_deleted(self, identifier, within=DELETED_S):
        waiter = self.api.get_waiter("db_instance_deleted")
        waiter.wait(DBInstanceIdentifier=identifier, WaiterConfig={"Delay": 1, "MaxAttempts": within})

    def events(self, identifier):
        """The sentences of the instance's events, oldest first."""
        answer = self.api.describe_events(SourceType="db-instance", SourceIdentifier=identifier, Duration=60)
        return [event["Message"] for event in answer["Events"]]

    def wait_event(self, identifier, part, within=60):
        """The first event whose sentence holds `part`."""

        def found():
            return next((event for event in self.events(identifier) if part in event), None)

        return until(found, within, f"an event of {identifier} with '{part}'", pause=0.3)
