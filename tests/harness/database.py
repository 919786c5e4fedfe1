"""Connections to instances, as their users make them."""

import psycopg

from .aws import MASTER, PASSWORD
from .poll import until

CONNECT_S = 10


class Database:
    """How to reach one instance. Stays right through failovers: address and port are the instance's for life."""

    # What a statement that did not succeed ends with.
    ERRORS = (psycopg.Error,)
    # What a connection is made with that must notice a server that is gone.
    KEEPALIVES = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 20_000}

    # What a connection is made with where it may well be that nobody serves.
    IMPATIENT = {"connect_timeout": 2}

    def __init__(self, region, described, password=PASSWORD, name="shop", region_name=None):
        self.region = region
        self.identifier = described["DBInstanceIdentifier"]
        self.host = described["Endpoint"]["Address"]
        self.port = described["Endpoint"]["Port"]
        self.parameters = {
            "host": self.host,
            "port": self.port,
            "user": MASTER,
            "password": password,
            "dbname": name,
            "sslmode": "verify-full",
            "sslrootcert": str(region.ca_file(region_name)),
            "connect_timeout": CONNECT_S,
        }

    def connect(self, **changes):
        """A connection that commits each statement by itself."""
        return psycopg.connect(**{**self.parameters, **changes}, autocommit=True)

    def ask(self, query, *values, **changes):
        """The rows of one query on a connection of its own."""
        with self.connect(**changes) as connection:
            cursor = connection.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, query, *values, **changes):
        """The single value of a query."""
        return self.ask(query, *values, **changes)[0][0]

    def wait(self, query, expected, within=30):
        """Until a query gives one value, whatever becomes of connections meanwhile."""

        def seen():
            return [self.one(query)] == [expected]

        return until(seen, within, f"{query} gives {expected!r}", quiet=self.ERRORS)

    @staticmethod
    def is_refusal(error):
        """Whether the server surely did nothing, as it takes no writes."""
        return isinstance(error, psycopg.errors.ReadOnlySqlTransaction)

    def serves(self, within=30):
        """Until the instance answers."""
        return self.wait("select 1", 1, within)
