"""Aurora clusters: making them, asking how they are, and who does what."""

import subprocess
from pathlib import Path

from . import faults
from .aws import MASTER, PASSWORD, client
from .database import Database
from .poll import until

AVAILABLE_S = 120
CLASS = "db.r6g.large"


class Clusters:
    """The clusters of one region."""

    ENGINE = "aurora-postgresql"

    def __init__(self, region):
        self.region = region
        self.api = client(region)

    def create(self, cluster, members=1, **more):
        """Makes a cluster with so many instances, and waits until all are available."""
        arguments = {
            "DBClusterIdentifier": cluster,
            "Engine": self.ENGINE,
            "MasterUsername": MASTER,
            "MasterUserPassword": PASSWORD,
            "DatabaseName": "shop",
            **more,
        }
        self.api.create_db_cluster(**arguments)
        for number in range(1, members + 1):
            self.add(cluster, f"{cluster}-{number}", wait=False)
        for number in range(1, members + 1):
            self.wait_instance(f"{cluster}-{number}")
        return self.wait(cluster, lambda found: found["Status"] == "available", "available")

    def add(self, cluster, instance, wait=True, **more):
        """Adds an instance to a cluster."""
        arguments = {
            "DBInstanceIdentifier": instance,
            "DBClusterIdentifier": cluster,
            "Engine": self.ENGINE,
            "DBInstanceClass": CLASS,
            **more,
        }
        self.api.create_db_instance(**arguments)
        if wait:
            self.wait_instance(instance)

    def begin(self, cluster):
        """Gives a restored cluster its first instance; its database."""
        self.wait(cluster, lambda found: found["Status"] == "available", "available")
        self.add(cluster, f"{cluster}-1")
        return self.database(cluster)

    def delete(self, cluster, within=AVAILABLE_S, **more):
        """Deletes a cluster with its instances, and waits until it is gone; without a final snapshot unless one is named."""
        for member in self.describe(cluster)["DBClusterMembers"]:
            self.api.delete_db_instance(DBInstanceIdentifier=member["DBInstanceIdentifier"], SkipFinalSnapshot=True)
        self.api.delete_db_cluster(DBClusterIdentifier=cluster, **(more or {"SkipFinalSnapshot": True}))

        def gone():
            try:
                self.describe(cluster)
            except self.api.exceptions.DBClusterNotFoundFault:
                return True
            return False

        until(gone, within, f"{cluster} is gone")

    def describe(self, cluster):
        return self.api.describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"][0]

    def instance(self, instance):
        return self.api.describe_db_instances(DBInstanceIdentifier=instance)["DBInstances"][0]

    def wait(self, cluster, condition, what, within=AVAILABLE_S):
        """The description, once `condition` holds for it."""

        def found():
            described = self.describe(cluster)
            return described if condition(described) else None

        return until(found, within, f"{cluster}: {what}", pause=0.1)

    def wait_instance(self, instance, status="available", within=AVAILABLE_S):
        def there():
            return self.instance(instance)["DBInstanceStatus"] == status

        return until(there, within, f"{instance} is {status}", pause=0.1)

    def wait_running(self, cluster, within=AVAILABLE_S):
        """Until every member runs as it should, so that a reader can take over; returns the region's status.

        An instance that begins anew after a failover is `available` all the while.
        """

        def all_run():
            status = self.region.status()
            (found,) = (row for row in status["clusters"] if row["id"] == cluster)
            members = {found["writer"], *found["readers"]}
            rows = [row for row in status["resources"] if row["id"] in members]
            return status if rows and all(row["in_sync"] for row in rows) else None

        return until(all_run, within, f"{cluster}: every member runs")

    def writer(self, cluster):
        """The writer's identifier."""
        members = self.describe(cluster)["DBClusterMembers"]
        return next(found["DBInstanceIdentifier"] for found in members if found["IsClusterWriter"])

    def readers(self, cluster):
        members = self.describe(cluster)["DBClusterMembers"]
        return sorted(found["DBInstanceIdentifier"] for found in members if not found["IsClusterWriter"])

    def wait_writer(self, cluster, instance, within=AVAILABLE_S):
        """Until this instance writes and the cluster is available."""

        def writes(found):
            members = found["DBClusterMembers"]
            return found["Status"] == "available" and any(
                m["IsClusterWriter"] and m["DBInstanceIdentifier"] == instance for m in members
            )

        return self.wait(cluster, writes, f"{instance} writes", within)

    def zone(self, instance):
        return self.instance(instance)["AvailabilityZone"]

    def node(self, instance):
        """The node that has the instance's mount."""
        resource = self.instance(instance)["DbiResourceId"]
        place = next(place for place in self.region.mounts() if f"/clusters/{resource}/" in place)
        return next(part for part in Path(place).parts if part.startswith(self.zone(instance)))

    def events(self, cluster):
        found = self.api.describe_events(SourceIdentifier=cluster, SourceType="db-cluster", Duration=60)
        return [event["Message"] for event in found["Events"]]

    def database(self, cluster, reader=False):
        """The cluster's endpoint, or the one of its readers."""
        endpoint = endpoint_of(self.describe(cluster), reader)
        return Database(self.region, {"DBInstanceIdentifier": cluster, "Endpoint": endpoint})

    def of_instance(self, instance):
        """One instance's own endpoint."""
        return Database(self.region, self.instance(instance))


def endpoint_of(described, reader):
    """The cluster's endpoint, or the one of its readers, as a DB instance's is described."""
    address, port = described["ReaderEndpoint" if reader else "Endpoint"], described["Port"]
    if reader:
        # AWS gives both endpoints one port; two endpoints of one address cannot have that here.
        address, _, own = address.partition(":")
        port = int(own) if own else port
    return {"Address": address, "Port": port}


def programs():
    """The folder of PostgreSQL's newest programs."""
    return sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]


def ask_as_admin(database, statements):
    """What psql prints of statements by the administrator, who comes by the engine's own socket."""
    socket, port = database.one("show unix_socket_directories"), database.one("show port")
    where = ["--host", socket, "--port", port, "--username", "rdsadmin", "--dbname", "shop"]
    # Each by itself: some statements run in no transaction.
    asked = [word for statement in statements.split("; ") for word in ("--command", statement)]
    command = [programs() / "psql", *where, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", *asked]
    return run_as_engine([*command, "--set", "ON_ERROR_STOP=1"]).strip()


def check_pages(database):
    """Every index agrees with its table, and every page with its checksum."""
    _amcheck(database, "--install-missing", "--parent-check")


def check_pages_of_reader(database):
    """The same as far as a standby can: without the locks by which parents and children of an index are compared."""
    _amcheck(database)


def _amcheck(database, *options):
    socket = database.one("show unix_socket_directories")
    port = database.one("show port")
    check = [programs() / "pg_amcheck", "--host", socket, "--port", port, "--username", "rdsadmin", "--database", "shop"]
    run_as_engine([*check, "--heapallindexed", "--no-strict-names", *options])


def run_as_engine(command):
    """What a program prints that runs under the account of the engines."""
    account = ["setpriv", "--reuid", "quorate", "--regid", "quorate", "--clear-groups"] if faults.is_root() else []
    found = subprocess.run([*account, *command], capture_output=True, text=True, cwd="/", check=False)
    assert found.returncode == 0, f"{found.stdout}{found.stderr}"
    return found.stdout
