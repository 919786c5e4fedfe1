"""Connections to instances, as their users make them."""

import psycopg

from .aws import MASTER, PASSWORD
from .poll import until

CONNECT_S = 10


class Database:
    """How to reach one instance. Stays right through failovers: address and port are the instance's for life."""

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

        return until(seen, within, f"{query} gives {expected!r}", quiet=(psycopg.Error,))

    def serves(self, within=30):
        """Until the instance answers."""
        return self.wait("select 1", 1, within)
