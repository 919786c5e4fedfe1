"""Clusters of MariaDB, and connections to them as their users make them."""

import pymysql

from .aurora import Clusters, endpoint_of
from .aws import MASTER, PASSWORD
from .database import CONNECT_S, Database

# What a server says that takes no writes (ER_OPTION_PREVENTS_STATEMENT).
_READ_ONLY = 1290
# A client that hangs on a dead server is a finding, not a reason to wait for ever.
_ANSWER_S = 30


class Connection:
    """A connection that commits each statement by itself."""

    def __init__(self, parameters):
        self._inner = pymysql.connect(autocommit=True, **parameters)

    def execute(self, query, values=None):
        with self._inner.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()

    @property
    def closed(self):
        return not self._inner.open

    def close(self):
        if self._inner.open:
            self._inner.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class MysqlDatabase(Database):
    """How to reach one instance or endpoint."""

    ERRORS = (pymysql.Error, OSError)
    KEEPALIVES = {}
    IMPATIENT = {"connect_timeout": 2, "read_timeout": 2}

    def __init__(self, region, described, password=PASSWORD, name="shop"):
        super().__init__(region, described, password, name)
        self.parameters = {
            "host": self.host,
            "port": self.port,
            "user": MASTER,
            "password": password,
            "database": name,
            "ssl_ca": str(region.ca_file()),
            "ssl_verify_identity": True,
            "connect_timeout": CONNECT_S,
            "read_timeout": _ANSWER_S,
            "write_timeout": _ANSWER_S,
        }

    def connect(self, **changes):
        return Connection({**self.parameters, **changes})

    def ask(self, query, *values, **changes):
        with self.connect(**changes) as connection:
            return list(connection.execute(query, values or None))

    @staticmethod
    def is_refusal(error):
        return isinstance(error, pymysql.Error) and error.args[:1] == (_READ_ONLY,)


class MysqlClusters(Clusters):
    """The clusters of one region that are MariaDB's."""

    ENGINE = "aurora-mysql"

    def database(self, cluster, reader=False):
        described = self.describe(cluster)
        endpoint = endpoint_of(described, reader)
        return MysqlDatabase(self.region, {"DBInstanceIdentifier": cluster, "Endpoint": endpoint})

    def of_instance(self, instance):
        return MysqlDatabase(self.region, self.instance(instance))


def check_tables(database):
    """Every table and index of the users' databases is whole, read through in full."""
    tables = database.ask(
        "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE' "
        "and table_schema not in ('information_schema', 'performance_schema', 'sys')"
    )
    assert tables
    names = ", ".join(f"`{schema}`.`{table}`" for schema, table in tables)
    told = database.ask(f"check table {names} extended")
    wrong = [row for row in told if row[2] in ("error", "warning", "Error", "Warning") or row[3] not in ("OK",)]
    # Logs as tables have no checks.
    wrong = [row for row in wrong if "doesn't support check" not in row[3]]
    assert not wrong, wrong
