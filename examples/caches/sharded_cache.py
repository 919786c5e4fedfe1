"""Client-side sharding over a Memcached cluster with pymemcache's rendezvous hashing.

    python sharded_cache.py CONFIGURATION:PORT fill KEYS     sets so many keys
    python sharded_cache.py CONFIGURATION:PORT count KEYS    prints how many of them are there

The nodes are read from the configuration endpoint. A node that does not answer costs its own keys, and no others.
"""

import sys

from pymemcache.client.base import Client
from pymemcache.client.hash import HashClient

TIMEOUT_S = 2


def discover(endpoint):
    """The nodes that auto discovery tells."""
    host, port = endpoint.rsplit(":", 1)
    answer = Client((host, int(port)), timeout=TIMEOUT_S).raw_command("config get cluster", end_tokens="END\r\n")
    _version, nodes = answer.decode().split("\n")[1:3]
    return [(address, int(port)) for _name, address, port in (node.split("|") for node in nodes.split())]


def main(endpoint, what, keys):
    # A node that does not answer is left out for a minute: what it had is missed on the others, what they have stays.
    cache = HashClient(
        discover(endpoint), timeout=TIMEOUT_S, connect_timeout=TIMEOUT_S, ignore_exc=True, retry_attempts=0
    )
    names = [f"page:{number}" for number in range(int(keys))]
    if what == "fill":
        missed = [name for name in names if not cache.set(name, name, noreply=False)]
        assert not missed, f"{len(missed)} keys could not be set"
        print(f"{keys} keys on {len(cache.clients)} nodes")
    else:
        found = [name for name in names if cache.get(name) == name.encode()]
        print(f"{len(found)} of {keys}")


if __name__ == "__main__":
    main(*sys.argv[1:])
